/** Cells that mean the same in several states. */
import { ownerOf } from "../../schema/Annotation.ts"
import { isFinal } from "../../schema/Job.ts"
import { readable } from "../../schema/Machine.ts"
import type { MachineFacts } from "../../schema/Machine.ts"
import type { EventOf, EventTag } from "./Event.ts"
import { cede, fail, gone, heldFacts, hold, reap, reprove, returnJob } from "./moves.ts"
import type { StateTag, Vm } from "./State.ts"
import { claimOf, reachable, unreachableReason } from "./State.ts"
import type { Cell, Env, Step, VmIn } from "./table.ts"
import { cell, stay } from "./table.ts"

/**
 * The part of `Seen` that is the same everywhere: facts are kept, a machine of another owner is ceded, one that cannot be acted upon is
 * held, whoever the owner may be of one that cannot be read; else the state has its say.
 */
export const seen = <S extends StateTag>(
  to: ReadonlyArray<StateTag>,
  says: string,
  then: (vm: VmIn<S>, facts: MachineFacts, env: Env, before: Vm) => Step
): Cell<S, "Seen"> =>
  cell(["Held", "Ceded", ...to], `another owner: ceded; unreachable: held; ${says}`, (before, { facts }, env) => {
    const vm: VmIn<S> = { ...before, facts, ref: facts.ref }
    const held = { ...vm, facts: heldFacts(before, facts) }
    if (!readable(facts)) return hold(held, env, unreachableReason(facts))
    if (ownerOf(facts) !== env.hatchery) return cede(vm, env)
    if (!reachable(facts)) return hold(held, env, unreachableReason(facts))
    return then(vm, facts, env, before)
  })

/** While a claim is on its way nothing but the owner matters: its work goes on. */
export const seenClaimed = <S extends StateTag>(): Cell<S, "Seen"> =>
  cell(["Ceded"], "another owner: ceded; else noted", (vm, { facts }, env) =>
    ownerOf(facts) === env.hatchery || !readable(facts) ? stay({ ...vm, facts }) : cede({ ...vm, facts }, env)
  )

export const seenGone = <S extends StateTag>(reason?: string): Cell<S, "Gone"> =>
  cell(["Reaped"], reason ?? "it is gone", (vm, _, env) => gone(vm, env, reason ?? vm.reason))

export const asked = <S extends StateTag>(): Cell<S, "Reap"> =>
  cell(["Reaping"], "reaped as asked", (vm, event, env) => reap(vm, env, event.reason, event.settlement))

/** A reservation that comes too late: the job looks for another machine, and what was reserved for it is free. */
export const tooLate = <S extends StateTag>(): Cell<S, "Reserve"> =>
  cell([], "too late: the job goes back", (vm, { claim }) => {
    const back = returnJob(claim, "its machine was no longer ready", false)
    return stay(vm, claimOf(vm.state) === undefined ? [back, { _tag: "FreeCapacity" }] : [back])
  })

/** A guarded write was lost. `becomes`: see `reprove`. */
export const conceded = <S extends StateTag>(becomes: ReadonlyArray<StateTag>): Cell<S, "Conceded"> =>
  cell(["Ceded", ...becomes, "Reaping"], "what it proves to be now", (vm, { facts, reason }, env) =>
    reprove({ ...vm, facts, ref: facts.ref }, env, reason, becomes)
  )

export const failed = <S extends StateTag>(doing: string): Cell<S, "Failed"> =>
  cell(["Reaping"], `${doing} failed: reaped`, (vm, event, env) => fail(vm, env, `${doing} failed: ${event.reason}`))

export const late = <S extends StateTag>(doing: string): Cell<S, "Deadline"> =>
  cell(["Reaping"], `${doing} took too long: reaped`, (vm, _, env) => fail(vm, env, `${doing} took too long`))

/** The job is no longer wanted while its machine hatches: the machine was touched, so it is reaped. */
export const dropped = <S extends StateTag>(): Cell<S, "Cancel"> =>
  cell(["Reaping"], "reaped: its job is no longer wanted", (vm, event, env) => reap(vm, env, event.reason, "release"))

/** One that CDS does not find counts as cancelled (`Reaper`), and is asked for once more: it would stay booked without a machine. */
export const jobEnded = <S extends StateTag>(): Cell<S, "JobEnded"> =>
  cell(["Reaping"], "reaped: the job is final", (vm, { status }, env) =>
    isFinal(status) ? reap(vm, env, `its job is ${status}`, status === "Cancelled" ? "release" : "none") : stay(vm)
  )

export const everyEvent = [
  "Seen",
  "Gone",
  "Reserve",
  "Cancel",
  "Reap",
  "SignedIn",
  "Disabled",
  "JobEnded",
  "Deadline",
  "Cloned",
  "Done",
  "Exited",
  "Refused",
  "Conceded",
  "Failed",
  "Settled"
] as const

/** A clone cannot be called back: it is reaped once it exists. */
export const unwanted = <E extends EventTag>(why: (event: EventOf<E>) => string): Cell<"Cloning", E> =>
  cell(["Cloning"], "remembered until it exists: a clone cannot be called back", (vm, event) =>
    stay({ ...vm, state: { ...vm.state, cancelled: why(event) } })
  )
