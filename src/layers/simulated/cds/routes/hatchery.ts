/** Signin, CDN address, heartbeat and worker list of a V2 hatchery (cds-contract 2.3, 2.5, 3, 6.1). */
import { Effect, Option, Schema } from "effect"
import { bodyOf, hatcheryOf, listOrNull } from "../Call.ts"
import type { Call, Route } from "../Call.ts"
import { json, noContent } from "../Exchange.ts"
import { hatcheryToWire } from "../Hatchery.ts"
import type { HatcheryRecord } from "../Hatchery.ts"
import { decodePublicKey, encodePublicKey, readToken } from "../Keys.ts"
import { refuse } from "../Refusal.ts"
import { workerToWire } from "../Worker.ts"

/** The API announces itself as this version. */
export const apiVersion = "0.57.0"

const SigninBody = Schema.Struct({
  token: Schema.String,
  name: Schema.String,
  type: Schema.String,
  http_url: Schema.optionalKey(Schema.String),
  config: Schema.optionalKey(Schema.Unknown),
  public_key: Schema.String,
  version: Schema.optionalKey(Schema.String)
})

const TokenPayload = Schema.Struct({ type: Schema.String, expire: Schema.Finite })

/** Why a consumer token is not accepted now; undefined when it is. A token that is no JWS at all has no expiry to look at. */
const tokenFlaw = (token: string, now: number): string | undefined => {
  const payload = Option.getOrUndefined(Schema.decodeUnknownOption(TokenPayload)(readToken(token)?.payload))
  if (payload === undefined) return undefined
  if (payload.type !== "signinHatcheryConsumerToken") return `token is of type ${payload.type}`
  return payload.expire > 0 && payload.expire * 1000 <= now ? "token has expired" : undefined
}

const checkSignin = (call: Call, body: typeof SigninBody.Type) => {
  const { headers } = call.request
  if (headers["authorization"] !== undefined) {
    call.state.violate(call.now, "authorization-on-signin", body.name, "signin carries an Authorization header")
  }
  if (decodePublicKey(body.public_key) === undefined) {
    call.state.violate(call.now, "public-key", body.name, "public_key is not base64 of a PKCS#1 PEM")
  }
}

const signin = Effect.fnUntraced(function* (call: Call) {
  const { state, now } = call
  const body = yield* bodyOf(call, SigninBody)
  checkSignin(call, body)
  const hatchery = [...state.hatcheries.values()].find((known) => known.token === body.token)
  if (hatchery === undefined) return yield* refuse("forbidden", "unknown token")
  const flaw = tokenFlaw(body.token, now)
  if (flaw !== undefined) return yield* refuse("forbidden", flaw)
  if (hatchery.name !== body.name) return yield* refuse("forbidden", `name "${body.name}" is not "${hatchery.name}"`)
  if (hatchery.region === "") return yield* refuse("forbidden", "no region is granted")
  hatchery.modelType = body.type
  hatchery.publicKey = body.public_key
  hatchery.httpUrl = body.http_url ?? ""
  hatchery.config = body.config ?? null
  hatchery.signins += 1
  const holder = { kind: "hatchery", hatcheryName: hatchery.name } as const
  const { keys, timings, uuid } = state.options
  const session = state.sessions.open(uuid(), hatchery.consumerId, holder, now, timings.sessionMs)
  return json(
    {
      up_to_date: body.version === apiVersion,
      api_url: state.apiUrl,
      token: session.token,
      hatchery: hatcheryToWire(hatchery),
      region: hatchery.region
    },
    {
      "X-Api-Pub-Signing-Key": encodePublicKey(keys.publicKey),
      "Set-Cookie": `jwt_token=${session.token}; Path=/; HttpOnly`
    }
  )
})

const cdn = Effect.fnUntraced(function* (call: Call) {
  yield* hatcheryOf(call)
  if (!call.state.switches.cdn) return yield* refuse("notFound", "no cdn service is registered")
  const { httpUrl, tcpUrl, tcpTls } = call.state.options.cdn
  return json({ tcp_url: tcpUrl, tcp_url_enable_tls: tcpTls, http_url: httpUrl })
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

const heartbeat = Effect.fnUntraced(function* (call: Call) {
  const hatchery: HatcheryRecord = yield* hatcheryOf(call)
  const body = yield* bodyOf(call, HeartbeatBody)
  hatchery.lastHeartbeatAt = call.now
  hatchery.statusLines = body.lines ?? []
  return noContent
})

const workers = Effect.fnUntraced(function* (call: Call) {
  const hatchery = yield* hatcheryOf(call)
  const own = [...call.state.workers.values()].filter((worker) => worker.hatcheryId === hatchery.id)
  return json(listOrNull(own.map(workerToWire), true))
})

/** Without an upgrade there is nothing to read here; `Pipeline.upgrade` does the work of one that asks. */
const socket = () => Effect.fail(refuse("upgradeRequired"))

export const hatcheryRoutes: ReadonlyArray<Route> = [
  { method: "POST", pattern: "/v2/auth/consumer/hatchery/signin", handler: signin },
  { method: "GET", pattern: "/v2/config/cdn", handler: cdn },
  { method: "POST", pattern: "/v2/hatchery/heartbeat", handler: heartbeat },
  { method: "GET", pattern: "/v2/hatchery/ws", handler: socket },
  { method: "GET", pattern: "/v2/worker", handler: workers }
]
