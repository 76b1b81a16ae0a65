/**
 * Jobs as they are seen: the events of the socket, and behind it the poll of the queue, which finds what the socket missed (cds-contract
 * 4.5, 4.6). Neither ends the stream when it fails; the reason shows as trouble.
 */
import { Clock, Duration, Effect, Queue, Stream } from "effect"
import type { Scope } from "effect"
import type { CdsError } from "../../schema/Errors.ts"
import type { JobSighting } from "../../schema/Job.ts"
import type { Trouble } from "./Trouble.ts"

export interface Sources {
  /** Opens the socket; the stream of its text frames fails when it closes. */
  readonly connect: Effect.Effect<Stream.Stream<string, CdsError>, CdsError, Scope.Scope>
  /** The job that a frame tells; none where it tells of something else. */
  readonly read: (frame: string) => Effect.Effect<ReadonlyArray<JobSighting>, CdsError>
  /** Reads the queue once. */
  readonly poll: Effect.Effect<ReadonlyArray<JobSighting>, CdsError>
  /** Milliseconds between two polls; undefined polls never. */
  readonly pollIntervalMs: number | undefined
}

const longestPause = Duration.toMillis("30 seconds")

/** One second after a failure, twice as long after each next one; a connection that has lasted starts anew. */
const pauses = () => {
  let failures = 0
  let openedAt = 0
  return {
    opened: (now: number) => {
      openedAt = now
    },
    next: (now: number) => {
      if (openedAt > 0 && now - openedAt >= longestPause) failures = 0
      openedAt = 0
      failures += 1
      return Math.min(longestPause, 1000 * 2 ** (failures - 1))
    }
  }
}

const sighting = (read: Sources["read"]) => (frame: string) =>
  Effect.catch(read(frame), (error) =>
    Effect.as(Effect.logWarning(`CDS events: a frame is left out: ${error.message}`), [])
  )

/** Events of one connection after another. Offers to `wake` each time a connection is there, since a gap lies before it. */
const events = (sources: Sources, trouble: Trouble, wake: Queue.Enqueue<void>): Stream.Stream<JobSighting> =>
  Stream.suspend(() => {
    const pause = pauses()

    const opened = Effect.gen(function* () {
      const frames = yield* sources.connect
      pause.opened(yield* Clock.currentTimeMillis)
      yield* trouble.clear("events")
      yield* Queue.offer(wake, undefined)
      return frames
    })

    const rest = Effect.flatMap(Clock.currentTimeMillis, (now) => Effect.sleep(pause.next(now)))

    return Stream.unwrap(opened).pipe(
      Stream.mapEffect(sighting(sources.read)),
      Stream.flattenIterable,
      Stream.catch((error) => Stream.fromEffectDrain(trouble.report("events", error.message))),
      Stream.concat(Stream.fromEffectDrain(rest)),
      Stream.forever
    )
  })

const polls = (sources: Sources, trouble: Trouble, wake: Queue.Dequeue<void>): Stream.Stream<JobSighting> => {
  const { poll, pollIntervalMs } = sources
  if (pollIntervalMs === undefined) return Stream.empty

  const once = poll.pipe(
    Effect.tap(trouble.clear("queue")),
    Effect.catch((error) => Effect.as(trouble.report("queue", error.message), []))
  )
  const turn = Effect.timeoutOption(Queue.take(wake), pollIntervalMs)
  return Stream.fromEffectRepeat(Effect.andThen(turn, once)).pipe(Stream.flattenIterable)
}

export const make = (sources: Sources, trouble: Trouble): Stream.Stream<JobSighting> =>
  Stream.unwrap(
    Effect.gen(function* () {
      const wake = yield* Queue.sliding<void>(1)
      yield* Queue.offer(wake, undefined)
      return Stream.merge(events(sources, trouble, wake), polls(sources, trouble, wake))
    })
  )
