/** What the API does by itself on its V1 side (cds-contract 3, 4.7, 6.2). */
import { isFinal } from "../../../../schema/Job.ts"
import type { State } from "../State.ts"
import type { JobRecordV1 } from "./Job.ts"

/** A worker that has been silent is disabled, and a disabled one that still is goes away in the next pass. */
const passWorkers = ({ v1, options }: State, now: number): void => {
  for (const worker of v1.workers.values()) {
    if (now - worker.lastBeatAt < options.timings.workerSilenceMs) continue
    if (worker.status === "Disabled") v1.workers.delete(worker.id)
    else worker.status = "Disabled"
  }
}

/** A job that was building and is without its worker's row has failed. */
const passJob = (state: State, job: JobRecordV1, now: number): void => {
  state.v1.endBooking(job, now)
  if (job.workerId !== undefined && state.v1.workers.has(job.workerId)) return
  if (job.status !== "Building") return
  state.v1.say(job, "MsgSpawnInfoJobFailedCauseByWorkerLost", [job.id], now)
  state.changeStatus(job, "Fail", now, "worker lost")
}

export const passV1 = (state: State, now: number): void => {
  passWorkers(state, now)
  for (const job of state.v1.jobs.values()) if (!job.gone) passJob(state, job, now)
}

/** A job that has ended has no row any more, whatever becomes of its worker (docs/cds-protocol.md). */
export const deleteEndedJobs = ({ v1 }: State): void => {
  for (const job of v1.jobs.values()) if (isFinal(job.status)) job.gone = true
}

export const deleteSilentServices = ({ v1, options }: State, now: number): void => {
  for (const service of v1.services.values()) {
    if (now - service.lastHeartbeatAt >= options.timings.serviceSilenceMs) v1.deleteService(service)
  }
}
