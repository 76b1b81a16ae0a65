/** Runs fuzz cases. A case that fails tells its seed and its input; `FUZZ_SEED=<seed>` runs that one alone, `FUZZ_RUNS=<n>` more of them. */
import { Cause, Effect, Exit } from "effect"
import { Chance } from "./Chance.ts"

const longestInput = 4_000

const seedsOf = (runs: number): ReadonlyArray<number> => {
  const one = process.env["FUZZ_SEED"]
  if (one !== undefined) return [Number(one)]
  return Array.from({ length: Number(process.env["FUZZ_RUNS"] ?? runs) }, (_, seed) => seed)
}

const shown = (input: unknown): string => {
  const text = typeof input === "string" ? input : (JSON.stringify(input) ?? String(input))
  return text.length > longestInput ? `${text.slice(0, longestInput)}... (${text.length} characters)` : text
}

/** `check` fails or dies where the input shows a defect. */
export const cases = <A, R>(
  runs: number,
  make: (chance: Chance) => A,
  check: (input: A, seed: number) => Effect.Effect<void, unknown, R>
): Effect.Effect<void, never, R> =>
  Effect.forEach(
    seedsOf(runs),
    Effect.fnUntraced(function* (seed) {
      const input = make(new Chance(seed))
      const exit = yield* Effect.exit(Effect.suspend(() => check(input, seed)))
      if (Exit.isSuccess(exit)) return
      return yield* Effect.die(new Error(`seed ${seed}, input ${shown(input)}\n${Cause.pretty(exit.cause)}`))
    }),
    { discard: true }
  )
