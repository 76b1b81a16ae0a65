/**
 * The words in which the transition table is written: a cell says where it may lead and what it does, a row lists the events of a
 * state that matter and names those that do not. A row that forgets an event does not compile.
 */
import type { MachineId } from "../../schema/Machine.ts"
import type { TimeSettings } from "../../services/Settings.ts"
import { allowance } from "./deadlines.ts"
import type { Action } from "./Action.ts"
import type { EventOf, EventTag } from "./Event.ts"
import type { StateOf, StateTag, Vm, VmState } from "./State.ts"

/** What a transition may look at besides the machine and the event. */
export interface Env {
  /** Milliseconds since the epoch. */
  readonly now: number
  readonly times: TimeSettings
  /** `commonConfiguration.name`: the owner in the annotation. */
  readonly hatchery: string
  /** Id of this process: the writer in our key. */
  readonly instance: MachineId
}

export interface Step {
  readonly vm: Vm
  readonly actions: ReadonlyArray<Action>
  /** The state was entered, perhaps anew: its work starts again. */
  readonly entered: boolean
}

export type VmIn<S extends StateTag> = Vm & { readonly state: StateOf<S> }

/** One cell: the states it may lead to, what it does in words, and the function (a method, so that rows of all states make one table). */
export interface Cell<S extends StateTag, E extends EventTag> {
  readonly to: ReadonlyArray<StateTag>
  readonly says: string
  run(vm: VmIn<S>, event: EventOf<E>, env: Env): Step
}

export type Cells<S extends StateTag> = { readonly [E in EventTag]?: Cell<S, E> }

export interface Row<S extends StateTag> {
  readonly says: string
  readonly cells: Cells<S>
  readonly ignores: ReadonlyArray<EventTag>
}

/** A row in which each event is either a cell or named as ignored. */
export const row =
  <S extends StateTag>(says: string) =>
  <const C extends Cells<S>, const I extends ReadonlyArray<Exclude<EventTag, keyof C>>>(
    cells: C,
    ignores: I & ([Exclude<EventTag, keyof C | I[number]>] extends [never] ? unknown : { readonly forgotten: never })
  ): Row<S> => ({ says, cells, ignores })

export const cell = <S extends StateTag, E extends EventTag>(
  to: ReadonlyArray<StateTag>,
  says: string,
  run: (vm: VmIn<S>, event: EventOf<E>, env: Env) => Step
): Cell<S, E> => ({ to, says, run })

/** Nothing changes but, perhaps, what is known. */
export const stay = (vm: Vm, actions: ReadonlyArray<Action> = []): Step => ({ vm, actions, entered: false })

/** Into another state, or anew into the same: its deadline starts again. */
export const enter = (
  vm: Vm,
  state: VmState,
  env: Env,
  more: {
    readonly reason?: string | undefined
    readonly actions?: ReadonlyArray<Action>
    readonly patch?: Partial<Vm>
  } = {}
): Step => {
  const ms = allowance(state, env.times)
  return {
    vm: {
      ...vm,
      ...more.patch,
      state,
      since: env.now,
      deadline: ms === undefined ? undefined : env.now + ms,
      reason: more.reason
    },
    actions: more.actions ?? [],
    entered: true
  }
}
