/** What a transition asks for besides the work of the new state: small things that are done at once, in order. */
import type { Notice } from "../../services/Cds.ts"
import type { Claim, Settlement } from "./State.ts"

export type Action =
  /** A line that the user sees on the job. */
  | { readonly _tag: "Tell"; readonly claim: Claim; readonly notice: Notice }
  /** The job is without a machine again; the dispatcher may look at it. `failed`: a try was spent on it. */
  | { readonly _tag: "ReturnJob"; readonly claim: Claim; readonly reason: string; readonly failed: boolean }
  /** The job of a machine that was lost: given back or failed at CDS, if it is still ours there. */
  | { readonly _tag: "SettleJob"; readonly claim: Claim; readonly settlement: Settlement; readonly reason: string }
  /** The worker counts, and is no longer starting. */
  | { readonly _tag: "CommitCapacity" }
  | { readonly _tag: "FreeCapacity" }
  | { readonly _tag: "FreeIp" }
  /** The pool has one more ready machine: jobs that wait may look again. */
  | { readonly _tag: "PoolGrew" }
  /** The pool has one less: the nursery should look. */
  | { readonly _tag: "PoolShrank" }
  /** The clone has an outcome: its slot is free for the next one. */
  | { readonly _tag: "CloneEnded" }
  /** The template hatched well, or not. */
  | { readonly _tag: "Hatched" }
  | { readonly _tag: "HatchFailed"; readonly reason: string }
  /** The V1 model that the machine is made for has its template, or the building of it failed. */
  | { readonly _tag: "Built" }
  | { readonly _tag: "BuildFailed"; readonly reason: string; readonly own: boolean }
  /** An operator should look. */
  | { readonly _tag: "Alarm"; readonly text: string }

/** What runs while the machine is in a state; its end is an event. Leaving the state interrupts it. */
export type Work =
  | "clone"
  | "seek"
  | "boot"
  | "settle"
  | "claim"
  | "take"
  | "power"
  | "bootstrap"
  | "inquire"
  | "mark"
  | "unclaim"
  | "prepare"
  | "convert"
  | "reap"
