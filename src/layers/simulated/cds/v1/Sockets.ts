/** A client of `/ws`: what it hears depends on its filters, its region and its groups (cds-contract 4.4). */
import { Effect, Option, Schema } from "effect"
import type { Queue } from "effect"
import type { Call } from "../Call.ts"
import { sendText } from "../Sockets.ts"
import type { Joined, SocketFrame } from "../Sockets.ts"
import type { Refusal } from "../Refusal.ts"
import { serviceOf } from "./Call.ts"
import { noEvent } from "./Job.ts"
import type { JobRecordV1 } from "./Job.ts"
import { sharedInfra } from "./Model.ts"
import type { ServiceRecord } from "./Service.ts"

const types = ["global", "project", "workflow", "workflow-run", "workflow-node-run", "pipeline", "application"] as const

/** The other types want keys that a hatchery has no use for; the events of jobs are those of `queue`. */
const Filter = Schema.Struct({
  type: Schema.Literals(["queue", ...types, "environment", "ascode-event", "operation", "timeline"]),
  hatchery_type: Schema.optionalKey(Schema.String)
})
type Filter = typeof Filter.Type

const decodeFilters = Schema.decodeUnknownOption(
  Schema.fromJsonString(Schema.Union([Schema.Array(Filter), Schema.Struct(Filter.fields)]))
)

const filtersOf = (text: string): ReadonlyArray<Filter> | undefined => {
  const decoded = Option.getOrUndefined(decodeFilters(text))
  return decoded === undefined || Array.isArray(decoded) ? decoded : [decoded as Filter]
}

const mayServe = ({ region, ignoreJobWithNoRegion, consumer }: ServiceRecord, job: JobRecordV1): boolean => {
  const regionFits = job.region === (region ?? "") || (job.region === "" && ignoreJobWithNoRegion !== true)
  const shared = consumer.groups.length === 1 && consumer.groups[0] === sharedInfra
  return regionFits && (shared || job.execGroups.some((group) => consumer.groups.includes(group)))
}

const wants = (filters: ReadonlyArray<Filter>, job: JobRecordV1): boolean => {
  const type = filters.findLast(({ hatchery_type = "" }) => hatchery_type !== "")?.hatchery_type
  return filters.some((filter) => filter.type === "queue") && (job.modelType === "" || job.modelType === type)
}

export const joinV1 = (call: Call, frames: Queue.Queue<SocketFrame>): Effect.Effect<Joined, Refusal> =>
  Effect.map(serviceOf(call), (service) => {
    const { v1, switches } = call.state
    let filters: ReadonlyArray<Filter> = []
    return v1.sockets.join({ frames, wants: (job) => mayServe(service, job) && wants(filters, job) }, (text) => {
      const sent = switches.koFilters ? undefined : filtersOf(text)
      if (sent !== undefined) filters = sent
      else sendText(frames, `${JSON.stringify({ status: "KO", error: "wrong request", event: noEvent })}\n`)
    })
  })
