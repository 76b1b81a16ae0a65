/**
 * What may be done to machines in vCenter. Each effect returns when the change is done there (its task has ended), fails with a
 * classified VSphereError, and never repeats a call whose outcome is unknown.
 */
import { Context } from "effect"
import type { Effect } from "effect"
import type { ConfigInvalid, Conceded, VSphereError } from "../schema/Errors.ts"
import type { MachineFacts, MachineId, MachineRef, Size, Sizing } from "../schema/Machine.ts"

/** Addressing of the first card; every further card of the template gets DHCP. */
export type Addressing =
  | { readonly _tag: "Dhcp" }
  | {
      readonly _tag: "Static"
      readonly ip: string
      readonly subnetMask: string
      readonly gateway: string | undefined
      readonly dns: ReadonlyArray<string>
    }

export interface ClonePlan {
  readonly id: MachineId
  readonly name: string
  /** Name of the template (or powered-off machine) to clone, in the configured datacenter. */
  readonly template: string
  readonly annotation: string
  readonly addressing: Addressing
  readonly flavor: Sizing | undefined
}

/** What a guarded reconfigure changes; absent fields stay. */
export interface MachineChange {
  readonly name?: string
  readonly annotation?: string
  readonly size?: Sizing
}

/** A template as the clone needs to know it. */
export interface TemplateFacts {
  readonly ref: MachineRef
  readonly name: string
  readonly size: Size
  /** True when it has a current snapshot, so that a clone shares its disks. */
  readonly linked: boolean
}

export class VSphere extends Context.Service<
  VSphere,
  {
    /**
     * Logs in and finds datacenter, folder, resource pool, datastore and network once. Fails with ConfigInvalid (path, value, rule) for
     * what the configuration names wrongly: wrong password, unknown datacenter, ambiguous network. Retries what is unreachable.
     */
    readonly validate: Effect.Effect<void, ConfigInvalid>
    /**
     * The template of that name in the mirror, to be cloned. Fails with kind `gone` when there is none, `invalid` when the name is ambiguous, `busy`
     * while the datastore has too little room for a clone, or the inventory is in doubt.
     */
    readonly template: (name: string) => Effect.Effect<TemplateFacts, VSphereError>
    /**
     * Linked clone with Linux customization, powered on. `accepted` is done once vCenter has taken the task, while it clones; when `unwanted` ends
     * before it has, it is called back. An outcome that is not known fails with kind `unknown`: the caller looks for `id`.
     */
    readonly clone: (
      plan: ClonePlan,
      accepted?: Effect.Effect<void>,
      unwanted?: Effect.Effect<void>
    ) => Effect.Effect<MachineRef, VSphereError>
    /**
     * One ReconfigVM_Task guarded by `changeVersion`. On ConcurrentAccess the machine is read again and the change is tried again as long
     * as `stillOurs` holds for what is found, else Conceded. Checks the owner before sending.
     */
    readonly reconfigure: (
      ref: MachineRef,
      stillOurs: (facts: MachineFacts) => boolean,
      change: MachineChange
    ) => Effect.Effect<void, VSphereError | Conceded>
    /** Already on counts as done. */
    readonly powerOn: (ref: MachineRef) => Effect.Effect<void, VSphereError>
    /** Asks the guest to shut down; powers off hard when it has not after the setting's time or has no Tools. Already off counts as done. */
    readonly shutdown: (ref: MachineRef) => Effect.Effect<void, VSphereError>
    /** Hard. Already off counts as done. */
    readonly powerOff: (ref: MachineRef) => Effect.Effect<void, VSphereError>
    /** Already gone counts as done. */
    readonly destroy: (ref: MachineRef) => Effect.Effect<void, VSphereError>
    /** Takes a snapshot of a machine that is off, so that its clones share its disks. One that has any counts as done. */
    readonly snapshot: (ref: MachineRef) => Effect.Effect<void, VSphereError>
    /**
     * Makes a template of a machine that is off. Done already counts as done; a template cannot be powered on, and has no resource pool. Not guarded
     * by `changeVersion`: who calls it has just written on the machine.
     */
    readonly markAsTemplate: (ref: MachineRef) => Effect.Effect<void, VSphereError>
    /** Gives a machine or template of ours another name. Fails with kind `duplicate` when that is taken. */
    readonly rename: (ref: MachineRef, name: string) => Effect.Effect<void, VSphereError>
    /**
     * The capacity of each machine's virtual disks together, whole GB; asked of vCenter for those whose configuration has changed since the last
     * time. A machine that could never be read is not in it. Never fails.
     */
    readonly disks: (machines: ReadonlyArray<MachineFacts>) => Effect.Effect<ReadonlyMap<MachineRef, number>>
    /** Ends the session. Never fails. */
    readonly logout: Effect.Effect<void>
  }
>()("rookery/services/VSphere") {}
