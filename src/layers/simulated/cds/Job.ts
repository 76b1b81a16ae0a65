/** A job as the simulated API keeps it, with everything that ever happened to it; and what only a V2 job has. */
import type { JobStatus } from "../../../schema/Job.ts"
import type { Switches } from "./Knobs.ts"
import type { JobOrder } from "./Order.ts"

export interface StatusChange {
  /** Milliseconds since the epoch. */
  readonly at: number
  readonly status: JobStatus
  readonly hatchery: string
  readonly worker: string
  /** Who or what changed it, e.g. `hatchery take` or `scheduling timeout`. */
  readonly why: string
}

export interface JobInfo {
  readonly at: number
  readonly level: "info" | "warning" | "error"
  readonly message: string
  /** Of CDS's own messages, which are what a V1 job gets (cds-contract 5.3). */
  readonly id?: string
}

/** What the job is meant to do once a worker has it. */
export interface JobPlan {
  readonly durationMs: number
  readonly outcome: "Success" | "Fail"
  readonly cancel: JobOrder["cancel"]
}

export interface JobModel {
  readonly name: string
  readonly type: string
  readonly osArch: string
  readonly image: string
  readonly flavor: string
  readonly username: string
  readonly password: string
}

/** What jobs of V1 and V2 have in common. */
export interface AnyJob {
  readonly id: string
  /** Empty: none asked for, which only a V1 job may. */
  readonly region: string
  readonly projectKey: string
  readonly workflowName: string
  readonly jobName: string
  readonly runNumber: number
  readonly plan: JobPlan
  readonly queuedAt: number
  /** A V1 job that waits and is booked is Scheduling here, as a V2 job that is taken; the wire says Waiting. */
  status: JobStatus
  hatcheryName: string
  workerName: string
  /** The worker that took the job last. */
  workerId: string | undefined
  startedAt: number | undefined
  releases: number
  readonly infos: Array<JobInfo>
  readonly history: Array<StatusChange>
}

export interface JobRecord extends AnyJob {
  readonly workflowRunId: string
  readonly model: JobModel
  /** `runs-on.memory` and `runs-on.flavor`; empty when the job does not ask. */
  readonly memory: string
  readonly flavor: string
  scheduledAt: number | undefined
  /** What its worker told last of its steps; null before. */
  steps: unknown
  /** A take holds the job until then. */
  lockedUntil: number
}

/** When the job got its present status. */
export const since = (job: AnyJob): number => job.history.at(-1)?.at ?? job.queuedAt

/** The status that the job had then. */
export const statusAt = ({ history }: AnyJob, at: number): JobStatus =>
  history.findLast((change) => change.at <= at)?.status ?? "Waiting"

/** How the stand-in worker spends its time: so many beats with a refresh after each, then a rest. Goes with the answer to its take. */
export const simulationOf = ({ plan }: AnyJob, beatMs: number) => {
  const beats = Math.max(0, Math.ceil(plan.durationMs / beatMs) - 1)
  return {
    outcome: plan.outcome,
    beats,
    beat_seconds: beatMs / 1000,
    rest_seconds: Math.max(0, plan.durationMs - beats * beatMs) / 1000
  }
}

export const iso = (ms: number): string => new Date(ms).toISOString()

const runsOn = (job: JobRecord, style: Switches["runsOn"]): unknown => {
  const model = `${job.projectKey}/github/acme/app/${job.model.name}`
  const asObject = style === "object" || (style === "auto" && (job.memory !== "" || job.flavor !== ""))
  return asObject ? { model, memory: job.memory, flavor: job.flavor } : model
}

/** The run job of cds-contract 4.2. */
export const jobToWire = (job: JobRecord, style: Switches["runsOn"]) => ({
  id: job.id,
  job_id: job.jobName,
  workflow_run_id: job.workflowRunId,
  project_key: job.projectKey,
  vcs_server: "github",
  repository: "acme/app",
  workflow_name: job.workflowName,
  run_number: job.runNumber,
  run_attempt: 1,
  retry: 0,
  status: job.status,
  queued: iso(job.queuedAt),
  ...(job.scheduledAt === undefined ? {} : { scheduled: iso(job.scheduledAt) }),
  ...(job.startedAt === undefined ? {} : { started: iso(job.startedAt) }),
  job: {
    name: job.jobName,
    steps: [{ run: "make" }],
    region: job.region,
    "runs-on": runsOn(job, style)
  },
  worker_name: job.workerName,
  hatchery_name: job.hatcheryName,
  steps_status: job.steps,
  user_id: "",
  username: "jane",
  admin_mfa: false,
  region: job.region,
  model_type: job.model.type,
  model_osarch: job.model.osArch,
  initiator: {
    user_id: "",
    user: { username: "jane", email: "jane@example.com" },
    vcs: "",
    vcs_username: "",
    is_admin_with_mfa: false
  }
})

/** The model frozen in the run (cds-contract 7.2). */
export const modelToWire = ({ name, type, osArch, image, ...more }: JobModel) => ({
  name,
  osarch: osArch,
  type,
  spec: { image, ...Object.fromEntries(Object.entries(more).filter(([, value]) => value !== "")) }
})

/** The websocket frame that tells of a job in the queue (cds-contract 4.6); frames end with a newline. */
export const eventFrame = (job: JobRecord): string =>
  `${JSON.stringify({
    job_run_id: job.id,
    region: job.region,
    model_type: job.model.type,
    model_osarch: job.model.osArch,
    project_key: job.projectKey,
    workflow_name: job.workflowName,
    job_id: job.jobName,
    run_number: job.runNumber
  })}\n`
