/** One call of the CDS API: headers, deadline, attempts and the reading of errors (cds-contract 0.1 to 0.3). Knows no session. */
import { Clock, Data, Duration, Effect, Option, Result, Schema } from "effect"
import type { Redacted } from "effect"
import { HttpClient, HttpClientRequest } from "effect/http"
import type { HttpClientError, HttpMethod } from "effect/http"
import { CdsError } from "../../schema/Errors.ts"
import { scrub } from "../scrub.ts"
import { goTime } from "./GoTime.ts"
import { ErrorId, WireFailure } from "./wire/Failure.ts"

export interface Call {
  /** Names the call in errors: `take`, `release`, ... */
  readonly name: string
  readonly method: HttpMethod.HttpMethod
  /** From the first slash on, query included; sent as it stands. */
  readonly path: string
  /** Sent as JSON; undefined sends no body at all. */
  readonly body?: unknown
  /** Not sent again after an attempt that may have done its work: what it rests upon is to be read anew before. */
  readonly once?: true
}

export interface Answer {
  readonly status: number
  readonly headers: Readonly<Record<string, string | undefined>>
  readonly body: string
}

/** A call that did not go through. `uncertain`: one of its attempts may have done its work without our seeing the answer. */
export class CallFailed extends Data.TaggedError("CallFailed")<{
  readonly error: CdsError
  readonly uncertain: boolean
}> {}

export interface CdsHttp {
  readonly exchange: (call: Call, session: Redacted.Redacted<string> | undefined) => Effect.Effect<Answer, CallFailed>
}

const attempts = 3
const pause = Duration.millis(250)

/** The end of one attempt that has no usable answer. */
class AttemptFailed extends Data.TaggedError("AttemptFailed")<{
  readonly error: CdsError
  readonly again: boolean
  readonly uncertain: boolean
}> {}

/** The innermost reason that a person can use, e.g. `connect ECONNREFUSED 127.0.0.1:8081`. */
const transportReason = ({ reason }: HttpClientError.HttpClientError): string => {
  let cause: unknown = "cause" in reason ? reason.cause : undefined
  while (cause instanceof Error && cause.cause instanceof Error) cause = cause.cause
  return cause instanceof Error && cause.message !== "" ? cause.message : reason.message
}

const lost = (call: string, message: string) =>
  new AttemptFailed({ error: new CdsError({ call, kind: "unreachable", message }), again: true, uncertain: true })

/** What an error answer means. CDS's own id decides; an answer without one does not come from CDS but from something in between. */
const kindOf = (status: number, id: number | undefined): CdsError["kind"] => {
  if (status === 401 || id === ErrorId.unauthorized) return "unauthenticated"
  if (status >= 500) return "unreachable"
  if (id === undefined) return "malformed"
  return id === ErrorId.notFound ? "notFound" : "refused"
}

const decodeFailure = Schema.decodeOption(WireFailure)

/** Any answer that is no success. Redirections are not followed: nothing in CDS redirects. */
const refusal = (call: string, { status, body }: Answer): AttemptFailed => {
  const failure = decodeFailure(body).pipe(
    Option.filter(({ id }) => id !== 0),
    Option.getOrUndefined
  )
  const detail = failure?.from ? ` (${failure.from})` : ""
  return new AttemptFailed({
    error: new CdsError({
      call,
      kind: kindOf(status, failure?.id),
      status,
      ...(failure === undefined ? {} : { id: failure.id }),
      message: failure?.message ? `HTTP ${status}: ${scrub(failure.message + detail)}` : `HTTP ${status}`
    }),
    again: status === 409 || status >= 500,
    uncertain: status >= 500
  })
}

const request = (url: string, call: Call, session: Redacted.Redacted<string> | undefined, now: number) =>
  HttpClientRequest.make(call.method)(url).pipe(
    call.body === undefined ? (self) => self : HttpClientRequest.bodyText(JSON.stringify(call.body)),
    HttpClientRequest.setHeaders({
      "content-type": "application/json",
      date: goTime(now),
      "x-cds-remotetime": goTime(now)
    }),
    session === undefined ? (self) => self : HttpClientRequest.bearerToken(session)
  )

/** `apiUrl` without a path's slash at its end; `timeoutMs` bounds each attempt as a whole, the reading of the answer included. */
export const make = (apiUrl: string, timeoutMs: number): Effect.Effect<CdsHttp, never, HttpClient.HttpClient> =>
  Effect.gen(function* () {
    const client = yield* HttpClient.HttpClient
    const base = apiUrl.replace(/\/+$/, "")

    const attempt = Effect.fnUntraced(function* (call: Call, session: Redacted.Redacted<string> | undefined) {
      const now = yield* Clock.currentTimeMillis
      const answer = yield* client.execute(request(base + call.path, call, session, now)).pipe(
        Effect.flatMap((response) =>
          Effect.map(response.text, (body): Answer => ({ status: response.status, headers: response.headers, body }))
        ),
        Effect.mapError((error) => lost(call.name, transportReason(error))),
        Effect.timeoutOrElse({
          duration: timeoutMs,
          orElse: () => Effect.fail(lost(call.name, `no answer within ${timeoutMs} ms`))
        })
      )
      if (answer.status >= 300) return yield* refusal(call.name, answer)
      return answer
    })

    const exchange = Effect.fnUntraced(function* (call: Call, session: Redacted.Redacted<string> | undefined) {
      let uncertain = false
      for (let left = attempts - 1; ; left--) {
        const result = yield* Effect.result(attempt(call, session))
        if (Result.isSuccess(result)) return result.success
        uncertain ||= result.failure.uncertain
        const enough = left === 0 || (call.once === true && uncertain)
        if (enough || !result.failure.again) {
          return yield* new CallFailed({ error: result.failure.error, uncertain })
        }
        yield* Effect.sleep(pause)
      }
    })

    return { exchange }
  })
