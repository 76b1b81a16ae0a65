/** One request to the simulated API and its answer, free of any transport. */
import { Data } from "effect"
import type { Refusal } from "./Refusal.ts"

export interface ApiRequest {
  readonly method: string
  /** Path with query, e.g. `/v2/queue/default?osarch=linux/amd64`. */
  readonly url: string
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string | undefined>>
  readonly body: string | undefined
}

export interface ApiAnswer {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  /** Undefined: no body, as in a 204. */
  readonly body: string | undefined
}

/** The connection ended without an answer. `done` says whether the work was done before it ended. */
export class ConnectionCut extends Data.TaggedError("ConnectionCut")<{ readonly done: boolean }> {}

const jsonHeaders = { "Content-Type": "application/json" }

export const json = (value: unknown, headers: Readonly<Record<string, string>> = {}): ApiAnswer => ({
  status: 200,
  headers: { ...jsonHeaders, ...headers },
  body: JSON.stringify(value)
})

/** What a handler of the real API answers when it writes nothing (cds-contract 0.3). */
export const noContent: ApiAnswer = { status: 204, headers: jsonHeaders, body: undefined }

export const refusalAnswer = (refusal: Refusal, requestId: string): ApiAnswer => ({
  status: refusal.status,
  headers: jsonHeaders,
  body: JSON.stringify({
    id: refusal.id,
    message: refusal.text,
    request_id: requestId,
    ...(refusal.from === undefined ? {} : { from: refusal.from })
  })
})

const uuid = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i

/** The caller's own `Request-ID` when it is a UUID, else a new one. */
export const requestIdOf = (request: ApiRequest, fresh: () => string): string => {
  const sent = request.headers["request-id"]
  return sent !== undefined && uuid.test(sent) ? sent : fresh()
}

/** The headers that every answer of the API carries. `now` and `startedAt` are milliseconds since the epoch. */
export const withCommonHeaders = (answer: ApiAnswer, requestId: string, startedAt: number, now: number): ApiAnswer => ({
  ...answer,
  headers: {
    "Request-Id": requestId,
    "X-Api-Time": new Date(now).toISOString(),
    "X-Api-Nanoseconds-Time": `${now}000000`,
    "X-Api-Process-Time": `${(now - startedAt) * 1_000_000}`,
    Etag: `${Math.floor(now / 1000)}`,
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Allow-Methods": "GET,OPTIONS,PUT,POST,DELETE",
    "Access-Control-Allow-Headers":
      "Accept, Origin, Referer, User-Agent, Content-Type, Authorization, Session-Token, Last-Event-Id, If-Modified-Since, Content-Disposition",
    "Access-Control-Expose-Headers":
      "Accept, Origin, Referer, User-Agent, Content-Type, Authorization, Session-Token, Last-Event-Id, ETag, Content-Disposition",
    ...answer.headers
  }
})
