/** A job and its model as the actors see them (cds-contract 4.2, 7.2). The wire shapes are decoded into these under layers/cds. */

/** A UUID is a V2 job's, a number in text a V1 job's: the id tells to which queue a job belongs (cds-contract 10.4). */
export type JobId = string

export const isV1 = (id: JobId): boolean => /^\d+$/.test(id)

/** What a V1 job asks of its worker, or what a registered V1 model offers (cds-contract 4.1). */
export interface Requirement {
  readonly name: string
  readonly type: string
  readonly value: string
}

/** What only V1 jobs say. */
export interface JobV1 {
  readonly requirements: ReadonlyArray<Requirement>
  /** Names of the groups that may run it; none means no restriction. */
  readonly execGroups: ReadonlyArray<string>
}

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

/** A V1 job that is booked shows as Scheduling, with the name of the hatchery that booked it. */
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
  /** Of V1 jobs; undefined for a V2 job. */
  readonly v1?: JobV1
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
  /** Undefined when the run carries none, and for V1 jobs. */
  readonly model: Model | undefined
}

/** A job seen in the queue: by an event or by the poll. */
export interface JobSighting {
  readonly id: JobId
  readonly region: string
  readonly projectKey: string
  readonly source: "event" | "poll"
}

/** A worker as the CDS API lists it (cds-contract 6.1). Only a V1 worker can be disabled by its hatchery. */
export interface CdsWorker {
  readonly api: "v1" | "v2"
  readonly id: string
  readonly name: string
  readonly status: "Waiting" | "Building" | "Disabled" | "Checking" | "Pending" | "Registering"
  readonly jobId: string
}

/** A worker of the pool: one that CDS lists, or one that it does not know yet and that has a machine of ours. */
export type PoolWorker =
  | CdsWorker
  | { readonly name: string; readonly status: Extract<CdsWorker["status"], "Pending" | "Registering"> }
