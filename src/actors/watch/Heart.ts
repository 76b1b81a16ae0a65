/** Tells CDS that the hatchery lives: the monitoring status, at once and then every 30 s (cds-contract 3). */
import { Context, Effect, Layer } from "effect"
import { Cds } from "../../services/Cds.ts"
import { Monitor } from "../../services/Monitor.ts"
import { Settings } from "../../services/Settings.ts"

export class Heart extends Context.Service<
  Heart,
  {
    /** Never ends by itself: an API that is away for long is an alarm, not an end. */
    readonly run: Effect.Effect<void>
  }
>()("rookery/actors/Heart") {
  static readonly layer = Layer.effect(
    Heart,
    Effect.gen(function* () {
      const cds = yield* Cds
      const monitor = yield* Monitor
      const { cds: settings } = yield* Settings
      let failures = 0

      const beat = Effect.gen(function* () {
        yield* cds.heartbeat(yield* monitor.status)
        failures = 0
      }).pipe(
        Effect.catch((error) => {
          failures++
          const text = `heartbeat ${failures} in a row failed: ${error.message}`
          return failures > settings.maxHeartbeatFailures ? Effect.logError(text) : Effect.logWarning(text)
        })
      )

      return Heart.of({ run: Effect.forever(Effect.andThen(beat, Effect.sleep(settings.heartbeatIntervalMs))) })
    })
  )
}
