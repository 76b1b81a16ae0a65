/**
 * Restarting what crashes, in the manner of OTP: within a window of intensity, with a pause that grows, and never silently. Outages are
 * states and not crashes: only defects and failures that nobody handled come here (design, "Supervision").
 */
import { Cause, Clock, Data, Duration, Effect } from "effect"

/** More crashes than the intensity allows. */
export class GaveUp extends Data.TaggedError("GaveUp")<{
  readonly child: string
  readonly last: string
}> {}

export interface Intensity {
  readonly max: number
  readonly within: Duration.Input
}

/** OTP's default is 1 in 5 s; a hatchery's loops hold leases, so they are given more. */
const usual: Intensity = { max: 5, within: "5 minutes" }

const pause = (crashes: number): Duration.Duration => Duration.millis(Math.min(30_000, 100 * 2 ** crashes))

/** Runs a child until it ends; restarts it when it crashes; gives up when it crashes too often. Interruption passes through. */
export const supervised =
  (child: string, intensity: Intensity = usual) =>
  <A, E, R>(self: Effect.Effect<A, E, R>): Effect.Effect<A, GaveUp, R> => {
    const attempt = (crashes: ReadonlyArray<number>): Effect.Effect<A, GaveUp, R> =>
      Effect.catchCause(self, (cause) =>
        Cause.hasInterruptsOnly(cause)
          ? Effect.interrupt
          : Effect.flatMap(recover(child, intensity, crashes, cause), attempt)
      )
    return attempt([])
  }

/** The crashes that count from here on, after the pause that they ask for. */
const recover = Effect.fnUntraced(function* (
  child: string,
  intensity: Intensity,
  before: ReadonlyArray<number>,
  cause: Cause.Cause<unknown>
) {
  const within = Duration.toMillis(intensity.within)
  const now = yield* Clock.currentTimeMillis
  const crashes = [...before.filter((at) => now - at < within), now]
  yield* Effect.logError(`${child} crashed (${crashes.length} in the window of ${within} ms)`, cause)
  if (crashes.length > intensity.max) return yield* new GaveUp({ child, last: String(Cause.squash(cause)) })
  yield* Effect.sleep(pause(crashes.length))
  return crashes
})
