/** The V1 queue: list, read, book, release, spawn infos, result (cds-contract 4.3, 5.1, 5.3). */
import { Effect, Schema } from "effect"
import { isFinal } from "../../../../../schema/Job.ts"
import { bodyOf, listOrNull } from "../../Call.ts"
import type { Call, Route } from "../../Call.ts"
import { json, noContent } from "../../Exchange.ts"
import { simulationOf } from "../../Job.ts"
import { refuse } from "../../Refusal.ts"
import { consumerOf, isWorkerCall, readableJob, serviceAndJob, sharesGroup, workerAndJob } from "../../v1/Call.ts"
import { bookedToWire, jobToWire, statusOnWire, takenToWire } from "../../v1/Job.ts"
import type { JobRecordV1 } from "../../v1/Job.ts"

const modelTypes = ["docker", "host", "openstack", "vsphere"]

const wireOf = ({ state: { v1 }, now }: Call, job: JobRecordV1) =>
  jobToWire(job, { project: v1.projects.of(job.projectKey), group: (name) => v1.groups.of(name) }, now)

/** Booked jobs are left out for a hatchery; a consumer whose service was deleted sees them. */
const list = Effect.fnUntraced(function* (call: Call) {
  const { state, now, query } = call
  const consumer = yield* consumerOf(call)
  const type = query.get("modelType") ?? ""
  if (type !== "" && !modelTypes.includes(type)) return yield* refuse("wrongRequest", `invalid model type ${type}`)
  const regions = query.getAll("region")
  const withBooked = !state.v1.services.has(consumer.id)
  const waiting = [...state.v1.jobs.keys()].flatMap((id) => {
    const job = state.v1.job(id, now)
    return job !== undefined &&
      statusOnWire(job) === "Waiting" &&
      (withBooked || job.booking === undefined) &&
      sharesGroup(consumer, job) &&
      (type === "" || job.modelType === "" || job.modelType === type) &&
      (regions.length === 0 || regions.includes(job.region))
      ? [job]
      : []
  })
  const oldestFirst = waiting.toSorted((a, b) => a.queuedAt - b.queuedAt).map((job) => wireOf(call, job))
  return json(listOrNull(oldestFirst, state.switches.nullLists))
})

const read = (call: Call) => Effect.map(readableJob(call), (job) => json(wireOf(call, job)))

const BookBody = Schema.Struct({ delay: Schema.optionalKey(Schema.Int) })

/** A second booking is refused even to the hatchery that holds the first. The job's status is not tested. */
const book = Effect.fnUntraced(function* (call: Call) {
  const { state, now } = call
  const { service, job } = yield* serviceAndJob(call)
  const { delay = 0 } = yield* bodyOf(call, BookBody)
  if (job.booking !== undefined) {
    const held = job.booking.serviceId === service.id && job.status === "Scheduling"
    if (held && !state.unanswered.has(`POST ${call.request.url}`)) {
      state.violate(now, "double-take", job.id, `${service.consumer.name} books a job that it holds`)
    }
    return yield* refuse("alreadyBooked", `booked by ${job.booking.name} (${job.booking.serviceId})`)
  }
  const booker = { id: service.id, name: service.consumer.name }
  state.v1.book(job, booker, delay > 0 ? delay * 1000 : state.options.timings.bookingMs, now)
  return json(bookedToWire(job))
})

/** Any hatchery may release any booking. */
const release = Effect.fnUntraced(function* (call: Call) {
  const { state, now } = call
  const { service, job } = yield* serviceAndJob(call)
  if (job.booking === undefined) return yield* refuse("notBooked")
  // A service that was deleted comes back under another id.
  if (job.booking.name !== service.consumer.name) {
    state.violate(now, "foreign-release", job.id, `${service.consumer.name} releases what ${job.booking.name} holds`)
  }
  if (job.status === "Scheduling") job.releases += 1
  state.v1.free(job, now, "hatchery release")
  return json(null)
})

const InfosBody = Schema.Array(
  Schema.Struct({
    api_time: Schema.optionalKey(Schema.String),
    remote_time: Schema.optionalKey(Schema.String),
    message: Schema.Struct({ id: Schema.String, args: Schema.optionalKey(Schema.NullOr(Schema.Array(Schema.Unknown))) })
  })
)

const spawnInfos = Effect.fnUntraced(function* (call: Call) {
  const { job } = yield* isWorkerCall(call) ? workerAndJob(call) : serviceAndJob(call)
  for (const { message } of yield* bodyOf(call, InfosBody)) {
    const flaw = call.state.v1.say(job, message.id, message.args ?? [], call.now)
    if (flaw !== undefined) call.state.violate(call.now, "spawn-info", job.id, flaw)
  }
  return noContent
})

const ResultBody = Schema.Struct({
  id: Schema.optionalKey(Schema.Int),
  buildID: Schema.Int,
  status: Schema.Literals(["Success", "Fail", "Stopped"]),
  reason: Schema.optionalKey(Schema.String),
  remoteTime: Schema.optionalKey(Schema.String)
})

/** A worker ends its job, and is not told when that came too late; a hatchery ends one that waits. */
const result = Effect.fnUntraced(function* (call: Call) {
  const { state, now } = call
  const byWorker = isWorkerCall(call)
  const { job } = yield* byWorker ? workerAndJob(call) : serviceAndJob(call)
  const body = yield* bodyOf(call, ResultBody)
  if (String(body.buildID) !== job.id) return yield* refuse("wrongRequest", `buildID is ${body.buildID}`)
  if (byWorker) {
    state.v1.say(job, "MsgSpawnInfoWorkerEnd", [job.workerName], now)
  } else {
    if (statusOnWire(job) !== "Waiting") return yield* refuse("forbidden", `the job is ${job.status}`)
    const { consumer } = (yield* serviceAndJob(call)).service
    state.v1.say(job, "MsgSpawnErrorHatcheryRetryAttempt", [consumer.name, body.reason ?? ""], now)
  }
  if (!isFinal(job.status)) state.changeStatus(job, body.status, now, byWorker ? "worker result" : "hatchery result")
  return noContent
})

/** A worker takes the job that it was made for (6.4). */
const take = Effect.fnUntraced(function* (call: Call) {
  const { state, now } = call
  const { worker, job } = yield* workerAndJob(call)
  if (job.status === "Building" && job.workerId !== worker.id) {
    state.violate(now, "two-workers", job.id, `${worker.name} starts on a job of ${job.workerName}`)
  }
  if (statusOnWire(job) !== "Waiting") return yield* refuse("alreadyTaken", `the job is ${job.status}`)
  worker.status = "Building"
  job.hatcheryName = worker.hatcheryName
  job.workerName = worker.name
  job.workerId = worker.id
  job.workerModel = state.v1.models.get(worker.modelId ?? 0)?.draft.name ?? ""
  job.startedAt = now
  state.v1.say(job, "MsgSpawnInfoJobTaken", [job.id, worker.name], now)
  state.v1.say(job, "MsgSpawnInfoJobTakenWorkerVersion", [worker.name, worker.version, worker.os, worker.arch], now)
  state.changeStatus(job, "Building", now, "worker take")
  const simulation = simulationOf(job, state.options.timings.workerBeatMs)
  return json({ ...takenToWire(job), NodeJobRun: wireOf(call, job), simulation })
})

/** How far a worker is in its job; nothing here asks for it. */
const step = (call: Call) => Effect.as(workerAndJob(call), noContent)

const job = "/queue/workflows/:id"

export const queueRoutesV1: ReadonlyArray<Route> = [
  { method: "GET", pattern: "/queue/workflows", handler: list },
  { method: "GET", pattern: `${job}/infos`, handler: read },
  { method: "POST", pattern: `${job}/book`, handler: book },
  { method: "DELETE", pattern: `${job}/book`, handler: release },
  { method: "POST", pattern: `${job}/spawn/infos`, handler: spawnInfos },
  { method: "POST", pattern: `${job}/result`, handler: result },
  { method: "POST", pattern: `${job}/take`, handler: take },
  { method: "POST", pattern: `${job}/step`, handler: step }
]
