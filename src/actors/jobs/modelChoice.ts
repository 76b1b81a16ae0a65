/**
 * Which worker model runs a V1 job (cds-contract 10.3; seed 001 sections 6.5 and 6.8): one that it names as code, a default V2 model by its
 * binaries, or the first V1 model that fits. Pure, and each "no" has its reason.
 */
import type { JobV1, Requirement } from "../../schema/Job.ts"
import { mostSpawnErrors, pathOf, shortPathOf, type ModelV1 } from "../../schema/ModelV1.ts"
import type { SettingsShape } from "../../services/Settings.ts"

export type Choice =
  /** A V2 model by its reference; `named` by the job, else a default, without which a V1 model may do. */
  | { readonly _tag: "AsCode"; readonly reference: string; readonly named: boolean }
  | { readonly _tag: "Model"; readonly model: ModelV1 }
  /** `ours` is false where other hatcheries may well run the job: then its user is not told. `final`: no change of a model helps. */
  | { readonly _tag: "None"; readonly reason: string; readonly ours: boolean; readonly final: boolean }

const none = (reason: string, ours: boolean, final = false): Choice => ({ _tag: "None", reason, ours, final })

const valuesOf = ({ requirements }: JobV1, type: string): ReadonlyArray<string> =>
  requirements.filter((one) => one.type === type).map(({ value }) => value)

/** What a vSphere worker never has (seed 001 section 6.5). */
const unsupported: Readonly<Record<string, string>> = {
  service: "it asks for a service container, which a vSphere worker does not have",
  memory: "it asks for memory, which vSphere workers get by flavor only",
  hostname: "it asks for one host by its name, and machines of a vSphere hatchery have names of their own"
}

/** One rule for jobs on models of every kind (defect 29). */
const regionRefusal = (job: JobV1, { region, ignoreJobWithNoRegion }: SettingsShape): string | undefined => {
  const wanted = valuesOf(job, "region")
  if (wanted.length === 0)
    return ignoreJobWithNoRegion ? "it asks for no region (provision.ignoreJobWithNoRegion)" : undefined
  return wanted.every((one) => one === region)
    ? undefined
    : `it asks for region "${wanted.join('", "')}", and this hatchery's is "${region}" (provision.region)`
}

/** The model that a job names, without what may follow it. */
const namedModel = (job: JobV1): string | undefined => valuesOf(job, "model")[0]?.trim().split(/\s+/)[0]

const isReference = (name: string): boolean => name.split("/").length >= 5

/** No binaries: the first default model. Else the first that has at least one of them (seed 001 section 6.8). */
const defaultModel = (binaries: ReadonlyArray<string>, { defaultWorkerModelsV2 }: SettingsShape): string | undefined =>
  (binaries.length === 0
    ? defaultWorkerModelsV2[0]
    : defaultWorkerModelsV2.find((one) => one.binaries.some((binary) => binaries.includes(binary)))
  )?.model

const isNamed = (model: ModelV1, name: string): boolean =>
  name === pathOf(model) || name === shortPathOf(model) || name === model.name

const lacks = (model: ModelV1, binary: Requirement): boolean =>
  !model.registeredCapabilities.some(
    ({ type, name, value }) => type === "binary" && (name === binary.value || value === binary.value)
  )

/** What is known of the models beside what CDS says. */
export interface Known {
  /** False when a default V2 model was chosen and cannot be had: then a V1 model may do. */
  readonly withDefaults?: boolean
  /** What keeps a model from being registered until somebody sees to it; undefined where nothing does. */
  readonly obstacle?: (model: ModelV1) => string | undefined
}

const unregistered = (obstacle: string | undefined): string =>
  obstacle === undefined ? "has to be registered first" : `has to be registered first, and cannot be: ${obstacle}`

/** Why this model does not do; undefined when it does. `named`: the job asks for it. */
const misfit = (model: ModelV1, job: JobV1, named: boolean, { obstacle }: Known): string | undefined => {
  if (model.type !== "vsphere") return `is of type ${model.type}, not vsphere`
  if (model.spawnErrors > mostSpawnErrors) return `failed ${model.spawnErrors} times in a row; correct it in CDS`
  if (model.needRegistration) return unregistered(obstacle?.(model))
  if (job.execGroups.length > 0 && !job.execGroups.includes(model.group))
    return `belongs to group ${model.group}, and the job is for ${job.execGroups.join(", ")}`
  if (model.deprecated && !named) return "is deprecated, so a job has to name it"
  if (model.cmd === "") return "has no command (cmd)"
  const { registeredOs: os, registeredArch: arch } = model
  const foreign = valuesOf(job, "os-architecture").find(
    (one) => os !== undefined && arch !== undefined && one !== `${os}/${arch}`
  )
  if (foreign !== undefined) return `is for ${os}/${arch}, not ${foreign}`
  const missing = named ? undefined : job.requirements.find((one) => one.type === "binary" && lacks(model, one))
  return missing === undefined ? undefined : `has no ${missing.value}`
}

const chooseV1 = (job: JobV1, models: ReadonlyArray<ModelV1>, known: Known): Choice => {
  const name = namedModel(job)
  const candidates = name === undefined ? models : models.filter((model) => isNamed(model, name))
  const reasons: Array<string> = []
  for (const model of candidates) {
    const reason = misfit(model, job, name !== undefined, known)
    if (reason === undefined) return { _tag: "Model", model }
    if (model.type === "vsphere" || name !== undefined) reasons.push(`${shortPathOf(model)} ${reason}`)
  }
  if (reasons.length === 0)
    return none(
      name === undefined ? "there is no worker model for it" : `there is no enabled worker model "${name}"`,
      false
    )
  const more = reasons.length > 3 ? `; and ${reasons.length - 3} more` : ""
  return none(
    `no worker model fits: ${reasons.slice(0, 3).join("; ")}${more}`,
    candidates.some(({ type }) => type === "vsphere") && name !== undefined
  )
}

export const chooseModel = (
  job: JobV1,
  models: ReadonlyArray<ModelV1>,
  settings: SettingsShape,
  known: Known = {}
): Choice => {
  const region = regionRefusal(job, settings)
  if (region !== undefined) return none(region, false, true)
  const never = job.requirements.find(({ type }) => type in unsupported)
  if (never !== undefined) return none(unsupported[never.type]!, true, true)
  const name = namedModel(job)
  if (name !== undefined && isReference(name)) return { _tag: "AsCode", reference: name, named: true }
  const reference =
    name === undefined && known.withDefaults !== false ? defaultModel(valuesOf(job, "binary"), settings) : undefined
  return reference === undefined ? chooseV1(job, models, known) : { _tag: "AsCode", reference, named: false }
}
