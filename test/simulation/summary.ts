/** What many runs came to, as lines for people. */
import type { Coverage } from "./Coverage.ts"
import type { Report } from "./run.ts"

/** How a run is seen again, step by step. */
export const replay = (seed: number): string => `npm run simulate -- --seed ${seed}`

/** The first promise that a run broke, and how to see it again; a good run has none. */
export const failure = ({ seed, broken }: Report): string | undefined =>
  broken.length === 0 ? undefined : `seed ${seed}: ${broken[0]}\n  replay: ${replay(seed)}`

export class Summary {
  runs = 0
  steps = 0
  /** Virtual milliseconds. */
  lasted = 0
  readonly failures: Array<string> = []
  readonly #happened = new Map<string, number>()

  add(report: Report): void {
    this.runs++
    this.steps += report.steps
    this.lasted += report.lasted
    for (const { kind } of report.happened) this.#happened.set(kind, (this.#happened.get(kind) ?? 0) + 1)
    const failed = failure(report)
    if (failed !== undefined) this.failures.push(failed)
  }

  lines(coverage: Coverage): ReadonlyArray<string> {
    const share = (names: ReadonlyArray<string>) =>
      `${names.length - coverage.missing(names).length} of ${names.length}`
    return [
      `${this.runs} runs, ${this.failures.length} failed; ${this.steps} steps, ${Math.round(this.lasted / 3_600_000)} virtual hours`,
      "",
      "What happened:",
      ...[...this.#happened].toSorted(([, a], [, b]) => b - a).map(([kind, n]) => `${String(n).padStart(8)} ${kind}`),
      "",
      `Transition table: ${share(coverage.cells)} cells taken, ${share(coverage.edges)} edges`,
      ...coverage.missing(coverage.edges).map((edge) => `   not taken: ${edge}`),
      "",
      ...this.failures
    ]
  }
}
