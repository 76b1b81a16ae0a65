/** Which cells of the transition table were taken in how many cases, and which of the states that a cell names it led to. */
import type { EventTag } from "../../src/actors/vm/Event.ts"
import type { StateTag } from "../../src/actors/vm/State.ts"
import type { Cell } from "../../src/actors/vm/table.ts"
import { table } from "../../src/actors/vm/transition.ts"

type AnyCell = { -readonly [K in keyof Cell<StateTag, EventTag>]: Cell<StateTag, EventTag>[K] }

const cells = Object.entries(table).flatMap(([state, row]) =>
  Object.entries(row.cells as Record<string, AnyCell>).map(([event, cell]) => ({ state, event, cell }))
)

export class Coverage {
  /** `State × Event → State'`, with the number of times. */
  readonly taken = new Map<string, number>()

  /** Counts from now on what the one table of this process is asked. */
  watch(): void {
    for (const { state, event, cell } of cells) {
      const run = cell.run.bind(cell)
      cell.run = (vm, told, env) => {
        const step = run(vm, told, env)
        this.#count(`${state} × ${event}`)
        this.#count(`${state} × ${event} → ${step.vm.state._tag}`)
        return step
      }
    }
  }

  #count(edge: string): void {
    this.taken.set(edge, (this.taken.get(edge) ?? 0) + 1)
  }

  /** All cells; ignored events have none. */
  get cells(): ReadonlyArray<string> {
    return cells.map(({ state, event }) => `${state} × ${event}`)
  }

  /** All edges that the table names. */
  get edges(): ReadonlyArray<string> {
    return cells.flatMap(({ state, event, cell }) => cell.to.map((to) => `${state} × ${event} → ${to}`))
  }

  missing(names: ReadonlyArray<string>): ReadonlyArray<string> {
    return names.filter((name) => !this.taken.has(name))
  }
}
