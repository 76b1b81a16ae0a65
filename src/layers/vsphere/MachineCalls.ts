/** What every change of a machine has in common: whose it is, the task it becomes, and how to look for an outcome that is not known. */
import { Context, Effect, Layer } from "effect"
import type { Duration } from "effect"
import { ownerOf } from "../../schema/Annotation.ts"
import { VSphereError } from "../../schema/Errors.ts"
import { readable, unreadableReason } from "../../schema/Machine.ts"
import type { MachineFacts, MachineRef } from "../../schema/Machine.ts"
import { Inventory } from "../../services/Inventory.ts"
import { Settings } from "../../services/Settings.ts"
import { callFailed, retold } from "./faults.ts"
import type { VimOperation, WireValue } from "./Vim.ts"
import { VimSession } from "./VimSession.ts"
import { decodeAnswer, Ref } from "./wire/Values.ts"

/** How long the mirror is given to show what a task has done before the machine is read directly. */
const mirrorLag = "5 seconds"
/** How long a task that was called back is given to end. */
const callBackTime = "15 seconds"
/** How long a change whose answer was lost may take to show before its outcome is told to be unknown. */
const lateEffect = "10 seconds"

export const machineRef = (ref: MachineRef) => ({ type: "VirtualMachine", value: ref })

type Args = { readonly [key: string]: WireValue }
type Holds = (facts: MachineFacts) => boolean

export class MachineCalls extends Context.Service<
  MachineCalls,
  {
    /** Why the machine may not be touched: it is not ours. Undefined when it is. */
    readonly foreign: (facts: MachineFacts) => string | undefined
    /**
     * The facts of a machine: those of the mirror where it is current and they suffice, else a direct read. Fails with kind `busy` while the machine cannot be
     * read: nothing is decided upon what it may have been.
     */
    readonly look: (
      operation: VimOperation,
      ref: MachineRef,
      suffices: (facts: MachineFacts) => boolean
    ) => Effect.Effect<MachineFacts, VSphereError>
    /** The facts of a machine of ours; fails with kind `invalid` for one that is not, as a direct read confirms. */
    readonly ours: (operation: VimOperation, ref: MachineRef) => Effect.Effect<MachineFacts, VSphereError>
    /**
     * Starts a task on a machine, does `accepted`, and waits for the task's end. Answers the reference that it resulted in. A task that has not ended
     * `within` its time, or when `unwanted` has, is called back.
     */
    readonly run: (
      operation: VimOperation,
      ref: MachineRef,
      args: Args,
      within: Duration.Input,
      accepted?: Effect.Effect<void>,
      unwanted?: Effect.Effect<void>
    ) => Effect.Effect<string | undefined, VSphereError>
    /** Waits until the mirror shows what was done, or reads the machine. Never fails: what was done is done. */
    readonly settled: (ref: MachineRef, holds: Holds) => Effect.Effect<void>
    /** After a call of unknown outcome: succeeds when the machine turns out to be as wanted, fails with the call's error when not. */
    readonly lookFor: (ref: MachineRef, holds: Holds, error: VSphereError) => Effect.Effect<void, VSphereError>
  }
>()("rookery/layers/vsphere/MachineCalls") {
  static readonly layer: Layer.Layer<MachineCalls, never, VimSession | Inventory | Settings> = Layer.effect(
    MachineCalls,
    Effect.gen(function* () {
      const vim = yield* VimSession
      const inventory = yield* Inventory
      const { cds } = yield* Settings

      const foreign = (facts: MachineFacts): string | undefined => {
        const owner = ownerOf(facts)
        return owner === cds.name
          ? undefined
          : `machine ${facts.name} belongs to ${owner ?? "no hatchery"}, not to ${cds.name}`
      }

      const look = Effect.fnUntraced(function* (
        operation: VimOperation,
        ref: MachineRef,
        suffices: Holds
      ): Effect.fn.Return<MachineFacts, VSphereError> {
        const { current, machines } = yield* inventory.view
        const known = machines.get(ref)
        if (current && known !== undefined && readable(known) && suffices(known)) return known
        const facts = yield* inventory.reread(ref)
        if (readable(facts)) return facts
        const message = `${facts.name} ${unreadableReason(facts)}`
        return yield* new VSphereError({ operation, kind: "busy", message })
      })

      const ours = Effect.fnUntraced(function* (operation: VimOperation, ref: MachineRef) {
        const facts = yield* look(operation, ref, (known) => foreign(known) === undefined)
        const reason = foreign(facts)
        if (reason !== undefined) return yield* new VSphereError({ operation, kind: "invalid", message: reason })
        yield* Effect.annotateCurrentSpan({ "vm.ref": ref, "vm.name": facts.name, "vm.id": facts.id })
        return facts
      })

      /** Once a task that is called back has ended so, nothing was done, else its outcome stays unknown. */
      const callBack = (task: Ref, error: VSphereError) =>
        Effect.ignore(vim.call("CancelTask", { _this: task })).pipe(
          Effect.andThen(inventory.task(task.value, callBackTime)),
          Effect.mapError((after) => (after.kind === "unknown" ? error : after))
        )

      /** What vCenter does not know any more is read directly, so that the mirror learns of it where nobody told. */
      const askAgain = <A>(self: Effect.Effect<A, VSphereError>, _: VimOperation, ref: MachineRef) =>
        Effect.tapError(self, ({ kind }) => (kind === "gone" ? Effect.ignore(inventory.reread(ref)) : Effect.void))

      const run = Effect.fnUntraced(function* (
        operation: VimOperation,
        ref: MachineRef,
        args: Args,
        within: Duration.Input,
        accepted: Effect.Effect<void> = Effect.void,
        unwanted: Effect.Effect<void> = Effect.never
      ) {
        const task = yield* vim
          .call(operation, { _this: machineRef(ref), ...args })
          .pipe(Effect.flatMap(decodeAnswer(operation, Ref)), Effect.mapError(callFailed(operation)))
        yield* accepted
        const dropped = new VSphereError({ operation, kind: "unknown", message: "it is no longer wanted" })
        const { result } = yield* inventory.task(task.value, within).pipe(
          Effect.raceFirst(Effect.andThen(unwanted, Effect.fail(dropped))),
          Effect.catchIf(
            (error) => error.kind === "unknown",
            (error) => callBack(task, error)
          ),
          Effect.mapError((error) => retold(error, { operation }))
        )
        return result
      }, askAgain)

      const settled = (ref: MachineRef, holds: Holds) =>
        inventory
          .until(ref, holds)
          .pipe(Effect.timeoutOrElse({ duration: mirrorLag, orElse: () => inventory.reread(ref) }), Effect.ignore)

      const lookFor = Effect.fnUntraced(function* (ref: MachineRef, holds: Holds, error: VSphereError) {
        const facts = yield* inventory
          .reread(ref)
          .pipe(Effect.mapError((read) => (read.kind === "gone" ? read : error)))
        if (readable(facts) && holds(facts)) return
        yield* inventory
          .until(ref, holds)
          .pipe(Effect.timeoutOrElse({ duration: lateEffect, orElse: () => Effect.fail(error) }))
      })

      return MachineCalls.of({ foreign, look, ours, run, settled, lookFor })
    })
  )
}
