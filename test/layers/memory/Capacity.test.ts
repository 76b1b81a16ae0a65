import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Option } from "effect"
import { layer } from "../../../src/layers/memory/Capacity.ts"
import { defaults } from "../../../src/schema/Config.ts"
import type { Resources } from "../../../src/schema/Resources.ts"
import { Capacity } from "../../../src/services/Capacity.ts"
import { Inventory, type Doubt } from "../../../src/services/Inventory.ts"
import { Settings, type SettingsShape } from "../../../src/services/Settings.ts"

const size = { cpus: 2, memoryMB: 4096 }

const unknown: Resources = { cpu: undefined, memory: undefined, freeSpace: undefined }

const ledger = <A, E>(
  limits: Partial<SettingsShape>,
  use: (capacity: Capacity["Service"]) => Effect.Effect<A, E>,
  place: { readonly resources?: Resources; readonly doubt?: Doubt } = {}
): Effect.Effect<A, E> => {
  const inventory = Layer.mock(Inventory)({
    resources: Effect.sync(() => place.resources ?? unknown),
    doubt: Effect.sync(() => place.doubt)
  })
  const settings = Layer.succeed(Settings, { ...defaults, ...limits })
  return Effect.flatMap(Capacity, use).pipe(
    Effect.provide(Layer.fresh(layer).pipe(Layer.provide(Layer.merge(inventory, settings))))
  )
}

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

const why = (resources: Resources) =>
  ledger(unlimited, (capacity) => Effect.map(capacity.refusal(size), (refused) => refused?.reason), { resources })

describe("the resource pool", () => {
  const MB = 2 ** 20
  const used = 0
  const cpu = { max: 20_000, used, unreserved: 1 }
  const memory = { max: 16_384 * MB, used, unreserved: 4096 * MB }

  it.effect("takes a worker whose memory is just what is not reserved, and any CPU is enough", () =>
    Effect.gen(function* () {
      assert.isUndefined(yield* why({ ...unknown, cpu, memory }))
    })
  )

  it.effect(
    "refuses the worker that needs more memory, or any worker when its CPU is all reserved, with the numbers",
    () =>
      Effect.gen(function* () {
        assert.strictEqual(
          yield* why({ ...unknown, cpu, memory: { ...memory, unreserved: 4096 * MB - 1 } }),
          "the resource pool has 4095 of 16384 MB left that are not reserved, and the worker needs 4096 MB"
        )
        assert.strictEqual(
          yield* why({ ...unknown, cpu: { ...cpu, unreserved: 0 }, memory }),
          "the resource pool has no CPU left that is not reserved (0 of 20000 MHz)"
        )
      })
  )

  it.effect("has no room for what is starting already, which its figures do not show yet", () =>
    ledger(
      unlimited,
      (capacity) =>
        Effect.gen(function* () {
          yield* capacity.reserve("a", size)
          yield* capacity.reserve("b", size)
          const refused = yield* Effect.flip(capacity.reserve("c", size))
          assert.strictEqual(refused.limit, "resourcePool")
          assert.strictEqual(
            refused.reason,
            "the resource pool has 12287 of 16384 MB left that are not reserved, 8192 MB of them for workers that start, and the worker needs 4096 MB"
          )
          yield* capacity.commit("a", size, false)
          yield* capacity.reserve("c", size)
          yield* capacity.release("b")
          yield* capacity.reserve("d", size)
        }),
      { resources: { ...unknown, cpu, memory: { ...memory, unreserved: 3 * 4096 * MB - 1 } } }
    )
  )

  it.effect("is no limit while it cannot be read", () =>
    Effect.gen(function* () {
      assert.isUndefined(yield* why(unknown))
    })
  )
})

describe("the reserve for smaller flavors", () => {
  const flavors = [
    { name: "medium", cpus: 4, memoryMB: 8192 },
    { name: "small", cpus: 2, memoryMB: 4096 },
    { name: "large", cpus: 8, memoryMB: 16_384 }
  ]
  const limits = { ...unlimited, flavors, maxCpus: 64, countSmallerFlavorToKeep: 2 }
  const busy = { cpus: 54, memoryMB: 1 }
  const of = (wanted: string) => flavors.find(({ name }) => name === wanted)!
  const refusals = (used: number, more: Partial<SettingsShape> = {}) =>
    ledger({ ...limits, ...more }, (capacity) =>
      Effect.gen(function* () {
        yield* capacity.commit("busy", { ...busy, cpus: used }, false)
        const refused = yield* Effect.forEach(["small", "medium", "large"], (flavor) => capacity.refusal(of(flavor)))
        return refused.map((one) => one?.limit)
      })
    )

  it.effect("is the seed's: with 54 of 64 CPUs in use a large worker has to wait, a medium and a small one start", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(yield* refusals(54), [undefined, undefined, "maxCpus"])
      assert.deepStrictEqual(yield* refusals(52), [undefined, undefined, undefined])
      assert.deepStrictEqual(yield* refusals(57), [undefined, "maxCpus", "maxCpus"])
    })
  )

  it.effect("keeps nothing for a worker without a flavor, without a limit of CPUs, or when none is to be kept", () =>
    Effect.gen(function* () {
      const template = { cpus: 8, memoryMB: 9000 }
      const refused = yield* ledger(limits, (capacity) =>
        Effect.andThen(capacity.commit("busy", busy, false), capacity.refusal(template))
      )
      assert.isUndefined(refused)
      assert.deepStrictEqual(yield* refusals(54, { maxCpus: 0 }), [undefined, undefined, undefined])
      assert.deepStrictEqual(yield* refusals(54, { countSmallerFlavorToKeep: 0 }), [undefined, undefined, undefined])
    })
  )

  it.effect("says what it keeps", () =>
    ledger(limits, (capacity) =>
      Effect.gen(function* () {
        yield* capacity.commit("busy", busy, false)
        const refused = yield* Effect.flip(capacity.reserve("large", of("large")))
        assert.strictEqual(
          refused.reason,
          "8 CPUs of the 10 that are left of hatchery.vsphere.maxCpus = 64 would not leave 2 times 2 CPUs for smaller workers (countSmallerFlavorToKeep)"
        )
      })
    )
  )
})

describe("doubt", () => {
  it.effect("begins nothing: an inventory that is not to be trusted says nothing of what is in use", () =>
    ledger(
      unlimited,
      (capacity) =>
        Effect.gen(function* () {
          const refused = yield* Effect.flip(capacity.reserve("a", size))
          assert.strictEqual(refused.reason, "the inventory is in doubt: vCenter is silent")
          assert.strictEqual((yield* capacity.used).workers, 0)
        }),
      { doubt: { reason: "vCenter is silent", since: 0 } }
    )
  )
})
