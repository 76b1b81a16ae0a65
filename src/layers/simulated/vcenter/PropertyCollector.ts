/**
 * Property collectors: filters whose updates are fetched by `WaitForUpdatesEx`. The last answer is kept until the caller comes with the
 * version it carried, so that an answer that got lost is given again.
 */
import { Deferred, Effect } from "effect"
import type { WireValue } from "../../vsphere/Vim.ts"
import type { Core } from "./Core.ts"
import { makeFilter } from "./Filter.ts"
import type { Filter } from "./Filter.ts"
import type { ManagedObject } from "./ManagedObject.ts"
import type { Spec } from "./Traversal.ts"
import type { Update } from "./UpdateQueue.ts"
import { makeUpdateQueue } from "./UpdateQueue.ts"
import { Fault, localized, refuse } from "./Wire.ts"
import type { Ref, WireObject } from "./Wire.ts"

export interface Collector {
  readonly ref: Ref
  readonly createFilter: (spec: Spec) => Ref
  /** Waits at most so long for updates and hands out at most so many objects; undefined when there was nothing. */
  readonly wait: (version: string, maxWaitMs: number, maxObjects: number) => Effect.Effect<WireValue, Fault>
  /** Ends a wait with that fault. */
  readonly cancel: (fault: Fault) => void
  readonly destroy: (fault: Fault) => void
}

/** A property that may not be read, as `missingSet` tells it. */
const missing = (path: string): WireObject => ({
  path,
  fault: localized(
    new Fault({
      fault: "NoPermission",
      message: "Permission to perform this operation was denied.",
      detail: { privilegeId: "System.Read" }
    })
  )
})

/** Reads an object's properties: the set ones, and the ones that may not be read. */
export const collect = (core: Core, object: ManagedObject, paths: Iterable<string>) => {
  core.traffic.collected()
  const values: Array<{ readonly name: string; readonly val: WireValue }> = []
  const unreadable: Array<WireObject> = []
  for (const name of paths) {
    if (core.faults.unreadable(name)) unreadable.push(missing(name))
    else values.push({ name, val: object.kind.read(object, name) })
  }
  return { values, unreadable }
}

/** A property that became unset is assigned nothing; one whose data object is gone altogether is removed indirectly. */
const operationOf = (object: ManagedObject, name: string, val: WireValue): string => {
  if (val !== undefined || !name.includes(".")) return "assign"
  const above = name.slice(0, name.lastIndexOf("."))
  return object.kind.read(object, above) === undefined ? "indirectRemove" : "assign"
}

const objectUpdate = (core: Core, { kind, object, paths, filter }: Update): WireObject => {
  if (kind === "leave") return { kind, obj: object.ref }
  const asked = kind === "enter" ? filter.selection.pathsOf(object) : paths
  const { values, unreadable } = collect(core, object, asked)
  const told = kind === "enter" ? values.filter(({ val }) => val !== undefined) : values
  return {
    kind,
    obj: object.ref,
    changeSet: told.map(({ name, val }) => ({ name, op: operationOf(object, name, val), val })),
    ...(unreadable.length === 0 ? {} : { missingSet: unreadable })
  }
}

const filterSet = (core: Core, updates: ReadonlyArray<Update>): ReadonlyArray<WireObject> => {
  const byFilter = new Map<string, { readonly ref: Ref; readonly objects: Array<WireObject> }>()
  for (const update of updates) {
    const { ref } = update.filter
    const group = byFilter.get(ref.value) ?? { ref, objects: [] }
    group.objects.push(objectUpdate(core, update))
    byFilter.set(ref.value, group)
  }
  return [...byFilter.values()].map(({ ref, objects }) => ({ filter: ref, objectSet: objects }))
}

export const canceled = () => new Fault({ fault: "RequestCanceled", message: "The request was canceled by a user." })

export const makeCollector = (core: Core, ref: Ref): Collector => {
  const filters = new Map<string, { readonly ref: Ref; readonly selection: Filter }>()
  const queue = makeUpdateQueue()
  let signal = Deferred.makeUnsafe<void, Fault>()
  let handedOut: ReadonlyArray<Update> = []
  /** The version that asks for `handedOut` again, and the one that confirms it. */
  let base = ""
  let version = 0

  const push = (update: Update) => {
    queue.push(update)
    if (queue.size() > 0) Deferred.doneUnsafe(signal, Effect.void)
  }

  const startOver = () => {
    queue.clear()
    for (const filter of filters.values())
      for (const object of filter.selection.members()) push({ filter, object, kind: "enter", paths: new Set() })
  }

  const accept = (asked: string) => {
    if (asked === "") startOver()
    else if (asked === base) queue.unshift(handedOut)
    else if (asked !== String(version)) refuse("InvalidCollectorVersion", "The collector version is not known.")
    if (core.faults.take("UpdatesDuplicate", "WaitForUpdatesEx") !== undefined) queue.unshift(handedOut)
    base = asked
    handedOut = []
  }

  const handOut = (maxObjects: number): WireValue => {
    handedOut = queue.take(maxObjects)
    version += 1
    const truncated = queue.size() > 0
    return {
      version: String(version),
      filterSet: filterSet(core, handedOut),
      ...(truncated ? { truncated } : {})
    }
  }

  const cancel = (fault: Fault) => {
    Deferred.doneUnsafe(signal, Effect.fail(fault))
  }

  const createFilter = (spec: Spec): Ref => {
    const self: Ref = { type: "PropertyFilter", value: `${ref.value}-filter-${core.nextId()}` }
    const tell =
      (kind: Update["kind"]) =>
      (object: ManagedObject, paths: ReadonlyArray<string> = []) => {
        const filter = filters.get(self.value)
        if (filter !== undefined) push({ filter, object, kind, paths: new Set(paths) })
      }
    const sink = { enter: tell("enter"), modify: tell("modify"), leave: tell("leave") }
    const selection = makeFilter(core.store, spec, sink)
    const filter = { ref: self, selection }
    filters.set(self.value, filter)
    for (const object of selection.members()) push({ filter, object, kind: "enter", paths: new Set() })
    core.store.observers.add(selection)
    return self
  }

  return {
    ref,
    createFilter,
    wait: Effect.fnUntraced(function* (asked, maxWaitMs, maxObjects) {
      cancel(canceled())
      signal = Deferred.makeUnsafe<void, Fault>()
      const until = core.now() + maxWaitMs
      accept(asked)
      const late = core.faults.take("UpdatesLate", "WaitForUpdatesEx")
      if (late !== undefined) yield* Effect.sleep(late.delayMs)
      while (queue.size() === 0) {
        const left = until - core.now()
        if (left <= 0) return undefined
        signal = Deferred.makeUnsafe<void, Fault>()
        yield* Deferred.await(signal).pipe(Effect.timeoutOption(left))
        // The signal comes in the middle of a change: what belongs to it is told together.
        yield* Effect.yieldNow
      }
      return handOut(maxObjects)
    }),
    cancel,
    destroy: (fault) => {
      for (const filter of filters.values()) core.store.observers.delete(filter.selection)
      filters.clear()
      queue.clear()
      cancel(fault)
    }
  }
}
