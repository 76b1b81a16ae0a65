/**
 * The JSON in `config.annotation`: the Go hatchery's keys, unchanged in name, order and encoding, plus one key of ours, `rookery`
 * (vsphere-behaviour 3; design, "vCenter is the journal").
 *
 * Reading: no text, invalid JSON or a value of the wrong type means "not ours"; only the first JSON value counts; every key is
 * optional; unknown keys are ignored; a zero date is no date. Writing: fields in a fixed order, empty ones left out, `<`, `>` and
 * `&` as unicode escapes, as Go's encoder does.
 */
import { Option, Schema } from "effect"
import type { MachineFacts } from "./Machine.ts"
import type { ModelStamp } from "./ModelV1.ts"

/** States that are written down. Between two of these a restart proves the state from annotation, power and CDS. */
export const JournalState = Schema.Literals([
  "booting",
  "provisioned",
  "renamed",
  "running",
  "preparing",
  "converting",
  "reaping"
])
export type JournalState = typeof JournalState.Type

/** Our own key: what recovery needs beyond the Go keys. */
const Journal = Schema.Struct({
  /** Version of this shape. */
  v: Schema.Literal(1),
  state: JournalState,
  /** Grows by one at each write of ours: tells our writes from other people's. One that leaves no room to grow is none of ours. */
  generation: Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 2 ** 52 })),
  /** The hatchery process that wrote it. */
  instance: Schema.String,
  /** Machine name and `worker_name` at writing: the key is believed only while both agree with the machine. */
  name: Schema.String,
  worker: Schema.String,
  /** When the state was entered, RFC 3339. */
  since: Schema.String,
  /** The pool name to give the machine back under. */
  poolName: Schema.optionalKey(Schema.String),
  region: Schema.optionalKey(Schema.String),
  /** Name of the worker model, for the token and the worker's configuration. */
  model: Schema.optionalKey(Schema.String),
  /** Id of the worker's V1 model, for the token. */
  modelId: Schema.optionalKey(Schema.Int),
  /** CDS project of the job. */
  project: Schema.optionalKey(Schema.String),
  /** Size before a flavor was applied. */
  cpus: Schema.optionalKey(Schema.Int),
  memoryMB: Schema.optionalKey(Schema.Int),
  /** Why it is being reaped. */
  reason: Schema.optionalKey(Schema.String),
  /** What is to become of its job when it is being reaped. */
  settlement: Schema.optionalKey(Schema.Literals(["none", "release", "fail"]))
})
export type Journal = typeof Journal.Type

/** Go takes a null for an absent value. */
const optional = <S extends Schema.Constraint>(schema: S) => Schema.optionalKey(Schema.NullOr(schema))

const Wire = Schema.Struct({
  hatchery_name: optional(Schema.String),
  worker_name: optional(Schema.String),
  register_only: optional(Schema.Boolean),
  provisioning: optional(Schema.Boolean),
  worker_model_path: optional(Schema.String),
  vmware_model_path: optional(Schema.String),
  worker_model_last_modified: optional(Schema.String),
  model: optional(Schema.Boolean),
  created: optional(Schema.String),
  worker_start_time: optional(Schema.String),
  job_id: optional(Schema.String),
  ip_address: optional(Schema.String)
})

/** An annotation in our terms. Dates are milliseconds since the epoch; absent and empty are both undefined. */
export interface Annotation {
  readonly hatcheryName: string
  readonly workerName: string | undefined
  readonly registerOnly: boolean
  readonly provisioning: boolean
  readonly workerModelPath: string | undefined
  readonly vmwareModelPath: string | undefined
  readonly workerModelLastModified: string | undefined
  /** A V1 template: never destroyed by cleanup. */
  readonly model: boolean
  readonly created: number | undefined
  readonly workerStartTime: number | undefined
  readonly jobId: string | undefined
  readonly ipAddress: string | undefined
  /** Present when our key is there and has our shape; `believed` says whether it counts. */
  readonly journal: Journal | undefined
}

const decodeWire = Schema.decodeUnknownOption(Wire)
const decodeJournal = Schema.decodeUnknownOption(Journal)

const text = (value: string | null | undefined): string | undefined => value || undefined

const date = (value: string | null | undefined): number | undefined => {
  if (typeof value !== "string" || value.startsWith("0001-01-01")) return undefined
  const ms = Date.parse(value)
  return Number.isNaN(ms) ? undefined : ms
}

/** The first JSON object at the start of a text; what follows it is nobody's business. */
const firstObject = (source: string): unknown => {
  try {
    return JSON.parse(source)
  } catch {
    const end = endOfObject(source)
    if (end === undefined) return undefined
    try {
      return JSON.parse(source.slice(0, end))
    } catch {
      return undefined
    }
  }
}

const endOfObject = (source: string): number | undefined => {
  let depth = 0
  let quoted = false
  for (let i = 0; i < source.length; i++) {
    const c = source[i]
    if (quoted) {
      if (c === "\\") i++
      else if (c === '"') quoted = false
    } else if (c === '"') quoted = true
    else if (c === "{" || c === "[") depth++
    else if ((c === "}" || c === "]") && --depth === 0) return i + 1
  }
  return undefined
}

/** Undefined when the text is not a hatchery's annotation: no machine without a hatchery's name is anybody's of ours. */
export const parse = (source: string): Annotation | undefined => {
  const raw = source.trimStart().startsWith("{") ? firstObject(source) : undefined
  const wire = Option.getOrUndefined(decodeWire(raw))
  const hatcheryName = text(wire?.hatchery_name)
  if (wire === undefined || hatcheryName === undefined) return undefined
  return {
    hatcheryName,
    workerName: text(wire.worker_name),
    registerOnly: wire.register_only ?? false,
    provisioning: wire.provisioning ?? false,
    workerModelPath: text(wire.worker_model_path),
    vmwareModelPath: text(wire.vmware_model_path),
    workerModelLastModified: text(wire.worker_model_last_modified),
    model: wire.model ?? false,
    created: date(wire.created),
    workerStartTime: date(wire.worker_start_time),
    jobId: text(wire.job_id),
    ipAddress: text(wire.ip_address),
    journal: Option.getOrUndefined(decodeJournal((raw as { readonly rookery?: unknown }).rookery))
  }
}

/** Whose a machine is: the hatchery that its annotation names, if any. */
export const ownerOf = (facts: Pick<MachineFacts, "annotation">): string | undefined =>
  parse(facts.annotation)?.hatcheryName

/** The V1 model that a machine or template was made for. A machine of a V2 model may carry the model's name there, without a group. */
export const madeFor = ({ workerModelPath, workerModelLastModified }: Annotation): ModelStamp | undefined =>
  workerModelPath?.includes("/") === true
    ? { path: workerModelPath, lastModified: workerModelLastModified ?? "" }
    : undefined

/** Our key, if it may be believed: machine name and worker name are still the ones it was written with. */
export const believed = (annotation: Annotation, machineName: string): Journal | undefined =>
  annotation.journal !== undefined &&
  annotation.journal.name === machineName &&
  annotation.journal.worker === (annotation.workerName ?? "")
    ? annotation.journal
    : undefined

const rfc3339 = (ms: number | undefined): string | undefined =>
  ms === undefined ? undefined : new Date(ms).toISOString()

/** What Go's encoder escapes beyond JSON, as it writes it. */
const goEscape = (c: string): string => `\\u${c.charCodeAt(0).toString(16).padStart(4, "0")}`

/** The annotation's text as the Go hatchery would write it, with our key last. */
export const print = (annotation: Annotation): string => {
  const fields: ReadonlyArray<readonly [string, unknown]> = [
    ["hatchery_name", annotation.hatcheryName],
    ["worker_name", annotation.workerName],
    ["register_only", annotation.registerOnly || undefined],
    ["provisioning", annotation.provisioning || undefined],
    ["worker_model_path", annotation.workerModelPath],
    ["vmware_model_path", annotation.vmwareModelPath],
    ["worker_model_last_modified", annotation.workerModelLastModified],
    ["model", annotation.model || undefined],
    ["created", rfc3339(annotation.created)],
    ["worker_start_time", rfc3339(annotation.workerStartTime)],
    ["job_id", annotation.jobId],
    ["ip_address", annotation.ipAddress],
    ["rookery", annotation.journal]
  ]
  const present = Object.fromEntries(fields.filter(([, value]) => value !== undefined && value !== ""))
  return JSON.stringify(present).replace(/[<>&\u2028\u2029]/g, goEscape)
}
