/** Whether a job is for us, and what it needs of a machine: pure, and each "no" has its reason (seed 001 sections 6.5 and 13; promise 7). */
import { Redacted, Result } from "effect"
import { scriptOf } from "../../schema/Bootstrap.ts"
import type { Job, Model } from "../../schema/Job.ts"
import { type ModelStamp, type ModelV1, pathOf } from "../../schema/ModelV1.ts"
import type { Sizing } from "../../schema/Machine.ts"
import type { SettingsShape } from "../../services/Settings.ts"
import type { Claim } from "../vm/State.ts"

export type Admission =
  /**
   * Not ours to run, or not now. `told`: the job's user is told, too; where other hatcheries may well run it only the operator sees the reason.
   * `final`: reading the job again would change nothing.
   */
  | { readonly _tag: "Refused"; readonly reason: string; readonly told: boolean; readonly final: boolean }
  /** Not waiting any more: nothing to say. */
  | { readonly _tag: "Over" }
  | Wanted

/** What a job needs of a machine. */
export interface Wanted {
  readonly _tag: "Wanted"
  /** The pool to take it from: a template (V2 model) or the path of a V1 model. */
  readonly pool: string
  /** The vSphere template to clone where the pool has none. */
  readonly template: string
  /** The V1 model that the machine is to be made for. */
  readonly stamp?: ModelStamp
  readonly model?: Claim["model"]
  /** As the worker's token and configuration name it. */
  readonly modelName: string
  /** Empty: the template's resources. */
  readonly flavor: string
  readonly size: Sizing | undefined
  readonly login: Claim["login"]
}

export const refused = (
  reason: string,
  { told = true, final = true }: { readonly told?: boolean; readonly final?: boolean } = {}
): Admission => ({ _tag: "Refused", reason, told, final })

/** A job on a V2 model. A V1 job may ask for a flavor by a requirement. */
export const admit = (job: Job, model: Model | undefined, settings: SettingsShape): Admission => {
  if (job.status !== "Waiting") return { _tag: "Over" }
  if (model === undefined) return refused("the job names no worker model (runs-on)")
  if (model.type !== "vsphere") return refused(`its model "${model.name}" is of type ${model.type}, not vsphere`)
  if (model.image === "") return refused(`its model "${model.name}" names no image (spec.image)`)
  if (job.hasServices) return refused("it asks for service containers, which a vSphere worker does not have")
  if (job.runsOn.memory !== "")
    return refused("it asks for memory (runs-on.memory), which vSphere workers get by flavor only")
  const asked = job.v1?.requirements.find(({ type }) => type === "flavor")?.value ?? ""
  const flavor = flavorOf([job.runsOn.flavor, model.flavor, asked], settings)
  if (flavor._tag === "Unknown") return refused(`its flavor "${flavor.name}" is not in hatchery.vsphere.flavors`)
  const login = loginOf(model, settings)
  if (login === "none")
    return refused(`there is no guest login for "${model.image}" in hatchery.vsphere.models or in its model`)
  if (login === "unresolved")
    return refused(
      `the guest login of its model "${model.name}" is a secret that CDS does not tell (${unresolved(model)}); set hatchery.vsphere.models for "${model.image}"`,
      { final: false }
    )
  const { image, name } = model
  return {
    _tag: "Wanted",
    pool: image,
    template: image,
    modelName: name,
    flavor: flavor.name,
    size: flavor.size,
    login
  }
}

/** A job on a V1 model, whose flavor no requirement of the job changes (vsphere-behaviour 9.4). */
export const admitV1 = (model: ModelV1, stamp: ModelStamp, settings: SettingsShape): Admission => {
  const path = pathOf(model)
  const flavor = flavorOf([model.flavor], settings)
  if (flavor._tag === "Unknown")
    return refused(`the flavor "${flavor.name}" of its model ${path} is not in hatchery.vsphere.flavors`, {
      final: false
    })
  const script = scriptOf(model, { workerName: "", apiUrl: settings.worker.apiUrl })
  if (Result.isFailure(script))
    return refused(`its model ${path} cannot be used: ${script.failure.message}`, { final: false })
  if (model.user === "" && !settings.modelCredentials.some(({ modelPath }) => modelPath === path))
    return refused(`there is no guest login for the model ${path} in hatchery.vsphere.models or in it`, {
      final: false
    })
  return {
    _tag: "Wanted",
    pool: path,
    template: model.name,
    stamp,
    model: { id: model.id, ...stamp },
    modelName: path,
    flavor: flavor.name,
    size: flavor.size,
    login: undefined
  }
}

type Flavor =
  | { readonly _tag: "Known"; readonly name: string; readonly size: Sizing | undefined }
  | { readonly _tag: "Unknown"; readonly name: string }

/** The first name that is given, then the default; none of these leaves the machine as it is (vsphere-behaviour 9.4). */
const flavorOf = (names: ReadonlyArray<string>, { defaultFlavor, flavors }: SettingsShape): Flavor => {
  const name = [...names, defaultFlavor].find((one) => one !== "")
  if (name === undefined) return { _tag: "Known", name: "", size: undefined }
  const found = flavors.find((one) => one.name.toLowerCase() === name.toLowerCase())
  if (found === undefined) return { _tag: "Unknown", name }
  const { name: known, ...size } = found
  return { _tag: "Known", name: known, size }
}

/** The configuration's login is looked up again when it is used; here it only has to exist. */
const loginOf = (model: Model, settings: SettingsShape): Claim["login"] | "none" | "unresolved" => {
  if (settings.credentials.some((one) => one.template === model.image)) return undefined
  if (model.username === "" || model.password === "") return "none"
  if (isUnresolved(model)) return "unresolved"
  return { username: model.username, password: Redacted.make(model.password) }
}

/** A secret in the login that nobody has put in, as it stands there. */
const unresolved = ({ username, password }: Pick<Model, "username" | "password">): string | undefined =>
  /\$\{\{.*?(\}\}|$)/s.exec(`${username}\n${password}`)?.[0]

export const isUnresolved = (login: Pick<Model, "username" | "password">): boolean => unresolved(login) !== undefined
