import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { TestClock } from "effect/testing"
import { changesOf, cloneArgs, updatesOf, viewSpec, world } from "./client.ts"

/** Ten clones with jitter and noise, a fault, and everything that a subscriber hears of it, as text. */
const story = Effect.fnUntraced(function* (seed: string) {
  const { client, template, vcenter } = yield* world({ seed })
  yield* client.filter(viewSpec(yield* client.view()))
  yield* vcenter.inject({ _tag: "ViewShrinks", share: 0.3, forMs: 20_000 })
  yield* Effect.forEach(
    Array.from({ length: 10 }, (_, index) => `worker-${index}`),
    (name) => client.task("CloneVM_Task", template, cloneArgs(name))
  )
  const heard: Array<string> = []
  let version = ""
  for (let second = 0; second < 90; second += 1) {
    yield* TestClock.adjust("1 second")
    const answer = yield* client.wait(version)
    if (answer === undefined) continue
    version = answer.version
    for (const { kind, obj } of updatesOf(answer))
      heard.push(`${second} ${kind} ${obj.value} ${JSON.stringify(changesOf(answer, obj))}`)
  }
  return [...heard, ...vcenter.traffic.lines()].join("\n")
})

describe("The simulated vCenter", () => {
  it.effect("does the same for the same seed, byte for byte", () =>
    Effect.gen(function* () {
      const first = yield* Effect.scoped(story("a")).pipe(Effect.provide(TestClock.layer()))
      const second = yield* Effect.scoped(story("a")).pipe(Effect.provide(TestClock.layer()))
      assert.strictEqual(second, first)
      assert.isAbove(first.length, 5_000)
    })
  )

  it.effect("does something else for another seed", () =>
    Effect.gen(function* () {
      const first = yield* Effect.scoped(story("a")).pipe(Effect.provide(TestClock.layer()))
      const second = yield* Effect.scoped(story("b")).pipe(Effect.provide(TestClock.layer()))
      assert.notStrictEqual(second, first)
    })
  )
})
