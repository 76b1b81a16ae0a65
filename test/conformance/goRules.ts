/**
 * How the Go hatchery reads what it finds in vCenter, as small predicates: state A (tag v0.57.0) and state B (head), from vsphere-behaviour 3, 7, 8
 * and 11. A machine is a name, an annotation, a power state; nothing else of it matters to these rules.
 */
export interface Shown {
  readonly name: string
  readonly annotation: string
  readonly power: "poweredOn" | "poweredOff" | "suspended"
  readonly template: boolean
  /** Milliseconds since the epoch. */
  readonly createdAt: number
}

interface GoAnnotation {
  readonly hatchery_name?: string
  readonly worker_name?: string
  readonly register_only?: boolean
  readonly provisioning?: boolean
  readonly worker_model_path?: string
  readonly vmware_model_path?: string
  readonly worker_model_last_modified?: string
  readonly model?: boolean
  readonly worker_start_time?: string
  readonly job_id?: string
  readonly ip_address?: string
}

/** Go's decoder: unknown keys are ignored, a value of another type fails the whole text. */
const shapes: Readonly<Record<string, string>> = {
  hatchery_name: "string",
  worker_name: "string",
  register_only: "boolean",
  provisioning: "boolean",
  worker_model_path: "string",
  vmware_model_path: "string",
  worker_model_last_modified: "string",
  model: "boolean",
  created: "string",
  worker_start_time: "string",
  job_id: "string",
  ip_address: "string"
}

const isGoTime = (text: unknown): boolean =>
  typeof text === "string" && /^\d{4}-\d\d-\d\dT[\d:.]+(Z|[+-]\d\d:\d\d)$/.test(text)

/** Undefined: "not ours" to Go. */
export const goAnnotation = ({ annotation }: Pick<Shown, "annotation">): GoAnnotation | undefined => {
  let read: Record<string, unknown>
  try {
    read = JSON.parse(annotation) as Record<string, unknown>
  } catch {
    return undefined
  }
  for (const [key, type] of Object.entries(shapes)) if (key in read && typeof read[key] !== type) return undefined
  for (const key of ["created", "worker_start_time"]) if (key in read && !isGoTime(read[key])) return undefined
  return read as GoAnnotation
}

/** A machine that B takes for a job of that template; `using`, `pending` and `toDelete` are empty after a start. */
export const isProvisionB = (image: string) => (machine: Shown) => {
  const annotation = goAnnotation(machine)
  return (
    machine.name.startsWith("provision-v2") &&
    annotation?.provisioning === true &&
    annotation.vmware_model_path === image &&
    machine.power === "poweredOff"
  )
}

/** A machine that A takes for a job of that V1 model (`group/name`). */
export const isProvisionV1 = (path: string) => (machine: Shown) => {
  const annotation = goAnnotation(machine)
  return (
    machine.name.startsWith("provision-v1") &&
    annotation?.provisioning === true &&
    annotation.worker_model_path === path
  )
}

/** The address encoded in a name by B, and the one in the annotation. */
export const goAddresses = (machine: Shown): ReadonlyArray<string> => {
  const inName = /^provision-v2-ip-(\d+)-(\d+)-(\d+)-(\d+)-/.exec(machine.name)?.slice(1).join(".")
  const written = goAnnotation(machine)?.ip_address
  return [...new Set([inName, written].filter((ip) => ip !== undefined))]
}

const ttlMs = { grace: 180_000, worker: 120 * 60_000, registration: 10 * 60_000 }

/** What the reaper of B does with a machine; `registered`: CDS lists a worker of its name. */
export const reaperB = (hatchery: string, now: number, registered: boolean) => (machine: Shown) => {
  const annotation = goAnnotation(machine)
  if (machine.template || annotation?.hatchery_name !== hatchery) return "keep"
  if (machine.name.startsWith("provision-") || annotation.model === true) return "keep"
  const started = Date.parse(annotation.worker_start_time ?? "")
  const start = Number.isNaN(started) || started < 0 ? machine.createdAt : started
  const off = machine.power === "poweredOff"
  const ttl = off ? (registered ? 0 : ttlMs.grace) : registered ? ttlMs.worker : ttlMs.registration
  return start + ttl < now ? "delete" : "keep"
}

/** A: does a V1 model need its template built anew? By the machine with the model's name. */
export const needsTemplateA = (
  machines: ReadonlyArray<Shown>,
  model: { name: string; lastModified: string }
): boolean => {
  const annotation = machines
    .filter(({ name, template }) => template && name === model.name)
    .map(goAnnotation)
    .find((one) => one?.model === true)
  return annotation?.worker_model_last_modified !== model.lastModified
}

/** A: is a registration of that model on its way already? By names alone. */
export const isRegisteringA = (machines: ReadonlyArray<Shown>, model: string): boolean =>
  machines.some(({ name }) => name === `${model}-tmp` || name.startsWith(`register-${model}`))

/** What B writes when it claims a machine: its own keys by its own encoder; keys that it does not know are lost. */
export const claimedByB = (machine: Shown, workerName: string, jobId: string, now: number): Shown => {
  const { hatchery_name, vmware_model_path, ip_address } = goAnnotation(machine) ?? {}
  const time = new Date(now).toISOString()
  const annotation = {
    hatchery_name,
    worker_name: workerName,
    vmware_model_path,
    created: new Date(machine.createdAt).toISOString(),
    worker_start_time: time,
    job_id: jobId,
    ip_address
  }
  return { ...machine, name: workerName, annotation: JSON.stringify(annotation), power: "poweredOn" }
}

/** What A does when it claims a machine: another name, and nothing is written. */
export const claimedByA = (machine: Shown, workerName: string): Shown => ({
  ...machine,
  name: workerName,
  power: "poweredOn"
})
