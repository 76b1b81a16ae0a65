/**
 * A machine's life: `State × Event → State' + actions`, pure and total (design, "A machine's life is a typed table").
 *
 * The spine is provisioned → reserved → renamed → powered → running → reaped. Each state has at most one work (`workOf`), started
 * when it is entered and interrupted when it is left; its end comes back as an event. Works are harmless when they are started
 * again, which is what adoption and waking from `Held` rely on.
 */
import { ownerOf } from "../../schema/Annotation.ts"
import { readable } from "../../schema/Machine.ts"
import type { Work } from "./Action.ts"
import { Converting, Preparing, Templated } from "./building.ts"
import { seenGone, tooLate } from "./cells.ts"
import { Provisioned, Renamed, Reserved, Returning } from "./claiming.ts"
import { Ceded, Reaped, Reaping } from "./ending.ts"
import type { EventTag, VmEvent } from "./Event.ts"
import { Booting, Cloning, Settling } from "./hatching.ts"
import { cede, heldFacts } from "./moves.ts"
import type { HoldableState, StateTag, Vm, VmState } from "./State.ts"
import { inPool, reachable, unreachableReason } from "./State.ts"
import type { Cell, Env, Row, Step } from "./table.ts"
import { cell, enter, row, stay } from "./table.ts"
import { Powered, Running } from "./working.ts"

/** Stands here and not in a file of its phase, as it asks the table: what it sees is told to the row of the state that was held. */
const Held = row<"Held">(
  "cannot be acted upon: its host does not answer, vCenter asks a question, or does not tell what it is"
)(
  {
    Seen: cell(
      [
        "Held",
        "Ceded",
        "Booting",
        "Settling",
        "Provisioned",
        "Renamed",
        "Powered",
        "Running",
        "Returning",
        "Preparing",
        "Templated",
        "Reaping"
      ],
      "reachable again: on where it was, with the time it had left; somebody wrote on it: what it proves to be",
      (vm, { facts }, env) => {
        if (readable(facts) && ownerOf(facts) !== env.hatchery) return cede({ ...vm, facts }, env)
        if (!reachable(facts)) return stay({ ...vm, facts: heldFacts(vm, facts), reason: unreachableReason(facts) })
        const { was, remaining } = vm.state
        const awake: Vm = {
          ...vm,
          state: was,
          since: env.now,
          deadline: env.now + remaining,
          reason: undefined
        }
        return { ...step(awake, { _tag: "Seen", facts }, env), entered: true }
      }
    ),
    Gone: seenGone("it went while it could not be reached"),
    Deadline: cell(["Held"], "still held: an alarm", (vm, _, env) =>
      enter(vm, vm.state, env, {
        reason: vm.reason,
        actions: [{ _tag: "Alarm", text: `cannot be acted upon for long: ${vm.reason ?? ""}` }]
      })
    ),
    Reap: cell(["Held"], "of the pool: reaped when it can be", (vm, event) => {
      if (!inPool(vm.state)) return stay(vm)
      const was: HoldableState = { _tag: "Reaping", claim: undefined, settlement: event.settlement }
      return stay({ ...vm, state: { ...vm.state, was }, reason: `${event.reason}; ${vm.reason ?? ""}` })
    }),
    Reserve: tooLate()
  },
  ["Cancel", "SignedIn", "Disabled", "JobEnded", "Cloned", "Done", "Exited", "Refused", "Conceded", "Failed", "Settled"]
)

/** The rows in the order of a life; each stands in the file of its phase. */
export const table: { readonly [S in StateTag]: Row<S> } = {
  Cloning,
  Booting,
  Settling,
  Provisioned,
  Reserved,
  Renamed,
  Powered,
  Running,
  Returning,
  Preparing,
  Converting,
  Templated,
  Held,
  Reaping,
  Reaped,
  Ceded
}

/** The one function of the table: total, as an ignored event changes nothing. */
export const step = (vm: Vm, event: VmEvent, env: Env): Step => {
  const cells: { readonly [E in EventTag]?: Pick<Cell<StateTag, EventTag>, "run"> | undefined } =
    table[vm.state._tag].cells
  return cells[event._tag]?.run(vm, event, env) ?? stay(vm)
}

/** The work that a state does; undefined where it only waits. */
export const workOf = (state: VmState): Work | undefined => {
  switch (state._tag) {
    case "Cloning":
      return state.lost ? "seek" : "clone"
    case "Booting":
      return "boot"
    case "Settling":
      return "settle"
    case "Reserved":
      return "claim"
    case "Renamed":
      return "take"
    case "Powered":
      return "power"
    case "Running":
      if (state.signedIn) return state.setBack === true ? "mark" : undefined
      return state.overdue ? "inquire" : "bootstrap"
    case "Returning":
      return "unclaim"
    case "Preparing":
      return state.resumed === true ? undefined : "prepare"
    case "Converting":
      return "convert"
    case "Reaping":
      return "reap"
    default:
      return undefined
  }
}
