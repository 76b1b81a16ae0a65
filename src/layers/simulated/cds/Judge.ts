/** What a judge reads from the state: counts, delays, and the jobs as data. */
import { isFinal } from "../../../schema/Job.ts"
import type { JobStatus } from "../../../schema/Job.ts"
import type { AnyJob, JobInfo, JobRecord, StatusChange } from "./Job.ts"
import type { State } from "./State.ts"

export interface Counts {
  /** Jobs with status Success. */
  readonly done: number
  readonly failed: number
  /** Stopped, cancelled or skipped. */
  readonly stopped: number
  readonly waiting: number
  /** Scheduling or Building. */
  readonly running: number
}

const statusesOf: Readonly<Record<keyof Counts, ReadonlyArray<JobStatus>>> = {
  done: ["Success"],
  failed: ["Fail"],
  stopped: ["Stopped", "Cancelled", "Skipped"],
  waiting: ["Waiting", "Blocked"],
  running: ["Scheduling", "Building", "Retrying"]
}

export const countsOf = (state: State): Counts => {
  const jobs = state.allJobs()
  const count = (kind: keyof Counts) => jobs.filter((job) => statusesOf[kind].includes(job.status)).length
  return {
    done: count("done"),
    failed: count("failed"),
    stopped: count("stopped"),
    waiting: count("waiting"),
    running: count("running")
  }
}

/** Nearest-rank percentiles in milliseconds; undefined without a value. */
export interface Percentiles {
  readonly count: number
  readonly p50: number | undefined
  readonly p99: number | undefined
}

export const percentilesOf = (values: ReadonlyArray<number>): Percentiles => {
  const sorted = values.toSorted((a, b) => a - b)
  const rank = (share: number) => sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)]
  return { count: sorted.length, p50: rank(0.5), p99: rank(0.99) }
}

export interface Delays {
  /** From the queue to the worker's first take. */
  readonly toBuilding: Percentiles
  /** From the queue to the end. */
  readonly toFinal: Percentiles
}

const delayTo =
  (reached: (change: StatusChange) => boolean) =>
  (job: AnyJob): ReadonlyArray<number> => {
    const change = job.history.find(reached)
    return change === undefined ? [] : [change.at - job.queuedAt]
  }

export const delaysOf = (state: State): Delays => {
  const jobs = state.allJobs()
  return {
    toBuilding: percentilesOf(jobs.flatMap(delayTo((change) => change.status === "Building"))),
    toFinal: percentilesOf(jobs.filter((job) => isFinal(job.status)).flatMap(delayTo(({ status }) => isFinal(status))))
  }
}

/** A job as a judge sees it: a copy, free of the state. */
export interface JobView {
  readonly id: string
  readonly status: JobStatus
  readonly region: string
  /** Of a V2 job's model; empty for a V1 job. */
  readonly image: string
  readonly hatchery: string
  readonly worker: string
  readonly releases: number
  /** Milliseconds since the epoch. */
  readonly queuedAt: number
  readonly infos: ReadonlyArray<JobInfo>
  readonly history: ReadonlyArray<StatusChange>
}

export const viewOf = (job: AnyJob | JobRecord): JobView => ({
  id: job.id,
  status: job.status,
  region: job.region,
  image: "model" in job ? job.model.image : "",
  hatchery: job.hatcheryName,
  worker: job.workerName,
  releases: job.releases,
  queuedAt: job.queuedAt,
  infos: [...job.infos],
  history: [...job.history]
})
