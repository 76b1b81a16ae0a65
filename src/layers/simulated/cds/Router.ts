/** Finds the route of a request; an unknown path or method is 404 id 38 (cds-contract 0.3). */
import { Effect } from "effect"
import type { ApiRequest } from "./Exchange.ts"
import { refuse } from "./Refusal.ts"
import type { Refusal } from "./Refusal.ts"

/** One row of a router's table; `:name` in the pattern is a part of the path. */
export interface RouteOf<H> {
  readonly method: string
  readonly pattern: string
  readonly handler: H
}

export interface Match<H> {
  readonly handler: H
  /** The named parts of the path, decoded. */
  readonly params: Readonly<Record<string, string>>
  readonly query: URLSearchParams
}

const compile = (pattern: string): RegExp =>
  new RegExp(`^${pattern.replace(/:([a-z]+)/gi, (_, name: string) => `(?<${name}>[^/]+)`)}$`)

const decodePart = (text: string): string => {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}

export const makeRouter = <H>(routes: ReadonlyArray<RouteOf<H>>) => {
  const compiled = routes.map((route) => ({ ...route, path: compile(route.pattern) }))
  return (request: ApiRequest): Effect.Effect<Match<H>, Refusal> => {
    const [path = "", search = ""] = request.url.split("?", 2)
    for (const { method, path: expression, handler } of compiled) {
      const found = method === request.method ? expression.exec(path) : null
      if (found === null) continue
      const parts = Object.entries(found.groups ?? {}).map(([name, value]) => [name, decodePart(value)] as const)
      return Effect.succeed({ handler, params: Object.fromEntries(parts), query: new URLSearchParams(search) })
    }
    return Effect.fail(refuse("notFound", `${path} not found`))
  }
}
