/** Flavors, static limits, the warm pool and guest credentials (seed 001 sections 3.2, 3.3, 12 and 13). */
import type { GuestCredential, ProvisionSettings, SettingsShape } from "../Settings.ts"
import type { Section } from "./Section.ts"

type Flavor = SettingsShape["flavors"][number]

const readFlavor = (name: string, flavor: Section): Flavor => {
  const size = { name, cpus: flavor.whole("cpus", 0, { min: 1 }), memoryMB: flavor.whole("memoryMB", 0, { min: 1 }) }
  if (flavor.whole("diskSizeGB", 0) > 0) flavor.warn("diskSizeGB", undefined, "disks are not resized yet")
  return size
}

/** A list of tables with `name`, or tables called by their names (seed 001 section 13.2 shows both). Names ignore case. */
const readFlavors = (vsphere: Section): ReadonlyArray<Flavor> => {
  const written = vsphere.raw("flavors")
  const flavors =
    Array.isArray(written) || written === undefined
      ? vsphere.sections("flavors").map((flavor) => readFlavor(flavor.required("name", "the flavor's name"), flavor))
      : vsphere
          .section("flavors")
          .named()
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

/** The template that an entry is about; undefined, with the reason reported, for one that names a V1 model alone. */
const readTemplate = (entry: Section): string | undefined => {
  const modelPath = entry.text("modelPath", "")
  const template = entry.text("modelVMWare", "")
  if (template !== "") return template
  if (modelPath === "") entry.problem("modelVMWare", undefined, "mandatory: the name of a vSphere template")
  else entry.warn("modelPath", modelPath, "V1 models are not served yet, this entry has no effect")
  return undefined
}

/** `[[workerProvisioning]]` */
export const readProvision = (vsphere: Section): ReadonlyArray<ProvisionSettings> => {
  const seen = new Set<string>()
  return vsphere.sections("workerProvisioning").flatMap((entry) => {
    const template = readTemplate(entry)
    if (entry.raw("number") === undefined)
      entry.problem("number", undefined, "mandatory: how many machines to keep ready")
    const number = entry.whole("number", 0)
    if (template === undefined) return []
    if (seen.has(template)) entry.problem("modelVMWare", template, "this template stands twice; keep one entry")
    seen.add(template)
    return [{ template, number }]
  })
}

const readCredential = (entry: Section): ReadonlyArray<GuestCredential> => {
  const template = readTemplate(entry)
  const username = entry.required("username", "the user who runs the worker in the guest")
  const password = entry.requiredSecret("password", "that user's password")
  if (entry.text("preStartScript", "") !== "")
    entry.warn("preStartScript", undefined, "it is not run yet, machines start without it")
  return template === undefined ? [] : [{ template, username, password }]
}

/** `[[models]]`, then `[[guestCredentials]]`, its older form. The first entry for a template counts. */
export const readCredentials = (vsphere: Section): ReadonlyArray<GuestCredential> => {
  const models = vsphere.sections("models", { untold: true })
  const older = vsphere.sections("guestCredentials", { untold: true })
  return [...models, ...older].flatMap(readCredential)
}
