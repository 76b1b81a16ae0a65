/** What kind of JSON something is: its keys and types, without its values. */

/**
 * The types seen at each place, joined by `|`, by the place's path: "" is the whole, `.key` a part of an object, `[]` the elements of a list. A path
 * that ends with `?` is a part that was not always there. Keys that are numbers or UUIDs are `{id}`.
 */
export type Shape = Readonly<Record<string, string>>

/** How often each type was seen at each path. */
export type Sightings = Map<string, Map<string, number>>

const dynamic = /^(\d+|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12})$/

/** Given back as the hatchery told it. */
const opaque = "config"

const typeOf = (value: unknown): string => (value === null ? "null" : Array.isArray(value) ? "list" : typeof value)

/** Adds a value to what was seen. */
export const see = (seen: Sightings, value: unknown, path = ""): void => {
  const types = seen.get(path) ?? new Map<string, number>()
  const type = typeOf(value)
  seen.set(path, types.set(type, (types.get(type) ?? 0) + 1))
  if (Array.isArray(value)) for (const element of value) see(seen, element, `${path}[]`)
  else if (typeof value === "object" && value !== null)
    for (const [key, part] of Object.entries(value))
      see(seen, key === opaque ? {} : part, `${path}.${dynamic.test(key) ? "{id}" : key}`)
}

const parentOf = (path: string): string =>
  path.endsWith("[]") ? path.slice(0, -2) : path.slice(0, Math.max(0, path.lastIndexOf(".")))

const total = (types: ReadonlyMap<string, number>): number => [...types.values()].reduce((a, b) => a + b, 0)

export const shapeOf = (seen: Sightings): Shape =>
  Object.fromEntries(
    [...seen]
      .map(([path, types]) => {
        const objects = path === "" || path.endsWith("[]") ? 0 : (seen.get(parentOf(path))?.get("object") ?? 0)
        return [total(types) < objects ? `${path}?` : path, [...types.keys()].toSorted().join("|")] as const
      })
      .toSorted(([a], [b]) => (a < b ? -1 : 1))
  )

const bare = (path: string): string => path.replace(/\?$/, "")

/**
 * What is not like the truth: a place that the truth does not have, a type that was never seen there, and, unless a part is enough, a place that the
 * truth always has.
 */
export const differences = (truth: Shape, other: Shape, partIsEnough = false): ReadonlyArray<string> => {
  const known = new Map(Object.entries(truth).map(([path, types]) => [bare(path), types.split("|")]))
  const told = new Map(Object.entries(other).map(([path, types]) => [bare(path), types.split("|")]))
  // What the elements of a list are is only known where there was one.
  const strange = [...told].flatMap(([path, types]) => {
    const right = known.get(path)
    if (right === undefined)
      return known.has(parentOf(path)) && !path.endsWith("[]") ? [`${path} is not in the truth`] : []
    return types.filter((type) => !right.includes(type)).map((type) => `${path} is ${type}, not ${right.join(" or ")}`)
  })
  if (partIsEnough) return strange
  const always = Object.keys(truth).filter((path) => path !== "" && !/(\[\]|\?)$/.test(path))
  const missing = always.filter(
    (path) => other[path] === undefined && told.get(parentOf(path))?.includes("object") === true
  )
  return [...strange, ...missing.map((path) => `${path} is missing`)]
}
