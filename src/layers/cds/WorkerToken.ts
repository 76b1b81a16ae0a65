/** The token with which one worker signs in, for one job or to register its model (cds-contract 8). */
import { Duration } from "effect"
import { isV1 } from "../../schema/Job.ts"
import type { WorkerClaims } from "../../services/Cds.ts"

const validity = Duration.toSeconds("1 hour")

/** CDS reads the worker's name under `worker_model`. */
const workerV1 = (hatchery: string, { workerName, jobId, model }: WorkerClaims) => ({
  worker_model: workerName,
  model: model === undefined ? {} : { id: model.id, name: model.name },
  ...(jobId === "" ? {} : { job_id: Number(jobId) }),
  register_only: jobId === "",
  hatchery_name: hatchery
})

const workerV2 = (hatchery: string, { workerName, modelName, jobId }: WorkerClaims) => ({
  worker_model: workerName,
  model_name: modelName,
  run_job_id: jobId,
  hatchery_name: hatchery
})

/** The claims at `now`, milliseconds since the epoch. Only V1 models are registered. */
export const claims = (hatchery: string, worker: WorkerClaims, jti: string, now: number) => {
  const iat = Math.floor(now / 1000)
  const forV1 = worker.jobId === "" || isV1(worker.jobId)
  return {
    iss: hatchery,
    sub: worker.workerName,
    jti,
    iat,
    exp: iat + validity,
    Worker: forV1 ? workerV1(hatchery, worker) : workerV2(hatchery, worker)
  }
}
