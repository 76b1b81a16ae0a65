/** What a worker calls: download, signin, take, refresh, result, signout (cds-contract 6.4, 8, 9.4). */
import { readFileSync } from "node:fs"
import { Effect, Schema } from "effect"
import { isFinal } from "../../../../schema/Job.ts"
import { bodyOf, grantedHatchery, isWorkerCall, jobOf, wireOf, workerOf, WorkerSignin, workerTokenOf } from "../Call.ts"
import type { Call, Route } from "../Call.ts"
import { json, noContent } from "../Exchange.ts"
import type { HatcheryRecord } from "../Hatchery.ts"
import { simulationOf } from "../Job.ts"
import type { JobRecord } from "../Job.ts"
import { refuse } from "../Refusal.ts"
import { workerToWire } from "../Worker.ts"
import type { WorkerRecord } from "../Worker.ts"

const systems = ["windows", "darwin", "linux", "freebsd", "openbsd"]
const aliases: Readonly<Record<string, string>> = { x86_64: "amd64", i386: "386", i686: "386" }
const architectures = ["amd64", "arm", "386", "arm64", "ppc64le"]

/** A stand-in for the worker's binary: the same shell script for every system. */
const download = Effect.fnUntraced(function* ({ params: { os = "", arch = "" } }: Call) {
  const architecture = aliases[arch] ?? arch
  if (!systems.includes(os) || !architectures.includes(architecture)) return yield* refuse("notFound")
  return {
    status: 200,
    headers: {
      "Content-Type": "application/octet-stream",
      "Content-Disposition": `attachment; filename="cds-worker-${os}-${architecture}"`
    },
    body: readFileSync(new URL("../worker.sh", import.meta.url), "utf8")
  }
})

const Claims = Schema.Struct({
  worker_model: Schema.NonEmptyString,
  model_name: Schema.String,
  run_job_id: Schema.String,
  hatchery_name: Schema.String
})

const mayRun = (call: Call, job: JobRecord, hatchery: HatcheryRecord, jobId: string): boolean =>
  job.id === jobId &&
  job.status === "Scheduling" &&
  job.hatcheryName === hatchery.name &&
  job.region === hatchery.region &&
  job.region === call.params["region"]

const signin = Effect.fnUntraced(function* (call: Call) {
  const { state, now } = call
  const { Worker: claims, verify } = yield* workerTokenOf(call, Claims)
  const hatchery = state.hatcheries.get(claims.hatchery_name)
  if (hatchery === undefined) return yield* refuse("forbidden", "unknown hatchery")
  yield* verify(hatchery.publicKey)
  const job = yield* jobOf(call)
  if (!mayRun(call, job, hatchery, claims.run_job_id)) return yield* refuse("forbidden", `the job is ${job.status}`)
  const body = yield* bodyOf(call, WorkerSignin)
  const worker: WorkerRecord = {
    id: state.options.uuid(),
    name: claims.worker_model,
    modelName: claims.model_name,
    jobId: job.id,
    hatcheryId: hatchery.id,
    hatcheryName: hatchery.name,
    version: body.Version ?? "",
    os: body.OS ?? "",
    arch: body.Arch ?? "",
    status: "Waiting",
    lastBeatAt: now
  }
  state.workers.set(worker.id, worker)
  const holder = { kind: "worker", workerId: worker.id } as const
  const life = state.options.timings.workerSessionMs
  const session = state.sessions.open(state.options.uuid(), worker.id, holder, now, life)
  return json(workerToWire(worker), { "X-CDS-JWT": session.token })
})

/** The worker of the call and its job, which must be the one of the path. */
export const workerAndJob = Effect.fnUntraced(function* (call: Call) {
  const worker = yield* workerOf(call)
  const job = yield* jobOf(call)
  if (worker.jobId !== job.id || call.params["region"] !== job.region) return yield* refuse("forbidden")
  if (call.state.takenByAnother(job, worker)) {
    call.state.violate(call.now, "two-workers", job.id, `${worker.name} goes on with a job of ${job.workerName}`)
  }
  worker.lastBeatAt = call.now
  return { worker, job }
})

const take = Effect.fnUntraced(function* (call: Call) {
  const { worker, job } = yield* workerAndJob(call)
  if (worker.status !== "Waiting") return yield* refuse("forbidden", `the worker is ${worker.status}`)
  if (job.status !== "Scheduling") return yield* refuse("forbidden", `the job is ${job.status}`)
  worker.status = "Building"
  job.workerName = worker.name
  job.workerId = worker.id
  job.startedAt = call.now
  call.state.tell(job, "info", `worker ${worker.name} took the job`, call.now)
  call.state.changeStatus(job, "Building", call.now, "worker take")
  return json({
    run_job: wireOf(call, job),
    simulation: simulationOf(job, call.state.options.timings.workerBeatMs)
  })
})

const refresh = Effect.fnUntraced(function* (call: Call) {
  const { job } = yield* workerAndJob(call)
  return isFinal(job.status) ? yield* refuse("alreadyEnded") : noContent
})

const ResultBody = Schema.Struct({
  status: Schema.Literals(["Success", "Fail", "Stopped"]),
  error: Schema.optionalKey(Schema.String),
  time: Schema.optionalKey(Schema.String)
})

const workerResult = Effect.fnUntraced(function* (call: Call) {
  const { worker, job } = yield* workerAndJob(call)
  if (job.workerId !== worker.id) return yield* refuse("forbidden", "the job is of another worker")
  return job
})

const hatcheryResult = Effect.fnUntraced(function* (call: Call) {
  const hatchery = yield* grantedHatchery(call)
  const job = yield* jobOf(call)
  if (job.region !== hatchery.region) return yield* refuse("wrongRequest", "the job is in another region")
  if (job.hatcheryName !== hatchery.name) return yield* refuse("forbidden", "the job is of another hatchery")
  return job
})

/** A worker ends the job it runs; a hatchery ends one of its own (cds-contract 4.5). */
const result = Effect.fnUntraced(function* (call: Call) {
  const byWorker = isWorkerCall(call)
  const job = yield* byWorker ? workerResult(call) : hatcheryResult(call)
  const body = yield* bodyOf(call, ResultBody)
  if (isFinal(job.status)) return yield* refuse("wrongRequest", `the job is ${job.status}`)
  if (body.error !== undefined && body.error !== "") call.state.tell(job, "error", body.error, call.now)
  call.state.changeStatus(job, body.status, call.now, byWorker ? "worker result" : "hatchery result")
  return noContent
})

const signout = Effect.fnUntraced(function* (call: Call) {
  const worker = yield* workerOf(call)
  worker.status = "Disabled"
  call.state.sessions.revoke((holder) => holder.kind === "worker" && holder.workerId === worker.id)
  return noContent
})

/** How far a worker is in its job. */
const step = Effect.fnUntraced(function* (call: Call) {
  const { job } = yield* workerAndJob(call)
  job.steps = yield* bodyOf(call, Schema.Unknown)
  return noContent
})

const job = "/v2/queue/:region/job/:id"

export const workerRoutes: ReadonlyArray<Route> = [
  { method: "GET", pattern: "/download/worker/:os/:arch", handler: download },
  { method: "POST", pattern: `${job}/worker/signin`, handler: signin },
  { method: "POST", pattern: `${job}/worker/take`, handler: take },
  { method: "POST", pattern: `${job}/step`, handler: step },
  { method: "POST", pattern: `${job}/worker/refresh`, handler: refresh },
  { method: "POST", pattern: `${job}/result`, handler: result },
  { method: "POST", pattern: `${job}/worker/signout`, handler: signout }
]
