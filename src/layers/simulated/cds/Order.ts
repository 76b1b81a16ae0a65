/** Jobs to put into the queue. Everything has a default. */
import { Schema } from "effect"
import type { JobRecord } from "./Job.ts"

const text = Schema.optionalKey(Schema.String)

/** How many jobs alike. */
export const Count = Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 100_000 }))

export const Cancel = Schema.Struct({
  on: Schema.Literals(["Waiting", "Scheduling", "Building"]),
  afterMs: Schema.Finite
})

export const JobOrder = Schema.Struct({
  /** How many alike; one unless given. */
  count: Schema.optionalKey(Count),
  project: text,
  workflow: text,
  job: text,
  /** The first hatchery's region unless given. */
  region: text,
  model: text,
  modelType: text,
  osArch: text,
  /** The template, `spec.image` of the model. */
  image: text,
  /** `spec.flavor` of the model. */
  modelFlavor: text,
  /** `spec.username` and `spec.password` of the model, the password as the run has it. */
  modelUser: text,
  modelPassword: text,
  /** `runs-on.flavor` and `runs-on.memory`. */
  flavor: text,
  memory: text,
  /** How long the worker works; 30 seconds unless given. */
  durationMs: Schema.optionalKey(Schema.Finite),
  outcome: Schema.optionalKey(Schema.Literals(["Success", "Fail"])),
  /** The user stops the job this long after it got that status for the first time. */
  cancel: Schema.optionalKey(Cancel)
})
export type JobOrder = typeof JobOrder.Type

export interface NewJob {
  readonly id: string
  readonly workflowRunId: string
  readonly runNumber: number
  /** Region of an order that names none. */
  readonly region: string
  readonly queuedAt: number
}

export const jobOf = (order: JobOrder, made: NewJob): JobRecord => ({
  ...made,
  region: order.region ?? made.region,
  projectKey: order.project ?? "PROJ",
  workflowName: order.workflow ?? "build",
  jobName: order.job ?? "compile",
  model: {
    name: order.model ?? "debian",
    type: order.modelType ?? "vsphere",
    osArch: order.osArch ?? "linux/amd64",
    image: order.image ?? "debian12",
    flavor: order.modelFlavor ?? "",
    username: order.modelUser ?? "",
    password: order.modelPassword ?? ""
  },
  memory: order.memory ?? "",
  flavor: order.flavor ?? "",
  plan: { durationMs: order.durationMs ?? 30_000, outcome: order.outcome ?? "Success", cancel: order.cancel },
  status: "Waiting",
  hatcheryName: "",
  workerName: "",
  workerId: undefined,
  scheduledAt: undefined,
  steps: null,
  startedAt: undefined,
  releases: 0,
  lockedUntil: 0,
  infos: [],
  history: []
})
