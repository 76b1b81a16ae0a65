/**
 * The guarded reconfigure: decided upon facts, sent with their `changeVersion`, decided again when somebody was faster. A machine that
 * is already as wanted is left as it is: an earlier try of ours, whose answer was lost, has come through.
 */
import { Effect, Option, Schema } from "effect"
import { Conceded, VSphereError } from "../../schema/Errors.ts"
import type { MachineFacts, MachineRef } from "../../schema/Machine.ts"
import { Settings } from "../../services/Settings.ts"
import type { MachineChange } from "../../services/VSphere.ts"
import { callFailed } from "./faults.ts"
import { MachineCalls, machineRef } from "./MachineCalls.ts"
import { reconfigSpec, shows } from "./ReconfigSpec.ts"
import { readObject } from "./retrieval.ts"
import { VimSession } from "./VimSession.ts"
import { Num } from "./wire/Values.ts"

/** `changeVersion` moves by itself, but not this often: somebody fights us for the machine. */
const mostAttempts = 10

const coresPath = "config.hardware.numCoresPerSocket"
const decodeCores = Schema.decodeUnknownOption(Num)

export const makeReconfigure = Effect.gen(function* () {
  const vim = yield* VimSession
  const calls = yield* MachineCalls
  const { times } = yield* Settings

  /** Only asked for when the number of CPUs changes: the facts do not hold it. */
  const coresPerSocket = (facts: MachineFacts, { size }: MachineChange) =>
    size === undefined || size.cpus === facts.numCpu
      ? Effect.succeed(1)
      : readObject(vim, machineRef(facts.ref), [coresPath]).pipe(
          Effect.map((properties) =>
            Math.max(
              1,
              Option.getOrElse(decodeCores(properties.get(coresPath)), () => 1)
            )
          ),
          Effect.mapError(callFailed("RetrievePropertiesEx"))
        )

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
      if (reason !== undefined) return yield* new Conceded({ machine: facts.name, reason })
      const spec = reconfigSpec(facts.changeVersion, change, yield* coresPerSocket(facts, change))
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
