/** What the property collector answers: pages of updates, and objects with their properties. */
import { Schema } from "effect"
import { LocalizedFault } from "./Fault.ts"
import { Flag, list, oneOf, Ref, Text } from "./Values.ts"

const Missing = Schema.Struct({ path: Text, fault: LocalizedFault })

export const PropertyChange = Schema.Struct({
  name: Text,
  op: oneOf(["add", "remove", "assign", "indirectRemove"]),
  /** Absent where the property has no value. */
  val: Schema.optionalKey(Schema.Unknown)
})
export type PropertyChange = typeof PropertyChange.Type

export const ObjectUpdate = Schema.Struct({
  kind: oneOf(["enter", "modify", "leave"]),
  obj: Ref,
  changeSet: list(PropertyChange),
  missingSet: list(Missing)
})
export type ObjectUpdate = typeof ObjectUpdate.Type

const FilterUpdate = Schema.Struct({ objectSet: list(ObjectUpdate) })

/** One page. When `truncated`, the next call brings the rest at once. */
export const UpdateSet = Schema.Struct({
  version: Text,
  filterSet: list(FilterUpdate),
  truncated: Schema.optionalKey(Flag)
})
export type UpdateSet = typeof UpdateSet.Type

/** Undefined when the wait ended without a change. */
export const UpdateAnswer = Schema.Union([Schema.Undefined, UpdateSet])

const Property = Schema.Struct({ name: Text, val: Schema.Unknown })

export const ObjectContent = Schema.Struct({ obj: Ref, propSet: list(Property), missingSet: list(Missing) })
export type ObjectContent = typeof ObjectContent.Type

/** Undefined when nothing was selected; `token` asks for the next page. */
export const RetrieveAnswer = Schema.Union([
  Schema.Undefined,
  Schema.Struct({ token: Schema.optionalKey(Text), objects: list(ObjectContent) })
])
