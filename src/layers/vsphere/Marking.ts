/** What is done to templates: a machine gets the snapshot from which clones share its disks, it becomes one, and it gets another name. */
import { Effect } from "effect"
import type { MachineFacts, MachineRef } from "../../schema/Machine.ts"
import { Settings } from "../../services/Settings.ts"
import { callFailed } from "./faults.ts"
import { readHardware } from "./Hardware.ts"
import { MachineCalls, machineRef } from "./MachineCalls.ts"
import { VimSession } from "./VimSession.ts"

/** How long a snapshot whose answer was lost may take to show. */
const lateSnapshot = "10 seconds"

const isTemplate = ({ template }: MachineFacts): boolean => template

export const makeMarking = Effect.gen(function* () {
  const vim = yield* VimSession
  const calls = yield* MachineCalls
  const { times } = yield* Settings

  const hasSnapshot = (ref: MachineRef) =>
    readHardware(vim, ref, ["snapshot"]).pipe(
      Effect.map(({ snapshot }) => snapshot !== undefined),
      Effect.mapError(callFailed("RetrievePropertiesEx"))
    )

  return {
    snapshot: Effect.fn("VSphere.snapshot")(function* (ref: MachineRef) {
      yield* calls.ours("CreateSnapshot_Task", ref)
      if (yield* hasSnapshot(ref)) return
      const spec = {
        name: "cds",
        description: "clones share the disks as they are here",
        memory: false,
        quiesce: false
      }
      yield* calls.run("CreateSnapshot_Task", ref, spec, times.taskMs).pipe(
        Effect.catchIf(
          (error) => error.kind === "unknown",
          (error) =>
            Effect.andThen(Effect.sleep(lateSnapshot), hasSnapshot(ref)).pipe(
              Effect.filterOrFail(
                (there) => there,
                () => error
              )
            )
        )
      )
    }),

    markAsTemplate: Effect.fn("VSphere.markAsTemplate")(function* (ref: MachineRef) {
      if (isTemplate(yield* calls.ours("MarkAsTemplate", ref))) return
      yield* vim.call("MarkAsTemplate", { _this: machineRef(ref) }).pipe(
        Effect.asVoid,
        Effect.mapError(callFailed("MarkAsTemplate")),
        Effect.catchIf(
          (error) => error.kind === "unknown",
          (error) => calls.lookFor(ref, isTemplate, error)
        )
      )
      yield* calls.settled(ref, isTemplate)
    }),

    rename: Effect.fn("VSphere.rename")(function* (ref: MachineRef, name: string) {
      const holds = (facts: MachineFacts) => facts.name === name
      if (holds(yield* calls.ours("Rename_Task", ref))) return
      yield* calls.run("Rename_Task", ref, { newName: name }, times.taskMs).pipe(
        Effect.catchIf(
          (error) => error.kind === "unknown",
          (error) => calls.lookFor(ref, holds, error)
        )
      )
      yield* calls.settled(ref, holds)
    })
  }
})
