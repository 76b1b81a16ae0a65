/** A V2 worker as the simulated API keeps it (cds-contract 6.1, 6.2). */
import { iso } from "./Job.ts"

export interface WorkerRecord {
  readonly id: string
  readonly name: string
  readonly modelName: string
  readonly jobId: string
  readonly hatcheryId: string
  readonly hatcheryName: string
  readonly version: string
  readonly os: string
  readonly arch: string
  status: "Waiting" | "Building" | "Disabled"
  lastBeatAt: number
}

export const workerToWire = (worker: WorkerRecord) => ({
  id: worker.id,
  name: worker.name,
  last_beat: iso(worker.lastBeatAt),
  model_name: worker.modelName,
  run_job_id: worker.jobId,
  status: worker.status,
  hatchery_id: worker.hatcheryId,
  hatchery_name: worker.hatcheryName,
  version: worker.version,
  os: worker.os,
  arch: worker.arch
})
