/** V1 jobs to put into the queue, and models to serve them. Everything but a model's name has a default. */
import { Schema } from "effect"
import type { Requirement } from "../../../../schema/Job.ts"
import { Cancel, Count } from "../Order.ts"
import type { JobRecordV1 } from "./Job.ts"
import { sharedInfra } from "./Model.ts"
import type { ModelAsCode, ModelDraft } from "./Model.ts"

const text = Schema.optionalKey(Schema.String)
const flag = Schema.optionalKey(Schema.Boolean)

export const JobOrderV1 = Schema.Struct({
  /** How many alike; one unless given. */
  count: Schema.optionalKey(Count),
  project: text,
  workflow: text,
  job: text,
  /** Makes a requirement of that type, as in CDS; a job without one belongs to no region. */
  region: text,
  /** The same for `model`: a V1 model's path or name, or a V2 model's reference. */
  model: text,
  /** The same for `flavor`. */
  flavor: text,
  /** The hatchery type of the model asked for; for every type unless given. */
  modelType: text,
  /** Further ones; a requirement's name is its value unless given. */
  requirements: Schema.optionalKey(
    Schema.Array(Schema.Struct({ type: Schema.String, value: Schema.String, name: text }))
  ),
  /** The groups that may run it; `shared.infra` unless given. */
  groups: Schema.optionalKey(Schema.Array(Schema.String)),
  /** How long the worker works; 30 seconds unless given. */
  durationMs: Schema.optionalKey(Schema.Finite),
  outcome: Schema.optionalKey(Schema.Literals(["Success", "Fail"])),
  /** The user stops the job this long after it got that status for the first time; Scheduling is being booked. */
  cancel: Schema.optionalKey(Cancel)
})
export type JobOrderV1 = typeof JobOrderV1.Type

const requirementsOf = (order: JobOrderV1): ReadonlyArray<Requirement> => [
  ...(["region", "model", "flavor"] as const).flatMap((type) => {
    const value = order[type]
    return value === undefined || value === "" ? [] : [{ name: value, type, value }]
  }),
  ...(order.requirements ?? []).map(({ type, value, name }) => ({ type, value, name: name ?? value }))
]

export const jobOf = (order: JobOrderV1, id: number, queuedAt: number): JobRecordV1 => ({
  id: String(id),
  region: order.region ?? "",
  projectKey: order.project ?? "PROJ",
  workflowName: order.workflow ?? "build",
  jobName: order.job ?? "compile",
  runNumber: id,
  modelType: order.modelType ?? "",
  requirements: requirementsOf(order),
  execGroups: order.groups ?? [sharedInfra],
  plan: { durationMs: order.durationMs ?? 30_000, outcome: order.outcome ?? "Success", cancel: order.cancel },
  queuedAt,
  status: "Waiting",
  hatcheryName: "",
  workerName: "",
  workerId: undefined,
  startedAt: undefined,
  releases: 0,
  booking: undefined,
  workerModel: "",
  gone: false,
  infos: [],
  history: []
})

export const ModelOrder = Schema.Struct({
  name: Schema.NonEmptyString,
  group: text,
  type: text,
  image: text,
  flavor: text,
  preCmd: text,
  cmd: text,
  postCmd: text,
  user: text,
  /** Kept as a secret. */
  password: text,
  deprecated: flag,
  disabled: flag,
  restricted: flag,
  /** It is there as after a registration, with these binaries. Otherwise it needs one. */
  registered: Schema.optionalKey(Schema.Struct({ binaries: Schema.Array(Schema.String) })),
  checkRegistration: flag
})
export type ModelOrder = typeof ModelOrder.Type

export const draftOf = (order: ModelOrder): ModelDraft => ({
  name: order.name,
  group: order.group ?? sharedInfra,
  type: order.type ?? "vsphere",
  image: order.image ?? "debian12",
  flavor: order.flavor ?? "",
  preCmd: order.preCmd ?? "",
  cmd: order.cmd ?? "worker",
  postCmd: order.postCmd ?? "sudo shutdown -h now",
  user: order.user ?? "worker",
  password: order.password ?? "",
  deprecated: order.deprecated ?? false,
  disabled: order.disabled ?? false,
  restricted: order.restricted ?? false
})

export const ModelAsCodeOrder = Schema.Struct({
  /** `PROJECT/vcs/repository/model`, as a `model` requirement writes it without the branch. */
  path: Schema.NonEmptyString,
  branch: text,
  type: text,
  osArch: text,
  image: text,
  flavor: text,
  username: text,
  password: text
})
export type ModelAsCodeOrder = typeof ModelAsCodeOrder.Type

export const modelAsCodeOf = (order: ModelAsCodeOrder): ModelAsCode => ({
  name: order.path.split("/").at(-1) ?? "",
  branch: order.branch ?? "master",
  type: order.type ?? "vsphere",
  osArch: order.osArch ?? "linux/amd64",
  image: order.image ?? "debian12",
  flavor: order.flavor ?? "",
  username: order.username ?? "",
  password: order.password ?? ""
})
