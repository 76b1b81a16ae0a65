/**
 * Building the template of a V1 model: the clone of its base image runs the model's post command, which powers it off, and is marked as a template
 * (seed 001 section 4.1; vsphere-behaviour 11.5).
 */
import { Effect, Result } from "effect"
import { isOff, type MachineRef } from "../../../schema/Machine.ts"
import { render, scriptVariables } from "../../../schema/ScriptTemplate.ts"
import { Guest, type GuestLogin } from "../../../services/Guest.ts"
import { Inventory } from "../../../services/Inventory.ts"
import { Settings } from "../../../services/Settings.ts"
import { VSphere } from "../../../services/VSphere.ts"
import { WorkerModels } from "../../WorkerModels.ts"
import { done, failure, patience, persist, refOf, untilSent, type WorkContext } from "./kit.ts"
import { makeModelLogin, noModelLogin } from "./login.ts"
import { makeRecord } from "./record.ts"

const log = "/tmp/worker.build.log"

export const makeBuilding = Effect.gen(function* () {
  const guest = yield* Guest
  const inventory = yield* Inventory
  const models = yield* WorkerModels
  const settings = yield* Settings
  const vsphere = yield* VSphere
  const loginOf = yield* makeModelLogin
  const record = yield* makeRecord

  /** Ends when the command has failed; a command that ended well powers the machine off. */
  const failing = Effect.fnUntraced(function* (ref: MachineRef, login: GuestLogin, pid: number) {
    while (true) {
      yield* Effect.sleep("5 seconds")
      const [found] = yield* Effect.retry(guest.processes(ref, login, pid), patience)
      if (found?.exitCode === undefined) continue
      if (found.exitCode === 0) return yield* Effect.never
      const tail = yield* Effect.orElseSucceed(guest.tail(ref, login, log, 2_000), () => "")
      const end = tail.trim() === "" ? "" : `; its log ends with:\n${tail}`
      return failure(`its post command ended with exit code ${found.exitCode}${end}`)
    }
  })

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
      yield* guest.ready(ref, vm.ip, login)
      if (model.postCmd.trim() === "") return yield* Effect.as(persist(vsphere.shutdown(ref)), done)
      const command = render(model.postCmd, { ...scriptVariables(settings.worker.apiUrl), FromWorkerImage: false })
      if (Result.isFailure(command)) return failure(`its post command cannot be used: ${command.failure.message}`)
      const script = `exec >${log} 2>&1\n${command.success}\n`
      const pid = yield* guest.start(ref, login, { script, env: {} }).pipe(untilSent)
      const off = Effect.as(inventory.until(ref, isOff), done)
      return yield* Effect.raceFirst(off, failing(ref, login, pid))
    }),

    convert: Effect.fnUntraced(function* (work: WorkContext) {
      yield* record(work, { state: "converting", claim: undefined })
      yield* persist(vsphere.markAsTemplate(yield* refOf(work.vm())))
      return done
    })
  }
})
