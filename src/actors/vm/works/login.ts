/** Who works in the guests: the configuration's entry for the template or V1 model, then the model's own user (seed 001 section 6.2.3). */
import { Effect, Redacted } from "effect"
import { Cds } from "../../../services/Cds.ts"
import type { GuestLogin } from "../../../services/Guest.ts"
import { Settings } from "../../../services/Settings.ts"
import { makeJobModel } from "../../jobs/jobModel.ts"
import { WorkerModels } from "../../models/WorkerModels.ts"
import type { VmEvent } from "../Event.ts"
import type { Claim } from "../State.ts"
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
    `no guest login for the V1 model "${path}": set hatchery.vsphere.models (modelPath, username, password), or the model's user`
  )

export const makeWorkerLogin = Effect.gen(function* () {
  const { credentials } = yield* Settings
  const jobModel = yield* makeJobModel
  const modelLogin = yield* makeModelLogin

  /** The login for the worker of a claim; undefined when there is none. CDS is asked for a V2 model's after a restart, as it is not written down. */
  return Effect.fnUntraced(function* (template: string, claim: Claim) {
    if (claim.model !== undefined) return yield* modelLogin(claim.model.path)
    const configured = credentials.find((entry) => entry.template === template)
    if (configured !== undefined) return { username: configured.username, password: configured.password }
    if (claim.login !== undefined) return claim.login
    const model = yield* persist(jobModel.modelV2(claim.region, claim.jobId))
    if (model === undefined || model.username === "") return undefined
    return { username: model.username, password: Redacted.make(model.password) }
  })
})

export const noWorkerLogin = (template: string, { model }: Claim): VmEvent =>
  model === undefined
    ? failure(`no guest login for "${template}": set hatchery.vsphere.models (modelVMWare, username, password)`)
    : noModelLogin(model.path)
