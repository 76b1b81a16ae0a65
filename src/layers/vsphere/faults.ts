/** What vCenter's faults mean to a caller (vsphere-behaviour 17.9), in one table. A fault that is not in it is `invalid`. */
import type { VimError, VSphereErrorKind } from "../../schema/Errors.ts"
import { VSphereError } from "../../schema/Errors.ts"
import type { VimOperation } from "./Vim.ts"
import { mutations } from "./Vim.ts"
import type { LocalizedFault } from "./wire/Fault.ts"
import { faultName } from "./wire/Fault.ts"

const faultsByKind: Readonly<Partial<Record<VSphereErrorKind, ReadonlyArray<string>>>> = {
  busy: [
    "ConcurrentAccess",
    "DatastoreNotWritableOnHost",
    "FileLocked",
    "HostCommunication",
    "HostConnectFault",
    "HostNotConnected",
    "HostNotReachable",
    "InaccessibleDatastore",
    "InsufficientCpuResourcesFault",
    "InsufficientFailoverResourcesFault",
    "InsufficientHostCapacityFault",
    "InsufficientMemoryResourcesFault",
    "InsufficientResourcesFault",
    "InsufficientStandbyResource",
    "InvalidHostState",
    "InvalidState",
    "NoActiveHostInCluster",
    "NoCompatibleHost",
    "NoDiskSpace",
    "RequestCanceled",
    "ResourceInUse",
    "ResourceNotAvailable",
    "SystemError",
    "TaskInProgress",
    "Timedout",
    "VAppTaskInProgress"
  ],
  gone: ["ManagedObjectNotFound"],
  duplicate: ["AlreadyExists", "DuplicateName"],
  denied: [
    "InvalidLogin",
    "NoPermission",
    "NoPermissionOnHost",
    "NotAuthenticated",
    "PasswordExpired",
    "RestrictedVersion"
  ]
}

const kinds: ReadonlyMap<string, VSphereErrorKind> = new Map(
  Object.entries(faultsByKind).flatMap(([kind, names]) => names.map((name) => [name, kind as VSphereErrorKind]))
)

const kindOfFault = (fault: string): VSphereErrorKind => kinds.get(fault) ?? "invalid"

/** The end of a task that failed. */
export const taskFailed = (operation: string, fault: LocalizedFault): VSphereError => {
  const name = faultName(fault)
  return new VSphereError({
    operation,
    kind: kindOfFault(name),
    fault: name,
    message: fault.localizedMessage ?? name
  })
}

/**
 * A call that failed. A fault means that nothing was done. No usable answer to a mutation that reached vCenter means `unknown`; a
 * failed login on the way there does not, because then the mutation was not sent. A read whose answer is malformed may be tried again, as
 * one without an answer: to take it for the truth about a machine would cost a running worker.
 */
export const callFailed =
  (operation: VimOperation) =>
  (error: VimError): VSphereError => {
    if (error._tag === "VimFault")
      return new VSphereError({
        operation,
        kind: kindOfFault(error.fault),
        fault: error.fault,
        message: error.message
      })
    const sent = error._tag === "VimMalformed" || error.sent
    const mutating = error.operation === operation && mutations.has(operation)
    return new VSphereError({ operation, kind: sent && mutating ? "unknown" : "unreachable", message: error.reason })
  }

/** The same failure told otherwise: errors do not survive a spread, their message is lost. */
export const retold = (
  error: VSphereError,
  otherwise: { readonly operation?: string; readonly kind?: VSphereErrorKind; readonly message?: string }
): VSphereError =>
  new VSphereError({
    operation: error.operation,
    kind: error.kind,
    ...(error.fault === undefined ? {} : { fault: error.fault }),
    message: error.message,
    ...otherwise
  })
