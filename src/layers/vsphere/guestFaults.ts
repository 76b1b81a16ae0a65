/** What a failed guest operation means (services/Guest). A fault of its own for credentials; otherwise as for every call. */
import { GuestError } from "../../schema/Errors.ts"
import type { VimError, VSphereError, VSphereErrorKind } from "../../schema/Errors.ts"
import type { MachineRef } from "../../schema/Machine.ts"
import { callFailed } from "./faults.ts"
import type { VimOperation } from "./Vim.ts"

/** The guest is not so far yet, or not any more; the same call may pass later. */
const notNow: ReadonlySet<string> = new Set([
  "GuestComponentsOutOfDate",
  "GuestOperationsUnavailable",
  "InvalidPowerState",
  "InvalidState",
  "ToolsUnavailable"
])

const refusedLogin: ReadonlySet<string> = new Set(["GuestPermissionDenied", "InvalidGuestLogin"])

const kindOf = (error: VimError, operation: VimOperation): GuestError["kind"] => {
  if (error._tag === "VimFault" && refusedLogin.has(error.fault)) return "login"
  if (error._tag === "VimFault" && notNow.has(error.fault)) return "busy"
  return guestKind(callFailed(operation)(error).kind)
}

const guestKind = (kind: VSphereErrorKind): GuestError["kind"] =>
  kind === "denied" || kind === "duplicate" ? "invalid" : kind

export const guestFailed =
  (machine: MachineRef, operation: VimOperation) =>
  (error: VimError): GuestError =>
    new GuestError({
      machine,
      operation,
      kind: kindOf(error, operation),
      message: callFailed(operation)(error).message
    })

/** The machine could not be looked at before, or is not ours. */
export const guestRefused =
  (machine: MachineRef) =>
  ({ operation, kind, message }: VSphereError): GuestError =>
    new GuestError({ machine, operation, kind: guestKind(kind), message })
