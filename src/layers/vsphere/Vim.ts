/**
 * The one seam under everything that talks to vCenter: an operation's name, its arguments, and an answer not yet decoded.
 * Two layers implement it: SOAP over HTTP (`VimSoap`), and the simulated vCenter in this process (`simulated/vcenter`).
 *
 * Wire values, the same on both:
 * - a managed object reference is `{ type, value }`, e.g. `{ type: "VirtualMachine", value: "vm-12" }`;
 * - a data object is a plain object whose keys stand in the order of the vSphere schema (a real vCenter insists on it); where its
 *   type is a subtype of the declared one, or the declared one is anyType, the key `_type` names it, e.g.
 *   `{ _type: "VirtualEthernetCardNetworkBackingInfo", deviceName: "VM Network" }`;
 * - a primitive in an anyType place is `{ _type: "xsd:string", _value: "..." }`; a list in an anyType place is
 *   `{ _type: "ArrayOfString", string: [...] }`;
 * - a list elsewhere is an array; in an answer, a list of one may come as the element itself, and an absent list as undefined;
 * - in an answer, a number or boolean may come as text, and a date as text (RFC 3339) or Date.
 *
 * The schemas of `wire/` turn answers into typed values; nothing above this file sees the raw ones.
 */
import { Context } from "effect"
import type { Effect } from "effect"
import type { VimFault, VimUnreachable } from "../../schema/Errors.ts"

export type WireValue =
  | string
  | number
  | boolean
  | Date
  | undefined
  | ReadonlyArray<WireValue>
  | { readonly [key: string]: WireValue }

/** The operations in use. A new call is added here, to the WSDL, to the simulated core, and so to the crash grid. */
export const operations = [
  "RetrieveServiceContent",
  "Login",
  "Logout",
  "CurrentTime",
  "CreateContainerView",
  "DestroyView",
  "CreatePropertyCollector",
  "DestroyPropertyCollector",
  "CreateFilter",
  "WaitForUpdatesEx",
  "CancelWaitForUpdates",
  "RetrievePropertiesEx",
  "ContinueRetrievePropertiesEx",
  "CloneVM_Task",
  "ReconfigVM_Task",
  "PowerOnVM_Task",
  "PowerOffVM_Task",
  "ShutdownGuest",
  "Destroy_Task",
  "CreateSnapshot_Task",
  "MarkAsTemplate",
  "Rename_Task",
  "CancelTask",
  "StartProgramInGuest",
  "ListProcessesInGuest",
  "InitiateFileTransferFromGuest"
] as const

export type VimOperation = (typeof operations)[number]

/** Operations that change something in vCenter. Sending one of these twice is never harmless by itself. */
export const mutations: ReadonlySet<VimOperation> = new Set([
  "CloneVM_Task",
  "ReconfigVM_Task",
  "PowerOnVM_Task",
  "PowerOffVM_Task",
  "ShutdownGuest",
  "Destroy_Task",
  "CreateSnapshot_Task",
  "MarkAsTemplate",
  "Rename_Task",
  "StartProgramInGuest"
])

export class Vim extends Context.Service<
  Vim,
  {
    /**
     * Sends one operation. `args` starts with `_this`, the managed object it is called on. The session is a cookie inside the
     * transport: `Login` sets it, `NotAuthenticated` comes as a VimFault. No retry, no deadline here; interruption aborts the
     * request on the wire.
     */
    readonly call: (
      operation: VimOperation,
      args: { readonly [key: string]: WireValue }
    ) => Effect.Effect<unknown, VimFault | VimUnreachable>
    /** Reads a guest file from the url that InitiateFileTransferFromGuest answered (`*` as host means the vCenter itself). At most the last `maxBytes`. */
    readonly download: (url: string, maxBytes: number) => Effect.Effect<Uint8Array, VimUnreachable>
  }
>()("rookery/layers/vsphere/Vim") {}
