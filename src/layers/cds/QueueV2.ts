/**
 * What is done to one job of the V2 queue (cds-contract 4.5, 5.2). Calls are repeated when no answer comes, so a refusal may be the echo
 * of our own success: then the job itself is asked.
 */
import { Clock, Duration, Effect } from "effect"
import { CdsError } from "../../schema/Errors.ts"
import { isFinal } from "../../schema/Job.ts"
import type { Job, JobId, JobSighting, JobWithModel } from "../../schema/Job.ts"
import type { CallFailed } from "./CdsHttp.ts"
import { decode, decodeBody } from "./decode.ts"
import type { Level } from "./notices.ts"
import type { Session } from "./Session.ts"
import { rfc3339 } from "./wire/fields.ts"
import { toJob, toJobWithModel, WireJob, WireJobWithModel } from "./wire/JobV2.ts"
import { WireQueue, WireQueued } from "./wire/Sighting.ts"

/** CDS locks a job for so long at most while somebody takes it. */
const takeLock = Duration.seconds(30)

const decodeQueue = decodeBody("poll", WireQueue)
const decodeQueued = decode("poll", WireQueued)
const decodeTaken = decodeBody("take", WireJob)
const decodeJob = decodeBody("job", WireJobWithModel)

/**
 * A part of a path. `.` and `..` would lead to another call of the API, encoded or not; they are sent so that CDS reads a name that nobody
 * has. Ids come from annotations, too, which others can write.
 */
const segment = (text: string): string =>
  /^\.{0,2}$/.test(text) ? `%25${text}` : encodeURIComponent(text.toWellFormed())

const jobPath = (region: string, id: JobId) => `/v2/queue/${segment(region)}/job/${segment(id)}`

/** One entry of the queue; none where it is not understood, so that it does not hide the others. */
const queued = (region: string) => (entry: unknown) =>
  decodeQueued(entry).pipe(
    Effect.map((job): ReadonlyArray<JobSighting> => [
      { id: job.id, region: job.region || region, projectKey: job.project_key ?? "", source: "poll" }
    ]),
    Effect.catch((error) => Effect.as(Effect.logWarning(`CDS queue: an entry is left out: ${error.message}`), []))
  )

export const make = (session: Session, hatchery: string) => {
  const job = (region: string, id: JobId): Effect.Effect<JobWithModel, CdsError> =>
    session.call({ name: "job", method: "GET", path: jobPath(region, id) }).pipe(
      Effect.mapError(({ error }) => error),
      Effect.flatMap(decodeJob),
      Effect.map(toJobWithModel)
    )

  /** The Waiting jobs that this hatchery may take. CDS wants the values of `osarch` as they are, slash included. */
  const waiting = Effect.fnUntraced(function* (region: string, osArch: ReadonlyArray<string>) {
    const query = osArch.map((value) => `osarch=${value}`).join("&")
    const path = `/v2/queue/${segment(region)}${query === "" ? "" : `?${query}`}`
    const answer = yield* Effect.mapError(session.call({ name: "poll", method: "GET", path }), ({ error }) => error)
    const entries = yield* Effect.forEach((yield* decodeQueue(answer)) ?? [], queued(region))
    return entries.flat()
  })

  const post = (name: string, region: string, id: JobId, path: string, body?: unknown) =>
    session.call({ name, method: "POST", path: `${jobPath(region, id)}/${path}`, body })

  const takeOnce = (region: string, id: JobId) => post("take", region, id, "hatchery/take")

  /**
   * Finds out what became of a take whose answer was lost. While the job is still Waiting that take may yet be under way (it holds the
   * lock), so it is tried again until the lock has run out.
   */
  const settleTake = Effect.fnUntraced(function* (
    region: string,
    id: JobId,
    lost: CdsError
  ): Effect.fn.Return<Job, CdsError> {
    const until = (yield* Clock.currentTimeMillis) + Duration.toMillis(takeLock)
    while ((yield* Clock.currentTimeMillis) <= until) {
      const found = (yield* Effect.mapError(job(region, id), () => lost)).job
      if (found.status === "Scheduling" && found.hatcheryName === hatchery) return found
      if (found.status !== "Waiting") {
        const message = `the job is ${found.status}, taken by ${found.hatcheryName || "nobody"}`
        return yield* new CdsError({ call: "take", kind: "notFound", message })
      }
      yield* Effect.sleep("1 second")
      yield* Effect.ignore(takeOnce(region, id))
    }
    return yield* lost
  })

  const take = (region: string, id: JobId): Effect.Effect<Job, CdsError> =>
    takeOnce(region, id).pipe(
      Effect.matchEffect({
        onSuccess: (answer) =>
          Effect.catch(Effect.map(decodeTaken(answer), toJob), (error) => settleTake(region, id, error)),
        onFailure: ({ error, uncertain }) => (uncertain ? settleTake(region, id, error) : Effect.fail(error))
      })
    )

  /** A write that a lost answer of an earlier attempt may have done already: it counts as done when the job shows it. */
  const settled = (region: string, id: JobId, shows: (job: Job) => boolean) => (failed: CallFailed) => {
    const { error, uncertain } = failed
    if (!uncertain || error.kind === "unreachable") return Effect.fail(error)
    return job(region, id).pipe(
      Effect.mapError(() => error),
      Effect.flatMap((found) => (shows(found.job) ? Effect.void : Effect.fail(error)))
    )
  }

  const release = (region: string, id: JobId): Effect.Effect<void, CdsError> =>
    session
      .call({ name: "release", method: "DELETE", path: `${jobPath(region, id)}/hatchery/take` })
      .pipe(Effect.asVoid, Effect.catch(settled(region, id, ({ hatcheryName }) => hatcheryName !== hatchery)))

  const fail = Effect.fnUntraced(function* (region: string, id: JobId, reason: string) {
    const time = rfc3339(yield* Clock.currentTimeMillis)
    yield* post("fail", region, id, "result", { status: "Fail", error: reason, time }).pipe(
      Effect.asVoid,
      Effect.catch(settled(region, id, ({ status }) => isFinal(status)))
    )
  })

  const info = Effect.fnUntraced(function* (region: string, id: JobId, level: Level, message: string) {
    const time = rfc3339(yield* Clock.currentTimeMillis)
    yield* Effect.mapError(post("info", region, id, "info", { level, message, time }), ({ error }) => error)
  })

  return { waiting, job, take, release, fail, info }
}
