/** Signin, CDN address, heartbeat and worker list of a V2 hatchery (cds-contract 2.3, 2.5, 3, 6.1). */
import { Effect, Schema } from "effect"
import type { Queue } from "effect"
import { bodyOf, cdnOf, checkSignin, hatcheryOf, heartbeatOf, listOrNull } from "../Call.ts"
import type { Call, Route } from "../Call.ts"
import { json, noContent } from "../Exchange.ts"
import { eventOsArch, hatcheryToWire } from "../Hatchery.ts"
import type { HatcheryRecord } from "../Hatchery.ts"
import { tokenFlaw } from "../Identity.ts"
import { encodePublicKey } from "../Keys.ts"
import { refuse } from "../Refusal.ts"
import type { Refusal } from "../Refusal.ts"
import type { Joined, SocketFrame } from "../Sockets.ts"
import { workerToWire } from "../Worker.ts"

/** The API announces itself as this version. */
const apiVersion = "0.57.0"

const SigninBody = Schema.Struct({
  token: Schema.String,
  name: Schema.String,
  type: Schema.String,
  http_url: Schema.optionalKey(Schema.String),
  config: Schema.optionalKey(Schema.Unknown),
  public_key: Schema.String,
  version: Schema.optionalKey(Schema.String)
})

const signin = Effect.fnUntraced(function* (call: Call) {
  const { state, now } = call
  const body = yield* bodyOf(call, SigninBody)
  checkSignin(call, body.name, body.public_key)
  const hatchery = [...state.hatcheries.values()].find((known) => known.token === body.token)
  if (hatchery === undefined) return yield* refuse("forbidden", "unknown token")
  const flaw = tokenFlaw(body.token, "signinHatcheryConsumerToken", now)
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

const cdn = (call: Call) => Effect.andThen(hatcheryOf(call), cdnOf(call))

const heartbeat = Effect.fnUntraced(function* (call: Call) {
  const hatchery: HatcheryRecord = yield* hatcheryOf(call)
  hatchery.statusLines = yield* heartbeatOf(call)
  hatchery.lastHeartbeatAt = call.now
  return noContent
})

const workers = Effect.fnUntraced(function* (call: Call) {
  const hatchery = yield* hatcheryOf(call)
  const own = [...call.state.workers.values()].filter((worker) => worker.hatcheryId === hatchery.id)
  return json(listOrNull(own.map(workerToWire), true))
})

/** Without an upgrade there is nothing to read here; `Pipeline.upgrade` does the work of one that asks. */
const socket = () => Effect.fail(refuse("upgradeRequired"))

/** A client of `/v2/hatchery/ws`: region, type and architectures are those of the moment (cds-contract 4.6). */
export const joinV2 = (call: Call, frames: Queue.Queue<SocketFrame>): Effect.Effect<Joined, Refusal> =>
  Effect.map(hatcheryOf(call), (hatchery) => {
    const { region, modelType } = hatchery
    const osArch = eventOsArch(hatchery)
    return call.state.sockets.join({
      frames,
      wants: (job) => job.region === region && job.model.type === modelType && osArch.includes(job.model.osArch)
    })
  })

export const hatcheryRoutes: ReadonlyArray<Route> = [
  { method: "POST", pattern: "/v2/auth/consumer/hatchery/signin", handler: signin },
  { method: "GET", pattern: "/v2/config/cdn", handler: cdn },
  { method: "POST", pattern: "/v2/hatchery/heartbeat", handler: heartbeat },
  { method: "GET", pattern: "/v2/hatchery/ws", handler: socket },
  { method: "GET", pattern: "/v2/worker", handler: workers }
]
