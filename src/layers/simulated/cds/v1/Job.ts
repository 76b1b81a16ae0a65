/** A V1 job as the simulated API keeps it (cds-contract 4.2, 4.7). */
import type { Requirement } from "../../../../schema/Job.ts"
import { iso } from "../Job.ts"
import type { AnyJob } from "../Job.ts"

/** A booking is nothing but an entry with an end. */
export interface Booking {
  readonly serviceId: number
  readonly name: string
  readonly until: number
}

export interface JobRecordV1 extends AnyJob {
  /** Empty: for hatcheries of every type. */
  readonly modelType: string
  readonly requirements: ReadonlyArray<Requirement>
  /** Names of the groups that may run it. */
  readonly execGroups: ReadonlyArray<string>
  booking: Booking | undefined
  /** The model that its worker was made from. */
  workerModel: string
  /** Its row was deleted: nobody can ask for it any more. */
  gone: boolean
}

/** As the API says it: a booked job waits. */
export const statusOnWire = (job: JobRecordV1): string => (job.status === "Scheduling" ? "Waiting" : job.status)

const optional = (name: string, value: string) => (value === "" ? {} : { [name]: value })

const action = (id: number, name: string, type: string) => ({
  id,
  name,
  type,
  description: "",
  enabled: true,
  deprecated: false,
  optional: false,
  always_executed: false
})

/** `ids` are those of its project and its groups. The hatchery is told from when its worker has the job: before, `bookedby` is all there is. */
export const jobToWire = (
  job: JobRecordV1,
  ids: { readonly project: number; readonly group: (name: string) => number },
  now: number
) => ({
  project_id: ids.project,
  id: Number(job.id),
  workflow_node_run_id: Number(job.id),
  job: {
    pipeline_action_id: Number(job.id),
    pipeline_stage_id: Number(job.id),
    enabled: true,
    last_modified: Math.floor(job.queuedAt / 1000),
    action: {
      ...action(Number(job.id), job.jobName, "Joined"),
      parameters: null,
      requirements: job.requirements.map(({ name, type, value }) => ({ id: 0, action_id: 0, name, type, value })),
      actions: [
        {
          ...action(1, "Script", "Builtin"),
          requirements: null,
          parameters: [{ id: 1, name: "script", type: "text", value: "make", description: "" }]
        }
      ]
    },
    warnings: null,
    step_status: null,
    reason: "",
    worker_name: job.workerName,
    worker_id: job.workerId ?? ""
  },
  parameters: [],
  status: statusOnWire(job),
  retry: 0,
  queued: iso(job.queuedAt),
  queued_seconds: Math.floor((now - job.queuedAt) / 1000),
  start: job.startedAt === undefined ? "0001-01-01T00:00:00Z" : iso(job.startedAt),
  done: "0001-01-01T00:00:00Z",
  spawninfos: null,
  ...optional("model", job.workerModel),
  ...optional("model_type", job.modelType),
  ...optional("region", job.region),
  bookedby: job.booking === undefined ? {} : { name: job.booking.name, id: job.booking.serviceId },
  exec_groups: job.execGroups.map((name) => ({ id: ids.group(name), name })),
  header: {
    "X-Workflow-Run": String(job.runNumber),
    "X-Workflow": job.workflowName,
    "X-Project-Key": job.projectKey
  },
  ...optional("hatchery_name", job.startedAt === undefined ? "" : job.hatcheryName),
  ...optional("worker_name", job.workerName)
})

/** What the answer to a booking says of the job (5.1). */
export const bookedToWire = (job: JobRecordV1) => ({
  project_key: job.projectKey,
  workflow_name: job.workflowName,
  workflow_id: 1,
  run_id: Number(job.id),
  node_run_name: job.workflowName,
  node_run_id: Number(job.id),
  job_name: job.jobName
})

/** What the answer to a worker's take says beside the job, in Go's own spelling. */
export const takenToWire = (job: JobRecordV1) => ({
  ProjectKey: job.projectKey,
  WorkflowName: job.workflowName,
  WorkflowID: 1,
  RunID: Number(job.id),
  Number: job.runNumber,
  SubNumber: 0,
  NodeRunName: job.workflowName,
  Secrets: []
})

/** Go's zero time in Unix seconds, which is what the API sends for a job that has not started. */
const neverStarted = -62_135_596_800

/** An event with nothing in it, as it goes with a KO. */
export const noEvent = {
  timestamp: "0001-01-01T00:00:00Z",
  hostname: "",
  cdsname: "",
  type_event: "",
  payload: null,
  attempt: 0,
  event_integrations_id: null
}

/** The frame on `/ws` that tells of a job in the queue (4.4); frames end with a newline. */
export const eventFrame = (job: JobRecordV1): string =>
  `${JSON.stringify({
    status: "OK",
    error: "",
    event: {
      ...noEvent,
      timestamp: iso(job.queuedAt),
      hostname: "cds",
      cdsname: "api",
      type_event: "sdk.EventRunWorkflowJob",
      payload: { id: Number(job.id), status: "Waiting", start: neverStarted },
      project_key: job.projectKey,
      workflow_name: job.workflowName,
      workflow_run_num: job.runNumber,
      workflow_node_run_id: Number(job.id),
      status: "Waiting",
      ...optional("region", job.region),
      ...optional("model_type", job.modelType)
    }
  })}\n`
