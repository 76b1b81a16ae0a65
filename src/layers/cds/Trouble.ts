/** What is wrong with our contact to one of CDS's two APIs now, per part: a call that goes through does not excuse a socket that does not open. */
import { Effect, Ref } from "effect"

export type Part = "api" | "events" | "queue"

export interface Trouble {
  /** Keeps the reason. */
  readonly note: (part: Part, reason: string) => Effect.Effect<void>
  /** Keeps the reason, and logs it when it is a new one. */
  readonly report: (part: Part, reason: string) => Effect.Effect<void>
  readonly clear: (part: Part) => Effect.Effect<void>
  readonly current: Effect.Effect<string | undefined>
}

/** `side` names the API in what is told. */
export const make = Effect.fnUntraced(function* (side: string): Effect.fn.Return<Trouble> {
  const reasons = yield* Ref.make<ReadonlyMap<Part, string>>(new Map())

  return {
    note: (part, reason) => Ref.update(reasons, (all) => new Map(all).set(part, reason)),
    report: (part, reason) =>
      Effect.gen(function* () {
        const before = yield* Ref.getAndUpdate(reasons, (all) => new Map(all).set(part, reason))
        if (before.get(part) !== reason) yield* Effect.logWarning(`CDS ${side} ${part}: ${reason}`)
      }),
    clear: (part) =>
      Effect.gen(function* () {
        const before = yield* Ref.getAndUpdate(reasons, (all) => new Map([...all].filter(([key]) => key !== part)))
        if (before.has(part)) yield* Effect.logInfo(`CDS ${side} ${part}: well again`)
      }),
    current: Ref.get(reasons).pipe(
      Effect.map((all) =>
        all.size === 0 ? undefined : [...all].map(([part, why]) => `${side} ${part}: ${why}`).join("; ")
      )
    )
  }
})
