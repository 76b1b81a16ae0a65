/** What keeps failing is tried again after 5 s, doubling, at most 10 minutes (defect 56): by pool, that is template or V1 model, or by the version of a model. */
const firstPauseMs = 5_000
const longestPauseMs = 10 * 60_000

interface Trouble {
  readonly failures: number
  /** Milliseconds since the epoch. */
  readonly notBefore: number
  readonly reason: string
}

export class Troubles {
  private readonly known = new Map<string, Trouble>()

  /** Once more: how long to wait now, in milliseconds, and whether the reason is a new one. */
  again(pool: string, reason: string, now: number): { readonly pauseMs: number; readonly news: boolean } {
    const before = this.known.get(pool)
    const failures = (before?.failures ?? 0) + 1
    const pauseMs = Math.min(longestPauseMs, firstPauseMs * 2 ** (failures - 1))
    this.known.set(pool, { failures, reason, notBefore: now + pauseMs })
    return { pauseMs, news: before?.reason !== reason }
  }

  forget(pool: string): void {
    this.known.delete(pool)
  }

  /** Why it failed last; undefined when it does not fail. */
  reasonOf(pool: string): string | undefined {
    return this.known.get(pool)?.reason
  }

  isPausing(pool: string, now: number): boolean {
    return (this.known.get(pool)?.notBefore ?? 0) > now
  }
}
