/** Finds the route of a request; an unknown path or method is 404 id 38 (cds-contract 0.3). */
import { Effect } from "effect"
import type { Handler, Route } from "./Call.ts"
import type { ApiRequest } from "./Exchange.ts"
import { refuse } from "./Refusal.ts"
import type { Refusal } from "./Refusal.ts"

export interface Match {
  readonly handler: Handler
  readonly params: Readonly<Record<string, string>>
  readonly query: URLSearchParams
}

const compile = (pattern: string): RegExp =>
  new RegExp(`^${pattern.replace(/:([a-z]+)/gi, (_, name: string) => `(?<${name}>[^/]+)`)}$`)

export const makeRouter = (routes: ReadonlyArray<Route>) => {
  const compiled = routes.map((route) => ({ ...route, path: compile(route.pattern) }))
  return (request: ApiRequest): Effect.Effect<Match, Refusal> => {
    const [path = "", search = ""] = request.url.split("?", 2)
    for (const route of compiled) {
      const found = route.method === request.method ? route.path.exec(path) : null
      if (found === null) continue
      const params = Object.fromEntries(
        Object.entries(found.groups ?? {}).map(([name, value]) => [name, decodeURIComponent(value)])
      )
      return Effect.succeed({ handler: route.handler, params, query: new URLSearchParams(search) })
    }
    return Effect.fail(refuse("notFound", `${path} not found`))
  }
}
