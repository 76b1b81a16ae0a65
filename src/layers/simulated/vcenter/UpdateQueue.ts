/**
 * What a property collector has still to tell, one entry an object and filter, in the order of the first change. Several changes of one
 * object before it is told become one; an object that came and went in between is never mentioned.
 */
import type { Filter } from "./Filter.ts"
import type { ManagedObject } from "./ManagedObject.ts"
import type { Ref } from "./Wire.ts"

export interface Update {
  readonly filter: { readonly ref: Ref; readonly selection: Filter }
  readonly object: ManagedObject
  readonly kind: "enter" | "modify" | "leave"
  /** The paths that a `modify` tells. */
  readonly paths: ReadonlySet<string>
}

const keyOf = (update: Update): string => `${update.filter.ref.value} ${update.object.ref.value}`

/** What two updates of one object, not told yet, amount to; undefined for nothing. */
const combine = (earlier: Update, later: Update): Update | undefined => {
  if (earlier.kind === "enter") return later.kind === "leave" ? undefined : { ...later, kind: "enter" }
  if (later.kind === "leave") return later
  if (earlier.kind === "leave")
    return { ...later, kind: "modify", paths: new Set(later.filter.selection.pathsOf(later.object)) }
  return { ...later, paths: new Set([...earlier.paths, ...later.paths]) }
}

export interface UpdateQueue {
  readonly push: (update: Update) => void
  /** Puts updates back that were handed out but may not have arrived. */
  readonly unshift: (updates: ReadonlyArray<Update>) => void
  /** The first ones, at most `count`, no longer in the queue. */
  readonly take: (count: number) => ReadonlyArray<Update>
  readonly clear: () => void
  readonly size: () => number
}

export const makeUpdateQueue = (): UpdateQueue => {
  let entries = new Map<string, Update>()

  const push = (update: Update) => {
    const key = keyOf(update)
    const earlier = entries.get(key)
    const combined = earlier === undefined ? update : combine(earlier, update)
    if (combined === undefined) entries.delete(key)
    else entries.set(key, combined)
  }

  return {
    push,
    unshift: (updates) => {
      const later = entries
      entries = new Map()
      for (const update of [...updates, ...later.values()]) push(update)
    },
    take: (count) => {
      const taken: Array<Update> = []
      for (const [key, update] of entries) {
        if (taken.length >= count) break
        entries.delete(key)
        taken.push(update)
      }
      return taken
    },
    clear: () => entries.clear(),
    size: () => entries.size
  }
}
