/** A V2 job and its model on the wire (cds-contract 4.2, 7.2). */
import { Schema } from "effect"
import type { Job, JobWithModel, Model } from "../../../schema/Job.ts"
import { millis, text, Time } from "./fields.ts"

/** A model's path alone, or an object as soon as the job asks for memory or a flavor. */
const RunsOn = Schema.Union([Schema.String, Schema.Struct({ model: text, memory: text, flavor: text })])

export const WireJob = Schema.Struct({
  id: Schema.NonEmptyString,
  status: Schema.Literals([
    "Blocked",
    "Waiting",
    "Scheduling",
    "Building",
    "Retrying",
    "Success",
    "Fail",
    "Stopped",
    "Cancelled",
    "Skipped"
  ]),
  region: text,
  project_key: text,
  workflow_name: text,
  job_id: text,
  run_number: Schema.optionalKey(Schema.Finite),
  queued: Schema.optionalKey(Schema.NullOr(Time)),
  model_type: text,
  model_osarch: text,
  worker_name: text,
  hatchery_name: text,
  job: Schema.optionalKey(
    Schema.NullOr(
      Schema.Struct({
        "runs-on": Schema.optionalKey(Schema.NullOr(RunsOn)),
        services: Schema.optionalKey(Schema.NullOr(Schema.Record(Schema.String, Schema.Unknown)))
      })
    )
  )
})

export const WireModel = Schema.Struct({
  name: text,
  type: text,
  osarch: text,
  spec: Schema.optionalKey(Schema.NullOr(Schema.Struct({ image: text, flavor: text, username: text, password: text })))
})

/** The answer of `GET /v2/queue/{region}/job/{id}`. */
export const WireJobWithModel = Schema.Struct({
  runjob: WireJob,
  model: Schema.optionalKey(Schema.NullOr(WireModel))
})

const toRunsOn = (runsOn: typeof RunsOn.Type | null | undefined): Job["runsOn"] =>
  typeof runsOn === "string"
    ? { model: runsOn, memory: "", flavor: "" }
    : { model: runsOn?.model ?? "", memory: runsOn?.memory ?? "", flavor: runsOn?.flavor ?? "" }

export const toJob = (wire: typeof WireJob.Type): Job => ({
  id: wire.id,
  status: wire.status,
  region: wire.region ?? "",
  projectKey: wire.project_key ?? "",
  workflowName: wire.workflow_name ?? "",
  jobName: wire.job_id ?? "",
  runNumber: wire.run_number ?? 0,
  queuedAt: millis(wire.queued),
  modelType: wire.model_type ?? "",
  osArch: wire.model_osarch ?? "",
  workerName: wire.worker_name ?? "",
  hatcheryName: wire.hatchery_name ?? "",
  runsOn: toRunsOn(wire.job?.["runs-on"]),
  hasServices: Object.keys(wire.job?.services ?? {}).length > 0
})

/** A run without a model carries Go's empty one: no name. */
export const toModel = (wire: typeof WireModel.Type | null | undefined): Model | undefined =>
  wire?.name
    ? {
        name: wire.name,
        type: wire.type ?? "",
        osArch: wire.osarch ?? "",
        image: wire.spec?.image ?? "",
        flavor: wire.spec?.flavor ?? "",
        username: wire.spec?.username ?? "",
        password: wire.spec?.password ?? ""
      }
    : undefined

export const toJobWithModel = (wire: typeof WireJobWithModel.Type): JobWithModel => ({
  job: toJob(wire.runjob),
  model: toModel(wire.model)
})
