/** What carries out an operation: an answer at once, or an effect that waits for one. Either may refuse with a Fault. */
import type { Effect } from "effect"
import type { WireValue } from "../../../vsphere/Vim.ts"
import * as Args from "../Args.ts"
import type { Core } from "../Core.ts"
import { isMachine } from "../Machine.ts"
import type { Machine } from "../Machine.ts"
import { notFound } from "../ObjectStore.ts"
import type { Session } from "../Session.ts"
import type { Fault, Ref, WireObject } from "../Wire.ts"

export interface Call {
  readonly operation: string
  readonly self: Ref
  readonly args: WireObject
  /** Refuses with NotAuthenticated when the caller has none. */
  readonly session: Session
}

export type Handler = (core: Core, call: Call) => WireValue | Effect.Effect<WireValue, Fault>

/** The machine that the call is made on, or that an argument names. Refuses with ManagedObjectNotFound. */
export const machineOf = (core: Core, ref: Ref): Machine => {
  const found = core.store.get(ref)
  return isMachine(found) ? found : notFound(ref)
}

export const refArg = (call: Call, name: string): Ref => Args.required(name, Args.ref(call.args[name]))
