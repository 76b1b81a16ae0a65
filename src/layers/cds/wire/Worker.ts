/** Workers as `GET /worker` (V1) and `GET /v2/worker` list them (cds-contract 6.1); no worker at all is `null`. */
import { Schema } from "effect"
import type { CdsWorker } from "../../../schema/Job.ts"
import { text } from "./fields.ts"
import { JobNumber } from "./JobV1.ts"

const common = {
  id: Schema.String,
  name: Schema.NonEmptyString,
  status: Schema.Literals(["Waiting", "Building", "Disabled", "Checking", "Pending", "Registering"])
}

export const WireWorkersV1 = Schema.NullOr(
  Schema.Array(Schema.Struct({ ...common, job_run_id: Schema.optionalKey(Schema.NullOr(JobNumber)) }))
)

export const WireWorkersV2 = Schema.NullOr(Schema.Array(Schema.Struct({ ...common, run_job_id: text })))

export const toWorkersV1 = (wire: typeof WireWorkersV1.Type): ReadonlyArray<CdsWorker> =>
  (wire ?? []).map(({ id, name, status, job_run_id }) => ({
    api: "v1",
    id,
    name,
    status,
    jobId: job_run_id ? String(job_run_id) : ""
  }))

export const toWorkersV2 = (wire: typeof WireWorkersV2.Type): ReadonlyArray<CdsWorker> =>
  (wire ?? []).map(({ id, name, status, run_job_id }) => ({ api: "v2", id, name, status, jobId: run_job_id ?? "" }))
