/** Flavors, static limits, the warm pool and guest credentials (seed 001 sections 3.2, 3.3, 12 and 13). */
import type {
  DefaultModelV2,
  GuestCredential,
  ModelCredential,
  ModelProvisionSettings,
  ProvisionSettings,
  SettingsShape
} from "../Settings.ts"
import type { Section } from "./Section.ts"

type Flavor = SettingsShape["flavors"][number]

const readFlavor = (name: string, flavor: Section): Flavor => {
  const diskSizeGB = flavor.whole("diskSizeGB", 0)
  return {
    name,
    cpus: flavor.requiredWhole("cpus", "how many virtual CPUs", { min: 1 }),
    memoryMB: flavor.requiredWhole("memoryMB", "how much memory, in MB", { min: 1 }),
    ...(diskSizeGB === 0 ? {} : { diskSizeGB })
  }
}

/** A list of tables with `name`, or tables called by their names (seed 001 section 13.2 shows both). Names ignore case. */
const readFlavors = (vsphere: Section): ReadonlyArray<Flavor> => {
  const flavors = vsphere
    .named("flavors", "name", "the flavor's name")
    .map(([name, flavor]) => readFlavor(name, flavor))
  const names = flavors.map(({ name }) => name.toLowerCase())
  for (const twice of names.filter((name, index) => names.indexOf(name) < index))
    vsphere.problem("flavors", twice, "a flavor of this name stands twice; keep one")
  return flavors
}

export const readSizes = (vsphere: Section) => {
  const flavors = readFlavors(vsphere)
  const defaultFlavor = vsphere.text("defaultFlavor", "")
  const known = flavors.some(({ name }) => name.toLowerCase() === defaultFlavor.toLowerCase())
  if (defaultFlavor !== "" && !known)
    vsphere.problem("defaultFlavor", defaultFlavor, `no such flavor; ${knownNames(flavors)}`)
  return {
    flavors,
    defaultFlavor,
    maxCpus: vsphere.whole("maxCpus", 0),
    maxMemoryMB: vsphere.whole("maxMemoryMB", 0),
    countSmallerFlavorToKeep: vsphere.whole("countSmallerFlavorToKeep", 0)
  }
}

const knownNames = (flavors: ReadonlyArray<Flavor>): string =>
  flavors.length === 0 ? "define it under flavors" : `known are ${flavors.map(({ name }) => name).join(", ")}`

/** What an entry is about: a template (V2 models) or a V1 model by its path. */
type Subject = { readonly template: string } | { readonly modelPath: string } | undefined

/** Undefined, with the problem reported, where both keys are missing. One with both is about the template, as the Go hatchery reads it. */
const readSubject = (entry: Section): Subject => {
  const modelPath = entry.text("modelPath", "")
  const template = entry.text("modelVMWare", "")
  if (template !== "") return { template }
  if (modelPath === "")
    return void entry.problem("modelVMWare", undefined, "mandatory: the name of a vSphere template, or modelPath")
  if (!/^[^/]+\/[^/]+$/.test(modelPath))
    return void entry.problem("modelPath", modelPath, "write the V1 model as group/name")
  return { modelPath }
}

/** `[[workerProvisioning]]` */
export const readProvision = (vsphere: Section) => {
  const provision: Array<ProvisionSettings> = []
  const modelProvision: Array<ModelProvisionSettings> = []
  for (const entry of vsphere.sections("workerProvisioning", { skipBlank: true })) {
    const subject = readSubject(entry)
    const number = entry.requiredWhole("number", "how many machines to keep ready")
    if (subject === undefined) continue
    if ("template" in subject) {
      if (provision.some(({ template }) => template === subject.template))
        entry.problem("modelVMWare", subject.template, "this template stands twice; keep one entry")
      provision.push({ ...subject, number })
    } else {
      if (modelProvision.some(({ modelPath }) => modelPath === subject.modelPath))
        entry.problem("modelPath", subject.modelPath, "this model stands twice; keep one entry")
      modelProvision.push({ ...subject, number })
    }
  }
  return { provision, modelProvision }
}

/** Undefined where neither is written, or where one is missing, which is reported. */
const readLogin = (entry: Section): Pick<GuestCredential, "username" | "password"> | undefined => {
  const username = entry.text("username", "")
  const password = entry.secret("password")
  if (username !== "" && password !== undefined) return { username, password }
  if (username !== "") entry.secretProblem("password", "mandatory beside username: that user's password")
  if (password !== undefined) entry.problem("username", undefined, "mandatory beside password: whose it is")
  return undefined
}

/** `[[models]]`, whose login may be left to `[[guestCredentials]]`, its older form. The first login for a template or model counts. */
export const readCredentials = (vsphere: Section) => {
  const credentials: Array<GuestCredential> = []
  const modelCredentials: Array<ModelCredential> = []
  const preStartScripts = new Map<string, string>()
  const take = (subject: Subject, login: ReturnType<typeof readLogin>): void => {
    if (subject === undefined || login === undefined) return
    if ("template" in subject) credentials.push({ ...subject, ...login })
    else modelCredentials.push({ ...subject, ...login })
  }
  for (const entry of vsphere.sections("models", { untold: true, skipBlank: true })) {
    const subject = readSubject(entry)
    const preStart = entry.text("preStartScript", "")
    take(subject, readLogin(entry))
    if (subject !== undefined && "template" in subject && preStart !== "" && !preStartScripts.has(subject.template))
      preStartScripts.set(subject.template, preStart)
  }
  for (const entry of vsphere.sections("guestCredentials", { untold: true, skipBlank: true })) {
    const username = entry.required("username", "the user who runs the worker in the guest")
    const password = entry.requiredSecret("password", "that user's password")
    take(readSubject(entry), { username, password })
  }
  return { credentials, modelCredentials, preStartScripts }
}

/** `[[defaultWorkerModelsV2]]` */
export const readDefaultModels = (vsphere: Section): ReadonlyArray<DefaultModelV2> =>
  vsphere.sections("defaultWorkerModelsV2", { untold: true }).map((entry) => ({
    model: entry.required("workerModelV2", "a V2 model as PROJECT/vcs/repository/model[@branch]"),
    binaries: entry.texts("binaries", [])
  }))
