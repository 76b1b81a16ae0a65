/** The rows of the table for a ready machine: leased, claimed for a job that is then taken, or given back. */
import { isOff } from "../../schema/Machine.ts"
import { asked, conceded, seen, seenClaimed, seenGone, tooLate } from "./cells.ts"
import {
  atWork,
  fail,
  giveBack,
  inquire,
  reap,
  reprove,
  rewrites,
  rewritten,
  setBack,
  starting,
  wrote
} from "./moves.ts"
import { claimOf, clonedForJob, poolSize, type Vm } from "./State.ts"
import type { Env, Step, VmIn } from "./table.ts"
import { cell, enter, row, stay } from "./table.ts"

/** What was found on may have its worker at work: an annotation can be older than that, as after a restore of vCenter. */
const mayBeAtWork = ({ state, facts }: VmIn<"Renamed">): boolean =>
  state.resumed && facts !== undefined && !isOff(facts) && state.claim.jobId !== ""

const notTaken = (vm: VmIn<"Renamed">, env: Env, reason: string): Step =>
  mayBeAtWork(vm) ? inquire(vm, env, vm.state.claim, reason) : fail(vm, env, reason)

/** Somebody wrote its job away. */
const lostClaim = (vm: VmIn<"Renamed">, env: Env, reason: string): Step => {
  const step = reprove(vm, env, reason, rewrites)
  const goes = step.vm.state._tag === "Reaping" && claimOf(step.vm.state)?.jobId === vm.state.claim.jobId
  return goes && mayBeAtWork(vm) ? inquire(step.vm, env, vm.state.claim, reason) : step
}

/** Its mark is older than what became of it, so a restart would take it for what it was: it is recorded as ready once more. */
const writeAnew = (vm: Vm, env: Env): Step =>
  enter(vm, { _tag: "Returning" }, env, { reason: "it shows an older mark of ours", actions: [{ _tag: "PoolShrank" }] })

export const Provisioned = row<"Provisioned">("off, ready for a job")(
  {
    Reserve: cell(["Reserved"], "leased for a job", (vm, { claim }, env) =>
      enter({ ...vm, size: poolSize(vm) }, { _tag: "Reserved", claim, cancelled: undefined }, env, {
        actions: [{ _tag: "PoolShrank" }]
      })
    ),
    Seen: seen(
      ["Returning", "Reaping", ...rewrites],
      "somebody wrote on it: what it proves to be; somebody powered it on: reaped; an older mark of ours: written anew",
      (vm, facts, env, before) => {
        if (rewritten(before, facts, env)) return reprove(vm, env, "somebody else wrote on it in the pool", rewrites)
        if (!isOff(facts)) return reap(vm, env, "somebody powered it on in the pool", "none")
        return setBack(vm, facts, env) ? writeAnew(vm, env) : stay(vm)
      }
    ),
    Gone: seenGone("it was removed from the pool"),
    Deadline: cell(["Provisioned"], "still ready", (vm, _, env) =>
      stay({ ...vm, deadline: enter(vm, vm.state, env).vm.deadline })
    ),
    Reap: asked()
  },
  ["Cancel", "SignedIn", "Disabled", "JobEnded", "Cloned", "Done", "Exited", "Refused", "Conceded", "Failed", "Settled"]
)

export const Reserved = row<"Reserved">(
  "the claim is being written: name, annotation and size in one guarded reconfigure"
)(
  {
    Done: cell(["Renamed", "Returning"], "claimed; cancelled meanwhile: given back", (vm, _, env) => {
      const { claim, cancelled } = vm.state
      const claimed = { ...vm, ...wrote(vm) }
      return cancelled === undefined
        ? enter(claimed, { _tag: "Renamed", claim, cancelled: undefined, resumed: false }, env)
        : giveBack(claimed, env, claim, cancelled, false)
    }),
    Cancel: cell(["Reserved"], "remembered until the claim is written", (vm, event) =>
      stay({ ...vm, state: { ...vm.state, cancelled: event.reason } })
    ),
    JobEnded: cell(["Reserved"], "remembered until the claim is written", (vm, event) =>
      stay({ ...vm, state: { ...vm.state, cancelled: `its job is ${event.status}` } })
    ),
    Conceded: conceded(rewrites),
    Failed: cell(["Returning"], "the claim failed: given back", (vm, event, env) =>
      giveBack(vm, env, vm.state.claim, `claiming the machine failed: ${event.reason}`, true)
    ),
    Deadline: cell(["Returning"], "the claim took too long: given back", (vm, _, env) =>
      giveBack(vm, env, vm.state.claim, "claiming the machine took too long", true)
    ),
    Seen: seenClaimed(),
    Gone: seenGone("it went while it was claimed"),
    Reserve: tooLate()
  },
  ["Reap", "SignedIn", "Disabled", "Cloned", "Exited", "Refused", "Settled"]
)

export const Renamed = row<"Renamed">("claimed for a job, which is being taken")(
  {
    Done: cell(
      ["Powered", "Running", "Reaping"],
      "taken; cancelled meanwhile: reaped; found on: CDS is asked first",
      (vm, _, env) => {
        const { claim, cancelled, resumed } = vm.state
        const taken = resumed ? { ...vm, ...wrote(vm) } : vm
        const on = vm.facts?.power === "poweredOn"
        if (cancelled === undefined)
          return enter(taken, { _tag: "Powered", claim, on }, env, { actions: starting(vm, claim) })
        return mayBeAtWork(vm) ? inquire(taken, env, claim, cancelled) : reap(taken, env, cancelled, "release")
      }
    ),
    Refused: cell(
      ["Returning", "Running", "Reaping"],
      "the take was refused: given back; found on: CDS is asked about its worker first; on, or cloned for the job: reaped",
      (vm, event, env) => {
        if (mayBeAtWork(vm)) return inquire(vm, env, vm.state.claim, event.reason)
        return !clonedForJob(vm) && (vm.facts === undefined || isOff(vm.facts))
          ? giveBack(vm, env, vm.state.claim, event.reason, false)
          : reap(vm, env, event.reason, "none")
      }
    ),
    Cancel: cell(["Renamed"], "remembered until the take is answered", (vm, event) =>
      stay({ ...vm, state: { ...vm.state, cancelled: event.reason } })
    ),
    JobEnded: cell(["Renamed"], "remembered until the take is answered", (vm, event) =>
      stay({ ...vm, state: { ...vm.state, cancelled: `its job is ${event.status}` } })
    ),
    SignedIn: cell(
      ["Running", "Reaping"],
      "on: its worker is at work already, as after a restore of vCenter; off: it has finished",
      (vm, _, env) => {
        const { claim } = vm.state
        return vm.facts !== undefined && isOff(vm.facts)
          ? reap(vm, env, "its worker has finished", "release")
          : atWork(vm, env, claim)
      }
    ),
    Conceded: cell(
      ["Ceded", ...rewrites, "Reaping"],
      "what it proves to be now; to be reaped and found on: CDS is asked first",
      (vm, { facts, reason }, env) => lostClaim({ ...vm, facts, ref: facts.ref }, env, reason)
    ),
    Failed: cell(
      ["Reaping", "Running"],
      "taking its job failed: reaped; found on: CDS is asked first",
      (vm, event, env) => notTaken(vm, env, `taking its job failed: ${event.reason}`)
    ),
    Deadline: cell(
      ["Reaping", "Running"],
      "taking its job took too long: reaped; found on: CDS is asked first",
      (vm, _, env) => notTaken(vm, env, "taking its job took too long")
    ),
    Seen: seenClaimed(),
    Gone: seenGone("it went before it was powered on"),
    Reserve: tooLate()
  },
  ["Reap", "Disabled", "Cloned", "Exited", "Settled"]
)

export const Returning = row<"Returning">(
  "being recorded as ready again, its claim undone, by another guarded reconfigure"
)(
  {
    Done: cell(["Provisioned"], "back in the pool", (vm, _, env) =>
      enter(vm, { _tag: "Provisioned" }, env, { patch: wrote(vm), actions: [{ _tag: "PoolGrew" }] })
    ),
    Seen: seen(["Returning", "Reaping"], "on: reaped, unless our write is lost by it", (vm, facts, env, before) =>
      isOff(facts) || rewritten(before, facts, env)
        ? stay(vm)
        : reap(vm, env, "it went on while it was given back", "none")
    ),
    Gone: seenGone("it went while it was given back"),
    Conceded: conceded(rewrites),
    Failed: cell(["Reaping"], "giving it back failed: reaped", (vm, event, env) =>
      reap(vm, env, `giving it back failed: ${event.reason}`, "none")
    ),
    Deadline: cell(["Reaping"], "giving it back took too long: reaped", (vm, _, env) =>
      reap(vm, env, "giving it back took too long", "none")
    ),
    Reap: asked(),
    Reserve: tooLate()
  },
  ["Cancel", "SignedIn", "Disabled", "JobEnded", "Cloned", "Exited", "Refused", "Settled"]
)
