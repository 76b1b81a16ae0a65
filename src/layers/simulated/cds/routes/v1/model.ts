/** Worker models: those of V1, their secrets, bookings and errors, and V2 models as code for V1 jobs (cds-contract 7). */
import { Effect, Schema } from "effect"
import { bodyOf, hatcheryOf, listOrNull } from "../../Call.ts"
import type { Call, Route } from "../../Call.ts"
import { json, noContent } from "../../Exchange.ts"
import { refuse } from "../../Refusal.ts"
import { serviceOf, workerOf } from "../../v1/Call.ts"
import { modelAsCodeToWire, modelToWire, secretsToWire, sharedInfra } from "../../v1/Model.ts"
import type { ModelRecord } from "../../v1/Model.ts"

const wireOf = ({ state }: Call, model: ModelRecord) => modelToWire(model, state.v1.groups.of(model.draft.group))

const enabled = Effect.fnUntraced(function* (call: Call) {
  const { consumer } = yield* serviceOf(call)
  const { v1, switches } = call.state
  const usable = ({ draft: { group, restricted, disabled } }: ModelRecord) =>
    !disabled && (consumer.groups.includes(group) || (consumer.groups.includes(sharedInfra) && !restricted))
  const models = [...v1.models.values()]
    .filter(usable)
    .toSorted((a, b) => (a.draft.name < b.draft.name ? -1 : 1))
    .map((model) => wireOf(call, model))
  return json(listOrNull(models, switches.nullLists))
})

/** A worker that registers its model reads all of them. */
const all = Effect.fnUntraced(function* (call: Call) {
  yield* workerOf(call)
  return json([...call.state.v1.models.values()].map((model) => wireOf(call, model)))
})

/** The hatchery that calls and the model of the path: 404 when there is none. */
const serviceAndModel = Effect.fnUntraced(function* (call: Call) {
  const service = yield* serviceOf(call)
  const model = call.state.v1.modelByPath(call.params["group"] ?? "", call.params["name"] ?? "")
  return model === undefined ? yield* refuse("notFound", "no such model") : { service, model }
})

const read = (call: Call) => Effect.map(serviceAndModel(call), ({ model }) => json(wireOf(call, model)))

const secret = (call: Call) =>
  Effect.map(serviceAndModel(call), ({ model }) =>
    json(listOrNull(secretsToWire(model), call.state.switches.nullLists))
  )

const book = Effect.fnUntraced(function* (call: Call) {
  const { state, now } = call
  const { service, model } = yield* serviceAndModel(call)
  if (model.booking !== undefined && now < model.booking.until) {
    return yield* refuse("modelBooked", `booked by service ${model.booking.serviceId}`)
  }
  model.booking = { serviceId: service.id, until: now + state.options.timings.modelBookingMs }
  return noContent
})

const ErrorBody = Schema.Struct({
  Error: Schema.optionalKey(Schema.String),
  Logs: Schema.optionalKey(Schema.NullOr(Schema.String))
})

const spawnError = Effect.fnUntraced(function* (call: Call) {
  const { model } = yield* serviceAndModel(call)
  const { Error: error = "", Logs: logs } = yield* bodyOf(call, ErrorBody)
  const log = Buffer.from(logs ?? "", "base64").toString("utf8")
  if (error === "" && log === "") return noContent
  model.spawnErrors = [...model.spawnErrors, { at: call.now, error, log }]
  model.booking = undefined
  return json(null)
})

const asCode = Effect.fnUntraced(function* (call: Call) {
  yield* hatcheryOf(call)
  const { project, vcs, repository, name } = call.params
  const model = call.state.v1.modelsAsCode.get([project, vcs, repository, name].join("/"))
  const branch = call.query.get("tag") ?? call.query.get("branch") ?? ""
  if (model === undefined || (branch !== "" && branch !== model.branch))
    return yield* refuse("notFound", "no such model")
  return json(modelAsCodeToWire(model, call.query.get("withSecrets") === "true"))
})

const model = "/worker/model/:group/:name"

export const modelRoutesV1: ReadonlyArray<Route> = [
  { method: "GET", pattern: "/worker/model", handler: all },
  { method: "GET", pattern: "/worker/model/enabled", handler: enabled },
  { method: "GET", pattern: model, handler: read },
  { method: "GET", pattern: `${model}/secret`, handler: secret },
  { method: "PUT", pattern: `${model}/book`, handler: book },
  { method: "PUT", pattern: `${model}/error`, handler: spawnError },
  {
    method: "GET",
    pattern: "/v2/project/:project/vcs/:vcs/repository/:repository/workermodel/:name",
    handler: asCode
  }
]
