/** Reads a PropertyFilterSpec: which objects to start from, along which references to go on, and what to read of each type. */
import type { WireValue } from "../../vsphere/Vim.ts"
import * as Args from "./Args.ts"
import type { Kind } from "./ManagedObject.ts"
import { refuse } from "./Wire.ts"
import type { Ref } from "./Wire.ts"

/** From an object of `type` along its property `path` to further objects, and from those along `next`. */
export interface Traversal {
  readonly id: number
  readonly type: string
  readonly path: string
  /** The objects reached are not themselves part of the result. */
  readonly skip: boolean
  readonly next: ReadonlyArray<Traversal>
}

export interface Spec {
  /** Start objects; the traversal of each has no path, only its `skip` and `next`. */
  readonly roots: ReadonlyArray<{ readonly ref: Ref; readonly via: Traversal }>
  /** The property paths to read of a kind, or undefined when that kind is not asked for. */
  readonly pathsOf: (kind: Kind) => ReadonlyArray<string> | undefined
}

interface Building extends Omit<Traversal, "next"> {
  next: ReadonlyArray<Traversal>
}

/** A SelectionSpec that only names a TraversalSpec stands for that one, which is how a specification recurs. */
const readSelections = (objectSet: ReadonlyArray<WireValue>) => {
  const named = new Map<string, Traversal>()
  const later: Array<() => void> = []
  let ids = 0

  const build = (spec: WireValue): (() => Traversal) => {
    const { name, type, path, skip, selectSet } = Args.object(spec)
    const label = Args.text(name)
    if (path === undefined)
      return () =>
        named.get(label ?? "") ?? Args.invalidArgument("selectSet", `No TraversalSpec is named '${label ?? ""}'`)
    const traversal: Building = {
      id: ids++,
      type: Args.required("type", Args.text(type)),
      path: Args.required("path", Args.text(path)),
      skip: Args.boolean(skip),
      next: []
    }
    if (label !== undefined) named.set(label, traversal)
    const children = Args.list(selectSet).map(build)
    later.push(() => (traversal.next = children.map((child) => child())))
    return () => traversal
  }

  const roots = objectSet.map((item) => {
    const { obj, skip, selectSet } = Args.object(item)
    const via: Building = { id: ids++, type: "", path: "", skip: Args.boolean(skip), next: [] }
    const children = Args.list(selectSet).map(build)
    later.push(() => (via.next = children.map((child) => child())))
    return { ref: Args.required("objectSet.obj", Args.ref(obj)), via }
  })
  for (const link of later) link()
  return roots
}

export const readSpec = (spec: WireValue): Spec => {
  const { propSet, objectSet } = Args.object(spec)
  const properties = Args.list(propSet).map((item) => {
    const { type, all, pathSet } = Args.object(item)
    return {
      type: Args.required("propSet.type", Args.text(type)),
      all: Args.boolean(all),
      paths: Args.list(pathSet).flatMap((path) => Args.text(path) ?? [])
    }
  })
  const known = new Map<Kind, ReadonlyArray<string> | undefined>()

  const find = (kind: Kind): ReadonlyArray<string> | undefined => {
    const property = properties.find(({ type }) => type === kind.name) ?? properties.find(({ type }) => kind.isA(type))
    if (property === undefined) return undefined
    const unknown = property.paths.find((path) => !kind.knows(path))
    if (unknown !== undefined) refuse("InvalidProperty", `No property '${unknown}' in ${kind.name}`, { name: unknown })
    return property.all ? kind.roots : property.paths
  }

  return {
    roots: readSelections(Args.list(objectSet)),
    pathsOf: (kind) => {
      if (!known.has(kind)) known.set(kind, find(kind))
      return known.get(kind)
    }
  }
}
