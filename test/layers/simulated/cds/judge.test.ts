import { assert, it } from "@effect/vitest"
import { Effect, Fiber } from "effect"
import { percentilesOf } from "../../../../src/layers/simulated/cds/Judge.ts"
import { oneJob, simulated } from "./caller.ts"

it("Percentiles are nearest-rank, and undefined without a value", () => {
  const hundred = Array.from({ length: 100 }, (_, index) => 100 - index)
  assert.deepStrictEqual(percentilesOf(hundred), { count: 100, p50: 50, p99: 99 })
  assert.deepStrictEqual(percentilesOf([7]), { count: 1, p50: 7, p99: 7 })
  assert.deepStrictEqual(percentilesOf([]), { count: 0, p50: undefined, p99: undefined })
})

it.effect("Waiting for so many final jobs ends with the last of them", () =>
  Effect.gen(function* () {
    const api = yield* simulated()
    const [first = "", second = ""] = yield* api.enqueue({ count: 2 })
    const fiber = yield* Effect.forkChild(api.whenFinal(2), { startImmediately: true })
    yield* api.stop(first)
    assert.isUndefined(fiber.pollUnsafe())
    yield* api.stop(second)
    yield* Fiber.join(fiber)
    yield* api.whenFinal(1)
    assert.deepStrictEqual(yield* api.counts, { done: 0, failed: 0, stopped: 2, waiting: 0, running: 0 })
  })
)

it.effect("The same seed gives the same ids", () =>
  Effect.gen(function* () {
    const ids = [yield* oneJob(yield* simulated()), yield* oneJob(yield* simulated())]
    assert.strictEqual(ids[0], ids[1])
    assert.notStrictEqual(ids[0], yield* oneJob(yield* simulated({ seed: 2 })))
  })
)
