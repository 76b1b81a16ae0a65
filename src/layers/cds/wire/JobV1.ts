/** A V1 job on the wire (cds-contract 4.2). */
import { Schema } from "effect"
import type { Job, JobStatus } from "../../../schema/Job.ts"
import { list, millis, text, Time } from "./fields.ts"
import { toRequirements, WireRequirement } from "./Requirement.ts"

const expected = "a job's number, above 0 and below 2^53"

/** A number beyond 2^53 has lost its last digits by the time it is read, and would name another job. */
export const JobNumber = Schema.Finite.check(Schema.isInt({ expected }), Schema.isGreaterThan(0, { expected }))

/** Ends that V2 does not know: a job that was never to run. */
const skipped: Readonly<Record<string, JobStatus>> = { Disabled: "Skipped", "Never Built": "Skipped" }

export const WireJobV1 = Schema.Struct({
  id: JobNumber,
  project_id: Schema.optionalKey(Schema.Finite),
  status: Schema.Literals([
    "Blocked",
    "Waiting",
    "Building",
    "Success",
    "Fail",
    "Stopped",
    "Skipped",
    "Disabled",
    "Never Built"
  ]),
  queued: Schema.optionalKey(Schema.NullOr(Time)),
  model_type: text,
  region: text,
  worker_name: text,
  hatchery_name: text,
  bookedby: Schema.optionalKey(Schema.NullOr(Schema.Struct({ name: text }))),
  exec_groups: list(Schema.Struct({ name: Schema.String })),
  header: Schema.optionalKey(Schema.NullOr(Schema.Record(Schema.String, Schema.Unknown))),
  job: Schema.optionalKey(
    Schema.NullOr(
      Schema.Struct({
        action: Schema.optionalKey(Schema.NullOr(Schema.Struct({ name: text, requirements: list(WireRequirement) })))
      })
    )
  )
})

type Wire = typeof WireJobV1.Type

const headerOf = ({ header }: Wire, name: string): string => String(header?.[name] ?? "")

export const projectOf = (wire: Wire): string => headerOf(wire, "X-Project-Key")

/** A booked job shows as Scheduling at whoever booked it; one that was started is its worker's hatchery's, whoever booked it since. */
export const toJobV1 = (wire: Wire): Job => {
  const bookedBy = wire.bookedby?.name ?? ""
  const requirements = toRequirements(wire.job?.action?.requirements)
  const waits = wire.status === "Waiting"
  return {
    id: String(wire.id),
    status: waits && bookedBy !== "" ? "Scheduling" : (skipped[wire.status] ?? (wire.status as JobStatus)),
    region: wire.region ?? "",
    projectKey: projectOf(wire),
    workflowName: headerOf(wire, "X-Workflow"),
    jobName: wire.job?.action?.name ?? "",
    runNumber: Number(headerOf(wire, "X-Workflow-Run")) || 0,
    queuedAt: millis(wire.queued),
    modelType: wire.model_type ?? "",
    osArch: "",
    workerName: wire.worker_name ?? "",
    hatcheryName: waits ? bookedBy : (wire.hatchery_name ?? ""),
    runsOn: { model: "", memory: "", flavor: "" },
    hasServices: requirements.some(({ type }) => type === "service"),
    v1: { requirements, execGroups: (wire.exec_groups ?? []).map(({ name }) => name) }
  }
}
