/** The control port of the front: JSON over HTTP, by which another process orders jobs, sets faults and reads the state. */
import { Clock, Effect, Schema } from "effect"
import { refusal } from "../ControlGuard.ts"
import { json, noContent, refusalAnswer } from "./Exchange.ts"
import type { ApiAnswer, ApiRequest } from "./Exchange.ts"
import { Fault, Switches } from "./Knobs.ts"
import { JobOrder } from "./Order.ts"
import { refuse } from "./Refusal.ts"
import type { Refusal } from "./Refusal.ts"
import { makeRouter } from "./Router.ts"
import type { SimCds } from "./SimCds.ts"
import { JobOrderV1, ModelAsCodeOrder, ModelOrder } from "./v1/Order.ts"
import { serviceToWire } from "./v1/Service.ts"
import { workerToWire as workerV1ToWire } from "./v1/Worker.ts"
import { workerToWire } from "./Worker.ts"

interface ControlCall {
  readonly api: SimCds
  readonly params: Readonly<Record<string, string>>
  readonly body: string | undefined
}

type ControlHandler = (call: ControlCall) => Effect.Effect<ApiAnswer, Refusal>

const bodyAs =
  <A>(
    schema: Schema.Codec<A, unknown>,
    use: (call: ControlCall, value: A) => Effect.Effect<ApiAnswer>
  ): ControlHandler =>
  (call) =>
    Schema.decodeEffect(Schema.fromJsonString(schema), { onExcessProperty: "error" })(call.body ?? "{}").pipe(
      Effect.mapError((error) => refuse("wrongRequest", error.message)),
      Effect.flatMap((value) => use(call, value))
    )

const done = (effect: Effect.Effect<unknown>): Effect.Effect<ApiAnswer> => Effect.as(effect, noContent)

const state: ControlHandler = Effect.fnUntraced(function* ({ api }) {
  const hatcheries = [...api.state.hatcheries.values()].map(
    ({ name, region, modelType, signins, lastHeartbeatAt, statusLines, config }) => ({
      name,
      region,
      modelType,
      signins,
      lastHeartbeatAt,
      statusLines,
      config
    })
  )
  return json({
    now: yield* Clock.currentTimeMillis,
    counts: yield* api.counts,
    delays: yield* api.delays,
    violations: yield* api.violations,
    hatcheries,
    workers: [...api.state.workers.values()].map(workerToWire),
    sockets: api.state.sockets.count,
    v1: {
      services: [...api.state.v1.services.values()].map(serviceToWire),
      workers: [...api.state.v1.workers.values()].map((worker) =>
        workerV1ToWire(worker, api.state.v1.models.get(worker.modelId ?? 0)?.draft.name)
      ),
      models: [...api.state.v1.models.values()],
      sockets: api.state.v1.sockets.count
    }
  })
})

const job: ControlHandler = ({ api, params }) =>
  Effect.flatMap(api.job(params["id"] ?? ""), (view) =>
    view === undefined ? Effect.fail(refuse("notFound")) : Effect.succeed(json(view))
  )

const onJob =
  (change: (api: SimCds, id: string) => Effect.Effect<void>): ControlHandler =>
  ({ api, params }) =>
    done(change(api, params["id"] ?? ""))

const enqueue = bodyAs(JobOrder, ({ api }, order) => Effect.map(api.enqueue(order), (ids) => json({ ids })))

const enqueueV1 = bodyAs(JobOrderV1, ({ api }, order) => Effect.map(api.enqueueV1(order), (ids) => json({ ids })))

const setSwitches = bodyAs(
  Schema.Struct({
    cdn: Schema.optionalKey(Switches.fields.cdn),
    nullLists: Schema.optionalKey(Switches.fields.nullLists),
    runsOn: Schema.optionalKey(Switches.fields.runsOn),
    eventCopies: Schema.optionalKey(Switches.fields.eventCopies),
    koFilters: Schema.optionalKey(Switches.fields.koFilters)
  }),
  ({ api }, switches) => done(api.set(switches))
)

const endSockets = bodyAs(
  Schema.Struct({ how: Schema.Union([Schema.Int, Schema.Literal("drop")]) }),
  ({ api }, { how }) => done(api.endSockets(how))
)

const moveHatchery = bodyAs(Schema.Struct({ region: Schema.String }), ({ api, params }, { region }) =>
  done(api.moveHatchery(params["name"] ?? "", region))
)

const routes: ReadonlyArray<{ readonly method: string; readonly pattern: string; readonly handler: ControlHandler }> = [
  { method: "GET", pattern: "/state", handler: state },
  { method: "GET", pattern: "/identities", handler: ({ api }) => Effect.succeed(json(api.identities)) },
  { method: "GET", pattern: "/jobs", handler: ({ api }) => Effect.map(api.jobs, (jobs) => json(jobs)) },
  { method: "POST", pattern: "/jobs", handler: enqueue },
  { method: "POST", pattern: "/v1/jobs", handler: enqueueV1 },
  { method: "POST", pattern: "/v1/models", handler: bodyAs(ModelOrder, ({ api }, order) => done(api.addModel(order))) },
  {
    method: "POST",
    pattern: "/v1/models-as-code",
    handler: bodyAs(ModelAsCodeOrder, ({ api }, order) => done(api.addModelAsCode(order)))
  },
  {
    method: "DELETE",
    pattern: "/v1/services/:name",
    handler: ({ api, params }) => done(api.deleteService(params["name"] ?? ""))
  },
  { method: "GET", pattern: "/jobs/:id", handler: job },
  { method: "POST", pattern: "/jobs/:id/stop", handler: onJob((api, id) => api.stop(id)) },
  { method: "POST", pattern: "/jobs/:id/lock", handler: onJob((api, id) => api.holdTakeLock(id)) },
  { method: "POST", pattern: "/jobs/:id/event", handler: onJob((api, id) => api.resendEvent(id)) },
  { method: "POST", pattern: "/fault", handler: bodyAs(Fault, ({ api }, fault) => done(api.fault(fault))) },
  { method: "DELETE", pattern: "/fault", handler: ({ api }) => done(api.clearFaults) },
  { method: "POST", pattern: "/switches", handler: setSwitches },
  { method: "POST", pattern: "/sockets/end", handler: endSockets },
  { method: "POST", pattern: "/sessions/revoke", handler: ({ api }) => done(api.revokeSessions) },
  {
    method: "POST",
    pattern: "/workers/:name/disable",
    handler: ({ api, params }) => done(api.disableWorker(params["name"] ?? ""))
  },
  { method: "POST", pattern: "/hatcheries/:name/region", handler: moveHatchery }
]

/** The request as it is behind the key. */
const behind = (key: string, request: ApiRequest): Effect.Effect<ApiRequest, Refusal> => {
  const reason = refusal(request.headers)
  if (reason !== undefined) return Effect.fail(refuse("forbidden", reason))
  return request.url.startsWith(`/${key}/`)
    ? Effect.succeed({ ...request, url: request.url.slice(key.length + 1) })
    : Effect.fail(refuse("notFound"))
}

/** Answers one request of the control port, whose paths stand behind `key`. Refusals have the API's own error shape. */
export const makeControl = (api: SimCds, key: string) => {
  const route = makeRouter(routes)
  return (request: ApiRequest): Effect.Effect<ApiAnswer> =>
    behind(key, request).pipe(
      Effect.flatMap(route),
      Effect.flatMap(({ handler, params }) => handler({ api, params, body: request.body })),
      Effect.catchTag("Refusal", (refused) => Effect.succeed(refusalAnswer(refused, api.state.options.uuid())))
    )
}
