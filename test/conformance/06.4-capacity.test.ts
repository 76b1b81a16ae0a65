/** Seed 001 section 6.4: the pool of workers and the counts that limit it. What the infrastructure allows is in 12-capacity.test.ts. */
import { assert, describe, it } from "@effect/vitest"
import { Context, Effect } from "effect"
import { TestClock } from "effect/testing"
import { Monitor } from "../../src/services/Monitor.ts"
import { makeWorld, name, seeded, start, type World, type WorldOptions } from "../support/world.ts"

type Process = Effect.Success<ReturnType<typeof start>>

const begin = Effect.fnUntraced(function* (options: WorldOptions = {}) {
  const world = yield* makeWorld({ v1: true, ...options })
  const process = yield* start(world)
  // Between two passes of the reaper.
  yield* TestClock.adjust("250 seconds")
  return { world, process }
})

/** A worker of this hatchery at CDS whose machine nobody knows of; answers what CDS says of it from then on. */
const straying = ({ cds: { state } }: World, api: "v1" | "v2", worker = "lost-hopper") => {
  const common = { id: `id-${worker}`, name: worker, jobId: "", hatcheryName: name, version: "", os: "", arch: "" }
  const living = { ...common, status: "Building", lastBeatAt: Date.UTC(2100) } as const
  const service = [...state.v1.services.values()][0]
  const hatchery = [...state.hatcheries.values()][0]
  if (api === "v1") state.v1.workers.set(common.id, { ...living, modelId: undefined, hatcheryId: service?.id })
  else state.workers.set(common.id, { ...living, modelName: "debian", hatcheryId: hatchery?.id ?? "" })
  return () => (api === "v1" ? state.v1 : state).workers.get(common.id)?.status
}

const pool = ({ context }: Process) =>
  Effect.map(Context.get(context, Monitor).workers, (workers) => workers.map((one) => `${one.name} ${one.status}`))

const waiting = ({ context }: Process) =>
  Effect.map(Context.get(context, Monitor).waiting, (decisions) => decisions.map(({ reason }) => reason).join())

describe("6.4.1 the pool of workers", () => {
  it.effect("is what CDS lists and what has a machine, each once, and no ready machine is in it", () =>
    Effect.gen(function* () {
      const { world, process } = yield* begin()
      assert.deepStrictEqual(yield* pool(process), [])
      const [id = ""] = yield* world.cds.enqueue({ durationMs: 60 * 60_000 })
      const told = new Set<string>()
      for (let second = 0; second < 180; second++) {
        yield* TestClock.adjust("1 second")
        const workers = yield* pool(process)
        assert.isAtMost(workers.length, 1)
        for (const one of workers) told.add(one)
      }
      const machine = world.vcenter.owned(name).find(({ annotation }) => annotation.includes(id))?.name
      assert.deepStrictEqual([...told], [`${machine} Pending`, `${machine} Building`])
    }).pipe(seeded("pool"))
  )
})

describe("6.4.1 a registered worker without a machine", () => {
  it.effect("is disabled after two looks a reaper interval apart, when it is of V1", () =>
    Effect.gen(function* () {
      const { world } = yield* begin()
      const status = straying(world, "v1")
      yield* TestClock.adjust("65 seconds")
      assert.strictEqual(status(), "Building")
      yield* TestClock.adjust("65 seconds")
      assert.strictEqual(status(), "Disabled")
    }).pipe(seeded("stray"))
  )

  it.effect("is left to CDS when it is of V2, and counts against maxWorker meanwhile", () =>
    Effect.gen(function* () {
      const { world, process } = yield* begin({ settings: { maxWorker: 1 } })
      const status = straying(world, "v2")
      yield* TestClock.adjust("65 seconds")
      yield* world.cds.enqueue({ count: 1 })
      yield* TestClock.adjust("2 minutes")
      assert.strictEqual(status(), "Building")
      assert.match(yield* waiting(process), /1 workers of at most 1/)
      yield* world.cds.disableWorker("lost-hopper")
      yield* TestClock.adjust("5 minutes")
      assert.strictEqual((yield* world.cds.counts).waiting, 0)
    }).pipe(seeded("stray of V2"))
  )

  it.effect("is left alone while a machine of its name is there, whoever's it is", () =>
    Effect.gen(function* () {
      const { world } = yield* begin()
      const [ref] = world.vcenter.addForeign({ count: 1 })
      const machine = world.vcenter.machines().find((one) => one.ref.value === ref?.value)
      const status = straying(world, "v1", machine?.name)
      yield* TestClock.adjust("10 minutes")
      assert.strictEqual(status(), "Building")
    }).pipe(seeded("not a stray"))
  )

  const blindness = [
    ["vCenter does not answer", { _tag: "Restart", downMs: 10 * 60_000 }],
    ["the view has lost machines that vCenter still knows", { _tag: "ViewShrinks", share: 1, forMs: 10 * 60_000 }]
  ] as const
  for (const [what, fault] of blindness)
    it.effect(`is left alone while ${what}, and disabled by two looks after that`, () =>
      Effect.gen(function* () {
        const { world } = yield* begin()
        const status = straying(world, "v1")
        yield* TestClock.adjust("65 seconds")
        yield* world.vcenter.inject(fault)
        yield* TestClock.adjust("9 minutes")
        assert.strictEqual(status(), "Building")
        yield* TestClock.adjust("4 minutes")
        assert.strictEqual(status(), "Disabled")
      }).pipe(seeded(what))
    )

  it.effect("is not even looked for when the metrics or the workers are asked for", () =>
    Effect.gen(function* () {
      const { world, process } = yield* begin()
      const status = straying(world, "v1")
      yield* TestClock.adjust("65 seconds")
      for (let n = 0; n < 10; n++) {
        yield* pool(process)
        yield* Effect.all([Context.get(process.context, Monitor).gauges, TestClock.adjust("100 millis")], {
          concurrency: 2
        })
      }
      assert.strictEqual(status(), "Building")
    }).pipe(seeded("no side effect"))
  )
})

describe("6.4.2 and 6.4.6 maxWorker", () => {
  it.effect("is not used up by ready machines, and by each that is claimed", () =>
    Effect.gen(function* () {
      const { world, process } = yield* begin({
        settings: { maxWorker: 2, provision: [{ template: "debian12", number: 4 }], poolSize: 4 }
      })
      assert.strictEqual(world.vcenter.owned(name).length, 4)
      yield* world.cds.enqueue({ count: 3, durationMs: 60 * 60_000 })
      yield* TestClock.adjust("5 minutes")
      assert.deepInclude(yield* world.cds.counts, { running: 2, waiting: 1 })
      assert.match(yield* waiting(process), /2 workers of at most 2 \(provision.maxWorker\)/)
    }).pipe(seeded("ready machines"))
  )
})

describe("6.4.3 maxConcurrentProvisioning", () => {
  it.effect("lets no more workers start at once, and all of them one after the other", () =>
    Effect.gen(function* () {
      const { world, process } = yield* begin({ settings: { maxConcurrentProvisioning: 1, provision: [] } })
      yield* world.cds.enqueue({ count: 3, durationMs: 60 * 60_000 })
      let most = 0
      for (let second = 0; second < 10 * 60; second++) {
        yield* TestClock.adjust("1 second")
        const machines = yield* Context.get(process.context, Monitor).machines
        most = Math.max(most, machines.filter(({ state }) => state !== "running").length)
      }
      assert.strictEqual((yield* world.cds.counts).running, 3)
      assert.strictEqual(most, 1)
    }).pipe(seeded("one at a time"))
  )
})
