/** Which cells of the transition table were taken how often, and which of the states that a cell names it led to. */
import type { Watch } from "./steps.ts"
import { cells } from "./steps.ts"

/** All cells, `State × Event`. */
const cellNames = cells.map(({ state, event }) => `${state} × ${event}`)

/** All edges that the table names, `State × Event → State'`. */
const edgeNames = cells.flatMap(({ state, event, cell }) => cell.to.map((to) => `${state} × ${event} → ${to}`))

export class Coverage {
  static readonly cells: ReadonlyArray<string> = cellNames
  static readonly edges: ReadonlyArray<string> = edgeNames

  /** How often, by name. */
  readonly taken = new Map<string, number>()

  readonly watch: Watch = (before, event, { vm }) => {
    const cell = `${before.state._tag} × ${event._tag}`
    this.add([
      [cell, 1],
      [`${cell} → ${vm.state._tag}`, 1]
    ])
  }

  add(counts: Iterable<readonly [string, number]>): void {
    for (const [name, times] of counts) this.taken.set(name, (this.taken.get(name) ?? 0) + times)
  }

  missing(names: ReadonlyArray<string>): ReadonlyArray<string> {
    return names.filter((name) => !this.taken.has(name))
  }
}
