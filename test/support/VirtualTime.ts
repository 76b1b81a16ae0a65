/**
 * The time of whole simulated runs: a `TestClock` whose scheduler is its own. What is ready runs in the order in which it became ready; when nothing
 * is, and time is to pass, it leaps to the next sleeper. No wake waits for the event loop, which makes a run several times cheaper.
 */
import { Clock, Context, Duration, Effect, Layer, Scheduler } from "effect"
import type { TestClock } from "effect/testing"

/** So many tasks, then others have their turn of the event loop. */
const tasksPerTurn = 20_000

class Turns implements Scheduler.Scheduler, Scheduler.SchedulerDispatcher {
  readonly executionMode = "async"
  /** Makes more ready when nothing is; false: there is nothing to be made ready. */
  idle: () => boolean = () => false
  #ready: Array<() => void> = []
  #next = 0
  #scheduled = false

  shouldYield(fiber: Parameters<Scheduler.Scheduler["shouldYield"]>[0]): boolean {
    return fiber.currentOpCount >= fiber.cache.maxOpsBeforeYield
  }

  makeDispatcher(): Scheduler.SchedulerDispatcher {
    return this
  }

  scheduleTask(task: () => void): void {
    this.#ready.push(task)
    this.goOn()
  }

  /** Nothing of a run is synchronous. */
  flush(): void {}

  goOn(): void {
    if (this.#scheduled) return
    this.#scheduled = true
    setImmediate(() => {
      const more = this.#turn()
      this.#scheduled = false
      if (more) this.goOn()
    })
  }

  /** True when it ended before all was done. */
  #turn(): boolean {
    for (let left = tasksPerTurn; left > 0; left--) {
      const task = this.#ready[this.#next]
      if (task !== undefined) {
        this.#next++
        task()
      } else {
        this.#ready = []
        this.#next = 0
        if (!this.idle()) return this.#ready.length > 0
      }
    }
    this.#ready.splice(0, this.#next)
    this.#next = 0
    return true
  }
}

interface Sleeper {
  readonly at: number
  readonly wake: () => void
  cancelled: boolean
}

/** Sleepers, the next one last; of two with the same time the one that came first is the next. */
class Sleepers {
  readonly #sorted: Array<Sleeper> = []

  add(sleeper: Sleeper): void {
    let low = 0
    let high = this.#sorted.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if (this.#sorted[middle]!.at > sleeper.at) low = middle + 1
      else high = middle
    }
    this.#sorted.splice(low, 0, sleeper)
  }

  /** The next one whose time is at most this. */
  due(until: number): Sleeper | undefined {
    while (true) {
      const next = this.#sorted.at(-1)
      if (next === undefined || (!next.cancelled && next.at > until)) return undefined
      this.#sorted.pop()
      if (!next.cancelled) return next
    }
  }
}

const nanos = (ms: number): bigint => BigInt(Math.round(ms * 1_000_000))

const make = Effect.map(Clock.Clock, (live) => {
  const turns = new Turns()
  const sleepers = new Sleepers()
  let now = 0

  const setTime = (until: number): Effect.Effect<void> =>
    Effect.callback<void>((resume) => {
      turns.idle = () => {
        const sleeper = sleepers.due(until)
        now = sleeper?.at ?? until
        if (sleeper !== undefined) sleeper.wake()
        else {
          turns.idle = () => false
          resume(Effect.void)
        }
        return true
      }
      turns.goOn()
    })

  const sleep = (duration: Duration.Duration): Effect.Effect<void> =>
    Effect.callback<void>((resume) => {
      const at = now + Duration.toMillis(duration)
      if (at <= now) return resume(Effect.void)
      const sleeper = { at, wake: () => resume(Effect.void), cancelled: false }
      sleepers.add(sleeper)
      return Effect.sync(() => {
        sleeper.cancelled = true
      })
    })

  const clock: TestClock.TestClock = {
    currentTimeMillisUnsafe: () => now,
    currentTimeMillis: Effect.sync(() => now),
    currentTimeNanosUnsafe: () => nanos(now),
    currentTimeNanos: Effect.sync(() => nanos(now)),
    monotonicTimeNanosUnsafe: () => nanos(now),
    monotonicTimeNanos: Effect.sync(() => nanos(now)),
    sleep,
    setTime,
    adjust: (duration) => Effect.suspend(() => setTime(now + Duration.toMillis(Duration.fromInputUnsafe(duration)))),
    withLive: (effect) => Effect.provideService(effect, Clock.Clock, live)
  }
  return Context.make(Clock.Clock, clock).pipe(Context.add(Scheduler.Scheduler, turns))
})

export const layer: Layer.Layer<never> = Layer.effectContext(make)
