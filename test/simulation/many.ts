/** Many runs on several threads. */
import { Effect } from "effect"
import { availableParallelism } from "node:os"
import { Worker } from "node:worker_threads"
import type { RunOptions } from "./run.ts"
import type { Outcome } from "./summary.ts"
import type { Order } from "./thread.ts"

export interface ManyOptions extends Pick<RunOptions, "only"> {
  /** Threads; as many as there are cores unless given. */
  readonly jobs?: number | undefined
  /** Hears of each run when it has ended. */
  readonly each?: ((outcome: Outcome) => void) | undefined
}

/** Most of what a run makes is garbage soon: with room for it, less is moved. */
const resourceLimits = { maxYoungGenerationSizeMb: 128 }

/** One thread, from its first seed to its last. Dies when the thread does. */
const thread = (next: () => Order | undefined, heard: (outcome: Outcome) => void): Effect.Effect<void> =>
  Effect.acquireUseRelease(
    Effect.sync(() => new Worker(new URL("./thread.ts", import.meta.url), { resourceLimits })),
    (worker) =>
      Effect.callback<void>((resume) => {
        const goOn = () => {
          const order = next()
          if (order === undefined) resume(Effect.void)
          else worker.postMessage(order)
        }
        worker.on("error", (error) => resume(Effect.die(error)))
        worker.on("exit", (code) => resume(Effect.die(`a thread of the simulation ended with code ${code}`)))
        worker.on("message", (outcome: Outcome) => {
          heard(outcome)
          goOn()
        })
        goOn()
      }),
    (worker) => Effect.promise(() => worker.terminate())
  )

/** Plays the seeds; the outcomes come in their order. */
export const many = Effect.fnUntraced(function* (seeds: ReadonlyArray<number>, options: ManyOptions = {}) {
  const waiting = seeds.toReversed()
  const outcomes = new Map<number, Outcome>()
  const next = (): Order | undefined => {
    const seed = waiting.pop()
    return seed === undefined ? undefined : { seed, only: options.only }
  }
  const heard = (outcome: Outcome) => {
    outcomes.set(outcome.seed, outcome)
    options.each?.(outcome)
  }
  const threads = Math.min(options.jobs ?? availableParallelism(), seeds.length)
  yield* Effect.all(
    Array.from({ length: threads }, () => thread(next, heard)),
    { concurrency: "unbounded", discard: true }
  )
  return seeds.flatMap((seed) => outcomes.get(seed) ?? [])
})
