/**
 * What a machine's actor knows (`Vm`) and where the machine is in its life (`VmState`). Data only; `transition.ts` says how one
 * becomes another, `docs/state-machine.md` draws it.
 */
import type { Redacted } from "effect"
import { isV1, type JobId } from "../../schema/Job.ts"
import type { ModelStamp, ModelV1 } from "../../schema/ModelV1.ts"
import { readable, unreadableReason } from "../../schema/Machine.ts"
import type { MachineFacts, MachineId, MachineRef, Size, Sizing } from "../../schema/Machine.ts"

/** What a job claims a machine for. Chosen before anything is sent. */
export interface Claim {
  readonly jobId: JobId
  readonly region: string
  readonly projectKey: string
  readonly workerName: string
  readonly modelName: string
  /**
   * The V1 model by which its worker is started, in its version; undefined for a V2 model. The id is 0 where the Go hatchery claimed: its workers
   * are started already.
   */
  readonly model?: (Pick<ModelV1, "id"> & ModelStamp) | undefined
  /** The worker registers its model and has no job: `jobId` is empty. */
  readonly registers?: true
  /** Guest login of the model; the configuration's comes first (seed 6.2.3). Not written down: a restart asks CDS again. */
  readonly login: { readonly username: string; readonly password: Redacted.Redacted<string> } | undefined
  /** The flavor's name; empty: the template's resources; undefined after a restart. */
  readonly flavor?: string | undefined
  /** The flavor to apply while the machine is off. */
  readonly size: Sizing | undefined
  /** Milliseconds since the epoch: the worker's TTL counts from here. */
  readonly startedAt: number
}

/** True where CDS can be asked about the claim's job: a V2 job is asked for by its region, which the Go hatchery does not write down. */
export const isAskable = ({ jobId, region }: Pick<Claim, "jobId" | "region">): boolean =>
  jobId !== "" && (region !== "" || isV1(jobId))

/** What becomes of the job when its machine is reaped. */
export type Settlement =
  /** Nothing: there is no job, it is over, or it was given back already. */
  | "none"
  /** It goes back to the queue if CDS still shows it as Scheduling for us. */
  | "release"
  /** It fails with the reason, unless it is final: it was given its time. */
  | "fail"

export type VmState =
  /**
   * The clone is being made, for the pool or for a job; the machine may not exist yet. `lost`: the answer was lost, the inventory decides.
   * `cancelled`: why it is no longer wanted. `builds`: it becomes the template of its V1 model.
   */
  | {
      readonly _tag: "Cloning"
      readonly claim?: Claim
      readonly lost: boolean
      readonly cancelled?: string
      readonly builds?: true
    }
  /** First boot of a pool machine: customization and address. */
  | { readonly _tag: "Booting" }
  /** Shutting down into the pool, then recorded as provisioned. */
  | { readonly _tag: "Settling" }
  /** Off, ready for a job. */
  | { readonly _tag: "Provisioned" }
  /** Leased for a job; the claim is being written. */
  | { readonly _tag: "Reserved"; readonly claim: Claim; readonly cancelled: string | undefined }
  /** The claim is written; the job is being taken. `resumed`: taken over; the job may have been taken before. */
  | {
      readonly _tag: "Renamed"
      readonly claim: Claim
      readonly cancelled: string | undefined
      readonly resumed: boolean
    }
  /** The job is taken; powering on and getting ready. `on`: seen powered on. */
  | { readonly _tag: "Powered"; readonly claim: Claim; readonly on: boolean }
  /**
   * The bootstrap is recorded. `signedIn`: CDS knows the worker. `resumed`: taken over; the bootstrap may have been started before.
   * `ended`: its start script has ended well, so it should go off. `overdue`: its time to sign in is over, and CDS is asked whether it has.
   * `setBack`: it shows an older mark of ours while its worker works, and is recorded anew.
   */
  | {
      readonly _tag: "Running"
      readonly claim: Claim
      readonly signedIn: boolean
      readonly resumed: boolean
      readonly ended?: true
      readonly overdue?: true
      readonly setBack?: true
    }
  /** The claim is being undone: back to the pool. */
  | { readonly _tag: "Returning" }
  /**
   * The clone of a base image is made ready to be the template of a V1 model, and powers itself off. `resumed`: an earlier process was at it,
   * or the Go hatchery; it is given its time and no more.
   */
  | { readonly _tag: "Preparing"; readonly resumed?: true }
  /** Off, and being marked as the template. */
  | { readonly _tag: "Converting" }
  /** A template: no machine any more. The end. */
  | { readonly _tag: "Templated" }
  /** Cannot be acted upon (host disconnected, question pending); goes on where it was when it can. */
  | { readonly _tag: "Held"; readonly was: HoldableState; readonly remaining: number }
  /** Recorded for removal; left only when the inventory shows it gone. `late`: its worker may sign in until it is off, though its job was given back. */
  | {
      readonly _tag: "Reaping"
      readonly claim: Claim | undefined
      readonly settlement: Settlement
      readonly late?: true
    }
  /** Gone; its address is free. The end. */
  | { readonly _tag: "Reaped" }
  /** Somebody else's now. The end. */
  | { readonly _tag: "Ceded" }

export type StateTag = VmState["_tag"]
export type StateOf<T extends StateTag> = Extract<VmState, { readonly _tag: T }>

/** States in which something is to be done to an existing machine, so that being unable to act upon it matters. */
export type HoldableState = StateOf<
  "Booting" | "Settling" | "Provisioned" | "Powered" | "Running" | "Returning" | "Preparing" | "Reaping"
>

export interface Vm {
  readonly id: MachineId
  /** Known once the machine exists. */
  readonly ref: MachineRef | undefined
  readonly template: string
  /** The V1 model that it is made for; undefined for V2. */
  readonly model?: ModelStamp | undefined
  /** The name it has in the pool, and goes back to. */
  readonly poolName: string
  readonly ip: string | undefined
  /** Generation of the last write of ours that is known to have happened; 0 for a machine that has no key of ours. */
  readonly generation: number
  /** Its size in the pool, before any flavor. */
  readonly size: Size | undefined
  readonly createdAt: number
  /** As last seen in the inventory. */
  readonly facts: MachineFacts | undefined
  readonly state: VmState
  /** When the state was entered. */
  readonly since: number
  /** When its `Deadline` comes; undefined only at the end. */
  readonly deadline: number | undefined
  /** Why it is where it is, when that is not the usual course. */
  readonly reason: string | undefined
}

export const isEnd = (state: VmState): state is StateOf<"Reaped" | "Ceded" | "Templated"> =>
  state._tag === "Reaped" || state._tag === "Ceded" || state._tag === "Templated"

/** Where a machine stands, held or not. */
export const placeOf = (state: VmState): StateTag => (state._tag === "Held" ? state.was._tag : state._tag)

const pooled: ReadonlySet<StateTag> = new Set(["Cloning", "Booting", "Settling", "Provisioned", "Returning"])

/** True where a machine becomes the template of a V1 model, held or not. */
export const isBuild = (state: VmState): boolean =>
  state._tag === "Held"
    ? isBuild(state.was)
    : state._tag === "Preparing" || state._tag === "Converting" || (state._tag === "Cloning" && state.builds === true)

/** True where a machine belongs to the warm pool or is on its way there, held or not; a clone for a job is among them until it has its own state. */
export const inPool = (state: VmState): boolean => pooled.has(placeOf(state)) && !isBuild(state)

/** Which pool a machine belongs to: its V1 model's path, or its template. */
export const poolOf = ({ model, template }: Pick<Vm, "model" | "template">): string => model?.path ?? template

/** The size that a machine of the pool goes back to: what was written down, else what it shows while nobody has it. */
export const poolSize = ({ size, facts }: Pick<Vm, "size" | "facts">): Size | undefined =>
  size ?? (facts === undefined ? undefined : { cpus: facts.numCpu, memoryMB: facts.memoryMB })

/** The claim a machine carries, in whatever state. */
export const claimOf = (state: VmState): Claim | undefined =>
  state._tag === "Held" ? claimOf(state.was) : "claim" in state ? state.claim : undefined

/** The state as somebody else, or a later life of its actor, takes it up. */
export const resumed = (state: VmState): VmState =>
  state._tag === "Renamed" || state._tag === "Running" || state._tag === "Preparing"
    ? { ...state, resumed: true }
    : state

/** True for a machine that was cloned for the job it is claimed for: it has no name in a pool, and was never made ready for one. */
export const clonedForJob = (vm: Vm): boolean => vm.poolName === claimOf(vm.state)?.workerName

/** The name the machine should have by what we know. */
export const nameOf = (vm: Vm): string => vm.facts?.name ?? claimOf(vm.state)?.workerName ?? vm.poolName

/** May be acted upon: its host answers, no question is pending, and it can be read (design, "Absent is not unreachable"). */
export const reachable = (facts: MachineFacts): boolean =>
  facts.connection === "connected" && facts.question === undefined && readable(facts)

/** Why a machine cannot be acted upon, for people. */
export const unreachableReason = (facts: MachineFacts): string =>
  facts.question !== undefined
    ? `vCenter asks: ${facts.question}`
    : facts.connection !== "connected"
      ? `its connection state is ${facts.connection}`
      : `it ${unreadableReason(facts)}`
