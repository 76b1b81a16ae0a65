/**
 * The objects that a specification selects, kept up to date by counting the ways in which each is reached. A change of one reference
 * costs as much as what hangs on that reference.
 */
import type { ManagedObject } from "./ManagedObject.ts"
import { touches } from "./ManagedObject.ts"
import type { ObjectStore, Observer } from "./ObjectStore.ts"
import type { Spec, Traversal } from "./Traversal.ts"

/** Told what becomes of the selection. */
export interface Sink {
  readonly enter: (object: ManagedObject) => void
  readonly modify: (object: ManagedObject, paths: ReadonlyArray<string>) => void
  readonly leave: (object: ManagedObject) => void
}

interface Arrival {
  readonly via: Traversal
  count: number
}

export interface Filter extends Observer {
  readonly members: () => Iterable<ManagedObject>
  readonly pathsOf: (object: ManagedObject) => ReadonlyArray<string>
}

/** Selects at once (the sink hears of every member) and then follows what it is told as an observer. */
export const makeFilter = (store: ObjectStore, spec: Spec, sink: Sink): Filter => {
  const arrivals = new Map<string, Array<Arrival>>()
  const members = new Map<string, { readonly object: ManagedObject; holds: number }>()
  const affected = new Map<string, ReadonlyArray<string>>()

  const hold = (object: ManagedObject) => {
    if (spec.pathsOf(object.kind) === undefined) return
    const member = members.get(object.ref.value)
    if (member !== undefined) {
      member.holds += 1
      return
    }
    members.set(object.ref.value, { object, holds: 1 })
    sink.enter(object)
  }

  const release = (object: ManagedObject) => {
    const member = members.get(object.ref.value)
    if (member === undefined) return
    member.holds -= 1
    if (member.holds > 0) return
    members.delete(object.ref.value)
    sink.leave(object)
  }

  const onward = (object: ManagedObject, via: Traversal, step: (child: ManagedObject, along: Traversal) => void) => {
    for (const along of via.next) {
      if (!object.kind.isA(along.type)) continue
      for (const child of store.follow(object, along.path)) step(child, along)
    }
  }

  const arrive = (object: ManagedObject, via: Traversal): void => {
    const here = arrivals.get(object.ref.value)
    const known = here?.find((arrival) => arrival.via === via)
    if (known !== undefined) {
      known.count += 1
      return
    }
    const arrival = { via, count: 1 }
    if (here === undefined) arrivals.set(object.ref.value, [arrival])
    else here.push(arrival)
    if (!via.skip) hold(object)
    onward(object, via, arrive)
  }

  const depart = (object: ManagedObject, via: Traversal): void => {
    const here = arrivals.get(object.ref.value)
    const arrival = here?.find((one) => one.via === via)
    if (here === undefined || arrival === undefined) return
    arrival.count -= 1
    if (arrival.count > 0) return
    here.splice(here.indexOf(arrival), 1)
    if (here.length === 0) arrivals.delete(object.ref.value)
    if (!via.skip) release(object)
    onward(object, via, depart)
  }

  const alongPath = (object: ManagedObject, path: string, step: (along: Traversal) => void) => {
    for (const arrival of (arrivals.get(object.ref.value) ?? []).slice())
      for (const along of arrival.via.next) if (along.path === path && object.kind.isA(along.type)) step(along)
  }

  const changed = (object: ManagedObject, path: string) => {
    if (!members.has(object.ref.value)) return
    const key = `${object.kind.name} ${path}`
    let paths = affected.get(key)
    if (paths === undefined) {
      paths = (spec.pathsOf(object.kind) ?? []).filter((asked) => touches(path, asked))
      affected.set(key, paths)
    }
    if (paths.length > 0) sink.modify(object, paths)
  }

  const filter: Filter = {
    members: function* () {
      for (const { object } of members.values()) yield object
    },
    pathsOf: (object) => spec.pathsOf(object.kind) ?? [],
    changed,
    linked: (object, path, child) => {
      changed(object, path)
      alongPath(object, path, (along) => arrive(child, along))
    },
    unlinked: (object, path, child) => {
      changed(object, path)
      alongPath(object, path, (along) => depart(child, along))
    },
    removed: (object) => {
      for (const arrival of (arrivals.get(object.ref.value) ?? []).slice()) {
        arrival.count = 1
        depart(object, arrival.via)
      }
    }
  }

  for (const root of spec.roots) arrive(store.get(root.ref), root.via)
  return filter
}

const nothing = () => undefined

/** The members of a specification now, without following it. */
export const select = (store: ObjectStore, spec: Spec): ReadonlyArray<ManagedObject> => [
  ...makeFilter(store, spec, { enter: nothing, modify: nothing, leave: nothing }).members()
]
