/** One of the threads that share many runs: it plays the seeds it is sent, one after the other, and sends what came of each. */
import { Effect } from "effect"
import { parentPort } from "node:worker_threads"
import { Coverage } from "./Coverage.ts"
import { run, type RunOptions } from "./run.ts"
import { watching } from "./steps.ts"
import type { Outcome } from "./summary.ts"

/** Stacks cost more than they tell here: a failure is replayed, and has them there. */
Error.stackTraceLimit = 0

/** A seed to play. */
export interface Order extends Pick<RunOptions, "only"> {
  readonly seed: number
}

const outcomeOf = Effect.fnUntraced(function* ({ seed, only }: Order): Effect.fn.Return<Outcome> {
  const coverage = new Coverage()
  const { broken, steps, lasted, happened } = yield* Effect.scoped(
    Effect.andThen(watching(coverage.watch), run(seed, { only }))
  )
  return { seed, broken, steps, lasted, kinds: happened.map(({ kind }) => kind), taken: [...coverage.taken] }
})

parentPort?.on("message", (order: Order) => {
  void Effect.runPromise(outcomeOf(order)).then((outcome) => parentPort?.postMessage(outcome))
})
