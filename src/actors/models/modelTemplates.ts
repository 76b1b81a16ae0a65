/**
 * Which vSphere template is a V1 model's: told by the stamp in its annotation, never by memory. A model's machines are cloned from the template
 * that has the model's name and its current stamp (seed 001 section 6.7; design, "vCenter is the journal").
 */
import { madeFor, parse } from "../../schema/Annotation.ts"
import { type MachineFacts, readable, unreadableReason } from "../../schema/Machine.ts"
import { type ModelStamp, type ModelV1, pathOf, sameStamp, stampOf } from "../../schema/ModelV1.ts"
import type { InventoryView } from "../../services/Inventory.ts"
import { isBuild, placeOf } from "../vm/State.ts"
import type { Vm } from "../vm/State.ts"

export type Standing =
  /** There under the model's name, whichever hatchery built it: another's is cloned from, and is that one's to change. */
  | { readonly _tag: "Ready"; readonly template: MachineFacts }
  /** There under another name; `older` has the model's, and goes out of its way first. */
  | { readonly _tag: "Aside"; readonly template: MachineFacts; readonly older: MachineFacts | undefined }
  /** To be built. */
  | { readonly _tag: "Missing" }
  /** The model's name belongs to something else: it is left alone, and the model has no template. */
  | { readonly _tag: "Taken"; readonly reason: string }

/** A V1 template, by its annotation. */
export interface ModelTemplate {
  readonly facts: MachineFacts
  /** The hatchery that looks after it. */
  readonly owner: string
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

const templateOf = (facts: MachineFacts): ModelTemplate | undefined => {
  const annotation = facts.template ? parse(facts.annotation) : undefined
  const stamp = annotation?.model === true ? madeFor(annotation) : undefined
  return annotation === undefined || stamp === undefined ? undefined : { facts, owner: annotation.hatcheryName, stamp }
}

const allTemplates = (machines: Iterable<MachineFacts>): ReadonlyArray<ModelTemplate> =>
  [...machines].flatMap((facts) => templateOf(facts) ?? [])

/** Those that this hatchery looks after. */
export const templatesOf = (machines: Iterable<MachineFacts>, hatchery: string): ReadonlyArray<ModelTemplate> =>
  allTemplates(machines).filter(({ owner }) => owner === hatchery)

/** How a model stands with its template. */
export const standingOf = (model: ModelV1, machines: Iterable<MachineFacts>, hatchery: string): Standing => {
  const all = [...machines]
  const current = allTemplates(all).filter(({ stamp }) => sameStamp(stamp, stampOf(model)))
  const ready = current.find(({ facts }) => facts.name === model.name)
  if (ready !== undefined) return { _tag: "Ready", template: ready.facts }
  const holder = all.find(({ name }) => name === model.name)
  const older = holder === undefined ? undefined : templateOf(holder)
  if (holder !== undefined && (older?.owner !== hatchery || older.stamp.path !== pathOf(model)))
    return { _tag: "Taken", reason: `its name "${model.name}" is taken in vCenter by ${whose(model, holder, older)}` }
  const aside = current.find(({ owner }) => owner === hatchery)
  return aside === undefined ? { _tag: "Missing" } : { _tag: "Aside", template: aside.facts, older: holder }
}

const whose = (model: ModelV1, holder: MachineFacts, template: ModelTemplate | undefined): string => {
  if (!readable(holder)) return `a machine that ${unreadableReason(holder)}`
  if (template === undefined)
    return holder.template && stampOn(holder)?.path === pathOf(model)
      ? 'a template that names this model and is not marked as its own ("model": true in its annotation): remove it'
      : "a machine or template that is not this model's: rename one of the two"
  const { owner, stamp } = template
  return stamp.path === pathOf(model)
    ? `the template of another version, which hatchery ${owner} has to replace: remove it if that one is gone`
    : `the template of ${stamp.path}: rename one of the two`
}

/** Where the model's own name is enough, as for `unready`: what has another name is no use to a job or pool, and not every machine is looked at. */
export const standingByName = (model: ModelV1, { named }: Pick<InventoryView, "named">, hatchery: string): Standing =>
  standingOf(model, named(model.name), hatchery)

/** Why no machine can be made for the model now; undefined when it can. One that CDS wants checked again goes on as it is. */
export const unready = (model: ModelV1, standing: Standing): string | undefined => {
  if (standing._tag === "Taken") return `the V1 model ${pathOf(model)} has no template: ${standing.reason}`
  if (standing._tag !== "Ready") return `the template of the V1 model ${pathOf(model)} is not built yet`
  return model.needRegistration ? `the V1 model ${pathOf(model)} is not registered yet` : undefined
}

const stampOn = (facts: MachineFacts): ModelStamp | undefined => {
  const annotation = parse(facts.annotation)
  return annotation === undefined ? undefined : madeFor(annotation)
}

/** Which V1 models there are. */
export interface Models {
  readonly present: ReadonlyArray<ModelV1>
  /** Paths of those that were there. */
  readonly gone: ReadonlySet<string>
}

/**
 * Templates of ours that nobody needs and from which no machine of any hatchery descends: they were put aside, a model's present one is in their
 * place, whatever name somebody gave the old one, or their model is gone. `living` are the machines that may not show yet.
 */
export const retired = (
  { present, gone }: Models,
  machines: Iterable<MachineFacts>,
  living: Iterable<Vm>,
  hatchery: string
): ReadonlyArray<MachineFacts> => {
  const all = [...machines]
  const descend = [
    ...all.filter(({ template }) => !template).map(stampOn),
    ...[...living].filter(({ state }) => placeOf(state) !== "Templated").map(({ model }) => model)
  ]
  const inPlace = present.flatMap((model) => {
    const standing = standingOf(model, all, hatchery)
    return standing._tag === "Ready" ? [{ path: pathOf(model), template: standing.template }] : []
  })
  const isUnneeded = ({ facts, stamp }: ModelTemplate): boolean =>
    facts.name === asideName(stamp) ||
    gone.has(stamp.path) ||
    inPlace.some(({ path, template }) => path === stamp.path && template !== facts)
  return templatesOf(all, hatchery)
    .filter((one) => isUnneeded(one) && !descend.some((stamp) => sameStamp(stamp, one.stamp)))
    .map(({ facts }) => facts)
}
