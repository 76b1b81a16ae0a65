/** How a stand-in worker speaks to the API, V1 or V2, and how it spends its time. */
import { Data, Effect, Schema } from "effect"
import { HttpClientRequest } from "effect/http"
import type { HttpClient } from "effect/http"

/** How one worker behaves; a plain worker has none of these. */
export interface Behaviour {
  /** It starts and never signs in. */
  readonly neverRegisters?: boolean
  /** It waits this long before it signs in. */
  readonly startMs?: number
  /** Its process dies this long after it took the job: no result, no signout, exit code 137. */
  readonly diesAfterMs?: number
  /** It falls silent this long after it took the job and never ends. */
  readonly hangsAfterMs?: number
  /** Overrides what the job says. */
  readonly outcome?: "Success" | "Fail"
}

/** The worker gives up, with a line for its log. */
export class GaveUp extends Data.TaggedError("GaveUp")<{ readonly exitCode: number; readonly line: string }> {}

/** What a worker says of itself when it signs in. */
export const capabilities = { BinaryCapabilities: ["git"], Version: "simulated", OS: "linux", Arch: "amd64" }

export interface Reply {
  readonly status: number
  readonly session: string | undefined
  readonly body: string
}

export const attempts = 3

const noReply: Reply = { status: 0, session: undefined, body: "" }

/** Calls; a cut connection, 409 and 5xx are tried again a second later, three times in all. Status 0 means no answer at all. */
export const caller = (client: HttpClient.HttpClient, baseUrl: string) => {
  const send = Effect.fnUntraced(function* (request: HttpClientRequest.HttpClientRequest) {
    let reply = noReply
    for (let attempt = 1; attempt <= attempts; attempt++) {
      reply = yield* client.execute(request).pipe(
        Effect.flatMap((answer) =>
          Effect.map(answer.text, (text): Reply => ({
            status: answer.status,
            session: answer.headers["x-cds-jwt"],
            body: text
          }))
        ),
        Effect.orElseSucceed(() => noReply)
      )
      if (reply.status !== 0 && reply.status !== 409 && reply.status < 500) return reply
      if (attempt < attempts) yield* Effect.sleep(1_000)
    }
    return reply
  })
  return {
    get: (path: string, token: string) =>
      send(HttpClientRequest.get(`${baseUrl}${path}`).pipe(HttpClientRequest.bearerToken(token))),
    post: (path: string, token: string, body: unknown) =>
      send(
        HttpClientRequest.post(`${baseUrl}${path}`).pipe(
          HttpClientRequest.bodyText(JSON.stringify(body), "application/json"),
          HttpClientRequest.bearerToken(token)
        )
      )
  }
}

export type Caller = ReturnType<typeof caller>

/** The reply where the API said yes. */
export const asked = <E>(step: string, call: Effect.Effect<Reply, E>): Effect.Effect<Reply, E | GaveUp> =>
  Effect.filterOrFail(
    call,
    ({ status }) => status >= 200 && status < 300,
    ({ status, body }) => new GaveUp({ exitCode: 1, line: `${step} was refused: ${status} ${body}` })
  )

/** What the simulated API adds to the answer of a take. */
const Taken = Schema.fromJsonString(
  Schema.Struct({
    simulation: Schema.Struct({
      outcome: Schema.Literals(["Success", "Fail"]),
      beats: Schema.Int,
      beat_seconds: Schema.Finite,
      rest_seconds: Schema.Finite
    })
  })
)
export type Plan = (typeof Taken.Type)["simulation"]

export const planOf = (taken: Reply): Effect.Effect<Plan, GaveUp> =>
  Schema.decodeEffect(Taken)(taken.body).pipe(
    Effect.map(({ simulation }) => simulation),
    Effect.mapError(
      ({ message }) => new GaveUp({ exitCode: 1, line: `the answer to the take cannot be read: ${message}` })
    )
  )

/** Works until the job is done; false when a beat says that the job has ended without us. */
const work = Effect.fnUntraced(function* (plan: Plan, beat: Effect.Effect<boolean>) {
  for (let n = 0; n < plan.beats; n++) {
    yield* Effect.sleep(plan.beat_seconds * 1000)
    if (!(yield* beat)) return false
  }
  yield* Effect.sleep(plan.rest_seconds * 1000)
  return true
})

/** Works as planned unless the behaviour has another end for it; `beat` tells whether the job is still ours. */
export const endure = (
  plan: Plan,
  beat: Effect.Effect<boolean>,
  behaviour: Behaviour
): Effect.Effect<boolean, GaveUp> => {
  const working = work(plan, beat)
  const { diesAfterMs, hangsAfterMs } = behaviour
  if (diesAfterMs !== undefined) {
    const dies = () => Effect.fail(new GaveUp({ exitCode: 137, line: "killed" }))
    return Effect.timeoutOrElse(working, { duration: diesAfterMs, orElse: dies })
  }
  return hangsAfterMs === undefined
    ? working
    : Effect.timeoutOrElse(working, { duration: hangsAfterMs, orElse: () => Effect.never })
}
