import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Layer, Stream } from "effect"
import { TestClock } from "effect/testing"
import { layerOf } from "../../../src/layers/memory/EventLog.ts"
import { EventLog } from "../../../src/services/EventLog.ts"

const log = (size: number) => Layer.fresh(layerOf(size))

const event = (text: string) => ({ kind: "decision", subject: "job-1", text }) as const

describe("the event log", () => {
  it.effect("keeps events in order, with the clock's time and what belongs to them", () =>
    Effect.gen(function* () {
      const events = yield* EventLog
      yield* events.append(event("first"))
      yield* TestClock.adjust("90 seconds")
      yield* events.append({ ...event("second"), data: { ip: "10.0.0.2", job: undefined } })
      assert.deepStrictEqual(yield* events.recent, [
        { at: 0, ...event("first") },
        { at: 90_000, ...event("second"), data: { ip: "10.0.0.2", job: undefined } }
      ])
    }).pipe(Effect.provide(log(10)))
  )

  it.effect("keeps the newest ones when there are too many", () =>
    Effect.gen(function* () {
      const events = yield* EventLog
      for (let n = 1; n <= 10; n++) yield* events.append(event(`event ${n}`))
      assert.deepStrictEqual(
        (yield* events.recent).map(({ text }) => text),
        ["event 8", "event 9", "event 10"]
      )
    }).pipe(Effect.provide(log(3)))
  )

  it.effect("hands out a copy: what is read does not change any more", () =>
    Effect.gen(function* () {
      const events = yield* EventLog
      yield* events.append(event("first"))
      const read = yield* events.recent
      yield* events.append(event("second"))
      assert.strictEqual(read.length, 1)
    }).pipe(Effect.provide(log(3)))
  )

  it.effect("tells what comes from now on to everybody who listens, and a slow listener holds up nobody", () =>
    Effect.gen(function* () {
      const events = yield* EventLog
      yield* events.append(event("before"))
      const listen = yield* Effect.forkChild(Stream.runCollect(Stream.take(events.changes, 2)))
      yield* Effect.forkChild(Stream.runForEach(events.changes, () => Effect.never))
      yield* TestClock.adjust("1 second")
      for (let n = 1; n <= 3_000; n++) yield* events.append(event(`event ${n}`))
      const heard = yield* Fiber.join(listen)
      assert.strictEqual(heard.length, 2)
      assert.isTrue(heard.every(({ text }) => text.startsWith("event")))
    }).pipe(Effect.provide(log(3)))
  )
})
