/** Who works in the guests of V1 machines: the configuration's entry for the model's path, then the model's own user (seed 001 section 6.2.3). */
import { Effect } from "effect"
import { Cds } from "../../../services/Cds.ts"
import type { GuestLogin } from "../../../services/Guest.ts"
import { Settings } from "../../../services/Settings.ts"
import { WorkerModels } from "../../WorkerModels.ts"
import type { VmEvent } from "../Event.ts"
import { failure, persist } from "./kit.ts"

export const makeModelLogin = Effect.gen(function* () {
  const cds = yield* Cds
  const models = yield* WorkerModels
  const { modelCredentials } = yield* Settings

  /** The login of the V1 model of that path (`group/name`); undefined when neither the configuration nor the model has one. */
  return Effect.fnUntraced(function* (path: string) {
    const configured = modelCredentials.find(({ modelPath }) => modelPath === path)
    if (configured !== undefined) return configured as GuestLogin
    const model = yield* models.get(path)
    if (model === undefined || model.user === "") return undefined
    const login: GuestLogin = { username: model.user, password: yield* persist(cds.modelPassword(model)) }
    return login
  })
})

export const noModelLogin = (path: string): VmEvent =>
  failure(
    `no guest login for the V1 model "${path}": set hatchery.vsphere.guestCredentials (modelPath, username, password), or the model's user`
  )
