/** Calls are repeated when no answer comes, so a refusal may be the echo of our own success: then the job itself is asked. */
import { Clock, Duration, Effect } from "effect"
import { CdsError } from "../../schema/Errors.ts"
import type { Job } from "../../schema/Job.ts"
import type { CallFailed } from "./CdsHttp.ts"

/** CDS locks a V2 job for so long at most while somebody takes it; a V1 booking knows no lock. */
const takeLock = Duration.seconds(30)

/** A job that shows as taken by this hatchery; `notFound` for any other. */
export const taken = (hatchery: string, found: Job): Effect.Effect<Job, CdsError> => {
  if (found.status === "Scheduling" && found.hatcheryName === hatchery) return Effect.succeed(found)
  const message = `the job is ${found.status}, taken by ${found.hatcheryName || "nobody"}`
  return Effect.fail(new CdsError({ call: "take", kind: "notFound", message }))
}

/**
 * Finds out what became of a take whose answer was lost. While the job is still Waiting that take may yet be under way (it holds the
 * lock), so it is tried again until the lock has run out.
 */
export const settleTake = Effect.fnUntraced(function* (
  hatchery: string,
  read: Effect.Effect<Job, CdsError>,
  again: Effect.Effect<unknown, CallFailed>,
  lost: CdsError
): Effect.fn.Return<Job, CdsError> {
  const until = (yield* Clock.currentTimeMillis) + Duration.toMillis(takeLock)
  while ((yield* Clock.currentTimeMillis) <= until) {
    const found = yield* Effect.mapError(read, () => lost)
    if (found.status !== "Waiting") return yield* taken(hatchery, found)
    yield* Effect.sleep("1 second")
    yield* Effect.ignore(again)
  }
  return yield* lost
})

/** A write that a lost answer of an earlier attempt may have done already: it counts as done when what is `read` shows it. */
export const settled =
  <A>(read: Effect.Effect<A, CdsError>, shows: (found: A) => boolean) =>
  ({ error, uncertain }: CallFailed): Effect.Effect<void, CdsError> =>
    !uncertain
      ? Effect.fail(error)
      : read.pipe(
          Effect.mapError(() => error),
          Effect.flatMap((found) => (shows(found) ? Effect.void : Effect.fail(error)))
        )
