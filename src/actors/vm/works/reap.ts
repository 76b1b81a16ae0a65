/** Removal of a machine, or of what was to be one. */
import { Effect } from "effect"
import type { MachineRef } from "../../../schema/Machine.ts"
import { Inventory } from "../../../services/Inventory.ts"
import { VSphere } from "../../../services/VSphere.ts"
import type { VmEvent } from "../Event.ts"
import type { Claim, Vm } from "../State.ts"
import { nameOf } from "../State.ts"
import { failure, persist, type WorkContext } from "./kit.ts"
import { makeRecord } from "./record.ts"
import { makeRegistration } from "./registration.ts"
import { makeSettling } from "./settle.ts"

/** A call has come to vCenter within this, or never will: four times as long as its answer is waited for. */
const arrival = "1 minute"

export const makeReaping = Effect.gen(function* () {
  const inventory = yield* Inventory
  const vsphere = yield* VSphere
  const record = yield* makeRecord
  const registration = yield* makeRegistration
  const { settleJob, signedInLate } = yield* makeSettling

  /** The machine of an actor that does not know it yet. One whose uuid cannot be read, or does not show yet, is known by its name. */
  const lookUp = (vm: Vm): Effect.Effect<MachineRef | undefined> =>
    Effect.map(inventory.view, ({ machines }) => {
      for (const facts of machines.values())
        if (facts.id === vm.id || (facts.id === "" && facts.name === nameOf(vm))) return facts.ref
      return undefined
    })

  /**
   * Looks for a machine that was asked for and has not shown, in a view that can be trusted. None: it will never be. A view that does not show what
   * came of some clone may lack this one, and its address is not free.
   */
  const find = Effect.fnUntraced(function* (vm: Vm) {
    yield* inventory.certain
    const ref = yield* lookUp(vm)
    if (ref !== undefined) return ref
    yield* inventory.clonesEnded
    while (yield* inventory.lacksClone) yield* Effect.sleep(arrival)
    yield* inventory.certain
    return yield* lookUp(vm)
  })

  /**
   * Whether a clone whose answer was lost was ever asked for. If so its machine shows, and the inventory tells the rest; if not, there is no
   * sense in keeping its address and its slot until the deadline.
   */
  const seek = Effect.fnUntraced(function* (work: WorkContext) {
    yield* Effect.sleep(arrival)
    while ((yield* find(work.vm())) !== undefined) yield* Effect.sleep(arrival)
    return failure("vCenter has neither the clone nor its task")
  })

  /**
   * vCenter does not know the machine. Its leaving will be told while the view shows it; of one that was never shown, or found by its name,
   * nobody tells.
   */
  const departed = Effect.fnUntraced(function* (work: WorkContext): Effect.fn.Return<VmEvent | undefined> {
    yield* inventory.certain
    const { ref } = work.vm()
    if (ref === undefined) return { _tag: "Failed", reason: "it went while it was looked for", unknown: true }
    return (yield* inventory.view).machines.has(ref) ? undefined : { _tag: "Gone" }
  })

  /**
   * Removal: written down, off, the job settled, destroyed; each step, and each try of it, waits for a view that can be trusted. The job
   * looks for another machine when this one is off, not before (promise 1). Its going comes by the inventory.
   */
  const reap = Effect.fnUntraced(
    function* (work: WorkContext) {
      const vm = work.vm()
      if (vm.state._tag !== "Reaping") return undefined
      yield* inventory.certain
      const ref = vm.ref ?? (yield* find(vm))
      if (ref === undefined) return { _tag: "Gone" } as const
      const { claim: claimed, settlement } = vm.state
      const known = { ...work, vm: () => ({ ...work.vm(), ref }) }
      yield* record(known, { state: "reaping", claim: claimed, reason: vm.reason, settlement })
      const log = claimed?.registers === true && settlement !== "none" ? yield* registrationLog(claimed, ref) : ""
      const off = Effect.gen(function* () {
        yield* inventory.certain
        if (yield* signedInLate(work.vm())) return false
        yield* vsphere.powerOff(ref)
        return true
      })
      if (!(yield* persist(off))) return { _tag: "SignedIn" } as const
      if (claimed !== undefined) {
        const waits = yield* settleJob(work, claimed, settlement, vm.reason ?? "its machine is removed", log)
        yield* work.tell({ _tag: "Settled", waits })
      }
      yield* persist(Effect.andThen(inventory.certain, vsphere.destroy(ref)))
      return undefined
    },
    (removed, work) =>
      Effect.catchIf(
        removed,
        (error) => error._tag === "VSphereError" && error.kind === "gone",
        () => departed(work)
      )
  )

  const registrationLog = ({ model }: Claim, ref: MachineRef) =>
    model === undefined ? Effect.succeed("") : registration.log(model.path, ref)

  return { seek, reap }
})
