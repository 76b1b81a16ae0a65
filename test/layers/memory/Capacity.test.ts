import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Option } from "effect"
import { layer } from "../../../src/layers/memory/Capacity.ts"
import { defaults } from "../../../src/schema/Config.ts"
import { Capacity } from "../../../src/services/Capacity.ts"
import { Settings, type SettingsShape } from "../../../src/services/Settings.ts"

const size = { cpus: 2, memoryMB: 4096 }

const ledger = <A, E>(
  limits: Partial<SettingsShape>,
  use: (capacity: Capacity["Service"]) => Effect.Effect<A, E>
): Effect.Effect<A, E> =>
  Effect.flatMap(Capacity, use).pipe(
    Effect.provide(Layer.fresh(layer).pipe(Layer.provide(Layer.succeed(Settings, { ...defaults, ...limits }))))
  )

const unlimited = { maxWorker: 0, maxConcurrentProvisioning: 1_000, maxCpus: 0, maxMemoryMB: 0 }

describe("the ledger of workers", () => {
  const limits: ReadonlyArray<readonly [Partial<SettingsShape>, string, RegExp]> = [
    [{ maxWorker: 2 }, "maxWorker", /2 workers of at most 2 \(provision.maxWorker\)/],
    [
      { maxConcurrentProvisioning: 2 },
      "maxConcurrentProvisioning",
      /2 workers are starting, at most 2 at once \(provision.maxConcurrentProvisioning\)/
    ],
    [{ maxCpus: 5 }, "maxCpus", /2 CPUs more than the 4 in use would pass hatchery.vsphere.maxCpus = 5/],
    [
      { maxMemoryMB: 10_000 },
      "maxMemoryMB",
      /4096 MB more than the 8192 MB in use would pass hatchery.vsphere.maxMemoryMB = 10000/
    ]
  ]

  for (const [limit, name, reason] of limits)
    it.effect(`refuses the worker that would pass ${name}, with the numbers, and takes it when there is room`, () =>
      ledger({ ...unlimited, ...limit }, (capacity) =>
        Effect.gen(function* () {
          yield* capacity.reserve("a", size)
          yield* capacity.reserve("b", size)
          const refused = yield* Effect.flip(capacity.reserve("c", size))
          assert.strictEqual(refused.limit, name)
          assert.match(refused.reason, reason)
          assert.strictEqual((yield* capacity.used).workers, 2)
          yield* capacity.release("a")
          yield* capacity.reserve("c", size)
          assert.deepStrictEqual(yield* capacity.used, { workers: 2, starting: 2, cpus: 4, memoryMB: 8192 })
        })
      )
    )

  it.effect("takes a worker that meets a limit exactly", () =>
    ledger({ ...unlimited, maxWorker: 1, maxCpus: 2, maxMemoryMB: 4096 }, (capacity) => capacity.reserve("a", size))
  )

  it.effect("knows no limit where it is 0", () =>
    ledger(unlimited, (capacity) =>
      Effect.gen(function* () {
        for (let n = 0; n < 500; n++) yield* capacity.reserve(`machine-${n}`, size)
        assert.deepStrictEqual(yield* capacity.used, { workers: 500, starting: 500, cpus: 1000, memoryMB: 2_048_000 })
      })
    )
  )

  it.effect("counts a worker that has started no longer as starting, with the size that it has now", () =>
    ledger({ ...unlimited, maxConcurrentProvisioning: 1 }, (capacity) =>
      Effect.gen(function* () {
        yield* capacity.reserve("a", size)
        yield* capacity.commit("a", { cpus: 8, memoryMB: 16_384 }, false)
        assert.deepStrictEqual(yield* capacity.used, { workers: 1, starting: 0, cpus: 8, memoryMB: 16_384 })
        yield* capacity.reserve("b", size)
      })
    )
  )

  it.effect("takes what is there already, whatever the limits say, and lets nothing more in", () =>
    ledger({ ...unlimited, maxWorker: 1 }, (capacity) =>
      Effect.gen(function* () {
        for (const machine of ["a", "b", "c"]) yield* capacity.commit(machine, size, machine === "c")
        assert.deepStrictEqual(yield* capacity.used, { workers: 3, starting: 1, cpus: 6, memoryMB: 12_288 })
        yield* capacity.release("a")
        assert.strictEqual((yield* Effect.flip(capacity.reserve("d", size))).limit, "maxWorker")
      })
    )
  )

  it.effect("gives out each place once, however many ask at the same time", () =>
    ledger({ ...unlimited, maxWorker: 7 }, (capacity) =>
      Effect.gen(function* () {
        const asked = Array.from({ length: 200 }, (_, n) =>
          Effect.andThen(Effect.yieldNow, Effect.option(capacity.reserve(`machine-${n}`, size)))
        )
        const got = yield* Effect.all(asked, { concurrency: 200 })
        assert.strictEqual(got.filter(Option.isSome).length, 7)
      })
    )
  )

  it.effect("forgets a machine that it does not know without harm", () =>
    ledger(unlimited, (capacity) =>
      Effect.gen(function* () {
        yield* capacity.reserve("a", size)
        yield* capacity.release("somebody")
        yield* capacity.release("a")
        yield* capacity.release("a")
        assert.deepStrictEqual(yield* capacity.used, { workers: 0, starting: 0, cpus: 0, memoryMB: 0 })
      })
    )
  )
})
