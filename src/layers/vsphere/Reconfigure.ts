/**
 * The guarded reconfigure: decided upon facts, sent with their `changeVersion`, decided again when somebody was faster. A machine that
 * is already as wanted is left as it is: an earlier try of ours, whose answer was lost, has come through.
 */
import { Effect } from "effect"
import { parse } from "../../schema/Annotation.ts"
import { Conceded, VSphereError } from "../../schema/Errors.ts"
import type { MachineFacts, MachineRef } from "../../schema/Machine.ts"
import { Inventory } from "../../services/Inventory.ts"
import { Settings } from "../../services/Settings.ts"
import type { MachineChange } from "../../services/VSphere.ts"
import type { Disks } from "./Disks.ts"
import { callFailed } from "./faults.ts"
import { readHardware } from "./Hardware.ts"
import { MachineCalls } from "./MachineCalls.ts"
import { reconfigSpec, shows } from "./ReconfigSpec.ts"
import { VimSession } from "./VimSession.ts"

/** `changeVersion` moves by itself, but not this often: somebody fights us for the machine. */
const mostAttempts = 10

export const makeReconfigure = Effect.fnUntraced(function* (disks: Disks) {
  const vim = yield* VimSession
  const calls = yield* MachineCalls
  const inventory = yield* Inventory
  const { times } = yield* Settings

  /** Hardware is read when it matters: cores when the number of CPUs changes, disks when one may have to grow. */
  const specOf = Effect.fnUntraced(function* (facts: MachineFacts, change: MachineChange) {
    const { size } = change
    const resized = size !== undefined && size.cpus !== facts.numCpu
    if (!resized && size?.diskSizeGB === undefined) return reconfigSpec(facts.changeVersion, change, 1)
    const { coresPerSocket, devices } = yield* readHardware(vim, facts.ref, [
      "coresPerSocket",
      ...(size.diskSizeGB === undefined ? [] : (["devices"] as const))
    ]).pipe(Effect.mapError(callFailed("RetrievePropertiesEx")))
    const growth = yield* disks.growth(templateOf(facts), devices, size, false)
    return reconfigSpec(facts.changeVersion, change, coresPerSocket, growth)
  })

  return Effect.fn("VSphere.reconfigure")(function* (
    ref: MachineRef,
    stillOurs: (facts: MachineFacts) => boolean,
    change: MachineChange
  ): Effect.fn.Return<void, VSphereError | Conceded> {
    const objection = (facts: MachineFacts) =>
      calls.foreign(facts) ??
      (stillOurs(facts) ? undefined : `machine ${facts.name} is not in the decided state any more`)
    const done = shows(change)

    let facts = yield* calls.look("ReconfigVM_Task", ref, (known) => objection(known) === undefined)
    yield* Effect.annotateCurrentSpan({ "vm.ref": ref, "vm.name": facts.name, "vm.id": facts.id })
    for (let attempt = 1; ; attempt++) {
      if (calls.foreign(facts) === undefined && done(facts)) return
      const reason = objection(facts)
      if (reason !== undefined) {
        // What was read may be older than what the subscription told meanwhile.
        const known = (yield* inventory.view).machines.get(ref) ?? facts
        return yield* new Conceded({ machine: facts.name, reason, facts: known })
      }
      const spec = yield* specOf(facts, change)
      const error = yield* calls.run("ReconfigVM_Task", ref, { spec }, times.taskMs).pipe(
        Effect.catchIf(
          (error) => error.kind === "unknown",
          (error) => calls.lookFor(ref, done, error)
        ),
        Effect.as(undefined),
        Effect.catchIf(
          (error) => error.fault === "ConcurrentAccess" && attempt < mostAttempts,
          (error) => Effect.succeed(error)
        )
      )
      if (error === undefined) return yield* calls.settled(ref, done)
      facts = yield* calls.look("ReconfigVM_Task", ref, () => false)
    }
  })
})

/** By what it was made from, for people. */
const templateOf = ({ name, annotation }: MachineFacts): string => {
  const made = parse(annotation)
  return made?.workerModelPath ?? made?.vmwareModelPath ?? name
}
