/**
 * Building the template of a V1 model: the clone of its base image runs the model's post command, which powers it off, and is marked as a template
 * (seed 001 section 4.1; vsphere-behaviour 11.5).
 */
import { Effect, Result } from "effect"
import { isOff } from "../../../schema/Machine.ts"
import { render, scriptVariables } from "../../../schema/ScriptTemplate.ts"
import { Inventory } from "../../../services/Inventory.ts"
import { Settings } from "../../../services/Settings.ts"
import { VSphere } from "../../../services/VSphere.ts"
import { WorkerModels } from "../../WorkerModels.ts"
import { type GuestOfMachine, makeGuestOf } from "./guestOf.ts"
import { done, failure, persist, refOf, type WorkContext } from "./kit.ts"
import { makeModelLogin, noModelLogin } from "./login.ts"
import { makeRecord } from "./record.ts"

const log = "/tmp/worker.build.log"

/** Ends when the command has failed; a command that ended well powers the machine off. */
const failing = Effect.fnUntraced(function* (guest: GuestOfMachine, pid: number) {
  const exitCode = yield* guest.ended(pid, { first: 5_000, longest: 5_000 })
  if (exitCode === 0) return yield* Effect.never
  const end = yield* guest.logEnd(log)
  return failure(`its post command ended with exit code ${exitCode}${end === "" ? "" : `; its log ends with:\n${end}`}`)
})

export const makeBuilding = Effect.gen(function* () {
  const guestOf = yield* makeGuestOf
  const inventory = yield* Inventory
  const models = yield* WorkerModels
  const settings = yield* Settings
  const vsphere = yield* VSphere
  const loginOf = yield* makeModelLogin
  const record = yield* makeRecord

  return {
    /** A model without a post command has its machine shut down by us. */
    prepare: Effect.fnUntraced(function* (work: WorkContext) {
      const vm = work.vm()
      const path = vm.model?.path ?? ""
      const ref = yield* refOf(vm)
      const model = yield* models.get(path)
      if (model === undefined) return failure(`CDS has no V1 model ${path} any more`)
      const login = yield* loginOf(path)
      if (login === undefined) return noModelLogin(path)
      const guest = guestOf(ref, login)
      yield* guest.ready(vm.ip)
      if (model.postCmd.trim() === "") return yield* Effect.as(persist(vsphere.shutdown(ref)), done)
      const command = render(model.postCmd, { ...scriptVariables(settings.worker.apiUrl), FromWorkerImage: false })
      if (Result.isFailure(command)) return failure(`its post command cannot be used: ${command.failure.message}`)
      const script = `exec >${log} 2>&1\n${command.success}\n`
      const pid = yield* guest.start({ script, env: {} })
      const off = Effect.as(inventory.until(ref, isOff), done)
      return yield* Effect.raceFirst(off, failing(guest, pid))
    }),

    convert: Effect.fnUntraced(function* (work: WorkContext) {
      yield* record(work, { state: "converting", claim: undefined })
      yield* persist(vsphere.markAsTemplate(yield* refOf(work.vm())))
      return done
    })
  }
})
