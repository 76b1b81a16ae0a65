/** A V2 job and its model as the actors see them (cds-contract 4.2, 7.2). The wire shapes are decoded into these under layers/cds. */

export type JobId = string

/** Not terminated: Blocked, Waiting, Scheduling, Building, Retrying. Terminated: the others. */
export type JobStatus =
  | "Blocked"
  | "Waiting"
  | "Scheduling"
  | "Building"
  | "Retrying"
  | "Success"
  | "Fail"
  | "Stopped"
  | "Cancelled"
  | "Skipped"

export const isFinal = (status: JobStatus): boolean =>
  status === "Success" || status === "Fail" || status === "Stopped" || status === "Cancelled" || status === "Skipped"

export interface Job {
  readonly id: JobId
  readonly status: JobStatus
  readonly region: string
  readonly projectKey: string
  readonly workflowName: string
  /** The job's name in its workflow. */
  readonly jobName: string
  readonly runNumber: number
  /** Milliseconds since the epoch. */
  readonly queuedAt: number
  readonly modelType: string
  readonly osArch: string
  readonly workerName: string
  readonly hatcheryName: string
  readonly runsOn: { readonly model: string; readonly memory: string; readonly flavor: string }
  /** True when the job asks for service containers, which a vSphere worker does not have. */
  readonly hasServices: boolean
}

/** A V2 worker model as code. */
export interface Model {
  readonly name: string
  readonly type: string
  readonly osArch: string
  /** `spec.image`: the vSphere template's name. */
  readonly image: string
  readonly flavor: string
  readonly username: string
  readonly password: string
}

export interface JobWithModel {
  readonly job: Job
  /** Undefined when the run carries none. */
  readonly model: Model | undefined
}

/** A job seen in the queue: by an event or by the poll. */
export interface JobSighting {
  readonly id: JobId
  readonly region: string
  readonly projectKey: string
  readonly source: "event" | "poll"
}

/** A worker as the CDS API lists it (cds-contract 6.1). */
export interface CdsWorker {
  readonly id: string
  readonly name: string
  readonly status: "Waiting" | "Building" | "Disabled" | "Checking" | "Pending" | "Registering"
  readonly jobId: string
}
