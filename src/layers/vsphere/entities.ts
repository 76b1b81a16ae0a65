/** The inventory tree around the machines: names and parents of what they can be put in. */
import { Effect, Option, Schema } from "effect"
import type { VimError } from "../../schema/Errors.ts"
import type { VimCalls } from "./retrieval.ts"
import { readObject, retrieveBelow } from "./retrieval.ts"
import type { ObjectContent } from "./wire/Updates.ts"
import { decodeAnswer, Ref, Text } from "./wire/Values.ts"

export interface Entity {
  readonly ref: Ref
  readonly name: string
  /** Reference value of the parent. */
  readonly parent: string | undefined
}

const decodeText = Schema.decodeUnknownOption(Text)
const decodeRef = Schema.decodeUnknownOption(Ref)
const decodeReference = decodeAnswer("RetrievePropertiesEx", Ref)

const property = (object: ObjectContent, path: string): unknown => object.propSet.find(({ name }) => name === path)?.val

const entity = (object: ObjectContent): Entity => ({
  ref: object.obj,
  name: Option.getOrElse(decodeText(property(object, "name")), () => ""),
  parent: Option.getOrUndefined(decodeRef(property(object, "parent")))?.value
})

/** The entities of these types below a container, by reference value. One that cannot be read has an empty name. */
export const entitiesBelow = (
  vim: VimCalls,
  container: Ref,
  types: ReadonlyArray<string>
): Effect.Effect<ReadonlyMap<string, Entity>, VimError> =>
  retrieveBelow(
    vim,
    container,
    types.map((type) => ({ type, paths: ["name", "parent"] }))
  ).pipe(Effect.map((objects) => new Map(objects.map((object) => [object.obj.value, entity(object)]))))

/** A property that is a reference. */
export const readReference = (vim: VimCalls, ref: Ref, path: string): Effect.Effect<Ref, VimError> =>
  readObject(vim, ref, [path]).pipe(Effect.flatMap((properties) => decodeReference(properties.get(path))))

/**
 * Names from below `root` down to the entity, joined by `/`; from the outermost known compute resource or pool down when there is no
 * root. Undefined when the entity is not below the root, or is among its own parents.
 */
export const pathOf = (
  of: Entity,
  entities: ReadonlyMap<string, Entity>,
  root: Ref | undefined
): string | undefined => {
  const names: Array<string> = []
  const seen = new Set<string>()
  let at = of
  while (!seen.has(at.ref.value)) {
    seen.add(at.ref.value)
    names.unshift(at.name)
    if (at.parent !== undefined && at.parent === root?.value) return names.join("/")
    const parent = entities.get(at.parent ?? "")
    if (parent === undefined || (root === undefined && parent.ref.type === "Folder"))
      return root === undefined ? names.join("/") : undefined
    at = parent
  }
  return undefined
}
