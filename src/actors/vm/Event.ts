/** What can happen to a machine's actor. */
import type { JobStatus } from "../../schema/Job.ts"
import type { MachineFacts, MachineRef } from "../../schema/Machine.ts"
import type { Claim, Settlement } from "./State.ts"

export type VmEvent =
  // The inventory tells.
  | { readonly _tag: "Seen"; readonly facts: MachineFacts }
  | { readonly _tag: "Gone" }
  // Other actors ask.
  | { readonly _tag: "Reserve"; readonly claim: Claim }
  /** The job of this claim is no longer wanted. */
  | { readonly _tag: "Cancel"; readonly reason: string }
  | { readonly _tag: "Reap"; readonly reason: string; readonly settlement: Settlement }
  // CDS tells, through the Reaper.
  | { readonly _tag: "SignedIn" }
  | { readonly _tag: "Disabled" }
  | { readonly _tag: "JobEnded"; readonly status: JobStatus }
  // The clock.
  | { readonly _tag: "Deadline" }
  // The work of the state ended.
  | { readonly _tag: "Cloned"; readonly ref: MachineRef }
  | { readonly _tag: "Done" }
  | { readonly _tag: "Exited"; readonly exitCode: number; readonly log: string }
  | { readonly _tag: "Refused"; readonly reason: string }
  /** A guarded reconfigure lost: somebody else wrote on the machine. `facts`: what it is now, which may be told here before it is Seen. */
  | { readonly _tag: "Conceded"; readonly reason: string; readonly facts: MachineFacts }
  /** `unknown`: whether it took place cannot be told. */
  | { readonly _tag: "Failed"; readonly reason: string; readonly unknown: boolean }
  /** The job of a machine that is being reaped is settled; the machine is not gone yet. `waits`: the job is in the queue again. */
  | { readonly _tag: "Settled"; readonly waits: boolean }

export type EventTag = VmEvent["_tag"]
export type EventOf<T extends EventTag> = Extract<VmEvent, { readonly _tag: T }>
