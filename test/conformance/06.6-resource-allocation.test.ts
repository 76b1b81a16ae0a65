/**
 * Seed 001 section 6.6 says that nothing is verified before a worker is spawned; its section 12 says what is, and that is what holds. Limits one
 * by one are in 12-capacity.test.ts.
 */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { TestClock } from "effect/testing"
import { ours } from "../actors/scene.ts"
import { seeded, type WorldOptions } from "../support/world.ts"
import { orderV2, pool, spawning, waitsFor } from "./spawns.ts"

/** A template has 2 CPUs and 4096 MB. */
const limits: ReadonlyArray<readonly [string, WorldOptions, RegExp]> = [
  ["CPUs", { settings: { maxCpus: 1 } }, /maxCpus = 1/],
  ["memory", { settings: { maxMemoryMB: 4095 } }, /maxMemoryMB = 4095/],
  [
    "the resource pool's memory",
    { vcenter: { pool: { cpuMHz: 100_000, memoryMB: 65_536, unreservedMB: 4095 } } },
    /the resource pool has 4095 of 65536 MB left/
  ],
  [
    "the resource pool's CPU",
    { vcenter: { pool: { cpuMHz: 0, memoryMB: 65_536, unreservedMB: 65_536 } } },
    /the resource pool has no CPU left/
  ]
]

describe("6.6 before each worker", () => {
  for (const [what, options, reason] of limits)
    for (const [way, machines] of [
      ["a machine of the pool", 1],
      ["a clone", 0]
    ] as const)
      it.effect(
        `what it needs is verified: nothing is claimed or made that would pass the limit (${what}, ${way})`,
        () =>
          Effect.gen(function* () {
            const scene = yield* spawning({ ...options, settings: { ...pool(machines), ...options.settings } })
            const id = yield* orderV2(scene)
            yield* TestClock.adjust("3 minutes")
            assert.match(yield* waitsFor(scene, id), reason)
            assert.strictEqual(ours(scene).length, machines)
            assert.isFalse(scene.calls.some((call) => call.includes("/hatchery/take")))
          }).pipe(seeded(`${what} ${way}`))
      )

  it.effect("the flavor that a job asks for is what is verified, not its template's size", () =>
    Effect.gen(function* () {
      const flavors = [
        { name: "small", cpus: 1, memoryMB: 1024 },
        { name: "large", cpus: 8, memoryMB: 16_384 }
      ]
      const scene = yield* spawning({ settings: { ...pool(2), flavors, maxCpus: 3 } })
      const large = yield* orderV2(scene, { flavor: "large" })
      const small = yield* orderV2(scene, { flavor: "small", durationMs: 600_000 })
      yield* TestClock.adjust("3 minutes")
      assert.match(yield* waitsFor(scene, large), /8 CPUs more than the 1 in use would pass .*maxCpus = 3/)
      assert.strictEqual(yield* waitsFor(scene, small), "")
      assert.strictEqual((yield* scene.cds.counts).running, 1)
    }).pipe(seeded("flavor"))
  )
})
