/**
 * Seed 001 section 8 and the rule tables of both states of the Go hatchery (vsphere-behaviour 11.1 and 11.2): which machine goes when, by what a
 * process finds that has just started. Where we do otherwise the row says so; docs/differences.md says why.
 */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { TestClock } from "effect/testing"
import { makeWorld, name, seeded, start, type World } from "../support/world.ts"

const minute = 60_000
const template = "debian12"

interface Rule {
  readonly rule: string
  /** The annotation beside owner and template; undefined: none at all. */
  readonly annotation: Readonly<Record<string, unknown>> | undefined
  /** The name begins with it. */
  readonly prefix?: string
  readonly on: boolean
  /** CDS lists a worker of its name. */
  readonly registered?: boolean
  /** Minutes since its `worker_start_time`; undefined: it has none, and was made `age` minutes ago. */
  readonly started?: number
  readonly age?: number
  /** Minutes after the start of the process at which it is there, and at which it is gone; the latter undefined: kept. */
  readonly there: number
  readonly gone?: number
}

const rules: ReadonlyArray<Rule> = [
  { rule: "B1, A1: no annotation: kept", annotation: undefined, on: true, there: 240 },
  { rule: "B1, A1: another owner: kept", annotation: { hatchery_name: "magpie" }, on: true, started: 500, there: 240 },
  {
    rule: "B3, A3: ready in the pool: kept",
    annotation: { provisioning: true },
    prefix: "provision-v2",
    on: false,
    there: 240
  },
  { rule: "B4, A4: a V1 template: kept", annotation: { model: true }, prefix: "build-env", on: false, there: 240 },
  { rule: "B6: off, registered: at once", annotation: {}, on: false, registered: true, started: 20, there: 0, gone: 2 },
  {
    rule: "B7: off, not registered: at once; Go waits until three minutes after its start",
    annotation: {},
    on: false,
    started: 0,
    there: 0,
    gone: 2
  },
  {
    rule: "A10: off after its start, not registered: at once",
    annotation: {},
    on: false,
    started: 90,
    there: 0,
    gone: 2
  },
  {
    rule: "A7: renamed and never started: at once; Go hardly ever",
    annotation: { provisioning: true, worker_name: "provision-v2-calm-turing" },
    on: false,
    there: 0,
    gone: 2
  },
  {
    rule: "B8, A9: on, registered: when workerTTL is over since its start",
    annotation: {},
    on: true,
    registered: true,
    started: 100,
    there: 19,
    gone: 22
  },
  {
    rule: "B8, A9: on, registered, workerTTL over already: at the first look",
    annotation: {},
    on: true,
    registered: true,
    started: 130,
    there: 0,
    gone: 3
  },
  {
    rule: "B5, A6, A8: without a start time its boot counts; A keeps it for ever when its events are gone",
    annotation: {},
    on: true,
    registered: true,
    age: 100,
    there: 19,
    gone: 22
  },
  {
    rule: "B9, A11: on, not registered: when workerRegistrationTTL is over since we came; Go counts from its start",
    annotation: { job_id: "" },
    on: true,
    started: 60,
    there: 9,
    gone: 13
  }
]

/** A worker of ours at CDS, at work for longer than anybody looks. */
const register = ({ cds: { state } }: World, worker: string) =>
  state.workers.set(worker, {
    id: worker,
    name: worker,
    modelName: template,
    jobId: "",
    hatcheryId: [...state.hatcheries.values()][0]?.id ?? "",
    hatcheryName: name,
    version: "",
    os: "",
    arch: "",
    status: "Building",
    lastBeatAt: Date.UTC(2100)
  })

const ago = (minutes: number, now: number) => new Date(now - minutes * minute).toISOString()

/** The machine of a rule, as it is when the process starts. */
const found = Effect.fnUntraced(function* (world: World, given: Rule) {
  yield* TestClock.adjust("10 hours")
  const now = 10 * 60 * minute
  const { annotation, started } = given
  const text =
    annotation === undefined
      ? ""
      : JSON.stringify({
          hatchery_name: name,
          vmware_model_path: template,
          created: ago(600, now),
          ...(started === undefined ? {} : { worker_start_time: ago(started, now), job_id: "a-job" }),
          ...annotation
        })
  const prefix = given.prefix ?? "calm-hopper"
  const [ref] = world.vcenter.addForeign({ count: 1, prefix, annotation: text, poweredOn: given.on })
  const machine = () => world.vcenter.machines().find((one) => one.ref.value === ref?.value)
  yield* TestClock.adjust((given.age ?? 0) * minute)
  return machine
})

describe("8.1 a machine that is found", () => {
  for (const given of rules)
    it.effect(given.rule, () =>
      Effect.gen(function* () {
        const world = yield* makeWorld({ settings: { provision: [{ template, number: 1 }] } })
        const machine = yield* found(world, given)
        yield* start(world)
        yield* TestClock.adjust("5 seconds")
        if (given.registered === true) register(world, machine()?.name ?? "")
        yield* TestClock.adjust(given.there * minute)
        if (given.there > 0) assert.isDefined(machine())
        if (given.gone === undefined) return
        yield* TestClock.adjust((given.gone - given.there) * minute)
        assert.isUndefined(machine())
      }).pipe(seeded(given.rule))
    )
})

describe("8.1 a worker that is busy when workerTTL is over", () => {
  for (const kind of ["V2", "V1"] as const)
    it.effect(`loses its machine, and its job fails with the reason and is not run again (${kind})`, () =>
      Effect.gen(function* () {
        const world = yield* makeWorld({ v1: true })
        const { cds } = world
        const path = "shared.infra/build-env"
        yield* cds.addModel({ name: "build-env", password: "worker", registered: { binaries: ["git"] } })
        yield* start(world)
        yield* TestClock.adjust("10 minutes")
        const durationMs = 5 * 60 * minute
        const [id = ""] = yield* kind === "V2"
          ? cds.enqueue({ durationMs })
          : cds.enqueueV1({ durationMs, model: path })
        yield* TestClock.adjust("60 minutes")
        assert.strictEqual((yield* cds.job(id))?.status, "Building")
        yield* TestClock.adjust("70 minutes")
        const job = yield* cds.job(id)
        assert.strictEqual(job?.status, "Fail")
        assert.isTrue(job?.infos.some(({ message }) => message.includes("workerTTL")))
        yield* TestClock.adjust("60 minutes")
        assert.strictEqual((yield* cds.job(id))?.status, "Fail")
        assert.deepInclude(yield* cds.counts, { running: 0, waiting: 0 })
      }).pipe(seeded(`busy ${kind}`))
    )
})

describe("8.2 a disabled worker", () => {
  it.effect("loses its machine at the next pass", () =>
    Effect.gen(function* () {
      const world = yield* makeWorld({ behaviour: () => ({ hangsAfterMs: 1_000 }) })
      yield* start(world)
      yield* TestClock.adjust("3 minutes")
      const [id = ""] = yield* world.cds.enqueue({ durationMs: 60 * minute })
      yield* TestClock.adjust("3 minutes")
      const machine = world.vcenter.owned(name).find(({ annotation }) => annotation.includes(id))
      const isThere = () => world.vcenter.owned(name).some(({ ref }) => ref.value === machine?.ref.value)
      assert.isTrue(isThere())
      for (const worker of world.cds.state.workers.values()) worker.status = "Disabled"
      yield* TestClock.adjust("70 seconds")
      assert.isFalse(isThere())
    }).pipe(seeded("disabled"))
  )
})

describe("8.1 a machine that cannot be reached", () => {
  it.effect("is kept however old, and goes when it can be reached and its time is over", () =>
    Effect.gen(function* () {
      const rule = { rule: "", annotation: {}, on: true, registered: true, started: 100, there: 0 }
      const world = yield* makeWorld({ settings: { provision: [] } })
      const machine = yield* found(world, rule)
      yield* start(world)
      yield* TestClock.adjust("5 seconds")
      register(world, machine()?.name ?? "")
      yield* TestClock.adjust("2 minutes")
      const lost = { state: "disconnected", machine: machine()?.name ?? "", forMs: 50 * minute } as const
      yield* world.vcenter.inject({ _tag: "Disconnects", ...lost })
      yield* TestClock.adjust("49 minutes")
      assert.isDefined(machine())
      yield* TestClock.adjust("25 minutes")
      assert.isUndefined(machine())
    }).pipe(seeded("unreachable"))
  )
})
