import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Fiber, Logger } from "effect"
import { TestClock } from "effect/testing"
import { supervised } from "../../src/actors/Supervisor.ts"

const intensity = { max: 3, within: "1 minute" } as const

/** A child that crashes as often as it is told, then lasts for ever; counts its lives. */
const makeChild = (crashes: number) => {
  const lives = { count: 0 }
  const child = Effect.suspend(() => {
    lives.count++
    return lives.count <= crashes ? Effect.die(`crash ${lives.count}`) : Effect.never
  })
  return { lives, child }
}

/** What was logged, a line each. */
const listening = () => {
  const lines: Array<string> = []
  return { lines, layer: Logger.layer([Logger.make(({ message }) => void lines.push(String(message)))]) }
}

describe("a supervised child", () => {
  it.effect("ends as it ends when it does not crash", () =>
    Effect.gen(function* () {
      assert.strictEqual(yield* supervised("child", intensity)(Effect.succeed(7)), 7)
    })
  )

  it.effect("is started again after a crash, each time after a longer pause, and never silently", () => {
    const { lines, layer } = listening()
    return Effect.gen(function* () {
      const { lives, child } = makeChild(3)
      yield* Effect.forkChild(supervised("child", intensity)(child))
      const seen: Array<number> = []
      for (let ms = 100; ms <= 1_500; ms += 100) {
        yield* TestClock.adjust("100 millis")
        seen.push(lives.count)
      }
      assert.deepStrictEqual(seen, [1, 2, 2, 2, 2, 3, 3, 3, 3, 3, 3, 3, 3, 4, 4])
      assert.strictEqual(lines.length, 3)
      assert.match(lines[0] ?? "", /child crashed/)
    }).pipe(Effect.provide(layer))
  })

  it.effect("is given up when it crashes more often than its intensity allows, with the last reason", () =>
    Effect.gen(function* () {
      const { lives, child } = makeChild(100)
      const fiber = yield* Effect.forkChild(Effect.flip(supervised("child", intensity)(child)))
      yield* TestClock.adjust("1 minute")
      const failure = yield* Fiber.join(fiber)
      assert.strictEqual(lives.count, 4)
      assert.deepInclude(failure, { _tag: "GaveUp", child: "child", last: "crash 4" })
    })
  )

  it.effect("lasts through any number of crashes that are far enough apart", () =>
    Effect.gen(function* () {
      let lives = 0
      const child = Effect.andThen(
        Effect.sync(() => void lives++),
        Effect.andThen(Effect.sleep("25 seconds"), Effect.fail("again"))
      )
      const fiber = yield* Effect.forkChild(supervised("child", intensity)(child))
      yield* TestClock.adjust("1 hour")
      assert.isAbove(lives, 100)
      assert.strictEqual(fiber.pollUnsafe(), undefined)
      yield* Fiber.interrupt(fiber)
    })
  )

  it.effect("is not started again when it is interrupted", () =>
    Effect.gen(function* () {
      const { lives, child } = makeChild(0)
      const fiber = yield* Effect.forkChild(supervised("child", intensity)(child))
      yield* TestClock.adjust("1 second")
      yield* Fiber.interrupt(fiber)
      assert.isTrue(Exit.hasInterrupts(yield* Fiber.await(fiber)))
      yield* TestClock.adjust("1 hour")
      assert.strictEqual(lives.count, 1)
    })
  )
})
