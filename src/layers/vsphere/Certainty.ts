/** Whether the mirror may be acted upon destructively, and since when not (design, "Absent is not unreachable"; promise 6). */
import { Clock, Deferred, Effect, Queue } from "effect"
import type { Doubt } from "../../services/Inventory.ts"
import { configProblem } from "./configProblem.ts"
import type { Mirror } from "./Mirror.ts"

type DoubtKind = "distrusted" | "shrunken" | "incomplete" | "old"

interface KnownDoubt extends Doubt {
  readonly kind: DoubtKind
}

export class Certainty {
  /** Clock time in milliseconds of the subscription's last good answer, 0 before the first. */
  goodAt = 0

  private trouble: string | undefined
  private distrusted: string | undefined
  private known: KnownDoubt | undefined
  private readonly waiting = new Set<Deferred.Deferred<void>>()
  private readonly mirror: Mirror
  private readonly viewAgeMs: number
  private readonly signal: Queue.Queue<void>

  private constructor(mirror: Mirror, viewAgeMs: number, signal: Queue.Queue<void>, since: number) {
    this.mirror = mirror
    this.viewAgeMs = viewAgeMs
    this.signal = signal
    this.known = { kind: "incomplete", reason: "the inventory has not been read yet", since }
  }

  static readonly make = (mirror: Mirror, viewAgeMs: number): Effect.Effect<Certainty> =>
    Effect.gen(function* () {
      const signal = yield* Queue.sliding<void>(1)
      return new Certainty(mirror, viewAgeMs, signal, yield* Clock.currentTimeMillis)
    })

  answered(now: number): void {
    this.goodAt = now
    this.trouble = undefined
  }

  /** Not in doubt, and the last answer was a good one. */
  isCurrent(now: number): boolean {
    return this.trouble === undefined && this.find(now) === undefined
  }

  /** A wrong setting that ends the start is told by `VSphere.validate`, and not here as well. */
  failed(error: Error & { readonly reason?: string }): Effect.Effect<void> {
    return Effect.suspend(() => {
      const trouble = error.reason ?? error.message
      const isNew = trouble !== this.trouble
      const endsTheStart = this.goodAt === 0 && configProblem(error) !== undefined
      this.trouble = trouble
      return isNew && !endsTheStart
        ? Effect.andThen(Effect.logWarning(`no inventory from vCenter: ${trouble}`), this.changed)
        : this.changed
    })
  }

  distrust(reason: string | undefined): Effect.Effect<void> {
    return Effect.suspend(() => {
      this.distrusted = reason
      return this.changed
    })
  }

  /** To be called whenever mirror or contact changed. */
  get changed(): Effect.Effect<void> {
    return Effect.asVoid(Queue.offer(this.signal, undefined))
  }

  get doubt(): Effect.Effect<Doubt | undefined> {
    return Effect.map(Clock.currentTimeMillis, (now) => {
      const found = this.find(now)
      return found === undefined ? undefined : { reason: found.reason, since: found.since }
    })
  }

  get certain(): Effect.Effect<void> {
    return Effect.flatMap(Clock.currentTimeMillis, (now) => {
      if (this.find(now) === undefined) return Effect.void
      const waiter = Deferred.makeUnsafe<void>()
      this.waiting.add(waiter)
      return Deferred.await(waiter).pipe(Effect.ensuring(Effect.sync(() => this.waiting.delete(waiter))))
    })
  }

  /** Tells in the log when doubt appears and ends, and wakes those who wait for its end. Never ends. */
  get watch(): Effect.Effect<never> {
    return Effect.forever(
      Effect.gen({ self: this }, function* () {
        const now = yield* Clock.currentTimeMillis
        const before = this.known
        const found = this.find(now)
        this.known = found
        if (found !== undefined && found.kind !== before?.kind)
          yield* Effect.logWarning(`the inventory is in doubt: ${found.reason}`)
        if (found === undefined && before !== undefined) yield* Effect.logInfo("the inventory is certain")
        if (found === undefined) for (const waiter of this.waiting) Deferred.doneUnsafe(waiter, Effect.void)
        const age = this.goodAt + this.viewAgeMs + 1 - now
        const wake = Queue.take(this.signal)
        yield* found === undefined ? Effect.timeoutOption(wake, age) : wake
      })
    )
  }

  private find(now: number): KnownDoubt | undefined {
    const found = this.judge(now)
    if (found === undefined) return undefined
    return { ...found, since: this.known?.kind === found.kind ? this.known.since : found.since }
  }

  private judge(now: number): KnownDoubt | undefined {
    const { mirror, viewAgeMs } = this
    const because = this.trouble === undefined ? "" : `: ${this.trouble}`
    if (this.distrusted !== undefined) return { kind: "distrusted", reason: this.distrusted, since: now }
    if (mirror.suspects.size > 0)
      return {
        kind: "shrunken",
        reason: `${mirror.suspects.size} machines left the inventory at once without our doing; it is read again`,
        since: now
      }
    if (!mirror.complete)
      return { kind: "incomplete", reason: `the inventory is not read completely${because}`, since: now }
    if (now - this.goodAt > viewAgeMs)
      return {
        kind: "old",
        reason: `vCenter has not told the inventory for more than ${Math.round(viewAgeMs / 1000)} s${because}`,
        since: this.goodAt + viewAgeMs
      }
    return undefined
  }
}
