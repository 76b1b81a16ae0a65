/** Whether a job is for us, and what it needs of a machine: pure, and each "no" has its reason (seed 001 sections 6.5 and 13; promise 7). */
import { Redacted } from "effect"
import type { Job, Model } from "../schema/Job.ts"
import type { Size } from "../schema/Machine.ts"
import type { SettingsShape } from "../services/Settings.ts"
import type { Claim } from "./vm/State.ts"

export type Admission =
  /** Not ours to run, or not now: the reason is for the job's user and the operator. */
  | { readonly _tag: "Refused"; readonly reason: string }
  /** Not waiting any more: nothing to say. */
  | { readonly _tag: "Over" }
  | {
      readonly _tag: "Wanted"
      readonly image: string
      readonly modelName: string
      readonly size: Size | undefined
      readonly login: Claim["login"]
    }

const refused = (reason: string): Admission => ({ _tag: "Refused", reason })

export const admit = (job: Job, model: Model | undefined, settings: SettingsShape): Admission => {
  if (job.status !== "Waiting") return { _tag: "Over" }
  if (model === undefined) return refused("the job names no worker model (runs-on)")
  if (model.type !== "vsphere") return refused(`its model "${model.name}" is of type ${model.type}, not vsphere`)
  if (model.image === "") return refused(`its model "${model.name}" names no image (spec.image)`)
  if (job.hasServices) return refused("it asks for service containers, which a vSphere worker does not have")
  if (job.runsOn.memory !== "")
    return refused("it asks for memory (runs-on.memory), which vSphere workers get by flavor only")
  const flavor = flavorOf(job, model, settings)
  if (flavor._tag === "Unknown") return refused(`its flavor "${flavor.name}" is not in hatchery.vsphere.flavors`)
  const login = loginOf(model, settings)
  if (login === "none")
    return refused(`there is no guest login for "${model.image}" in hatchery.vsphere.guestCredentials or in its model`)
  return { _tag: "Wanted", image: model.image, modelName: model.name, size: flavor.size, login }
}

type Flavor =
  | { readonly _tag: "Known"; readonly size: Size | undefined }
  | { readonly _tag: "Unknown"; readonly name: string }

/** `runs-on.flavor`, then the model's, then the default; none of these leaves the machine as it is (vsphere-behaviour 9.4). */
const flavorOf = (job: Job, model: Model, settings: SettingsShape): Flavor => {
  const name = [job.runsOn.flavor, model.flavor, settings.defaultFlavor].find((one) => one !== "")
  if (name === undefined) return { _tag: "Known", size: undefined }
  const size = settings.flavors.find((one) => one.name.toLowerCase() === name.toLowerCase())
  return size === undefined
    ? { _tag: "Unknown", name }
    : { _tag: "Known", size: { cpus: size.cpus, memoryMB: size.memoryMB } }
}

/** The configuration's login is looked up again when it is used; here it only has to exist. */
const loginOf = (model: Model, settings: SettingsShape): Claim["login"] | "none" => {
  if (settings.credentials.some((one) => one.template === model.image)) return undefined
  if (model.username === "" || model.password === "") return "none"
  return { username: model.username, password: Redacted.make(model.password) }
}
