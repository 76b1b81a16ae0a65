/** What is done to one job of the V2 queue (cds-contract 4.5, 5.2). */
import { Clock, Effect } from "effect"
import type { CdsError } from "../../../schema/Errors.ts"
import { isFinal } from "../../../schema/Job.ts"
import type { Job, JobId, JobSighting, JobWithModel } from "../../../schema/Job.ts"
import { decodeBody } from "../decode.ts"
import { entries } from "../entries.ts"
import { settled, settleTake } from "../LostAnswers.ts"
import { textV2 } from "../notices.ts"
import type { Queue } from "../Side.ts"
import { segment } from "../segment.ts"
import type { Session } from "../Session.ts"
import { rfc3339 } from "../wire/fields.ts"
import { toJob, toJobWithModel, WireJob, WireJobWithModel } from "../wire/JobV2.ts"
import { WireQueued } from "../wire/Sighting.ts"

const queued = entries("poll", WireQueued)
const decodeTaken = decodeBody("take", WireJob)
const decodeJob = decodeBody("job", WireJobWithModel)

const jobPath = (region: string, id: JobId) => `/v2/queue/${segment(region)}/job/${segment(id)}`

export const make = (session: Pick<Session, "call">, hatchery: string) => {
  const job = (region: string, id: JobId): Effect.Effect<JobWithModel, CdsError> =>
    session.call({ name: "job", method: "GET", path: jobPath(region, id) }).pipe(
      Effect.mapError(({ error }) => error),
      Effect.flatMap(decodeJob),
      Effect.map(toJobWithModel)
    )

  const read = (region: string, id: JobId) => Effect.map(job(region, id), (found) => found.job)

  /** The Waiting jobs that this hatchery may take. CDS wants the values of `osarch` as they are, slash included. */
  const waiting = Effect.fnUntraced(function* (region: string, osArch: ReadonlyArray<string>) {
    const query = osArch.map((value) => `osarch=${value}`).join("&")
    const path = `/v2/queue/${segment(region)}${query === "" ? "" : `?${query}`}`
    const answer = yield* Effect.mapError(session.call({ name: "poll", method: "GET", path }), ({ error }) => error)
    return (yield* queued(answer)).map((found): JobSighting => ({
      id: found.id,
      region: found.region || region,
      projectKey: found.project_key ?? "",
      source: "poll"
    }))
  })

  const post = (name: string, region: string, id: JobId, path: string, body?: unknown) =>
    session.call({ name, method: "POST", path: `${jobPath(region, id)}/${path}`, body })

  const take = (region: string, id: JobId): Effect.Effect<Job, CdsError> => {
    const once = post("take", region, id, "hatchery/take")
    const settle = (lost: CdsError) => settleTake(hatchery, read(region, id), once, lost)
    return once.pipe(
      Effect.matchEffect({
        onSuccess: (answer) => Effect.catch(Effect.map(decodeTaken(answer), toJob), settle),
        onFailure: ({ error, uncertain }) => (uncertain ? settle(error) : Effect.fail(error))
      })
    )
  }

  /** CDS does not test the status of what is released: sent again, it may meet a job that a worker has begun, or that has ended. */
  const release = (region: string, id: JobId): Effect.Effect<void, CdsError> =>
    session
      .call({ name: "release", method: "DELETE", path: `${jobPath(region, id)}/hatchery/take`, once: true })
      .pipe(Effect.asVoid, Effect.catch(settled(read(region, id), ({ hatcheryName }) => hatcheryName !== hatchery)))

  const fail = Effect.fnUntraced(function* (region: string, id: JobId, reason: string) {
    const time = rfc3339(yield* Clock.currentTimeMillis)
    yield* post("fail", region, id, "result", { status: "Fail", error: reason, time }).pipe(
      Effect.asVoid,
      Effect.catch(settled(read(region, id), ({ status }) => isFinal(status)))
    )
  })

  const tell: Queue["tell"] = Effect.fnUntraced(function* (region, id, notice) {
    const time = rfc3339(yield* Clock.currentTimeMillis)
    const body = { ...textV2(hatchery, notice), time }
    yield* Effect.mapError(post("info", region, id, "info", body), ({ error }) => error)
  })

  return { waiting, job, take, release, fail, tell }
}
