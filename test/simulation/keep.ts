/** Choosing the seeds that are kept: few that together take much of the transition table. */
import { Coverage } from "./Coverage.ts"
import type { Outcome } from "./summary.ts"

const named = new Set(Coverage.edges)

export interface Kept {
  readonly seeds: ReadonlyArray<number>
  /** Edges that no good run took. */
  readonly untaken: ReadonlyArray<string>
}

/**
 * So many of the good runs' seeds, in order: first those that together take each edge twice, as far as the runs do, so that none hangs by one
 * seed; then the first others.
 */
export const keep = (outcomes: ReadonlyArray<Outcome>, number: number): Kept => {
  const left = new Map(
    outcomes
      .filter(({ broken }) => broken.length === 0)
      .map(({ seed, taken }) => [seed, taken.flatMap(([name]) => (named.has(name) ? [name] : []))])
  )
  const times = new Map<string, number>()
  /** One edge that was not taken yet counts for more than all that were taken once. */
  const worth = (edges: ReadonlyArray<string>): number =>
    edges.reduce((sum, edge) => sum + ([named.size, 1][times.get(edge) ?? 0] ?? 0), 0)
  const kept: Array<number> = []
  while (kept.length < number && left.size > 0) {
    const [best] = [...left].reduce((a, b) => (worth(b[1]) > worth(a[1]) ? b : a))
    for (const edge of left.get(best) ?? []) times.set(edge, (times.get(edge) ?? 0) + 1)
    left.delete(best)
    kept.push(best)
  }
  return { seeds: kept.toSorted((a, b) => a - b), untaken: Coverage.edges.filter((edge) => !times.has(edge)) }
}
