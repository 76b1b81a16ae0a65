/** Every call of a job's life at VMware's simulator, held against the table of the calls that a job may make. */
import { assert, it } from "@effect/vitest"
import { Effect } from "effect"
import { type JobCall, type Row, rowOf, rows, type Spawn, spawns } from "../support/jobCalls.ts"
import { type Call, callsOf, isListing, tellsAbsence } from "./harness/Calls.ts"
import * as Go from "./harness/Go.ts"
import { HarnessError } from "./harness/HarnessError.ts"
import { sideBySide } from "./harness/real.ts"
import * as Stand from "./harness/Stand.ts"
import { quiet } from "./harness/Tap.ts"

const template = "debian12"

/** A job from its event to the word that its machine is gone. While it runs its template has another name, so that no refill is recorded with it. */
const record = Effect.fnUntraced(function* (spawn: Spawn) {
  const stand = yield* Stand.start({
    configuration: {
      number: spawn === "clone" ? 0 : 1,
      reaperInterval: "30s",
      flavors: { large: { cpus: 4, memoryMB: 4096, diskSizeGB: 20 } }
    }
  })
  const hatchery = yield* stand.hatchery
  yield* stand.pool()
  yield* hatchery.line(/the inventory is certain/)
  const source = yield* stand.session.find("VirtualMachine", template)
  if (spawn !== "clone") yield* stand.vcenter.order("POST", "/rename", { name: template, to: "aside" })
  const { exchanges, forget } = stand.taps.vcenter
  yield* quiet(stand.taps.vcenter)
  yield* forget
  const jobId = yield* stand.cds.enqueue({ durationMs: 4000, ...(spawn === "flavor" ? { flavor: "large" } : {}) })
  const { worker } = yield* stand.cds.until(jobId, "Building")
  const { ref, cpus, memory_mb } = yield* stand.vcenter.until(({ name }) => name === worker, "the worker's")
  yield* stand.cds.until(jobId, "Success")
  const absence = Effect.gen(function* () {
    while (!exchanges.some((exchange) => tellsAbsence(exchange, ref))) yield* Effect.sleep(20)
  })
  yield* Effect.timeoutOrElse(absence, {
    duration: "60 seconds",
    orElse: () => Effect.fail(new HarnessError({ message: `${ref} is not told to be gone` }))
  })
  const recorded = [...exchanges]
  assert.deepStrictEqual(recorded.filter(isListing), [])
  const of = ({ type, ref: about }: Call) => (about === ref ? "machine" : about === source ? "template" : type)
  return {
    calls: recorded.flatMap(callsOf).map((call): JobCall => ({ ...call, of: of(call) })),
    size: { cpus, memory_mb }
  }
}, Effect.scoped)

const countOf = (calls: ReadonlyArray<JobCall>, row: Row): number => calls.filter((call) => rowOf(call) === row).length

const tell = (spawn: Spawn, calls: ReadonlyArray<JobCall>) =>
  console.log(
    [
      `${spawn}: ${calls.length} calls`,
      ...rows.map((row) => `${String(countOf(calls, row)).padStart(4)} ${row.operation} of ${row.of}: ${row.purpose}`)
    ].join("\n")
  )

const asked = { pool: "a machine of the pool", flavor: "a machine of the pool, made larger", clone: "a clone" }

sideBySide("the calls of a job", Go.goMissing(), () => {
  for (const spawn of spawns)
    it.live(`on ${asked[spawn]} are those of the table: nothing is listed, and no property read twice`, () =>
      Effect.gen(function* () {
        const { calls, size } = yield* record(spawn)
        tell(spawn, calls)
        assert.deepStrictEqual(size, spawn === "flavor" ? { cpus: 4, memory_mb: 4096 } : { cpus: 2, memory_mb: 2048 })
        assert.deepStrictEqual(
          calls.filter((call) => rowOf(call) === undefined),
          []
        )
        for (const row of rows) {
          const count = countOf(calls, row)
          const what = `${row.operation} of ${row.of}: ${row.purpose}`
          assert.isAtMost(count, row.most[spawn], what)
          if (row.most[spawn] > 0) assert.isAtLeast(count, 1, what)
        }
        const read = calls.flatMap(({ of, reads }) => reads.map((path) => `${of} ${path}`))
        assert.deepStrictEqual(
          read.filter((path, index) => read.indexOf(path) !== index),
          []
        )
      })
    )
})
