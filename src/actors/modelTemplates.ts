/**
 * Which vSphere template is a V1 model's: told by the stamp in its annotation, never by memory. A model's machines are cloned from the template
 * that has the model's name and its current stamp (seed 001 section 6.7; design, "vCenter is the journal").
 */
import { parse } from "../schema/Annotation.ts"
import type { MachineFacts } from "../schema/Machine.ts"
import { type ModelStamp, type ModelV1, pathOf, sameStamp, stampOf } from "../schema/ModelV1.ts"
import { isBuild, placeOf } from "./vm/State.ts"
import type { Vm } from "./vm/State.ts"

export type Standing =
  /** There under the model's name. */
  | { readonly _tag: "Ready"; readonly template: MachineFacts }
  /** There under another name; `older` has the model's, and goes out of its way first. */
  | { readonly _tag: "Aside"; readonly template: MachineFacts; readonly older: MachineFacts | undefined }
  /** To be built. */
  | { readonly _tag: "Missing" }
  /** The model's name belongs to something else: it is left alone, and the model has no template. */
  | { readonly _tag: "Taken"; readonly reason: string }

/** A V1 template of this hatchery, by its annotation. */
export interface ModelTemplate {
  readonly facts: MachineFacts
  readonly stamp: ModelStamp
}

/**
 * The name under which the template of a model is built: `<model>-tmp`, as the Go hatchery has it, or the next one that nothing else has. What has
 * it may be somebody else's by now, and stay.
 */
export const buildName = ({ name }: Pick<ModelV1, "name">, taken: ReadonlySet<string>): string => {
  let free = `${name}-tmp`
  for (let n = 2; taken.has(free); n++) free = `${name}-${n}-tmp`
  return free
}

/** One that is being removed may still become a template, by a call that comes late: it is waited for. */
export const isBuildOf = (path: string, { model, poolName, state }: Vm): boolean =>
  model?.path === path && (isBuild(state) || poolName.endsWith("-tmp"))

/** The name of a template that was replaced, until nothing descends from it. */
export const asideName = ({ path, lastModified }: ModelStamp): string =>
  `${path.split("/")[1] ?? path}-old-${lastModified}`

const templateOf = (facts: MachineFacts, hatchery: string): ModelTemplate | undefined => {
  if (!facts.template) return undefined
  const annotation = parse(facts.annotation)
  if (annotation?.hatcheryName !== hatchery || !annotation.model || annotation.workerModelPath === undefined)
    return undefined
  return {
    facts,
    stamp: { path: annotation.workerModelPath, lastModified: annotation.workerModelLastModified ?? "" }
  }
}

export const templatesOf = (machines: Iterable<MachineFacts>, hatchery: string): ReadonlyArray<ModelTemplate> =>
  [...machines].flatMap((facts) => templateOf(facts, hatchery) ?? [])

const named = (machines: ReadonlyArray<MachineFacts>, name: string) => machines.find((facts) => facts.name === name)

const isOf = (path: string, templates: ReadonlyArray<ModelTemplate>, facts: MachineFacts | undefined): boolean =>
  templates.some((one) => one.facts === facts && one.stamp.path === path)

/** How a model stands with its template. */
export const standingOf = (model: ModelV1, machines: Iterable<MachineFacts>, hatchery: string): Standing => {
  const all = [...machines]
  const templates = templatesOf(all, hatchery)
  const path = pathOf(model)
  const current = templates.filter(({ stamp }) => sameStamp(stamp, stampOf(model))).map(({ facts }) => facts)
  const ready = current.find(({ name }) => name === model.name)
  if (ready !== undefined) return { _tag: "Ready", template: ready }
  const holder = named(all, model.name)
  if (holder !== undefined && !isOf(path, templates, holder)) return taken(model, holder, templates)
  if (current[0] !== undefined) return { _tag: "Aside", template: current[0], older: holder }
  return { _tag: "Missing" }
}

const taken = (model: ModelV1, holder: MachineFacts, templates: ReadonlyArray<ModelTemplate>): Standing => {
  const other = templates.find(({ facts }) => facts === holder)?.stamp.path
  const whose = other === undefined ? "a machine or template that is not this model's" : `the template of ${other}`
  return { _tag: "Taken", reason: `its name "${model.name}" is taken in vCenter by ${whose}: rename one of the two` }
}

/** Why no machine can be made for the model now; undefined when it can. One that CDS wants checked again goes on as it is. */
export const unready = (model: ModelV1, standing: Standing): string | undefined => {
  if (standing._tag === "Taken") return `the V1 model ${pathOf(model)} has no template: ${standing.reason}`
  if (standing._tag !== "Ready") return `the template of the V1 model ${pathOf(model)} is not built yet`
  return model.needRegistration ? `the V1 model ${pathOf(model)} is not registered yet` : undefined
}

const stampOn = (facts: MachineFacts, hatchery: string): ModelStamp | undefined => {
  const annotation = parse(facts.annotation)
  return annotation?.hatcheryName !== hatchery || annotation.workerModelPath === undefined
    ? undefined
    : { path: annotation.workerModelPath, lastModified: annotation.workerModelLastModified ?? "" }
}

/**
 * Templates that were replaced and from which no machine descends any more: they were put aside, or a model's present one is in its place, whatever
 * name somebody gave the old one. `living` are the machines that may not show yet.
 */
export const retired = (
  models: Iterable<ModelV1>,
  machines: Iterable<MachineFacts>,
  living: Iterable<Vm>,
  hatchery: string
): ReadonlyArray<MachineFacts> => {
  const all = [...machines]
  const descend = [
    ...all.filter(({ template }) => !template).map((facts) => stampOn(facts, hatchery)),
    ...[...living].filter(({ state }) => placeOf(state) !== "Templated").map(({ model }) => model)
  ]
  const present = [...models].filter((model) => standingOf(model, all, hatchery)._tag === "Ready").map(stampOf)
  const isReplaced = ({ facts, stamp }: ModelTemplate): boolean =>
    facts.name === asideName(stamp) ||
    present.some(({ path, lastModified }) => path === stamp.path && lastModified !== stamp.lastModified)
  return templatesOf(all, hatchery)
    .filter((one) => isReplaced(one) && !descend.some((stamp) => sameStamp(stamp, one.stamp)))
    .map(({ facts }) => facts)
}
