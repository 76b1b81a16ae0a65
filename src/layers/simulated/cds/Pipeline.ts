/** The way of one request through the simulated API: faults, route, work, answer. */
import { Clock, Effect, Queue } from "effect"
import type { Scope } from "effect"
import type { Call, Handler, Route } from "./Call.ts"
import { ConnectionCut, noContent, refusalAnswer, requestIdOf, withCommonHeaders } from "./Exchange.ts"
import type { ApiAnswer, ApiRequest } from "./Exchange.ts"
import { refusalOfStatus, refuse } from "./Refusal.ts"
import type { Refusal } from "./Refusal.ts"
import { makeRouter } from "./Router.ts"
import { joinV2 } from "./routes/hatchery.ts"
import type { Connection, Joined, SocketFrame } from "./Sockets.ts"
import type { State } from "./State.ts"
import { joinV1 } from "./v1/Sockets.ts"

/** Marks a call whose caller may not know that it was done. */
export const markUnanswered = (state: State, request: ApiRequest): void => {
  state.unanswered.add(`${request.method} ${request.url}`)
}

/** Marks a call whose caller does not wait for it any more. */
export const markAbandoned = (state: State, request: ApiRequest): void => {
  markUnanswered(state, request)
  state.abandoned.add(request)
}

/**
 * The API reads the cookie before `Authorization`, and a write that comes with the cookie needs a header that no hatchery sends
 * (cds-contract 0.1).
 */
const refuseCookie = (state: State, request: ApiRequest, now: number): Effect.Effect<void, Refusal> => {
  if (request.headers["cookie"]?.includes("jwt_token=") !== true) return Effect.void
  state.violate(now, "cookie-kept", request.url, "the request carries the jwt_token cookie")
  return request.method === "GET" ? Effect.void : Effect.fail(refuse("unauthenticated", "xsrf"))
}

/** Faults that stand in front of the work. */
const before = Effect.fnUntraced(function* (state: State, request: ApiRequest) {
  const { method, url } = request
  if (state.faults.use("dropped", method, url) !== undefined) return yield* new ConnectionCut({ done: false })
  const slow = state.faults.use("slow", method, url)
  if (slow !== undefined) yield* Effect.sleep(slow.ms)
  const answer = state.faults.use("answer", method, url)
  if (answer !== undefined) return yield* refusalOfStatus(answer.status, "fault")
})

/** Faults that spoil the answer of work that was done. */
const after = (state: State, request: ApiRequest, answer: ApiAnswer): Effect.Effect<ApiAnswer, ConnectionCut> => {
  const { method, url } = request
  if (state.faults.use("lost", method, url) !== undefined) {
    markUnanswered(state, request)
    return Effect.fail(new ConnectionCut({ done: true }))
  }
  const unwanted = state.faults.use("headerless", method, url)?.header.toLowerCase()
  const headers = Object.fromEntries(Object.entries(answer.headers).filter(([name]) => name.toLowerCase() !== unwanted))
  if (state.faults.use("malformed", method, url) === undefined) return Effect.succeed({ ...answer, headers })
  // As a proxy may answer in CDS's place: it proves nothing.
  markUnanswered(state, request)
  return Effect.succeed({ status: 200, headers: { ...headers, "Content-Type": "text/html" }, body: "<html></html>" })
}

const dispatch = Effect.fnUntraced(function* (
  state: State,
  request: ApiRequest,
  route: ReturnType<typeof makeRouter<Handler>>,
  sentAt: number,
  override: Handler | undefined
) {
  yield* before(state, request)
  if (state.abandoned.has(request)) markUnanswered(state, request)
  const now = yield* Clock.currentTimeMillis
  yield* refuseCookie(state, request, now)
  const { handler, params, query } = yield* route(request)
  const call: Call = { state, request, params, query, now, sentAt }
  return yield* (override ?? handler)(call)
})

const joins: Readonly<Record<string, typeof joinV2>> = { "/v2/hatchery/ws": joinV2, "/ws": joinV1 }

export const makePipeline = (state: State, routes: ReadonlyArray<Route>) => {
  const route = makeRouter(routes)

  /** Answers one request; fails only when the connection ends without an answer. `override` does the work of the route found. */
  const answer = Effect.fnUntraced(function* (
    request: ApiRequest,
    override?: Handler
  ): Effect.fn.Return<ApiAnswer, ConnectionCut> {
    const startedAt = yield* Clock.currentTimeMillis
    const requestId = requestIdOf(request, state.options.uuid)
    const made = yield* dispatch(state, request, route, startedAt, override).pipe(
      Effect.catchTag("Refusal", (refusal) => Effect.succeed(refusalAnswer(refusal, requestId)))
    )
    const now = yield* Clock.currentTimeMillis
    return yield* after(state, request, withCommonHeaders(made, requestId, startedAt, now))
  })

  /** Joins the websocket clients of the path until the scope ends; fails with the answer that refuses the upgrade. */
  const upgrade = Effect.fnUntraced(function* (
    request: ApiRequest
  ): Effect.fn.Return<Connection, ApiAnswer | ConnectionCut, Scope.Scope> {
    const frames = yield* Queue.unbounded<SocketFrame>()
    const join = joins[request.url.split("?", 1)[0] ?? ""]
    let joined: Joined | undefined
    const made = yield* answer(
      request,
      join &&
        ((call) =>
          Effect.map(join(call, frames), (made) => {
            joined = made
            return noContent
          }))
    )
    const { enter, leave, receive } = joined ?? (yield* Effect.fail(made))
    yield* Effect.acquireRelease(Effect.sync(enter), () => Effect.sync(leave))
    return { frames, receive }
  })

  return { answer, upgrade }
}
