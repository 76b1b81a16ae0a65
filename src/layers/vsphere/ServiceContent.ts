/** What RetrieveServiceContent answers: the managers that everything else is reached from, and which vCenter this is. */
import { Schema } from "effect"

export const ManagedObjectRef = Schema.Struct({ type: Schema.String, value: Schema.String })
export type ManagedObjectRef = typeof ManagedObjectRef.Type

const AboutInfo = Schema.Struct({
  fullName: Schema.String,
  /** Release, e.g. `8.0.2`. */
  version: Schema.String,
  build: Schema.String,
  apiVersion: Schema.String,
  /** `VirtualCenter`, or `HostAgent` for a single ESXi host. */
  apiType: Schema.String,
  /** Absent on a single ESXi host. A restored vCenter keeps it. */
  instanceUuid: Schema.optional(Schema.String)
})

/** A refused manager (no permission) is absent; the two that nothing works without are required. */
export const ServiceContent = Schema.Struct({
  rootFolder: ManagedObjectRef,
  propertyCollector: ManagedObjectRef,
  viewManager: Schema.optional(ManagedObjectRef),
  about: AboutInfo,
  sessionManager: Schema.optional(ManagedObjectRef),
  eventManager: Schema.optional(ManagedObjectRef),
  taskManager: Schema.optional(ManagedObjectRef),
  customizationSpecManager: Schema.optional(ManagedObjectRef),
  guestOperationsManager: Schema.optional(ManagedObjectRef)
})
export type ServiceContent = typeof ServiceContent.Type

/** The one reference that is fixed by the API: what a client knows before it knows anything. */
export const serviceInstance: ManagedObjectRef = { type: "ServiceInstance", value: "ServiceInstance" }
