/** The clock of the simulated runs keeps what Effect's own test clock promises. */
import { assert, describe, it } from "@effect/vitest"
import { Clock, Effect, Fiber } from "effect"
import { TestClock } from "effect/testing"
import * as VirtualTime from "./VirtualTime.ts"

const inVirtualTime = <A, E>(title: string, body: Effect.Effect<A, E>) =>
  it.live(title, () => Effect.provide(body, VirtualTime.layer))

describe("virtual time", () => {
  inVirtualTime(
    "wakes sleepers in the order of their times, and of their coming where these are the same",
    Effect.gen(function* () {
      const woken: Array<string> = []
      const note = (name: string, ms: number) =>
        Effect.sleep(ms).pipe(
          Effect.andThen(Clock.currentTimeMillis),
          Effect.map((at) => woken.push(`${name} ${at}`)),
          Effect.forkChild
        )
      for (const [name, ms] of [
        ["c", 20],
        ["a", 10],
        ["d", 20],
        ["b", 15]
      ] as const)
        yield* note(name, ms)
      yield* TestClock.adjust(20)
      assert.deepStrictEqual(woken, ["a 10", "b 15", "c 20", "d 20"])
    })
  )

  inVirtualTime(
    "goes no further than it is told, and lets all that is ready end before the next wakes",
    Effect.gen(function* () {
      let ticks = 0
      yield* Effect.forkChild(
        Effect.forever(
          Effect.andThen(
            Effect.sleep("1 second"),
            Effect.andThen(
              Effect.yieldNow,
              Effect.sync(() => ticks++)
            )
          )
        )
      )
      yield* TestClock.adjust("10 hours")
      assert.strictEqual(ticks, 36_000)
      assert.strictEqual(yield* Clock.currentTimeMillis, 36_000_000)
    })
  )

  inVirtualTime(
    "forgets a sleeper that is interrupted, and times out what takes too long",
    Effect.gen(function* () {
      const sleeper = yield* Effect.forkChild(Effect.sleep("1 minute"))
      const late = yield* Effect.forkChild(Effect.timeoutOption(Effect.never, "30 seconds"))
      yield* TestClock.adjust("10 seconds")
      yield* Fiber.interrupt(sleeper)
      yield* TestClock.adjust("1 hour")
      assert.strictEqual((yield* Fiber.join(late))._tag, "None")
    })
  )

  inVirtualTime(
    "goes on over many turns of the event loop",
    Effect.gen(function* () {
      let left = 100_000
      const busy = yield* Effect.forkChild(
        Effect.whileLoop({ while: () => left-- > 0, body: () => Effect.yieldNow, step: () => {} })
      )
      yield* TestClock.adjust(1)
      assert.isDefined(busy.pollUnsafe())
    })
  )
})
