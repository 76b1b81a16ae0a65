/**
 * Every managed object of the simulated vCenter, and the only place where one changes. A change is told to the observers as the
 * paths that read differently now, so that following it costs as much as the change and not as much as the inventory.
 */
import type { WireValue } from "../../vsphere/Vim.ts"
import type { ManagedObject } from "./ManagedObject.ts"
import type { Ref } from "./Wire.ts"
import { isObject, isRef, refuse } from "./Wire.ts"

export interface Observer {
  readonly changed: (object: ManagedObject, path: string) => void
  /** A reference was added to, or taken from, the list property at `path`. */
  readonly linked: (object: ManagedObject, path: string, child: ManagedObject) => void
  readonly unlinked: (object: ManagedObject, path: string, child: ManagedObject) => void
  readonly removed: (object: ManagedObject) => void
}

export interface ObjectStore {
  readonly find: (ref: Ref) => ManagedObject | undefined
  /** Refuses with ManagedObjectNotFound. */
  readonly get: (ref: Ref) => ManagedObject
  readonly put: <T extends ManagedObject>(object: T) => T
  readonly remove: (object: ManagedObject) => void
  /** Sets fields and tells which properties read differently. */
  readonly update: <T extends ManagedObject>(object: T, patch: Partial<T>) => void
  /** Tells that the property reads differently without a change of any field. */
  readonly touch: (object: ManagedObject, path: string) => void
  readonly linked: (object: ManagedObject, path: string, child: ManagedObject) => void
  readonly unlinked: (object: ManagedObject, path: string, child: ManagedObject) => void
  /** The objects that the reference, or list of references, at `path` names. */
  readonly follow: (object: ManagedObject, path: string) => ReadonlyArray<ManagedObject>
  readonly observers: Set<Observer>
  readonly all: Iterable<ManagedObject>
}

export const notFound = (ref: Ref): never =>
  refuse(
    "ManagedObjectNotFound",
    `The object '${ref.type}:${ref.value}' has already been deleted or has not been completely created`,
    {
      obj: ref
    }
  )

const same = (a: WireValue, b: WireValue): boolean =>
  a === b || (typeof a === "object" && typeof b === "object" && JSON.stringify(a) === JSON.stringify(b))

const refsIn = (value: WireValue): ReadonlyArray<Ref> => {
  if (isRef(value)) return [value]
  if (!isObject(value)) return []
  const list = value["ManagedObjectReference"]
  return Array.isArray(list) ? list.filter(isRef) : []
}

export const makeObjectStore = (): ObjectStore => {
  const objects = new Map<string, ManagedObject>()
  const observers = new Set<Observer>()

  const find = (ref: Ref) => {
    const object = objects.get(ref.value)
    return object?.ref.type === ref.type ? object : undefined
  }

  return {
    observers,
    find,
    get: (ref) => find(ref) ?? notFound(ref),
    put: (object) => {
      objects.set(object.ref.value, object)
      return object
    },
    remove: (object) => {
      if (!objects.delete(object.ref.value)) return
      for (const observer of observers) observer.removed(object)
    },
    update: (object, patch) => {
      const before = { ...object }
      Object.assign(object, patch)
      const rows = new Set(Object.keys(patch).flatMap((field) => object.kind.rowsOf(field)))
      for (const row of rows) {
        if (same(row.get(before), row.get(object))) continue
        for (const observer of observers) observer.changed(object, row.path)
      }
    },
    touch: (object, path) => {
      for (const observer of observers) observer.changed(object, path)
    },
    linked: (object, path, child) => {
      for (const observer of observers) observer.linked(object, path, child)
    },
    unlinked: (object, path, child) => {
      for (const observer of observers) observer.unlinked(object, path, child)
    },
    follow: (object, path) =>
      refsIn(object.kind.read(object, path)).flatMap((ref) => {
        const child = find(ref)
        return child === undefined ? [] : [child]
      }),
    all: { [Symbol.iterator]: () => objects.values() }
  }
}
