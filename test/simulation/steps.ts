/** Lets others see what the one transition table of this process is asked, and what it answers. */
import { Effect, type Scope } from "effect"
import type { EventTag, VmEvent } from "../../src/actors/vm/Event.ts"
import type { StateTag, Vm } from "../../src/actors/vm/State.ts"
import type { Cell, Env, Step } from "../../src/actors/vm/table.ts"
import { table } from "../../src/actors/vm/transition.ts"

export type Watch = (before: Vm, event: VmEvent, step: Step, env: Env) => void

const watches = new Set<Watch>()

type AnyCell = { -readonly [K in keyof Cell<StateTag, EventTag>]: Cell<StateTag, EventTag>[K] }

/** All cells of the table; ignored events have none. */
export const cells = Object.entries(table).flatMap(([state, row]) =>
  Object.entries(row.cells as Record<string, AnyCell>).map(([event, cell]) => ({ state, event, cell }))
)

for (const { cell } of cells) {
  const run = cell.run.bind(cell)
  cell.run = (vm, event, env) => {
    const step = run(vm, event, env)
    for (const watch of watches) watch(vm, event, step, env)
    return step
  }
}

/** Sees each step until the scope ends. */
export const watching = (watch: Watch): Effect.Effect<void, never, Scope.Scope> =>
  Effect.asVoid(
    Effect.acquireRelease(
      Effect.sync(() => watches.add(watch)),
      () => Effect.sync(() => watches.delete(watch))
    )
  )
