/** Where a job is first seen: in an event of the socket (cds-contract 4.6) or in the queue (4.5). Only what names the job is read. */
import { Schema } from "effect"
import { text } from "./fields.ts"

export const WireEvent = Schema.fromJsonString(
  Schema.Struct({ job_run_id: Schema.NonEmptyString, region: Schema.NonEmptyString, project_key: text })
)

/** One entry of the queue, which is read entry by entry: one that is not understood does not hide the others. */
export const WireQueued = Schema.Struct({ id: Schema.NonEmptyString, region: text, project_key: text })

export const WireQueue = Schema.NullOr(Schema.Array(Schema.Unknown))
