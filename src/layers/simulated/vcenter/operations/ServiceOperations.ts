/** Service content, sessions and the time. `Login` and `RetrieveServiceContent` need no session and are handled in `Operations.ts`. */
import type { Core } from "../Core.ts"
import type { ManagedObject } from "../ManagedObject.ts"
import { makeKind, row } from "../ManagedObject.ts"
import { defaultCollector } from "../Session.ts"
import { dateTime } from "../Wire.ts"
import type { WireObject } from "../Wire.ts"
import type { Handler } from "./Handler.ts"

const guestOperations = { type: "GuestOperationsManager", value: "guestOperationsManager" }

export const serviceContent = (core: Core): WireObject => ({
  rootFolder: core.tree.rootFolder,
  propertyCollector: defaultCollector,
  viewManager: { type: "ViewManager", value: "ViewManager" },
  about: {
    name: "VMware vCenter Server",
    fullName: "VMware vCenter Server 8.0.2 build-22617221 (simulated)",
    vendor: "VMware, Inc.",
    version: "8.0.2",
    build: "22617221",
    localeVersion: "INTL",
    localeBuild: "000",
    osType: "linux-x64",
    productLineId: "vpx",
    apiType: "VirtualCenter",
    apiVersion: "8.0.2.0",
    instanceUuid: "9d2f1b6e-6f0c-4c3f-8d53-6c1f5f0e7a11"
  },
  sessionManager: { type: "SessionManager", value: "SessionManager" },
  taskManager: { type: "TaskManager", value: "TaskManager" },
  guestOperationsManager: guestOperations
})

const guestOperationsManager = makeKind<ManagedObject>({
  name: "GuestOperationsManager",
  bases: [],
  rows: [
    row<ManagedObject>()("fileManager", "ManagedObjectReference", "ref", () => ({
      type: "GuestFileManager",
      value: "guestOperationsFileManager"
    })),
    row<ManagedObject>()("processManager", "ManagedObjectReference", "ref", () => ({
      type: "GuestProcessManager",
      value: "guestOperationsProcessManager"
    }))
  ]
})

/** The managers that have properties of their own. */
export const addManagers = (core: Core) =>
  core.store.put<ManagedObject>({ ref: guestOperations, kind: guestOperationsManager })

export const logout: Handler = (core, { session }) => {
  core.sessions.end(session)
  return undefined
}

export const currentTime: Handler = (core) => dateTime(core.now())
