/** The body of an answer of 400 and above (cds-contract 0.3). The id decides what it means, never the HTTP status. */
import { Schema } from "effect"
import { text } from "./fields.ts"

export const WireFailure = Schema.fromJsonString(Schema.Struct({ id: Schema.Finite, message: text, from: text }))

/** Ids that a hatchery acts upon. */
export const ErrorId = {
  unauthorized: 10,
  forbidden: 11,
  notFound: 38,
  wrongRequest: 74,
  jobBooked: 89,
  jobNotFound: 112,
  jobNotBooked: 135
} as const
