/** Signin, signout, heartbeat, CDN address, socket and workers of a V1 hatchery (cds-contract 2.2, 2.5, 3, 6.1). */
import { Effect, Schema } from "effect"
import { bodyOf, cdnOf, checkSignin, heartbeatOf, listOrNull } from "../../Call.ts"
import type { Call, Route } from "../../Call.ts"
import { json, noContent } from "../../Exchange.ts"
import { tokenFlaw } from "../../Identity.ts"
import { encodePublicKey } from "../../Keys.ts"
import { refuse } from "../../Refusal.ts"
import { consumerOf, serviceOf } from "../../v1/Call.ts"
import { serviceToWire } from "../../v1/Service.ts"
import type { ConsumerRecord } from "../../v1/Service.ts"
import { workerToWire } from "../../v1/Worker.ts"

const SigninBody = Schema.Struct({
  token: Schema.String,
  service: Schema.Struct({
    name: Schema.String,
    type: Schema.String,
    http_url: Schema.optionalKey(Schema.String),
    config: Schema.optionalKey(Schema.Unknown),
    public_key: Schema.String,
    region: Schema.optionalKey(Schema.NullOr(Schema.String)),
    ignore_job_with_no_region: Schema.optionalKey(Schema.NullOr(Schema.Boolean))
  })
})

/** Why the consumer was not made for this service; undefined when it was. */
const mismatch = (consumer: ConsumerRecord, service: (typeof SigninBody.Type)["service"]): string | undefined => {
  if (service.name !== consumer.name)
    return `service name "${service.name}" doesn't match with consumer "${consumer.name}"`
  if (service.type !== "hatchery") return `service type "${service.type}" doesn't match with consumer "hatchery"`
  const { region, ignoreJobWithNoRegion } = consumer
  if (region !== undefined && region !== service.region) {
    return `service region "${service.region ?? ""}" doesn't match with consumer "${region}"`
  }
  if (ignoreJobWithNoRegion !== undefined && ignoreJobWithNoRegion !== service.ignore_job_with_no_region) {
    return `service ignore job with no region flag doesn't match with consumer '${ignoreJobWithNoRegion}'`
  }
  return undefined
}

const signin = Effect.fnUntraced(function* (call: Call) {
  const { state, now } = call
  const body = yield* Effect.mapError(bodyOf(call, SigninBody), ({ from }) => refuse("forbidden", from))
  checkSignin(call, body.service.name, body.service.public_key)
  const consumer = [...state.v1.consumers.values()].find(({ token }) => token === body.token)
  if (consumer === undefined) return yield* refuse("forbidden", "unknown token")
  if (body.service.name === "") return yield* refuse("wrongRequest", "missing service name")
  const flaw = tokenFlaw(body.token, "signinBuiltinConsumerToken", now) ?? mismatch(consumer, body.service)
  if (flaw !== undefined) return yield* refuse("forbidden", flaw)
  const service = state.v1.serviceOf(consumer, {
    region: body.service.region ?? null,
    ignoreJobWithNoRegion: body.service.ignore_job_with_no_region ?? null
  })
  service.publicKey = body.service.public_key
  service.httpUrl = body.service.http_url ?? ""
  service.config = body.service.config ?? null
  service.lastHeartbeatAt = now
  service.signins += 1
  const holder = { kind: "consumer", consumerId: consumer.id } as const
  const { keys, timings, uuid } = state.options
  const session = state.sessions.open(uuid(), consumer.id, holder, now, timings.sessionMs)
  return json(
    {
      api_url: state.apiUrl,
      token: session.token,
      user: {
        id: "00000000-0000-4000-8000-000000000000",
        created: "2026-01-01T00:00:00Z",
        username: "jane",
        fullname: "Jane",
        ring: "MAINTAINER",
        groups: null
      },
      service: serviceToWire(service)
    },
    {
      "X-Api-Pub-Signing-Key": encodePublicKey(keys.publicKey),
      "Set-Cookie": `jwt_token=${session.token}; Path=/; HttpOnly`
    }
  )
})

const signout = Effect.fnUntraced(function* (call: Call) {
  yield* consumerOf(call)
  call.state.sessions.end((call.request.headers["authorization"] ?? "").slice("Bearer ".length))
  return json(null)
})

/** 403 and not 401 when the service was deleted: only a signin makes it again. */
const heartbeat = Effect.fnUntraced(function* (call: Call) {
  const { id } = yield* consumerOf(call)
  const service = call.state.v1.services.get(id)
  if (service === undefined) return yield* refuse("forbidden", "no service")
  service.statusLines = yield* heartbeatOf(call)
  service.lastHeartbeatAt = call.now
  return noContent
})

const cdn = (call: Call) => Effect.andThen(consumerOf(call), cdnOf(call))

/** Without an upgrade there is nothing to read here; `Pipeline.upgrade` does the work of one that asks. */
const socket = () => Effect.fail(refuse("upgradeRequired"))

const workers = Effect.fnUntraced(function* (call: Call) {
  const service = yield* serviceOf(call)
  const { v1, switches } = call.state
  const own = [...v1.workers.values()]
    .filter(({ hatcheryId }) => hatcheryId === service.id)
    .toSorted((a, b) => (a.name < b.name ? -1 : 1))
    .map((worker) => workerToWire(worker, v1.models.get(worker.modelId ?? 0)?.draft.name))
  return json(listOrNull(own, switches.nullLists))
})

const disable = Effect.fnUntraced(function* (call: Call) {
  const service = yield* serviceOf(call)
  const worker = call.state.v1.workers.get(call.params["id"] ?? "")
  if (worker === undefined) return yield* refuse("notFound", "no such worker")
  if (worker.hatcheryId !== service.id) return yield* refuse("forbidden", "the worker is of another hatchery")
  call.state.v1.disable(worker, call.now)
  return noContent
})

export const hatcheryRoutesV1: ReadonlyArray<Route> = [
  { method: "POST", pattern: "/auth/consumer/builtin/signin", handler: signin },
  { method: "POST", pattern: "/auth/consumer/signout", handler: signout },
  { method: "POST", pattern: "/services/heartbeat", handler: heartbeat },
  { method: "GET", pattern: "/config/cdn", handler: cdn },
  { method: "GET", pattern: "/ws", handler: socket },
  { method: "GET", pattern: "/worker", handler: workers },
  { method: "POST", pattern: "/worker/:id/disable", handler: disable }
]
