/** What many runs came to, as lines for people. */
import { Coverage } from "./Coverage.ts"
import type { Report } from "./run.ts"

/** What is kept of one run. */
export interface Outcome extends Pick<Report, "seed" | "broken" | "steps" | "lasted"> {
  /** The kinds of what happened, each as often as it did. */
  readonly kinds: ReadonlyArray<string>
  /** What was taken of the transition table, and how often. */
  readonly taken: ReadonlyArray<readonly [string, number]>
}

/** How a run is seen again, step by step. */
export const replay = (seed: number): string => `npm run simulate -- --seed ${seed}`

/** The first promise that a run broke, and how to see it again; a good run has none. */
export const failure = ({ seed, broken }: Pick<Outcome, "seed" | "broken">): string | undefined =>
  broken.length === 0 ? undefined : `seed ${seed}: ${broken[0]}\n  replay: ${replay(seed)}`

export class Summary {
  runs = 0
  steps = 0
  /** Virtual milliseconds. */
  lasted = 0
  readonly failures: Array<string> = []
  readonly coverage = new Coverage()
  readonly #happened = new Map<string, number>()

  add(outcome: Outcome): void {
    this.runs++
    this.steps += outcome.steps
    this.lasted += outcome.lasted
    for (const kind of outcome.kinds) this.#happened.set(kind, (this.#happened.get(kind) ?? 0) + 1)
    this.coverage.add(outcome.taken)
    const failed = failure(outcome)
    if (failed !== undefined) this.failures.push(failed)
  }

  get line(): string {
    const hours = Math.round(this.lasted / 3_600_000)
    return `${this.runs} runs, ${this.failures.length} failed; ${this.steps} steps, ${hours} virtual hours`
  }

  get lines(): ReadonlyArray<string> {
    const { coverage } = this
    const share = (names: ReadonlyArray<string>) =>
      `${names.length - coverage.missing(names).length} of ${names.length}`
    return [
      this.line,
      "",
      "What happened:",
      ...[...this.#happened].toSorted(([, a], [, b]) => b - a).map(([kind, n]) => `${String(n).padStart(8)} ${kind}`),
      "",
      `Transition table: ${share(Coverage.cells)} cells taken, ${share(Coverage.edges)} edges`,
      ...coverage.missing(Coverage.edges).map((edge) => `   not taken: ${edge}`),
      "",
      ...this.failures
    ]
  }
}
