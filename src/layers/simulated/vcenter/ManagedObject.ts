/**
 * Managed objects and what can be read of them. A kind of object is one table of rows, a row per leaf property; the data objects between
 * (`config`, `config.hardware`) are put together from the rows below them when somebody asks for them.
 */
import type { WireValue } from "../../vsphere/Vim.ts"
import type { Ref } from "./Wire.ts"
import { inAny } from "./Wire.ts"

export interface ManagedObject {
  readonly ref: Ref
  readonly kind: Kind
  readonly parent?: Ref
}

/** One leaf property: its path, its vSphere type, the fields of the object that it is made of, and how. */
export interface Row<T> {
  readonly path: string
  readonly type: string
  readonly fields: ReadonlyArray<string>
  readonly get: (object: T) => WireValue
}

export interface Kind {
  readonly name: string
  readonly isA: (type: string) => boolean
  /** All the paths that `all: true` stands for: the first segments. */
  readonly roots: ReadonlyArray<string>
  /** True for leaf properties and the data objects above them. */
  readonly knows: (path: string) => boolean
  /** The value as it stands in an anyType place; undefined when unset. */
  readonly read: (object: ManagedObject, path: string) => WireValue
  readonly rowsOf: (field: string) => ReadonlyArray<Row<ManagedObject>>
}

/** Path segments above a leaf, outermost first: `a.b.c` gives `a`, `a.b`. */
const ancestorsOf = (path: string): ReadonlyArray<string> => {
  const parts = path.split(".")
  return parts.slice(1).map((_, index) => parts.slice(0, index + 1).join("."))
}

/**
 * Makes a kind. `nodes` gives the type of each data object between the rows, e.g. `{ "config.hardware": "VirtualHardware" }`.
 * Rows stand in the order of the vSphere schema, since the data objects are built in that order.
 */
export const makeKind = <T extends ManagedObject>(options: {
  readonly name: string
  readonly bases: ReadonlyArray<string>
  readonly rows: ReadonlyArray<Row<T>>
  readonly nodes?: { readonly [path: string]: string }
}): Kind => {
  const types = new Set([options.name, ...options.bases])
  const rows = options.rows as ReadonlyArray<Row<ManagedObject>>
  const leaves = new Map(rows.map((row) => [row.path, row]))
  const below = new Map<string, Array<Row<ManagedObject>>>()
  const byField = new Map<string, Array<Row<ManagedObject>>>()
  for (const row of rows) {
    for (const path of ancestorsOf(row.path)) below.set(path, [...(below.get(path) ?? []), row])
    for (const field of row.fields) byField.set(field, [...(byField.get(field) ?? []), row])
  }

  const assemble = (object: ManagedObject, path: string): WireValue => {
    const result: Record<string, WireValue> = {}
    const done = new Set<string>()
    for (const row of below.get(path) ?? []) {
      const key = row.path.slice(path.length + 1).split(".")[0]!
      if (done.has(key)) continue
      done.add(key)
      const child = `${path}.${key}`
      const leaf = leaves.get(child)
      const value = leaf === undefined ? assemble(object, child) : leaf.get(object)
      if (value !== undefined) result[key] = value
    }
    return done.size === 0 || Object.keys(result).length === 0
      ? undefined
      : { _type: options.nodes?.[path] ?? "DynamicData", ...result }
  }

  return {
    name: options.name,
    isA: (type) => types.has(type),
    roots: [...new Set(rows.map((row) => row.path.split(".")[0]!))],
    knows: (path) => leaves.has(path) || below.has(path),
    read: (object, path) => {
      const row = leaves.get(path)
      return row === undefined ? assemble(object, path) : inAny(row.type, row.get(object))
    },
    rowsOf: (field) => byField.get(field) ?? []
  }
}

/** A row made of one field, plain or through `get`; a type that begins with a small letter is one of XML Schema. */
export const row =
  <T>() =>
  <F extends keyof T & string>(
    path: string,
    type: string,
    field: F,
    get: (object: T) => WireValue = (object) => object[field] as WireValue
  ): Row<T> => ({ path, type: /^[a-z]/.test(type) ? `xsd:${type}` : type, fields: [field], get })

/** True when a change of `changed` shows in a reading of `asked`: the same path, one above it or one below it. */
export const touches = (changed: string, asked: string): boolean =>
  changed === asked || changed.startsWith(`${asked}.`) || asked.startsWith(`${changed}.`)
