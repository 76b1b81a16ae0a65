/** What is done to one job of the V1 queue (cds-contract 4.3, 5.1, 5.3). */
import { Clock, Effect, Schedule } from "effect"
import { CdsError } from "../../../schema/Errors.ts"
import { isFinal } from "../../../schema/Job.ts"
import type { CdsWorker, Job, JobId, JobSighting } from "../../../schema/Job.ts"
import type { SettingsShape } from "../../../schema/Settings.ts"
import type { Notice } from "../../../services/Cds.ts"
import type { CallFailed } from "../CdsHttp.ts"
import { decodeBody } from "../decode.ts"
import { entries } from "../entries.ts"
import { settled, settleTake, taken } from "../LostAnswers.ts"
import { messageV1 } from "../notices.ts"
import type { Queue } from "../Side.ts"
import { segment } from "../segment.ts"
import type { Session } from "../Session.ts"
import { ErrorId } from "../wire/Failure.ts"
import { rfc3339, zeroTime } from "../wire/fields.ts"
import { projectOf, toJobV1, WireJobV1 } from "../wire/JobV1.ts"

const queued = entries("poll", WireJobV1)
const decodeJob = decodeBody("job", WireJobV1)

/** CDS answers 403 for a job that it does not know: the permission on it fails first. */
const unknown: ReadonlySet<number | undefined> = new Set([ErrorId.forbidden, ErrorId.jobNotFound, ErrorId.jobBooked])

const asNotFound = (error: CdsError): CdsError =>
  unknown.has(error.id) ? new CdsError({ ...error, kind: "notFound", message: error.message }) : error

const jobPath = (id: JobId) => `/queue/workflows/${segment(id)}`

type Own = Pick<SettingsShape, "cds" | "region" | "ignoreJobWithNoRegion" | "times">

/** No region configured asks for all jobs; an empty one asks for those without a region. */
const queueQuery = ({ region, ignoreJobWithNoRegion }: Pick<Own, "region" | "ignoreJobWithNoRegion">): string => {
  const regions = region === "" ? [] : ignoreJobWithNoRegion ? [region] : [region, ""]
  return ["modelType=vsphere", ...regions.map((value) => `region=${encodeURIComponent(value)}`)].join("&")
}

/** Jobs of projects with few jobs first, as one with hundreds would keep them waiting; in a project the oldest first, as CDS sends them. */
const fairly = <A extends { readonly project_id?: number }>(jobs: ReadonlyArray<A>): ReadonlyArray<A> => {
  const counts = new Map<number | undefined, number>()
  for (const { project_id } of jobs) counts.set(project_id, (counts.get(project_id) ?? 0) + 1)
  const count = ({ project_id }: A) => counts.get(project_id) ?? 0
  return jobs.toSorted((a, b) => count(a) - count(b))
}

/**
 * How long a job is booked, milliseconds: for as long as the deadlines let a machine be cloned, be powered on and recorded, boot, and have its worker
 * sign in. A booking that ends before brings a second machine.
 */
const bookingMs = (times: Own["times"]): number =>
  times.cloneMs +
  2 * times.taskMs +
  times.guestOperationsMs +
  times.guestAddressMs +
  times.guestProbeMs +
  times.workerRegistrationTtlMs

export interface Workers {
  readonly list: Effect.Effect<ReadonlyArray<CdsWorker>, CdsError>
  readonly disable: (worker: CdsWorker) => Effect.Effect<void, CdsError>
}

export const make = (session: Pick<Session, "call">, settings: Own, workers: Workers) => {
  const { name: hatchery } = settings.cds
  const delay = Math.ceil(bookingMs(settings.times) / 1_000)

  const read = (id: JobId): Effect.Effect<Job, CdsError> =>
    session.call({ name: "job", method: "GET", path: `${jobPath(id)}/infos` }).pipe(
      Effect.mapError(({ error }) => asNotFound(error)),
      Effect.flatMap(decodeJob),
      Effect.map(toJobV1)
    )

  const waiting = session.call({ name: "poll", method: "GET", path: `/queue/workflows?${queueQuery(settings)}` }).pipe(
    Effect.mapError(({ error }) => error),
    Effect.flatMap(queued),
    Effect.map((jobs) =>
      fairly(jobs).map((job): JobSighting => ({
        id: String(job.id),
        region: job.region ?? "",
        projectKey: projectOf(job),
        source: "poll"
      }))
    )
  )

  const post = (name: string, id: JobId, path: string, body: unknown) =>
    session.call({ name, method: "POST", path: `${jobPath(id)}/${path}`, body })

  /**
   * CDS books whatever the job's status is, and answers without the job: so it is read afterwards, through an outage of a minute, and after a
   * lost answer anyway.
   */
  const take = (id: JobId): Effect.Effect<Job, CdsError> => {
    const once = post("take", id, "book", { delay })
    const booked = Effect.retry(read(id), {
      schedule: Schedule.upTo(Schedule.spaced("1 second"), { duration: "1 minute" }),
      while: ({ kind }) => kind === "unreachable" || kind === "malformed"
    })
    return once.pipe(
      Effect.matchEffect({
        onSuccess: () => Effect.flatMap(booked, (found) => taken(hatchery, found)),
        onFailure: ({ error, uncertain }) =>
          uncertain ? settleTake(hatchery, read(id), once, asNotFound(error)) : Effect.fail(asNotFound(error))
      })
    )
  }

  /** A booking that has run out is as good as released. CDS does not test whose it is: sent again, it may end another hatchery's. */
  const release = (id: JobId): Effect.Effect<void, CdsError> =>
    session.call({ name: "release", method: "DELETE", path: `${jobPath(id)}/book`, once: true }).pipe(
      Effect.asVoid,
      Effect.catch(settled(read(id), ({ hatcheryName }) => hatcheryName !== hatchery)),
      Effect.mapError(asNotFound),
      Effect.catchIf(
        ({ id }) => id === ErrorId.jobNotBooked,
        () => Effect.void
      )
    )

  const tell = Effect.fnUntraced(function* (id: JobId, notice: Notice) {
    const message = messageV1(hatchery, notice)
    if (message === undefined) return
    const info = { api_time: zeroTime, remote_time: rfc3339(yield* Clock.currentTimeMillis), message }
    yield* Effect.mapError(post("info", id, "spawn/infos", [info]), ({ error }) => asNotFound(error))
  })

  /**
   * CDS takes a result from its hatchery only while the job waits; one that a worker runs fails when that worker is disabled. A job that is
   * over is soon not known any more.
   */
  const failOtherwise = Effect.fnUntraced(function* (id: JobId, reason: string, { error, uncertain }: CallFailed) {
    const isEcho = ({ kind }: CdsError) => uncertain && kind === "notFound"
    const job = yield* Effect.catchIf(read(id), isEcho, () => Effect.undefined)
    if (job === undefined || (uncertain && isFinal(job.status))) return
    const worker = job.status === "Building" ? (yield* workers.list).find(({ jobId }) => jobId === id) : undefined
    if (worker === undefined) return yield* error
    const notice = { workerName: worker.name, modelName: "", afterMs: 0, reason }
    yield* Effect.ignore(tell(id, { _tag: "SpawnFailed", ...notice }))
    yield* workers.disable(worker)
  })

  const fail = Effect.fnUntraced(function* (id: JobId, reason: string) {
    const remoteTime = rfc3339(yield* Clock.currentTimeMillis)
    const body = { id: Number(id), buildID: Number(id), status: "Fail", reason, remoteTime }
    yield* post("fail", id, "result", body).pipe(
      Effect.asVoid,
      Effect.catch((failed) =>
        failed.error.kind === "refused" ? failOtherwise(id, reason, failed) : Effect.fail(failed.error)
      )
    )
  })

  const queue: Queue = {
    job: (_, id) => Effect.map(read(id), (job) => ({ job, model: undefined })),
    take: (_, id) => take(id),
    release: (_, id) => release(id),
    fail: (_, id, reason) => fail(id, reason),
    tell: (_, id, notice) => tell(id, notice)
  }
  return { ...queue, waiting }
}
