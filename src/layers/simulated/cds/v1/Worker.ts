/** A V1 worker as the simulated API keeps it (cds-contract 6.1, 6.2). */
import { iso } from "../Job.ts"

export interface WorkerRecordV1 {
  readonly id: string
  readonly name: string
  readonly modelId: number | undefined
  /** Empty for a worker that registers its model. */
  readonly jobId: string
  /** Undefined while its hatchery's service is deleted. */
  hatcheryId: number | undefined
  readonly hatcheryName: string
  readonly version: string
  readonly os: string
  readonly arch: string
  status: "Waiting" | "Building" | "Disabled"
  lastBeatAt: number
}

export const workerToWire = (worker: WorkerRecordV1, modelName: string | undefined) => ({
  id: worker.id,
  name: worker.name,
  lastbeat: iso(worker.lastBeatAt),
  model_id: worker.modelId ?? null,
  model_name: modelName ?? "",
  job_run_id: worker.jobId === "" ? null : Number(worker.jobId),
  status: worker.status,
  hatchery_id: worker.hatcheryId ?? null,
  hatchery_name: worker.hatcheryName,
  uptodate: false,
  version: worker.version,
  os: worker.os,
  arch: worker.arch
})
