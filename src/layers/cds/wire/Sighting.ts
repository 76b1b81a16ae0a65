/** Where a job is first seen: in an event of a socket (cds-contract 4.4, 4.6) or in a queue (4.3, 4.5). Only what names the job is read. */
import { Schema } from "effect"
import { text } from "./fields.ts"
import { JobNumber } from "./JobV1.ts"

export const WireEventV2 = Schema.fromJsonString(
  Schema.Struct({ job_run_id: Schema.NonEmptyString, region: Schema.NonEmptyString, project_key: text })
)

/** An event, or why the filter that was sent is not taken. What an event says of its job depends on its type. */
export const WireEventV1 = Schema.fromJsonString(
  Schema.Struct({
    status: Schema.String,
    error: text,
    event: Schema.optionalKey(
      Schema.NullOr(
        Schema.Struct({
          type_event: text,
          status: text,
          project_key: text,
          region: text,
          payload: Schema.optionalKey(Schema.Unknown)
        })
      )
    )
  })
)

/** The payload of an event of type `sdk.EventRunWorkflowJob`. */
export const WireJobEvent = Schema.Struct({ id: JobNumber })

/** One entry of the V2 queue. */
export const WireQueued = Schema.Struct({ id: Schema.NonEmptyString, region: text, project_key: text })
