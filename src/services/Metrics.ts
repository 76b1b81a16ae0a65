/**
 * The metrics of a hatchery, under CDS's own names (seed 001 section 13; cds-contract 11; vsphere-behaviour 12), `/` written as `_` for
 * Prometheus. Update them with `Metric.update`; the labels `service_name` and `service_type` come from the context (`layers/telemetry`).
 */
import { Metric } from "effect"
import { isV1, type JobSighting } from "../schema/Job.ts"

/** A metric as `/mon/metrics/all` lists it. */
export interface Declared {
  /** CDS's name, with slashes. */
  readonly name: string
  readonly description: string
  readonly tags: ReadonlyArray<string>
  readonly aggregation: "Count" | "LastValue"
}

const declared: Array<Declared> = []
/** All of them, those without a value yet included. */
export const all: ReadonlyArray<Declared> = declared

const common = ["service_name", "service_type"]

const declare = (
  name: string,
  description: string,
  aggregation: Declared["aggregation"],
  tags: ReadonlyArray<string>
) => {
  declared.push({ name: `cds/hatchery/${name}`, description, tags: [...common, ...tags], aggregation })
  return `cds_hatchery_${name.replaceAll("/", "_")}`
}

const counter = (name: string, description: string) =>
  Metric.counter(declare(name, description, "Count", []), { description, incremental: true })

const gauge = (name: string, description: string, tags: ReadonlyArray<string> = []) =>
  Metric.gauge(declare(name, description, "LastValue", tags), { description })

/** Jobs on their way to a worker. */
const received = counter("jobs_websocket_count", "Jobs received by websocket")
const receivedV1 = counter("job_received_in_queue_polling_ws_v1_count", "V1 job events received by websocket")
const receivedV2 = counter("job_received_in_queue_polling_ws_v2_count", "V2 job events received by websocket")
const polledV1 = counter("chan_v1_job_add_count", "V1 jobs seen by the poll of the queue")
const polledV2 = counter("chan_v2_job_add_count", "V2 jobs seen by the poll of the queue")
export const jobsExamined = counter("jobs_count", "Jobs found waiting and examined")
export const jobsProcessed = counter("jobs_processed_count", "Jobs handed on to get a worker")
export const startersPicked = counter("chan_worker_starter_job_pop", "Jobs for which a worker start has begun")

/** The counters that a sighting of a job counts in. */
export const sightings = ({ id, source }: Pick<JobSighting, "id" | "source">): ReadonlyArray<Metric.Counter<number>> =>
  source === "event" ? [received, isV1(id) ? receivedV1 : receivedV2] : [isV1(id) ? polledV1 : polledV2]

/** Workers being started. */
export const spawning = counter("spawning_worker_count", "Worker starts begun")
export const spawned = counter("spawned_worker_count", "Worker starts that went well")
export const spawnErrors = counter(
  "spawning_worker_errors_count",
  "Worker starts that failed, a job taken by another included"
)

/** The pool of workers, each by what CDS says of it. */
export const workers = {
  Pending: gauge("pending_workers", "Workers that have a machine and that CDS does not know yet"),
  Registering: gauge("registering_workers", "Workers that register their model and that CDS does not know yet"),
  Waiting: gauge("waiting_workers", "Workers that have signed in and have no job yet"),
  Checking: gauge("checking_workers", "Workers that check whether they can run a job"),
  Building: gauge("building_workers", "Workers that run a job"),
  Disabled: gauge("disabled_workers", "Workers that CDS has disabled")
}

/** Each machine of ours, those of the warm pool included. */
const perWorker = ["worker_name", "worker_model"]
export const workerCpus = gauge("vsphere/worker_vcpus", "CPUs of a machine of this hatchery", perWorker)
export const workerMemory = gauge("vsphere/worker_memory_mb", "Memory of a machine of this hatchery, MB", perWorker)
export const workerDisk = gauge("vsphere/worker_disk_gb", "Virtual disks of a machine of this hatchery, GB", perWorker)

/** Our machines together. */
export const allocatedCpus = gauge("vsphere/allocated_vcpus", "CPUs of the machines of this hatchery, off or on")
export const allocatedMemory = gauge(
  "vsphere/allocated_memory_mb",
  "Memory of the machines of this hatchery, off or on, MB"
)
export const allocatedDisk = gauge("vsphere/allocated_disk_gb", "Virtual disks of the machines of this hatchery, GB")
export const machines = gauge("vsphere/vm_count", "Machines of this hatchery, templates left out")
export const workerMachines = gauge(
  "vsphere/worker_vm_count",
  "Machines of this hatchery that are claimed for a worker"
)
export const provisioned = gauge("vsphere/provisioned_vm_count", "Machines of the warm pool: ready, starting or dying")
export const provisionReady = gauge(
  "vsphere/provision_ready_count",
  "Machines of the warm pool that are off and ready for a job"
)
export const provisionStarting = gauge(
  "vsphere/provision_starting_count",
  "Machines of the warm pool in their first boot"
)
export const provisionDying = gauge("vsphere/provision_dying_count", "Machines of the warm pool that are to be removed")
export const provisionInflight = gauge(
  "vsphere/provision_inflight_count",
  "Machines of the warm pool that are being cloned and that vCenter does not show yet"
)
export const templateCpus = gauge("vsphere/template_vcpus", "CPUs of the templates that this hatchery has built")
export const templateMemory = gauge(
  "vsphere/template_memory_mb",
  "Memory of the templates that this hatchery has built, MB"
)
export const templates = gauge("vsphere/template_count", "Templates that this hatchery has built, or is building")

/** All machines of the datacenter, whoever's they are, templates included. */
export const totalCpus = gauge("vsphere/pool_total_vcpus", "CPUs of all machines of the datacenter")
export const totalMemory = gauge("vsphere/pool_total_memory_mb", "Memory of all machines of the datacenter, MB")
export const totalMachines = gauge("vsphere/pool_total_vm_count", "All machines of the datacenter")

/** The resource pool's own figures; no series while they cannot be read. */
export const poolCpu = {
  max: gauge("vsphere/resource_pool_cpu_max_mhz", "CPU of the resource pool, MHz"),
  used: gauge("vsphere/resource_pool_cpu_usage_mhz", "CPU of the resource pool in use, MHz"),
  unreserved: gauge("vsphere/resource_pool_cpu_unreserved_mhz", "CPU of the resource pool not reserved, MHz")
}
export const poolMemory = {
  max: gauge("vsphere/resource_pool_memory_max_bytes", "Memory of the resource pool, bytes"),
  used: gauge("vsphere/resource_pool_memory_usage_bytes", "Memory of the resource pool in use, bytes"),
  unreserved: gauge("vsphere/resource_pool_memory_unreserved_bytes", "Memory of the resource pool not reserved, bytes")
}

/** Ours alone: CDS has no word for it. */
export const frozen = gauge(
  "vsphere/frozen",
  "1 while the view of vCenter may not be acted upon: no machine is removed; /mon/status says why"
)

/** Addresses of the configured ranges; no series without a range. */
export const ipUsed = gauge(
  "vsphere/ip_used_count",
  "Addresses of the ranges in an annotation or on a guest's network card"
)
export const ipReserved = gauge("vsphere/ip_reserved_count", "Addresses of the ranges that are given to a machine")
export const ipActive = gauge("vsphere/ip_active_count", "Addresses of the ranges seen on a guest's network card")
export const ipTotal = gauge("vsphere/ip_total_count", "Addresses in the configured ranges")
