/** The rows of the table for the ends of a life: recorded for removal, gone, somebody else's. */
import { conceded, everyEvent, seen, seenGone, tooLate } from "./cells.ts"
import { inquire, returnJob, rewrites } from "./moves.ts"
import { cell, enter, row, stay } from "./table.ts"

/** A removal that vCenter refuses is tried again after this long. */
const reapAgainMs = 60_000

export const Reaping = row<"Reaping">("recorded for removal: its job is settled, it is powered off and destroyed")(
  {
    Settled: cell(["Reaping"], "a job that waits again may look for another machine", (vm, { waits }) => {
      const { claim } = vm.state
      return stay(
        { ...vm, state: { _tag: "Reaping", claim: undefined, settlement: "none" } },
        claim === undefined || !waits ? [] : [returnJob(claim, vm.reason ?? "its machine was reaped", true)]
      )
    }),
    SignedIn: cell(["Running"], "a V1 worker, given up before: CDS is asked what it does", (vm, _, env) => {
      const { claim, late } = vm.state
      return late === true && claim !== undefined ? inquire(vm, env, claim, "its worker signed in late") : stay(vm)
    }),
    Seen: seen(["Reaping"], "noted", (vm) => stay(vm)),
    Gone: seenGone(),
    Conceded: conceded(rewrites),
    Failed: cell(["Reaping"], "an alarm; tried again soon", (vm, event, env) =>
      stay({ ...vm, deadline: Math.min(vm.deadline ?? Infinity, env.now + reapAgainMs) }, [
        { _tag: "Alarm", text: `cannot be removed: ${event.reason}` }
      ])
    ),
    Deadline: cell(["Reaping"], "an alarm, and tried again", (vm, _, env) =>
      enter(vm, vm.state, env, { reason: vm.reason, actions: [{ _tag: "Alarm", text: "is still not removed" }] })
    ),
    Reserve: tooLate()
  },
  ["Cancel", "Disabled", "JobEnded", "Cloned", "Done", "Exited", "Refused", "Reap"]
)

export const Reaped = row<"Reaped">("gone; its address is free")({}, everyEvent)

export const Ceded = row<"Ceded">("somebody else's")({}, everyEvent)
