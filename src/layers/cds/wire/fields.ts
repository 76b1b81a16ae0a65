/** Fields as Go writes them to JSON: strings that may be absent, `null` for an empty list, RFC 3339 times (cds-contract 0.3). */
import { Schema } from "effect"

/** A string that may be absent or null. */
export const text = Schema.optionalKey(Schema.NullOr(Schema.String))

/** A list that may be absent or null. */
export const list = <S extends Schema.Top>(item: S) => Schema.optionalKey(Schema.NullOr(Schema.Array(item)))

/** RFC 3339 with 0 to 9 fractional digits. */
export const Time = Schema.String.check(
  Schema.isPattern(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?(Z|[+-]\d\d:\d\d)$/, { expected: "an RFC 3339 time" })
)

/** What Go writes for a time that was never set. */
export const zeroTime = "0001-01-01T00:00:00Z"

/** Milliseconds since the epoch; 0 for Go's zero time and for an absent one. */
export const millis = (time: string | null | undefined): number => Math.max(0, Date.parse(time ?? "") || 0)

/** RFC 3339 in UTC. */
export const rfc3339 = (millis: number): string => new Date(millis).toISOString()
