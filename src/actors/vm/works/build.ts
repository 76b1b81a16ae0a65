/**
 * Building the template of a V1 model: the clone of its base image runs the model's post command, which powers it off, and is marked as a template
 * (seed 001 section 4.1; vsphere-behaviour 11.5).
 */
import { Effect, Result } from "effect"
import { buildLog, buildScriptOf } from "../../../schema/Bootstrap.ts"
import { isOff, type MachineRef } from "../../../schema/Machine.ts"
import { EventLog } from "../../../services/EventLog.ts"
import { Inventory } from "../../../services/Inventory.ts"
import { Settings } from "../../../services/Settings.ts"
import { VSphere } from "../../../services/VSphere.ts"
import { WorkerModels } from "../../models/WorkerModels.ts"
import { type GuestOfMachine, makeGuestOf } from "./guestOf.ts"
import { done, failure, persist, refOf, type WorkContext } from "./kit.ts"
import { makeModelLogin, noModelLogin } from "./login.ts"
import { makeRecord } from "./record.ts"

export const makeBuilding = Effect.gen(function* () {
  const guestOf = yield* makeGuestOf
  const inventory = yield* Inventory
  const models = yield* WorkerModels
  const log = yield* EventLog
  const { flavors, times, worker } = yield* Settings
  /** A disk that is shared cannot grow. */
  const diskGrows = flavors.some(({ diskSizeGB }) => diskSizeGB !== undefined)
  const vsphere = yield* VSphere
  const loginOf = yield* makeModelLogin
  const record = yield* makeRecord

  /** A post command powers the machine off (seed 001 section 4.1), which may take it some time after its end. */
  const staysOn = Effect.fnUntraced(function* (path: string) {
    yield* Effect.sleep(times.shutdownMs)
    const text = `its post command has ended with exit code 0, and the machine is still on: it becomes the template when it goes off, within ${times.templateMs / 60_000} min; end post_cmd with what powers it off, e.g. sudo shutdown -h now`
    yield* Effect.logWarning(`the V1 model ${path}: ${text}`)
    yield* log.append({ kind: "decision", subject: path, text })
  })

  /** Ends when the command has failed. */
  const failing = Effect.fnUntraced(function* (path: string, guest: GuestOfMachine, pid: number) {
    const exitCode = yield* guest.ended(pid, { first: 5_000, longest: 5_000 })
    if (exitCode === 0) return yield* Effect.andThen(staysOn(path), Effect.never)
    const end = yield* guest.logEnd(buildLog)
    return failure(
      `its post command ended with exit code ${exitCode}${end === "" ? "" : `; its log ends with:\n${end}`}`
    )
  })

  /** Without one its clones copy the disks, and are made all the same. */
  const snapshot = (path: string, ref: MachineRef) =>
    Effect.catchIf(
      persist(vsphere.snapshot(ref)),
      ({ kind }) => kind === "denied" || kind === "invalid",
      ({ message }) =>
        Effect.logWarning(
          `the template of the V1 model ${path} gets no snapshot, so its clones copy the disks: ${message}`
        )
    )

  return {
    /** A model without a post command has its machine shut down by us. */
    prepare: Effect.fnUntraced(function* (work: WorkContext) {
      const vm = work.vm()
      const path = vm.model?.path ?? ""
      const ref = yield* refOf(vm)
      const model = yield* models.get(path)
      if (model === undefined) return failure(`CDS lists no V1 model ${path} that can be used`)
      const login = yield* loginOf(path)
      if (login === undefined) return noModelLogin(path)
      const guest = guestOf(ref, login)
      yield* guest.ready(vm.ip)
      if (model.postCmd.trim() === "") return yield* Effect.as(persist(vsphere.shutdown(ref)), done)
      const script = buildScriptOf(model, worker.apiUrl)
      if (Result.isFailure(script)) return failure(`its post command cannot be used: ${script.failure.message}`)
      const pid = yield* guest.start({ script: script.success, env: {} })
      const off = Effect.as(inventory.until(ref, isOff), done)
      return yield* Effect.raceFirst(off, failing(path, guest, pid))
    }),

    convert: Effect.fnUntraced(function* (work: WorkContext) {
      yield* record(work, { state: "converting", claim: undefined })
      const ref = yield* refOf(work.vm())
      if (!diskGrows) yield* snapshot(work.vm().model?.path ?? "", ref)
      yield* persist(vsphere.markAsTemplate(ref))
      return done
    })
  }
})
