/** The token with which one worker signs in for one V2 job (cds-contract 8). */
import { Duration } from "effect"
import type { WorkerClaims } from "../../services/Cds.ts"

const validity = Duration.toSeconds("1 hour")

/** The claims at `now`, milliseconds since the epoch. CDS reads the worker's name under `worker_model`. */
export const claims = (hatchery: string, worker: WorkerClaims, jti: string, now: number) => {
  const iat = Math.floor(now / 1000)
  return {
    iss: hatchery,
    sub: worker.workerName,
    jti,
    iat,
    exp: iat + validity,
    Worker: {
      worker_model: worker.workerName,
      model_name: worker.modelName,
      run_job_id: worker.jobId,
      hatchery_name: hatchery
    }
  }
}
