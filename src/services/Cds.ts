/** The CDS API as a V2 hatchery uses it (cds-contract). Sessions, renewal, retries and deadlines are inside. */
import { Context } from "effect"
import type { Effect, Redacted, Stream } from "effect"
import type { CdsError, ConfigInvalid } from "../schema/Errors.ts"
import type { CdsWorker, Job, JobId, JobSighting, JobWithModel } from "../schema/Job.ts"
import type { MonitoringStatus } from "../schema/Monitoring.ts"

/** Where workers send their logs; from the configuration, else asked of the API (cds-contract 2.5). */
export interface CdnAddress {
  readonly httpUrl: string
  readonly tcpUrl: string
  readonly tcpTls: boolean
}

/** What the worker's token says (cds-contract 8). */
export interface WorkerClaims {
  readonly workerName: string
  readonly modelName: string
  readonly jobId: JobId
}

export class Cds extends Context.Service<
  Cds,
  {
    /**
     * Signs in; retries what is unreachable with the reason logged. A token that CDS refuses or that has expired, or a name that does not
     * match, fails with ConfigInvalid naming the setting.
     */
    readonly signin: Effect.Effect<{ readonly region: string }, ConfigInvalid>
    /** The region of the last signin; waits for the first. */
    readonly region: Effect.Effect<string>
    /** Jobs as they are seen, events and polls merged, duplicates included. Reconnects by itself; never ends, never fails. */
    readonly sightings: Stream.Stream<JobSighting>
    readonly job: (region: string, id: JobId) => Effect.Effect<JobWithModel, CdsError>
    /** Takes the job for this hatchery: Waiting becomes Scheduling. `notFound` when it is not Waiting any more or locked. */
    readonly take: (region: string, id: JobId) => Effect.Effect<Job, CdsError>
    /** Gives a taken job back. CDS does not test the status: the caller reads it first (defect 68). */
    readonly release: (region: string, id: JobId) => Effect.Effect<void, CdsError>
    /** Ends the job as failed with this reason. */
    readonly fail: (region: string, id: JobId, reason: string) => Effect.Effect<void, CdsError>
    /** A line that the user sees on the job. */
    readonly info: (
      region: string,
      id: JobId,
      level: "info" | "warning" | "error",
      message: string
    ) => Effect.Effect<void, CdsError>
    /** This hatchery's workers, whatever their status. */
    readonly workers: Effect.Effect<ReadonlyArray<CdsWorker>, CdsError>
    readonly heartbeat: (status: MonitoringStatus) => Effect.Effect<void, CdsError>
    /** `notFound` while no CDN is registered. */
    readonly cdn: Effect.Effect<CdnAddress, CdsError>
    /** An RS512 token for one worker and one job, valid one hour. */
    readonly workerToken: (claims: WorkerClaims) => Effect.Effect<Redacted.Redacted<string>>
    /** Reason of the last failed contact, undefined while contact is good. */
    readonly trouble: Effect.Effect<string | undefined>
  }
>()("rookery/services/Cds") {}
