/** The V2 queue: list, read, take, release, info (cds-contract 4.5, 5.2). */
import { Clock, Effect, Schema } from "effect"
import { isFinal } from "../../../../schema/Job.ts"
import { bodyOf, grantedHatchery, isWorkerCall, jobOf, listOrNull, wireOf } from "../Call.ts"
import type { Call, Route } from "../Call.ts"
import { json, noContent } from "../Exchange.ts"
import { modelToWire, statusAt } from "../Job.ts"
import { refuse } from "../Refusal.ts"
import { workerAndJob } from "./worker.ts"

const list = Effect.fnUntraced(function* (call: Call) {
  const hatchery = yield* grantedHatchery(call)
  const asked = call.query.getAll("osarch")
  const osArch = asked.length === 0 ? ["linux/amd64"] : asked
  const waiting = [...call.state.jobs.values()].filter(
    (job) =>
      job.status === "Waiting" &&
      job.region === hatchery.region &&
      job.model.type === hatchery.modelType &&
      osArch.includes(job.model.osArch)
  )
  const oldestFirst = waiting.toSorted((a, b) => a.queuedAt - b.queuedAt)
  return json(
    listOrNull(
      oldestFirst.map((job) => wireOf(call, job)),
      call.state.switches.nullLists
    )
  )
})

/** A worker may read its own job. */
const read = Effect.fnUntraced(function* (call: Call) {
  if (isWorkerCall(call)) {
    const { job } = yield* workerAndJob(call)
    return json({ runjob: wireOf(call, job), model: modelToWire(job.model) })
  }
  const hatchery = yield* grantedHatchery(call)
  const job = yield* jobOf(call)
  if (job.region !== hatchery.region) return yield* refuse("forbidden", "the job is in another region")
  return json({ runjob: wireOf(call, job), model: modelToWire(job.model) })
})

/** A second take while one is at work, or after it, is 404: the API does not tell which. */
const take = Effect.fnUntraced(function* (call: Call) {
  const { state } = call
  const hatchery = yield* grantedHatchery(call)
  const job = yield* jobOf(call)
  if (job.region !== hatchery.region) return yield* refuse("invalidData", "the job is in another region")
  if (isFinal(job.status)) return yield* refuse("wrongRequest", `the job is ${job.status}`)
  if (job.lockedUntil > call.now) return yield* refuse("notFound")
  if (job.status !== "Waiting") {
    const heldByCaller = job.status === "Scheduling" && job.hatcheryName === hatchery.name
    if (heldByCaller && !state.unanswered.has(`POST ${call.request.url}`)) {
      state.violate(call.now, "double-take", job.id, `${hatchery.name} takes a job that it holds`)
    }
    return yield* refuse("notFound")
  }
  job.lockedUntil = call.now + state.options.timings.takeLockMs
  yield* Effect.sleep(state.options.timings.takeMs)
  job.lockedUntil = 0
  if (job.status !== "Waiting") return yield* refuse("notFound")
  const now = yield* Clock.currentTimeMillis
  job.hatcheryName = hatchery.name
  job.scheduledAt = now
  state.changeStatus(job, "Scheduling", now, "hatchery take")
  return json(wireOf(call, job))
})

/** The API tests no status. A hatchery reads the job before, but cannot know what becomes of it while its call is held up. */
const release = Effect.fnUntraced(function* (call: Call) {
  const { state, now, sentAt } = call
  const hatchery = yield* grantedHatchery(call)
  const job = yield* jobOf(call)
  if (job.region !== hatchery.region) return yield* refuse("invalidData", "the job is in another region")
  if (job.hatcheryName !== hatchery.name) return yield* refuse("invalidData", "the job is of another hatchery")
  const status = statusAt(job, sentAt)
  if (status === "Building") state.violate(now, "release-while-building", job.id, `the worker is ${job.workerName}`)
  if (isFinal(status)) state.violate(now, "release-after-end", job.id, `the job is ${status}`)
  state.release(job, hatchery.name, now)
  return noContent
})

const InfoBody = Schema.Struct({
  level: Schema.Literals(["info", "warning", "error"]),
  message: Schema.String,
  time: Schema.optionalKey(Schema.String)
})

const info = Effect.fnUntraced(function* (call: Call) {
  yield* grantedHatchery(call)
  const job = yield* jobOf(call)
  const body = yield* bodyOf(call, InfoBody)
  call.state.tell(job, body.level, body.message, call.now)
  return noContent
})

export const queueRoutes: ReadonlyArray<Route> = [
  { method: "GET", pattern: "/v2/queue/:region", handler: list },
  { method: "GET", pattern: "/v2/queue/:region/job/:id", handler: read },
  { method: "POST", pattern: "/v2/queue/:region/job/:id/hatchery/take", handler: take },
  { method: "DELETE", pattern: "/v2/queue/:region/job/:id/hatchery/take", handler: release },
  { method: "POST", pattern: "/v2/queue/:region/job/:id/info", handler: info }
]
