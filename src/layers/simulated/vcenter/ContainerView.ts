/**
 * Container views: the objects of some types below a container, kept up to date as machines come and go. Machines can be hidden from
 * every view, which is how a view shrinks without a reason.
 */
import type { Core } from "./Core.ts"
import { isMachine } from "./Machine.ts"
import type { ManagedObject } from "./ManagedObject.ts"
import { makeKind, row } from "./ManagedObject.ts"
import type { Observer } from "./ObjectStore.ts"
import type { Ref } from "./Wire.ts"

interface ContainerView extends ManagedObject {
  readonly container: Ref
  readonly types: ReadonlyArray<string>
  readonly recursive: boolean
  readonly contents: Map<string, Ref>
}

const viewKind = makeKind<ContainerView>({
  name: "ContainerView",
  bases: ["ManagedObjectView", "View"],
  rows: [
    row<ContainerView>()("view", "ArrayOfManagedObjectReference", "contents", (view) => [...view.contents.values()]),
    row<ContainerView>()("container", "ManagedObjectReference", "container"),
    row<ContainerView>()("type", "ArrayOfString", "types"),
    row<ContainerView>()("recursive", "boolean", "recursive")
  ]
})

export interface Views {
  readonly create: (container: Ref, types: ReadonlyArray<string>, recursive: boolean) => Ref
  readonly destroy: (view: Ref) => void
  readonly hide: (refs: ReadonlyArray<Ref>) => void
  readonly show: (refs: ReadonlyArray<Ref>) => void
  readonly count: () => number
}

const parentsOf = (object: ManagedObject): ReadonlyArray<Ref> => {
  const pool = isMachine(object) ? object.pool : undefined
  return [object.parent, pool].flatMap((ref) => ref ?? [])
}

export const makeViews = (core: Core): Views => {
  const views = new Map<string, ContainerView>()
  const hidden = new Set<string>()

  const isBelow = (object: ManagedObject, container: Ref, recursive: boolean): boolean =>
    parentsOf(object).some((parent) => {
      if (parent.value === container.value) return true
      const above = recursive ? core.store.find(parent) : undefined
      return above !== undefined && isBelow(above, container, recursive)
    })

  const belongs = (view: ContainerView, object: ManagedObject): boolean =>
    !hidden.has(object.ref.value) &&
    (view.types.length === 0 || view.types.some((type) => object.kind.isA(type))) &&
    isBelow(object, view.container, view.recursive)

  const include = (object: ManagedObject) => {
    for (const view of views.values()) {
      if (view.contents.has(object.ref.value) || !belongs(view, object)) continue
      view.contents.set(object.ref.value, object.ref)
      core.store.linked(view, "view", object)
    }
  }

  const exclude = (object: ManagedObject) => {
    for (const view of views.values())
      if (view.contents.delete(object.ref.value)) core.store.unlinked(view, "view", object)
  }

  const observer: Observer = {
    changed: () => undefined,
    linked: (_, path, child) => {
      if (path === "childEntity") include(child)
    },
    unlinked: (_, path, child) => {
      if (path === "childEntity") exclude(child)
    },
    removed: () => undefined
  }
  core.store.observers.add(observer)

  const each = (refs: ReadonlyArray<Ref>, change: (object: ManagedObject) => void) => {
    for (const ref of refs) {
      const object = core.store.find(ref)
      if (object !== undefined) change(object)
    }
  }

  return {
    create: (container, types, recursive) => {
      core.store.get(container)
      const view: ContainerView = {
        ref: { type: "ContainerView", value: `view-${core.nextId()}` },
        kind: viewKind,
        container,
        types,
        recursive,
        contents: new Map()
      }
      for (const object of core.store.all) if (belongs(view, object)) view.contents.set(object.ref.value, object.ref)
      views.set(view.ref.value, view)
      core.store.put(view)
      return view.ref
    },
    destroy: (ref) => {
      const view = views.get(ref.value)
      if (view === undefined) return
      views.delete(ref.value)
      core.store.remove(view)
    },
    hide: (refs) => {
      for (const ref of refs) hidden.add(ref.value)
      each(refs, exclude)
    },
    show: (refs) => {
      for (const ref of refs) hidden.delete(ref.value)
      each(refs, include)
    },
    count: () => views.size
  }
}
