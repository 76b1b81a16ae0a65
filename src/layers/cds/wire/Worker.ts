/** Workers as `GET /v2/worker` lists them (cds-contract 6.1); no worker at all is `null`. */
import { Schema } from "effect"
import type { CdsWorker } from "../../../schema/Job.ts"
import { text } from "./fields.ts"

const WireWorker = Schema.Struct({
  id: Schema.String,
  name: Schema.NonEmptyString,
  status: Schema.Literals(["Waiting", "Building", "Disabled", "Checking", "Pending", "Registering"]),
  run_job_id: text
})

export const WireWorkers = Schema.NullOr(Schema.Array(WireWorker))

export const toWorkers = (wire: typeof WireWorkers.Type): ReadonlyArray<CdsWorker> =>
  (wire ?? []).map(({ id, name, status, run_job_id }) => ({ api: "v2", id, name, status, jobId: run_job_id ?? "" }))
