/**
 * The CDS API as a hatchery uses it, V1 and V2 (cds-contract). Which of the two a job belongs to is told by its id, so callers see one queue.
 * Sessions, renewal, retries and deadlines are inside. A side without a token (`api.token`, `api.tokenV2`) is silent.
 */
import { Context } from "effect"
import type { Effect, Redacted, Stream } from "effect"
import type { CdsError, ConfigInvalid } from "../schema/Errors.ts"
import type { CdsWorker, Job, JobId, JobSighting, JobWithModel, Model } from "../schema/Job.ts"
import type { ModelListing, ModelV1 } from "../schema/ModelV1.ts"
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
  /** Empty for a worker that registers its model. */
  readonly jobId: JobId
  /** The V1 model it is made from, where it is one; mandatory for registration. */
  readonly model?: Pick<ModelV1, "id" | "name"> | undefined
}

/** A line that the user sees on the job: free text on a V2 job, one of CDS's own messages on a V1 job (cds-contract 5.3). */
export type Notice =
  | { readonly _tag: "Starts"; readonly workerName: string; readonly modelName: string }
  /** The size that the worker gets; `flavor` empty: the template's. */
  | { readonly _tag: "Sized"; readonly workerName: string; readonly flavor: string; readonly size: string }
  | {
      readonly _tag: "SpawnFailed"
      readonly workerName: string
      readonly modelName: string
      /** Milliseconds since the start was begun. */
      readonly afterMs: number
      readonly reason: string
    }
  /** No worker yet, and why. */
  | { readonly _tag: "Waits"; readonly modelName: string; readonly reason: string }
  | { readonly _tag: "DeprecatedModel"; readonly modelName: string }

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
    /**
     * Takes the job for this hatchery: Waiting becomes Scheduling. A V1 job is booked, for as long as its worker may take to sign in.
     * `notFound` when it is not Waiting any more, locked, or booked by another.
     */
    readonly take: (region: string, id: JobId) => Effect.Effect<Job, CdsError>
    /** Gives a taken job back; done already where a V1 booking has run out. CDS does not test the status: the caller reads it first (defect 68). */
    readonly release: (region: string, id: JobId) => Effect.Effect<void, CdsError>
    /** Ends the job as failed with this reason. A V1 job that a worker runs ends by that worker's being disabled, the reason told before. */
    readonly fail: (region: string, id: JobId, reason: string) => Effect.Effect<void, CdsError>
    readonly tell: (region: string, id: JobId, notice: Notice) => Effect.Effect<void, CdsError>
    /** This hatchery's workers of both APIs, whatever their status. Fails when either list cannot be had. */
    readonly workers: Effect.Effect<ReadonlyArray<CdsWorker>, CdsError>
    /** Disables a V1 worker; a job that it runs fails. A V2 worker is left alone: there is no such call. */
    readonly disable: (worker: CdsWorker) => Effect.Effect<void, CdsError>
    /** The enabled V1 models of every type; none without a V1 token. */
    readonly models: Effect.Effect<ModelListing, CdsError>
    /** A V1 model's guest password, its secret asked for where the model holds a placeholder. */
    readonly modelPassword: (model: ModelV1) => Effect.Effect<Redacted.Redacted<string>, CdsError>
    /** Books the registration of a V1 model for six minutes; `refused` when another has it. */
    readonly bookModel: (model: ModelV1) => Effect.Effect<void, CdsError>
    /** Reports that the V1 model cannot be used, with the end of the log; counts as a spawn error and ends the booking. */
    readonly failModel: (model: ModelV1, error: string, log: string) => Effect.Effect<void, CdsError>
    /**
     * A V2 model by its reference `PROJECT/vcs/repository/model[@branch]`, its password with secrets resolved. `refused` when the text is no
     * such reference, `notFound` when there is no such model.
     */
    readonly modelAsCode: (reference: string) => Effect.Effect<Model, CdsError>
    readonly heartbeat: (status: MonitoringStatus) => Effect.Effect<void, CdsError>
    /** `notFound` while no CDN is registered. */
    readonly cdn: Effect.Effect<CdnAddress, CdsError>
    /** An RS512 token for one worker and one job, valid one hour. */
    readonly workerToken: (claims: WorkerClaims) => Effect.Effect<Redacted.Redacted<string>>
    /** Ends the V1 session, as an orderly stop does. Never fails. */
    readonly signout: Effect.Effect<void>
    /** Reason of the last failed contact, undefined while contact is good. */
    readonly trouble: Effect.Effect<string | undefined>
  }
>()("rookery/services/Cds") {}
