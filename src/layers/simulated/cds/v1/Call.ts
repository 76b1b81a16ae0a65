/** The checks that most V1 routes begin with. */
import { Effect } from "effect"
import { checkHeaders } from "../Call.ts"
import type { Call } from "../Call.ts"
import { Refusal, refuse } from "../Refusal.ts"
import type { JobRecordV1 } from "./Job.ts"
import { sharedInfra } from "./Model.ts"
import type { ConsumerRecord, ServiceRecord } from "./Service.ts"
import type { WorkerRecordV1 } from "./Worker.ts"

/** The consumer that calls, whether or not it has a service: 401 without a session, 403 for a worker's or a V2 hatchery's. */
export const consumerOf = (call: Call): Effect.Effect<ConsumerRecord, Refusal> => {
  const session = call.state.sessions.of(call.request.headers["authorization"], call.now)
  if (session instanceof Refusal) return Effect.fail(session)
  const { holder } = session
  const consumer = holder.kind === "consumer" ? call.state.v1.consumers.get(holder.consumerId) : undefined
  if (consumer === undefined) return Effect.fail(refuse("forbidden"))
  checkHeaders(call, consumer.name)
  return Effect.succeed(consumer)
}

/** The hatchery's service: 401 after it was deleted, as its consumer is bound to a service (cds-contract 3). */
export const serviceOf = (call: Call): Effect.Effect<ServiceRecord, Refusal> =>
  Effect.flatMap(consumerOf(call), ({ id }) => {
    const service = call.state.v1.services.get(id)
    return service === undefined ? Effect.fail(refuse("unauthenticated", "no service")) : Effect.succeed(service)
  })

/** The worker that calls: 401 without a session or after its row was deleted. */
export const workerOf = (call: Call): Effect.Effect<WorkerRecordV1, Refusal> => {
  const session = call.state.sessions.of(call.request.headers["authorization"], call.now)
  if (session instanceof Refusal) return Effect.fail(session)
  if (session.holder.kind !== "workerV1") return Effect.fail(refuse("forbidden"))
  const worker = call.state.v1.workers.get(session.holder.workerId)
  return worker === undefined ? Effect.fail(refuse("unauthenticated")) : Effect.succeed(worker)
}

/** True when the session of the call is a V1 worker's. */
export const isWorkerCall = (call: Call): boolean => {
  const session = call.state.sessions.of(call.request.headers["authorization"], call.now)
  return !(session instanceof Refusal) && session.holder.kind === "workerV1"
}

/** The job of the path: 403 for one that is not there, as for one of other people (cds-contract 4.3). */
const jobOf = (call: Call): Effect.Effect<JobRecordV1, Refusal> => {
  const job = call.state.v1.job(call.params["id"] ?? "", call.now)
  return job === undefined ? Effect.fail(refuse("forbidden")) : Effect.succeed(job)
}

export const sharesGroup = ({ groups }: ConsumerRecord, job: JobRecordV1): boolean =>
  job.execGroups.some((group) => groups.includes(group))

/** The hatchery that calls and the job of the path, which it may run. */
export const serviceAndJob = Effect.fnUntraced(function* (call: Call) {
  const service = yield* serviceOf(call)
  const job = yield* jobOf(call)
  if (!sharesGroup(service.consumer, job)) return yield* refuse("forbidden", "no group may run the job")
  return { service, job }
})

/** The worker that calls and the job of the path, which must be its own. */
export const workerAndJob = Effect.fnUntraced(function* (call: Call) {
  const worker = yield* workerOf(call)
  const job = yield* jobOf(call)
  if (worker.jobId !== job.id) return yield* refuse("forbidden", "the job is of another worker")
  return { worker, job }
})

/** May read the job: a worker its own, a hatchery what its groups may run, one of shared.infra every job. */
export const readableJob = Effect.fnUntraced(function* (call: Call) {
  if (isWorkerCall(call)) return (yield* workerAndJob(call)).job
  const consumer = yield* consumerOf(call)
  const job = yield* jobOf(call)
  const mayRead = consumer.groups.includes(sharedInfra) || sharesGroup(consumer, job)
  return mayRead ? job : yield* refuse("forbidden")
})
