/**
 * The metrics of a hatchery, under CDS's own names (cds-contract 11, vsphere-behaviour 12) with `/` written as `_`. Update them with
 * `Metric.update`; the labels `service_name` and `service_type` come from the context (`layers/telemetry`).
 */
import { Metric } from "effect"

const counter = (name: string, description: string) =>
  Metric.counter(`cds_hatchery_${name}`, { description, incremental: true })

const gauge = (name: string, description: string) => Metric.gauge(`cds_hatchery_${name}`, { description })

/** Jobs on their way to a worker. */
export const jobsReceived = counter("job_received_in_queue_polling_ws_v2_count", "V2 job events received by websocket")
export const jobsPolled = counter("chan_v2_job_add_count", "V2 jobs seen by the poll of the queue")
export const jobsExamined = counter("jobs_count", "Jobs found waiting and examined")
export const jobsProcessed = counter("jobs_processed_count", "Jobs handed on to get a worker")
export const startersPicked = counter("chan_worker_starter_job_pop", "Jobs for which a worker start has begun")

/** Workers being started. */
export const spawning = counter("spawning_worker_count", "Worker starts begun")
export const spawned = counter("spawned_worker_count", "Worker starts that went well")
export const spawnErrors = counter(
  "spawning_worker_errors_count",
  "Worker starts that failed, a job taken by another included"
)

/** This hatchery's workers as CDS lists them. */
export const pendingWorkers = gauge(
  "pending_workers",
  "Workers whose machine is started and that have not signed in yet"
)
export const waitingWorkers = gauge("waiting_workers", "Workers that have signed in and have no job yet")
export const buildingWorkers = gauge("building_workers", "Workers that run a job")
export const disabledWorkers = gauge("disabled_workers", "Workers that CDS has disabled")

/** Our machines in vCenter. */
export const machines = gauge("vsphere_vm_count", "Machines of this hatchery, templates left out")
export const provisioned = gauge("vsphere_provisioned_vm_count", "Machines of the warm pool: ready, starting or dying")
export const provisionReady = gauge(
  "vsphere_provision_ready_count",
  "Machines of the warm pool that are off and ready for a job"
)
export const provisionStarting = gauge(
  "vsphere_provision_starting_count",
  "Machines of the warm pool in their first boot"
)
export const provisionDying = gauge("vsphere_provision_dying_count", "Machines of the warm pool that are to be removed")
export const provisionInflight = gauge(
  "vsphere_provision_inflight_count",
  "Machines of the warm pool that are being cloned"
)

/** Ours alone: CDS has no word for it. */
export const frozen = gauge(
  "vsphere_frozen",
  "1 while the view of vCenter may not be acted upon: no machine is removed; /mon/status says why"
)

/** Addresses of the configured ranges. */
export const ipActive = gauge("vsphere_ip_active_count", "Addresses of the ranges seen on a guest's network card")
export const ipReserved = gauge("vsphere_ip_reserved_count", "Addresses of the ranges that belong to a machine")
export const ipTotal = gauge("vsphere_ip_total_count", "Addresses in the configured ranges")
