/** Clock, chance, numbers and fibers of one simulated vCenter. The fibers end with the scope. */
import { Cause, Clock, Effect, FiberMap, Option, Random } from "effect"
import type { Scope } from "effect"
import type { SimVCenterOptions, Timings } from "./Options.ts"

export interface Runtime {
  /** Milliseconds since the epoch on the Effect clock. */
  readonly now: () => number
  /** At least 0, less than 1; from the seed. */
  readonly random: () => number
  /** Numbers for references and keys, never given twice. */
  readonly nextId: () => number
  /** A version 4 UUID of the seed. */
  readonly uuid: () => string
  /** Waits a time of the vCenter: varied by the jitter, multiplied by the scale. */
  readonly pause: (millis: number) => Effect.Effect<void>
  /** Runs in the background under that key; an earlier one of the key is interrupted, a defect is logged. */
  readonly run: (key: string, effect: Effect.Effect<unknown>) => void
  /** Interrupts what runs under the key. */
  readonly stop: (key: string) => void
  readonly timings: () => Timings
  /** Multiplies every further time. */
  readonly scale: (factor: number) => void
}

/** References below this one belong to the inventory tree. */
const firstId = 1_000

export const makeRuntime = Effect.fnUntraced(function* (
  options: SimVCenterOptions
): Effect.fn.Return<Runtime, never, Scope.Scope> {
  const clock = yield* Clock.Clock
  const random = yield* Effect.service(Random.Random).pipe(Random.withSeed(options.seed))
  const fibers = yield* FiberMap.make<string>()
  const start = yield* FiberMap.runtime(fibers)<never>()
  let timings = options.timings
  let lastId = firstId

  const digits = (count: number) =>
    Array.from({ length: count }, () => Math.floor(random.nextDoubleUnsafe() * 16).toString(16)).join("")

  return {
    now: () => clock.currentTimeMillisUnsafe(),
    random: () => random.nextDoubleUnsafe(),
    nextId: () => (lastId += 1),
    uuid: () => `${digits(8)}-${digits(4)}-4${digits(3)}-8${digits(3)}-${digits(12)}`,
    pause: (millis) =>
      Effect.suspend(() => {
        const varied = 1 + timings.jitter * (2 * random.nextDoubleUnsafe() - 1)
        return Effect.sleep(Math.round(millis * varied * timings.scale))
      }),
    run: (key, effect) => {
      const reported = Effect.tapCause(effect, (cause) =>
        Cause.hasDies(cause) ? Effect.logError(`the simulated vCenter failed in ${key}`, cause) : Effect.void
      )
      start(key, reported)
    },
    stop: (key) => {
      const fiber = FiberMap.getUnsafe(fibers, key)
      if (Option.isSome(fiber)) fiber.value.interruptUnsafe()
    },
    timings: () => timings,
    scale: (factor) => {
      timings = { ...timings, scale: factor }
    }
  }
})
