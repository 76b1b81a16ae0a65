/** The long-lived parts of a hatchery and whether each runs, as CDS's monitoring status tells them (cds-contract 3). */
import { Context, Effect, Layer } from "effect"
import { supervised, type GaveUp } from "./Supervisor.ts"

export class Parts extends Context.Service<
  Parts,
  {
    /** Runs a part under supervision, and keeps account of it: between a crash and the next try it does not run. */
    readonly run: (name: string) => <A, E, R>(part: Effect.Effect<A, E, R>) => Effect.Effect<A, GaveUp, R>
    /** By name, in the order in which they began. */
    readonly running: Effect.Effect<ReadonlyMap<string, boolean>>
  }
>()("rookery/actors/Parts") {
  static readonly layer = Layer.sync(Parts, () => {
    const parts = new Map<string, boolean>()
    const tell = (name: string, runs: boolean) => Effect.sync(() => void parts.set(name, runs))
    return Parts.of({
      run: (name) => (part) =>
        supervised(name)(Effect.andThen(tell(name, true), part).pipe(Effect.ensuring(tell(name, false)))),
      running: Effect.succeed(parts)
    })
  })
}
