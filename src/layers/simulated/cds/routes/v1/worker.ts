/** Signin, waiting, refresh and signout of a V1 worker (cds-contract 6.4, 8); its job is in the queue's routes. */
import { Effect, Schema } from "effect"
import { isFinal } from "../../../../../schema/Job.ts"
import { bodyOf, WorkerSignin, workerTokenOf } from "../../Call.ts"
import type { Call, Route } from "../../Call.ts"
import { json, noContent } from "../../Exchange.ts"
import { refuse } from "../../Refusal.ts"
import { sharesGroup, workerOf } from "../../v1/Call.ts"
import { sharedInfra } from "../../v1/Model.ts"
import type { ModelRecord } from "../../v1/Model.ts"
import type { ServiceRecord } from "../../v1/Service.ts"
import { workerToWire } from "../../v1/Worker.ts"
import type { WorkerRecordV1 } from "../../v1/Worker.ts"

const Claims = Schema.Struct({
  worker_model: Schema.NonEmptyString,
  model: Schema.Struct({ id: Schema.optionalKey(Schema.Int) }),
  job_id: Schema.optionalKey(Schema.Int),
  register_only: Schema.Boolean,
  hatchery_name: Schema.String
})

/** Every reason not to let a worker in is 401; 403 is a job that is not there. */
const denied = (reason: string) => refuse("unauthenticated", reason)

const modelOf = Effect.fnUntraced(function* (call: Call, service: ServiceRecord, claims: typeof Claims.Type) {
  const id = claims.model.id ?? 0
  if (id === 0) return claims.register_only ? yield* denied("no model to register") : undefined
  const model = call.state.v1.models.get(id)
  if (model === undefined) return yield* denied(`no model ${id}`)
  const { draft } = model
  const { groups } = service.consumer
  const mayUse = groups.includes(draft.group) || draft.group === sharedInfra || groups.includes(sharedInfra)
  if (!mayUse || (draft.restricted && !groups.includes(draft.group))) return yield* denied("the model is of others")
  return model
})

/** The job of the token, which the hatchery's groups and region, and the model's group, must fit. */
const jobOf = Effect.fnUntraced(function* (
  call: Call,
  { consumer }: ServiceRecord,
  id: number,
  model: ModelRecord | undefined
) {
  const job = call.state.v1.job(String(id), call.now)
  if (job === undefined) return yield* refuse("forbidden", `no job ${id}`)
  if (!sharesGroup(consumer, job)) return yield* denied("no group may run the job")
  if (model !== undefined && !job.execGroups.includes(model.draft.group)) return yield* denied("model of another group")
  const bound = consumer.region ?? ""
  if (bound !== "" && job.region !== bound && (job.region !== "" || consumer.ignoreJobWithNoRegion === true)) {
    return yield* denied("the job is of another region")
  }
  return job
})

const signin = Effect.fnUntraced(function* (call: Call) {
  const { state, now } = call
  const { Worker: claims, verify } = yield* workerTokenOf(call, Claims)
  const service = [...state.v1.services.values()].find(({ consumer }) => consumer.name === claims.hatchery_name)
  if (service === undefined) return yield* refuse("notFound", "unknown hatchery")
  yield* verify(service.publicKey)
  const jobId = claims.job_id ?? 0
  if (claims.register_only === jobId > 0) return yield* denied("a worker has either a job or a model to register")
  const model = yield* modelOf(call, service, claims)
  const job = jobId > 0 ? yield* jobOf(call, service, jobId, model) : undefined
  const body = yield* bodyOf(call, WorkerSignin)
  const worker: WorkerRecordV1 = {
    id: state.options.uuid(),
    name: claims.worker_model,
    modelId: model?.id,
    jobId: job?.id ?? "",
    hatcheryId: service.id,
    hatcheryName: service.consumer.name,
    version: body.Version ?? "",
    os: body.OS ?? "",
    arch: body.Arch ?? "",
    status: "Waiting",
    lastBeatAt: now
  }
  state.v1.workers.set(worker.id, worker)
  const binaries = body.BinaryCapabilities ?? []
  if (claims.register_only && model !== undefined && binaries.length > 0) {
    state.v1.registered(model, binaries, worker.os, worker.arch, now)
  }
  const holder = { kind: "workerV1", workerId: worker.id } as const
  const session = state.sessions.open(
    state.options.uuid(),
    worker.id,
    holder,
    now,
    state.options.timings.workerSessionMs
  )
  return json(workerToWire(worker, model?.draft.name), { "X-CDS-JWT": session.token })
})

const waiting = Effect.fnUntraced(function* (call: Call) {
  const worker = yield* workerOf(call)
  if (worker.status === "Building") worker.status = "Waiting"
  return noContent
})

const refresh = Effect.fnUntraced(function* (call: Call) {
  const worker = yield* workerOf(call)
  const job = call.state.v1.jobs.get(worker.jobId)
  if (job !== undefined && !isFinal(job.status) && job.workerId !== undefined && job.workerId !== worker.id) {
    call.state.violate(call.now, "two-workers", job.id, `${worker.name} goes on with a job of ${job.workerName}`)
  }
  worker.lastBeatAt = call.now
  return noContent
})

const signout = Effect.fnUntraced(function* (call: Call) {
  const worker = yield* workerOf(call)
  call.state.v1.disable(worker, call.now)
  return noContent
})

export const workerRoutesV1: ReadonlyArray<Route> = [
  { method: "POST", pattern: "/auth/consumer/worker/signin", handler: signin },
  { method: "POST", pattern: "/auth/consumer/worker/signout", handler: signout },
  { method: "POST", pattern: "/worker/waiting", handler: waiting },
  { method: "POST", pattern: "/worker/refresh", handler: refresh }
]
