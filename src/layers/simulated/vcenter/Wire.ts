/**
 * Wire values as the simulated vCenter makes and reads them (shapes: `layers/vsphere/Vim.ts`): references, faults, dates, and the
 * copy that lets no two sides share an object.
 */
import { Data } from "effect"
import type { WireValue } from "../../vsphere/Vim.ts"

/** A managed object reference. Its value alone is unique in one simulated vCenter, so it serves as the key of every map. */
export type Ref = { readonly type: string; readonly value: string }

export type WireObject = { readonly [key: string]: WireValue }

/**
 * A vSphere fault on its way out: as SOAP fault of a call, or as `info.error` of a task. `detail` holds the fault's own fields, e.g.
 * `{ name: "vm-a" }` of a DuplicateName.
 */
export class Fault extends Data.TaggedError("Fault")<{
  readonly fault: string
  readonly message: string
  readonly detail?: WireObject
}> {}

export const refuse = (fault: string, message: string, detail?: WireObject): never => {
  throw new Fault(detail === undefined ? { fault, message } : { fault, message, detail })
}

/** The fault as `LocalizedMethodFault`. */
export const localized = (fault: Fault): WireObject => ({
  _type: "LocalizedMethodFault",
  fault: { _type: fault.fault, ...fault.detail },
  localizedMessage: fault.message
})

/** RFC 3339, UTC, from milliseconds since the epoch. */
export const dateTime = (millis: number): string => new Date(millis).toISOString()

export const isObject = (value: WireValue): value is WireObject =>
  typeof value === "object" && value !== null && !Array.isArray(value) && !(value instanceof Date)

export const isRef = (value: WireValue): value is Ref =>
  isObject(value) && typeof value["type"] === "string" && typeof value["value"] === "string"

const listKey = (arrayType: string): string => {
  const element = arrayType.slice("ArrayOf".length)
  return element === "String" || element === "Int" ? element.toLowerCase() : element
}

/** A value of the named type as it stands where the schema says anyType, e.g. in `PropertyChange.val`. */
export const inAny = (type: string, value: WireValue): WireValue => {
  if (value === undefined || isRef(value)) return value
  if (Array.isArray(value)) return { _type: type, [listKey(type)]: value }
  if (isObject(value)) return { _type: type, ...value }
  return { _type: type, _value: value }
}

/** A deep copy and the size, in bytes as a compact text would need. Keys that are undefined are left out. */
export const copy = (value: WireValue): { readonly value: WireValue; readonly bytes: number } => {
  let bytes = 0
  const go = (part: WireValue): WireValue => {
    if (Array.isArray(part)) return part.map(go)
    if (isObject(part)) {
      const result: Record<string, WireValue> = {}
      for (const key of Object.keys(part)) {
        const field = part[key]
        if (field === undefined) continue
        bytes += 2 * key.length + 5
        result[key] = go(field)
      }
      return result
    }
    bytes += typeof part === "string" ? part.length : 8
    return part
  }
  return { value: go(value), bytes }
}
