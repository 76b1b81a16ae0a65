/** Reads the arguments of a call: wire values whose numbers and booleans may be text, and whose list of one may be the element. */
import type { WireValue } from "../../vsphere/Vim.ts"
import type { Ref, WireObject } from "./Wire.ts"
import { isObject, isRef, refuse } from "./Wire.ts"

export const list = (value: WireValue): ReadonlyArray<WireValue> => {
  if (value === undefined) return []
  return Array.isArray(value) ? value : [value]
}

/** The value itself, or the one inside `{ _type, _value }`. */
const bare = (value: WireValue): WireValue => (isObject(value) && "_value" in value ? value["_value"] : value)

export const text = (value: WireValue): string | undefined => {
  const inner = bare(value)
  if (isObject(inner)) return Object.keys(inner).length === 0 ? "" : undefined
  return inner === undefined || Array.isArray(inner) ? undefined : String(inner)
}

export const number = (value: WireValue): number | undefined => {
  const inner = text(value)
  const parsed = inner === undefined || inner === "" ? Number.NaN : Number(inner)
  return Number.isNaN(parsed) ? undefined : parsed
}

export const boolean = (value: WireValue): boolean => text(value) === "true"

export const object = (value: WireValue): WireObject => (isObject(value) ? value : {})

export const ref = (value: WireValue): Ref | undefined =>
  isRef(value) ? { type: value.type, value: value.value } : undefined

/** Refuses with InvalidArgument, naming the property as vSphere does, when there is nothing. */
export const required = <A>(name: string, value: A | undefined): A =>
  value ?? invalidArgument(name, `A specified parameter was not correct: ${name}`)

export const invalidArgument = (name: string, message: string): never =>
  refuse("InvalidArgument", message, { invalidProperty: name })
