/** The event log in memory: the newest events in a ring, and a live stream. */
import { Clock, Effect, Layer, PubSub, Stream } from "effect"
import { EventLog, type LogEvent } from "../../services/EventLog.ts"

/** @param size how many events are kept. */
export const layerOf = (size: number): Layer.Layer<EventLog> =>
  Layer.effect(
    EventLog,
    Effect.gen(function* () {
      const hub = yield* PubSub.sliding<LogEvent>(1_024)
      const ring: Array<LogEvent> = []
      return EventLog.of({
        append: (event) =>
          Effect.flatMap(Clock.currentTimeMillis, (at) => {
            const stamped = { at, ...event }
            ring.push(stamped)
            if (ring.length > size) ring.shift()
            return Effect.asVoid(PubSub.publish(hub, stamped))
          }),
        recent: Effect.sync(() => [...ring]),
        changes: Stream.fromPubSub(hub)
      })
    })
  )

export const layer: Layer.Layer<EventLog> = layerOf(10_000)
