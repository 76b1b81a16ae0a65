/** The moves that several cells of the table make: into reaping, back to the pool, gone, held, somebody else's. Pure, like the table. */
import { parse } from "../../schema/Annotation.ts"
import type { MachineFacts, Size } from "../../schema/Machine.ts"
import type { Notice } from "../../services/Cds.ts"
import type { Action } from "./Action.ts"
import { prove } from "./prove.ts"
import type { Claim, HoldableState, Settlement, StateTag, Vm, VmState } from "./State.ts"
import { claimOf, inPool, isBuild, placeOf, resumed } from "./State.ts"
import type { Env, Step, VmIn } from "./table.ts"
import { enter, stay } from "./table.ts"

const hatching: ReadonlySet<StateTag> = new Set(["Cloning", "Booting", "Settling"])

/** Into reaping, from anywhere. The pool hears of its loss. */
export const reap = (
  vm: Vm,
  env: Env,
  reason: string,
  settlement: Settlement,
  more: ReadonlyArray<Action> = []
): Step => {
  const claim = claimOf(vm.state)
  const was = placeOf(vm.state)
  const actions: Array<Action> = [...more]
  if (inPool(vm.state)) actions.push({ _tag: "PoolShrank" })
  if (was === "Cloning") actions.push({ _tag: "CloneEnded" })
  return enter(vm, { _tag: "Reaping", claim, settlement: claim === undefined ? "none" : settlement }, env, {
    reason,
    actions
  })
}

/** Like `reap`, because something went wrong: the job's user is told what, or the template has failed to hatch, or to be built. */
export const fail = (vm: Vm, env: Env, reason: string): Step => {
  const claim = claimOf(vm.state)
  const actions: Array<Action> = []
  if (claim !== undefined) actions.push(spawnFailed(claim, reason, env))
  if (isBuild(vm.state)) actions.push({ _tag: "BuildFailed", reason, own: placeOf(vm.state) === "Preparing" })
  else if (hatching.has(vm.state._tag)) actions.push({ _tag: "HatchFailed", reason })
  // A clone that is not made is no fault of the model that it was to register.
  const settlement = claim?.registers === true && vm.state._tag === "Cloning" ? "none" : "release"
  return reap(vm, env, reason, settlement, actions)
}

const spawnFailed = (claim: Claim, reason: string, env: Env): Action => {
  const { workerName, modelName, startedAt } = claim
  return tell(claim, { _tag: "SpawnFailed", workerName, modelName, afterMs: env.now - startedAt, reason })
}

const tell = (claim: Claim, notice: Notice): Action => ({ _tag: "Tell", claim, notice })

const sizeText = ({ cpus, memoryMB }: Size): string => `${cpus} CPUs, ${memoryMB} MB`

/** What the user of a job reads when it is taken: its worker, and how large that is (seed 001 section 13). */
export const starting = (vm: Vm, claim: Claim): ReadonlyArray<Action> => {
  const { workerName, modelName, flavor } = claim
  const size = claim.size ?? vm.size
  const starts = tell(claim, { _tag: "Starts", workerName, modelName })
  return flavor === undefined || size === undefined
    ? [starts]
    : [starts, tell(claim, { _tag: "Sized", workerName, flavor, size: sizeText(size) })]
}

export const returnJob = (claim: Claim, reason: string, failed: boolean): Action => ({
  _tag: "ReturnJob",
  claim,
  reason,
  failed
})

/** Back to the pool: the claim is undone by another guarded reconfigure. */
export const giveBack = (vm: Vm, env: Env, claim: Claim, reason: string, failed: boolean): Step =>
  enter(vm, { _tag: "Returning" }, env, {
    reason,
    actions: [returnJob(claim, reason, failed), { _tag: "FreeCapacity" }]
  })

/** A machine loses its job without being reaped for it. One that may have been taken is settled at CDS, as no later state will. */
const dropJob = (vm: Vm, claim: Claim, reason: string, failed: boolean): ReadonlyArray<Action> => {
  const state = vm.state._tag === "Held" ? vm.state.was : vm.state
  const back = returnJob(claim, reason, failed)
  if (state._tag === "Reserved") return [back]
  const settlement = state._tag === "Reaping" ? state.settlement : "release"
  return [{ _tag: "SettleJob", claim, settlement, reason }, back]
}

/** The end of a machine for us: its worker's place is free, a job on it may look for another machine, its pool hears of its loss. */
const leaving = (vm: Vm, reason: string | undefined): ReadonlyArray<Action> => {
  const claim = claimOf(vm.state)
  const was = placeOf(vm.state)
  const actions: Array<Action> = [{ _tag: "FreeCapacity" }]
  if (claim !== undefined) actions.push(...dropJob(vm, claim, reason ?? "its machine is gone", true))
  if (was === "Cloning") actions.push({ _tag: "CloneEnded" })
  if (inPool(vm.state)) actions.push({ _tag: "PoolShrank" })
  return actions
}

/** CDS knows its worker: the worker's time counts from its claim. */
export const atWork = (vm: Vm, env: Env, claim: Claim): Step => {
  const state: VmState = { _tag: "Running", claim, signedIn: true, resumed: true }
  const { vm: working, ...rest } = enter(vm, state, env, { actions: [{ _tag: "CommitCapacity" }] })
  return { ...rest, vm: { ...working, deadline: workEnds(claim, env) } }
}

/** When its time is over already: the next millisecond, as a deadline of this one has been told. */
export const workEnds = (claim: Claim, env: Env): number =>
  Math.max(env.now + 1, claim.startedAt + env.times.workerTtlMs)

/** It has to go, but its worker may be at work: CDS is asked first (promise 4). */
export const inquire = (vm: Vm, env: Env, claim: Claim, reason: string): Step =>
  enter(vm, { _tag: "Running", claim, signedIn: false, resumed: true, overdue: true }, env, {
    reason,
    actions: [{ _tag: "CommitCapacity" }]
  })

/** Gone without our doing, or with it. */
export const gone = (vm: Vm, env: Env, reason: string | undefined): Step =>
  enter(vm, { _tag: "Reaped" }, env, { reason, actions: [{ _tag: "FreeIp" }, ...leaving(vm, reason)] })

/** Somebody else's now: hands off. It keeps its address as long as it is there. */
export const cede = (vm: Vm, env: Env, reason = "its annotation names another owner"): Step =>
  enter(vm, { _tag: "Ceded" }, env, { reason, actions: leaving(vm, reason) })

/** True when somebody else wrote on it since: a late write of the last owner may be of the very generation that was taken over. */
export const rewritten = (vm: Vm, facts: MachineFacts, env: Env): boolean => {
  if (vm.facts === undefined || facts.annotation === vm.facts.annotation) return false
  return parse(facts.annotation)?.journal?.instance !== env.instance
}

/**
 * True when it shows an older mark of this process: vCenter was restored, or the news is late. The two look the same, and what follows has to be
 * right for both.
 */
export const setBack = ({ generation }: Vm, facts: MachineFacts, env: Env): boolean => {
  const journal = parse(facts.annotation)?.journal
  return journal?.instance === env.instance && journal.generation < generation
}

const holdable = (state: VmState): state is HoldableState =>
  state._tag === "Booting" ||
  state._tag === "Settling" ||
  state._tag === "Provisioned" ||
  state._tag === "Powered" ||
  state._tag === "Running" ||
  state._tag === "Returning" ||
  state._tag === "Preparing" ||
  state._tag === "Reaping"

/** What a machine that cannot be acted upon shows. Its annotation stays the one that was known: what somebody writes meanwhile is noticed when it can be. */
export const heldFacts = ({ facts: known }: Vm, facts: MachineFacts): MachineFacts =>
  known === undefined ? facts : { ...facts, annotation: known.annotation }

/** A worker's start is resumed after a hold, not repeated: it may have been started already. */
export const hold = (vm: Vm, env: Env, reason: string): Step => {
  const was = resumed(vm.state)
  if (!holdable(was)) return stay(vm)
  return enter(vm, { _tag: "Held", was, remaining: Math.max(0, (vm.deadline ?? env.now) - env.now) }, env, { reason })
}

/** What others of our name make of a machine that exists: none goes back to its first boot, none comes to be a template by being written on. */
export const rewrites: ReadonlyArray<StateTag> = ["Provisioned", "Renamed", "Running"]

/**
 * Somebody else wrote on it: it becomes what it proves to be, if that is one of `becomes`, else it is reaped. A claim of ours is lost: its job
 * looks for another machine at once; where this one has to go, not before it is off (promise 1).
 */
export const reprove = (vm: Vm, env: Env, reason: string, becomes: ReadonlyArray<StateTag>): Step => {
  const found = vm.facts === undefined ? undefined : prove(vm.facts, env)
  if (found === undefined) return cede(vm, env, reason)
  const { _tag } = found.state
  const proven =
    _tag === "Reaping" || becomes.includes(_tag) ? found : reap(found, env, `${reason}: ${_tag}`, "release").vm
  const claim = claimOf(vm.state)
  const state: VmState =
    proven.state._tag === "Reaping" && proven.state.claim === undefined && claim !== undefined
      ? { ...proven.state, claim, settlement: vm.state._tag === "Reaping" ? vm.state.settlement : "release" }
      : proven.state
  const lost = claim !== undefined && claimOf(state)?.jobId !== claim.jobId
  const actions: Array<Action> = lost ? [...dropJob(vm, claim, reason, false), { _tag: "FreeCapacity" }] : []
  if (inPool(vm.state) && !inPool(state)) actions.push({ _tag: "PoolShrank" })
  return { vm: { ...proven, state, reason: proven.reason ?? reason }, actions, entered: true }
}

export const wrote = (vm: Vm): Partial<Vm> => ({ generation: vm.generation + 1 })

/** A vSphere template of its V1 model now: its address is free, and nobody looks after it. */
export const templated = (vm: Vm, env: Env): Step =>
  enter(vm, { _tag: "Templated" }, env, { actions: [{ _tag: "FreeIp" }, { _tag: "FreeCapacity" }, { _tag: "Built" }] })

/**
 * The clone exists: on to its first boot, to become a template or, made for a job, to its worker; away with it when it is not wanted any more. After a lost answer
 * CDS is asked about the job.
 */
export const cloned = (vm: VmIn<"Cloning">, env: Env, known: Partial<Vm>): Step => {
  const { builds, claim, cancelled, lost } = vm.state
  const made = { ...vm, ...known, ...wrote(vm) }
  const ended: ReadonlyArray<Action> = [{ _tag: "CloneEnded" }]
  if (cancelled !== undefined) return reap(made, env, cancelled, "release")
  if (builds === true) return enter(made, { _tag: "Preparing" }, env, { actions: ended })
  if (claim === undefined) return enter(made, { _tag: "Booting" }, env, { actions: ended })
  return lost
    ? enter(made, { _tag: "Renamed", claim, cancelled: undefined, resumed: true }, env, { actions: ended })
    : enter(made, { _tag: "Powered", claim, on: false }, env, { actions: [...ended, ...starting(made, claim)] })
}
