/** What the API does by itself, on its clock (cds-contract 4.7, 6.2). */
import { Clock, Effect } from "effect"
import type { Scope } from "effect"
import { since } from "./Job.ts"
import type { AnyJob } from "./Job.ts"
import type { State } from "./State.ts"
import { deleteEndedJobs, deleteSilentServices, passV1 } from "./v1/Clockwork.ts"

/** A job that its hatchery neither started nor gave back returns to the queue. */
const endScheduling = (state: State, now: number): void => {
  for (const job of state.jobs.values()) {
    if (job.status !== "Scheduling" || now - since(job) < state.options.timings.schedulingTimeoutMs) continue
    state.violate(now, "abandoned-take", job.id, `${job.hatcheryName} took it ${now - since(job)} ms ago`)
    state.requeue(job, now, "scheduling timeout")
  }
}

const failOldWaiting = (state: State, now: number): void => {
  for (const job of state.jobs.values()) {
    if (job.status !== "Waiting" || now - since(job) < state.options.timings.waitingTimeoutMs) continue
    state.tell(job, "error", "no hatchery took the job in time", now)
    state.changeStatus(job, "Fail", now, "waiting timeout")
  }
}

/** A job that is building while its worker's row is gone has lost its worker. */
const stopWithoutWorker = (state: State, now: number): void => {
  for (const job of state.jobs.values()) {
    if (job.status !== "Building" || (job.workerId !== undefined && state.workers.has(job.workerId))) continue
    state.tell(job, "error", `worker ${job.workerName} was lost`, now)
    state.changeStatus(job, "Stopped", now, "worker lost")
  }
}

const disableSilentWorkers = (state: State, now: number): void => {
  for (const worker of state.workers.values()) {
    if (now - worker.lastBeatAt >= state.options.timings.workerSilenceMs) worker.status = "Disabled"
  }
}

const deleteDisabledWorkers = (state: State): void => {
  for (const worker of state.workers.values()) {
    if (worker.status === "Disabled") state.workers.delete(worker.id)
  }
}

const every = (periodMs: number, pass: (now: number) => void): Effect.Effect<void, never, Scope.Scope> =>
  Effect.sleep(periodMs).pipe(
    Effect.andThen(Clock.currentTimeMillis),
    Effect.map(pass),
    Effect.tapCause((cause) => Effect.logError("a pass of the simulated API failed", cause)),
    Effect.forever,
    Effect.forkScoped,
    Effect.asVoid
  )

/** Starts the passes; they end with the scope. */
export const runClockwork = (state: State): Effect.Effect<void, never, Scope.Scope> => {
  const { jobPassMs, cleanPassMs, passV1Ms, endedPassMs, servicePassMs } = state.options.timings
  return Effect.all(
    [
      every(jobPassMs, (now) => {
        disableSilentWorkers(state, now)
        endScheduling(state, now)
        failOldWaiting(state, now)
        stopWithoutWorker(state, now)
      }),
      every(cleanPassMs, () => deleteDisabledWorkers(state)),
      every(passV1Ms, (now) => passV1(state, now)),
      every(endedPassMs, () => deleteEndedJobs(state)),
      every(servicePassMs, (now) => deleteSilentServices(state, now))
    ],
    { discard: true }
  )
}

/** The stop that the job's plan has for the status it just got; undefined when there is none. Of several the first one counts. */
export const cancelAsPlanned = (state: State, job: AnyJob): Effect.Effect<void> | undefined => {
  const { cancel } = job.plan
  if (cancel === undefined || job.status !== cancel.on) return undefined
  return Effect.sleep(cancel.afterMs).pipe(
    Effect.andThen(Clock.currentTimeMillis),
    Effect.map((now) => state.stop(job, now))
  )
}
