import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Logger } from "effect"
import { TestClock } from "effect/testing"
import { Heart } from "../../../src/actors/watch/Heart.ts"
import { defaults } from "../../../src/schema/Config.ts"
import { CdsError } from "../../../src/schema/Errors.ts"
import { Cds } from "../../../src/services/Cds.ts"
import { Monitor } from "../../../src/services/Monitor.ts"
import { Settings } from "../../../src/services/Settings.ts"

describe("the heartbeat", () => {
  it.effect("goes out every heartbeatInterval; beyond maxHeartbeatFailures in a row each failure is an error", () =>
    Effect.gen(function* () {
      const beats: Array<boolean> = []
      const told: Array<string> = []
      const failing = [true, true, true, false, true]
      const heartbeat = () =>
        Effect.suspend(() => {
          const fails = failing[beats.length] ?? false
          beats.push(fails)
          return fails
            ? Effect.fail(new CdsError({ call: "heartbeat", kind: "unreachable", message: "no answer" }))
            : Effect.void
        })
      const settings = { ...defaults, cds: { ...defaults.cds, maxHeartbeatFailures: 2, heartbeatIntervalMs: 5_000 } }
      const needs = Layer.mergeAll(
        Layer.mock(Cds)({ heartbeat }),
        Layer.mock(Monitor)({ status: Effect.succeed({ now: 0, lines: [] }) }),
        Layer.succeed(Settings, settings),
        Logger.layer([Logger.make(({ logLevel, message }) => told.push(`${logLevel}: ${String(message)}`))])
      )
      yield* Effect.gen(function* () {
        yield* Effect.forkScoped((yield* Heart).run)
        yield* TestClock.adjust("24 seconds")
      }).pipe(Effect.scoped, Effect.provide(Layer.provideMerge(Heart.layer, needs)))
      assert.strictEqual(beats.length, 5)
      assert.deepStrictEqual(told, [
        "Warn: heartbeat 1 in a row failed: no answer",
        "Warn: heartbeat 2 in a row failed: no answer",
        "Error: heartbeat 3 in a row failed: no answer",
        "Warn: heartbeat 1 in a row failed: no answer"
      ])
    })
  )
})
