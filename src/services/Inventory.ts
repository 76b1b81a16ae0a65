/**
 * The mirror of the datacenter's machines, kept by one subscription (design, "Inventory is one subscription"). Reading it costs
 * nothing; nothing here lists the inventory.
 */
import { Context } from "effect"
import type { Duration, Effect, Scope, Stream } from "effect"
import type { MachineFacts, MachineRef } from "../schema/Machine.ts"
import type { VSphereError } from "../schema/Errors.ts"
import type { Resources } from "../schema/Resources.ts"

export interface InventoryView {
  /** Grows by one at each full re-read (first read, lost collector or view, restored vCenter). */
  readonly epoch: number
  /** False until the last page of an epoch's first read has come. */
  readonly complete: boolean
  /** It is complete, not in doubt, and vCenter's last word on it was an answer. */
  readonly current: boolean
  /** Clock time in milliseconds of the last good answer of the subscription; an empty one counts. 0 before the first. */
  readonly goodAt: number
  /** The live mirror: read it, do not keep it. */
  readonly machines: ReadonlyMap<MachineRef, MachineFacts>
  /** The machines of that name: more than one where they are in different folders. */
  readonly named: (name: string) => ReadonlyArray<MachineFacts>
}

export type InventoryChange =
  /** A machine is new (`previous` undefined) or a property of it changed. */
  | { readonly _tag: "Seen"; readonly facts: MachineFacts; readonly previous: MachineFacts | undefined }
  /** A machine left the inventory, by an update or by its absence from a complete re-read. */
  | { readonly _tag: "Gone"; readonly facts: MachineFacts; readonly by: "update" | "reread" }
  /** The first read of this epoch is complete. Comes after all its Seen and Gone. */
  | { readonly _tag: "Complete"; readonly epoch: number }

/** Why the view is not to be acted upon destructively (design, promise 6). */
export interface Doubt {
  readonly reason: string
  /** Clock time in milliseconds since when. */
  readonly since: number
}

export class Inventory extends Context.Service<
  Inventory,
  {
    readonly view: Effect.Effect<InventoryView>
    /** Resource pool and datastore, from the same subscription; the last known figures while it gets no answer. */
    readonly resources: Effect.Effect<Resources>
    /**
     * Changes in the order vCenter told them. Subscribing replays the mirror first (a Seen for each machine, then Complete where it
     * is), without a gap or a double between replay and live.
     */
    readonly changes: Stream.Stream<InventoryChange>
    /** Waits until the machine can be read and its facts satisfy `holds`. Fails with kind `gone` when it is not, or no longer, in a complete view. No deadline of its own. */
    readonly until: (
      ref: MachineRef,
      holds: (facts: MachineFacts) => boolean
    ) => Effect.Effect<MachineFacts, VSphereError>
    /**
     * The end of a task, from the same stream. `result` is the reference value in `info.result` where there is one. Fails with the
     * task's fault classified, or with kind `unknown` when `within` passes first or the task can no longer be seen.
     */
    readonly task: (
      ref: string,
      within: Duration.Input
    ) => Effect.Effect<{ readonly result: string | undefined }, VSphereError>
    /**
     * Waits until the clones that are under way in the datacenter now, whoever asked for them, have ended or cannot be seen any more: a machine
     * that was asked for before is in the mirror then, or will never be. No deadline of its own.
     */
    readonly clonesEnded: Effect.Effect<void>
    /**
     * True while vCenter knows, or does not say, what came of a clone that ended in the last ten minutes, and the mirror does not show it: a machine
     * that was asked for may be that one.
     */
    readonly lacksClone: Effect.Effect<boolean>
    /** Reads one machine directly and puts what it finds into the mirror. */
    readonly reread: (ref: MachineRef) => Effect.Effect<MachineFacts, VSphereError>
    /** Tells that we destroy this machine, so that its going is no surprise. Ends with the scope. */
    readonly expectGone: (ref: MachineRef) => Effect.Effect<void, never, Scope.Scope>
    /** Undefined when the view may be acted upon. */
    readonly doubt: Effect.Effect<Doubt | undefined>
    /** Waits until there is no doubt. */
    readonly certain: Effect.Effect<void>
    /** The view is in doubt for this reason, whatever it shows, until `undefined` takes that back. */
    readonly distrust: (reason: string | undefined) => Effect.Effect<void>
  }
>()("rookery/services/Inventory") {}
