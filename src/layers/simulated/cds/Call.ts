/** A request as a route sees it, and the checks that most routes begin with. */
import { Effect, Option, Schema } from "effect"
import { json } from "./Exchange.ts"
import type { ApiAnswer, ApiRequest } from "./Exchange.ts"
import type { HatcheryRecord } from "./Hatchery.ts"
import { jobToWire } from "./Job.ts"
import type { JobRecord } from "./Job.ts"
import { decodePublicKey, readToken, verifyJwt } from "./Keys.ts"
import { Refusal, refuse } from "./Refusal.ts"
import type { RouteOf } from "./Router.ts"
import type { State } from "./State.ts"
import type { WorkerRecord } from "./Worker.ts"

export interface Call {
  readonly state: State
  readonly request: ApiRequest
  /** The named parts of the path. */
  readonly params: Readonly<Record<string, string>>
  readonly query: URLSearchParams
  /** Milliseconds since the epoch. */
  readonly now: number
  /** When it came in: the same, unless a fault held it up. What happened since its caller could not know. */
  readonly sentAt: number
}

export type Handler = (call: Call) => Effect.Effect<ApiAnswer, Refusal>

export type Route = RouteOf<Handler>

/** Layout of `Date` and `X-CDS-RemoteTime`: `2 Jan 2026 03:04:05 +0000` (cds-contract 0.1). */
const remoteTime = /^\d{1,2} [A-Z][a-z]{2} \d{4} \d{2}:\d{2}:\d{2} [+-]\d{4}$/

export const checkHeaders = (call: Call, hatcheryName: string): void => {
  const { headers, method, url } = call.request
  const upgrade = headers["upgrade"] !== undefined
  const date = headers["date"] ?? ""
  const wrong = [
    ...(upgrade || headers["content-type"] === "application/json" ? [] : ["Content-Type is not application/json"]),
    ...(remoteTime.test(date) ? [] : [`Date is "${date}"`]),
    ...(headers["x-cds-remotetime"] === date ? [] : ["X-CDS-RemoteTime is not Date"])
  ]
  if (wrong.length > 0) {
    call.state.violate(call.now, "headers", hatcheryName, `${method} ${url}: ${wrong.join(", ")}`)
  }
}

/** The hatchery that calls: 401 without a session, 403 for a worker's. */
export const hatcheryOf = (call: Call): Effect.Effect<HatcheryRecord, Refusal> => {
  const session = call.state.sessions.of(call.request.headers["authorization"], call.now)
  if (session instanceof Refusal) return Effect.fail(session)
  if (session.holder.kind !== "hatchery") return Effect.fail(refuse("forbidden"))
  const hatchery = call.state.hatcheries.get(session.holder.hatcheryName)
  if (hatchery === undefined) return Effect.fail(refuse("unauthenticated"))
  checkHeaders(call, hatchery.name)
  return Effect.succeed(hatchery)
}

/** The worker that calls: 401 without a session or after it was deleted, 403 for a hatchery's. */
export const workerOf = (call: Call): Effect.Effect<WorkerRecord, Refusal> => {
  const session = call.state.sessions.of(call.request.headers["authorization"], call.now)
  if (session instanceof Refusal) return Effect.fail(session)
  if (session.holder.kind !== "worker") return Effect.fail(refuse("forbidden"))
  const worker = call.state.workers.get(session.holder.workerId)
  return worker === undefined ? Effect.fail(refuse("unauthenticated")) : Effect.succeed(worker)
}

/** True when the session of the call is a worker's. */
export const isWorkerCall = (call: Call): boolean => {
  const session = call.state.sessions.of(call.request.headers["authorization"], call.now)
  return !(session instanceof Refusal) && session.holder.kind === "worker"
}

/** The hatchery that calls, granted on the region of the path: 404 for a region nobody knows, 403 for another one. */
export const grantedHatchery = (call: Call): Effect.Effect<HatcheryRecord, Refusal> =>
  Effect.flatMap(hatcheryOf(call), (hatchery) => {
    const region = call.params["region"]
    if (hatchery.region === region) return Effect.succeed(hatchery)
    const known =
      [...call.state.hatcheries.values()].some((other) => other.region === region) ||
      [...call.state.jobs.values()].some((job) => job.region === region)
    return Effect.fail(refuse(known ? "forbidden" : "notFound", `region ${region}`))
  })

/** The job of the path: 404 when there is none. */
export const jobOf = (call: Call): Effect.Effect<JobRecord, Refusal> => {
  const job = call.state.jobs.get(call.params["id"] ?? "")
  return job === undefined ? Effect.fail(refuse("notFound")) : Effect.succeed(job)
}

export const wireOf = (call: Call, job: JobRecord) => jobToWire(job, call.state.switches.runsOn)

/** The body decoded: 400 id 74 when it is not JSON of that shape. */
export const bodyOf = <A>(call: Call, schema: Schema.Codec<A, unknown>): Effect.Effect<A, Refusal> =>
  Schema.decodeEffect(Schema.fromJsonString(schema))(call.request.body ?? "").pipe(
    Effect.mapError((error) => refuse("wrongRequest", error.message))
  )

/** What a signin must not carry, and the key that it must. */
export const checkSignin = (call: Call, hatcheryName: string, publicKey: string): void => {
  if (call.request.headers["authorization"] !== undefined) {
    call.state.violate(call.now, "authorization-on-signin", hatcheryName, "signin carries an Authorization header")
  }
  if (decodePublicKey(publicKey) === undefined) {
    call.state.violate(call.now, "public-key", hatcheryName, "public_key is not base64 of a PKCS#1 PEM")
  }
}

/** What a worker says of itself when it signs in. */
export const WorkerSignin = Schema.Struct({
  BinaryCapabilities: Schema.optionalKey(Schema.NullOr(Schema.Array(Schema.String))),
  Version: Schema.optionalKey(Schema.String),
  OS: Schema.optionalKey(Schema.String),
  Arch: Schema.optionalKey(Schema.String)
})

/** The claims of a worker's token, and the proof that the hatchery with this key signed it and that it is still valid: 401 otherwise. */
export const workerTokenOf = Effect.fnUntraced(function* <A>(call: Call, claims: Schema.Codec<A, unknown>) {
  const authorization = call.request.headers["authorization"] ?? ""
  const token = authorization.startsWith("Bearer ") ? authorization.slice("Bearer ".length) : ""
  const payload = Schema.Struct({ exp: Schema.Finite, Worker: claims })
  const read = Option.getOrUndefined(Schema.decodeUnknownOption(payload)(readToken(token)?.payload))
  if (read === undefined) return yield* refuse("unauthenticated", "not a worker token")
  const verify = (publicKey: string): Effect.Effect<void, Refusal> => {
    const key = decodePublicKey(publicKey)
    if (key === undefined || !verifyJwt(key, token)) {
      return Effect.fail(refuse("unauthenticated", "the signature is not valid"))
    }
    return read.exp * 1000 <= call.now ? Effect.fail(refuse("unauthenticated", "the token has expired")) : Effect.void
  }
  return { Worker: read.Worker, verify }
})

const HeartbeatBody = Schema.Struct({
  now: Schema.String,
  lines: Schema.NullOr(
    Schema.Array(
      Schema.Struct({
        status: Schema.Literals(["OK", "WARN", "AL"]),
        component: Schema.String,
        value: Schema.String
      })
    )
  )
})

/** The lines of a heartbeat. */
export const heartbeatOf = (call: Call) => Effect.map(bodyOf(call, HeartbeatBody), ({ lines }) => lines ?? [])

/** The CDN's address: 404 while none is registered (cds-contract 2.5). */
export const cdnOf = ({ state }: Call): Effect.Effect<ApiAnswer, Refusal> => {
  if (!state.switches.cdn) return Effect.fail(refuse("notFound", "no cdn service is registered"))
  const { httpUrl, tcpUrl, tcpTls } = state.options.cdn
  return Effect.succeed(json({ tcp_url: tcpUrl, tcp_url_enable_tls: tcpTls, http_url: httpUrl }))
}

/** An empty list is `[]`, except where the API writes a nil slice. */
export const listOrNull = <A>(list: ReadonlyArray<A>, asNull: boolean): ReadonlyArray<A> | null =>
  asNull && list.length === 0 ? null : list
