/** Every call of a job's life at VMware's simulator, held against the table of the calls that a job may make. */
import { assert, it } from "@effect/vitest"
import { Effect } from "effect"
import { type JobCall, type Row, rowOf, rows, type Spawn } from "../support/jobCalls.ts"
import { type Call, callsOf, isListing, tellsAbsence } from "./harness/Calls.ts"
import type * as Cds from "./harness/Cds.ts"
import * as Go from "./harness/Go.ts"
import { HarnessError } from "./harness/HarnessError.ts"
import * as Program from "./harness/Program.ts"
import { sideBySide } from "./harness/real.ts"
import * as Stand from "./harness/Stand.ts"
import { quiet } from "./harness/Tap.ts"
import * as Vcenter from "./harness/Vcenter.ts"

/** What a job asks for its machine. */
interface Order {
  /** The vSphere template that its machine is made of. */
  readonly source: string
  readonly configuration: Stand.Options["configuration"]
  readonly models: ReadonlyArray<object>
  /** What the process has read for good before there is a job: the building of a template enters guests, too. */
  readonly known: ReadonlyArray<string>
  readonly enqueue: (cds: Cds.Cds, spawn: Spawn) => Effect.Effect<string, HarnessError>
}

const ofV2: Order = {
  source: "debian12",
  configuration: { flavors: { large: { cpus: 4, memoryMB: 4096, diskSizeGB: 20 } } },
  models: [],
  known: [],
  enqueue: (cds, spawn) => cds.enqueue({ durationMs: 4000, ...(spawn === "flavor" ? { flavor: "large" } : {}) })
}

/** Its worker is there as with a V2 job; the model's template is built from debian12 before. */
const model = {
  name: "golang",
  user: Vcenter.guestAccount.user,
  password: Vcenter.guestAccount.password,
  preCmd: `curl --fail --silent --show-error --output /tmp/worker "{{.API}}/download/worker/linux/amd64"
chmod +x /tmp/worker`,
  cmd: "/tmp/worker",
  postCmd: "sudo shutdown -h now",
  registered: { binaries: [] }
}

const ofV1: Order = {
  source: model.name,
  configuration: {},
  models: [model],
  known: ["GuestOperationsManager"],
  enqueue: (cds) => Effect.map(cds.enqueueV1({ model: model.name, durationMs: 4000 }), ([id = ""]) => id)
}

/** Waits for what is not told by anything that could be waited for. */
const until = <E>(holds: Effect.Effect<boolean, E>, what: string) =>
  Effect.gen(function* () {
    while (!(yield* holds)) yield* Effect.sleep(20)
  }).pipe(
    Effect.timeoutOrElse({
      duration: "60 seconds",
      orElse: () => Effect.fail(new HarnessError({ message: `not within a minute: ${what}` }))
    })
  )

/**
 * A job from its event to the word that its machine is gone. There is one address, and it is the machine's: so no refill is recorded with the job.
 */
const record = Effect.fnUntraced(function* (order: Order, spawn: Spawn) {
  const number = spawn === "clone" ? 0 : 1
  const v1 = order.models.length > 0
  const stand = yield* Stand.start({
    v1,
    configuration: {
      number: v1 ? 0 : number,
      ...(v1 ? { models: { [`shared.infra/${model.name}`]: number }, times: { registerFrequency: "1s" } } : {}),
      ipRange: "10.0.0.2/32",
      reaperInterval: "30s",
      ...order.configuration
    }
  })
  for (const one of order.models) yield* stand.cds.order("POST", "/v1/models", one)
  const hatchery = yield* stand.hatchery
  yield* hatchery.line(/the inventory is certain/)
  const ready = Effect.map(
    Effect.all([stand.vcenter.inventory, Program.machines(hatchery)]),
    ([there, ours]) =>
      there.some(({ name, template }) => template && name === order.source) &&
      ours.length === number &&
      ours.every(({ state }) => state === "provisioned")
  )
  yield* until(ready, `a pool of ${number}`)
  const source = yield* stand.session.find("VirtualMachine", order.source)
  const { exchanges, forget } = stand.taps.vcenter
  yield* quiet(stand.taps.vcenter)
  yield* forget
  const jobId = yield* order.enqueue(stand.cds, spawn)
  const { worker } = yield* stand.cds.until(jobId, "Building")
  const { ref, cpus, memory_mb } = yield* stand.vcenter.until(({ name }) => name === worker, "the worker's")
  yield* stand.cds.until(jobId, "Success")
  const absence = () => exchanges.findIndex((exchange) => tellsAbsence(exchange, ref))
  yield* until(
    Effect.sync(() => absence() >= 0),
    `${ref} is told to be gone`
  )
  const recorded = exchanges.slice(0, absence() + 1)
  assert.deepStrictEqual(recorded.filter(isListing), [])
  const of = ({ type, ref: about }: Call) => (about === ref ? "machine" : about === source ? "template" : type)
  return {
    calls: recorded.flatMap(callsOf).map((call): JobCall => ({ ...call, of: of(call) })),
    size: { cpus, memory_mb }
  }
}, Effect.scoped)

const countOf = (calls: ReadonlyArray<JobCall>, row: Row): number => calls.filter((call) => rowOf(call) === row).length

const tell = (what: string, calls: ReadonlyArray<JobCall>) =>
  console.log(
    [
      `${what}: ${calls.length} calls`,
      ...rows.map((row) => `${String(countOf(calls, row)).padStart(4)} ${row.operation} of ${row.of}: ${row.purpose}`)
    ].join("\n")
  )

const recordings: ReadonlyArray<readonly [what: string, Order, Spawn]> = [
  ["a job on a machine of the pool", ofV2, "pool"],
  ["a job on a machine of the pool, made larger", ofV2, "flavor"],
  ["a job on a clone", ofV2, "clone"],
  ["a V1 job on a machine of its model's pool", ofV1, "pool"],
  ["a V1 job on a clone of its model's template", ofV1, "clone"]
]

sideBySide("the calls of", Go.goMissing(), () => {
  for (const [what, order, spawn] of recordings)
    it.live(`${what} are those of the table: nothing is listed, and no property read twice`, () =>
      Effect.gen(function* () {
        const { calls, size } = yield* record(order, spawn)
        tell(what, calls)
        assert.deepStrictEqual(size, spawn === "flavor" ? { cpus: 4, memory_mb: 4096 } : { cpus: 2, memory_mb: 2048 })
        assert.deepStrictEqual(
          calls.filter((call) => rowOf(call) === undefined),
          []
        )
        for (const row of rows) {
          const count = countOf(calls, row)
          const what = `${row.operation} of ${row.of}: ${row.purpose}`
          const most = order.known.includes(row.of) ? 0 : row.most[spawn]
          assert.isAtMost(count, most, what)
          if (most > 0) assert.isAtLeast(count, 1, what)
        }
        const read = calls.flatMap(({ of, reads }) => reads.map((path) => `${of} ${path}`))
        assert.deepStrictEqual(
          read.filter((path, index) => read.indexOf(path) !== index),
          []
        )
      })
    )
})
