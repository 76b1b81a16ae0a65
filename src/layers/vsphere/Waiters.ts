/** Fibers that wait for something to become true of one key, so that a change wakes only those who wait for its key. */
import { Deferred, Effect } from "effect"

interface Waiter<A, E> {
  readonly accepts: (value: A) => boolean
  readonly deferred: Deferred.Deferred<A, E>
}

export class Waiters<A, E = never> {
  private readonly byKey = new Map<string, Set<Waiter<A, E>>>()

  /** Ends with the first value told of this key that is accepted, or with the failure told. */
  wait(key: string, accepts: (value: A) => boolean): Effect.Effect<A, E> {
    return Effect.suspend(() => {
      const waiter: Waiter<A, E> = { accepts, deferred: Deferred.makeUnsafe() }
      const waiting = this.byKey.get(key) ?? new Set()
      this.byKey.set(key, waiting.add(waiter))
      return Deferred.await(waiter.deferred).pipe(Effect.ensuring(Effect.sync(() => this.leave(key, waiter))))
    })
  }

  tell(key: string, value: A): void {
    for (const { accepts, deferred } of this.byKey.get(key) ?? [])
      if (accepts(value)) Deferred.doneUnsafe(deferred, Effect.succeed(value))
  }

  fail(key: string, error: E): void {
    for (const { deferred } of this.byKey.get(key) ?? []) Deferred.doneUnsafe(deferred, Effect.fail(error))
  }

  /** The keys that somebody waits for. */
  get keys(): ReadonlyArray<string> {
    return [...this.byKey.keys()]
  }

  private leave(key: string, waiter: Waiter<A, E>): void {
    const waiting = this.byKey.get(key)
    waiting?.delete(waiter)
    if (waiting?.size === 0) this.byKey.delete(key)
  }
}
