/** Everything the simulated API remembers, and the few changes that several routes and timers share. What only V1 has is in `v1`. */
import { Deferred, Effect } from "effect"
import type { JobStatus } from "../../../schema/Job.ts"
import { isFinal } from "../../../schema/Job.ts"
import type { ApiRequest } from "./Exchange.ts"
import type { HatcheryRecord } from "./Hatchery.ts"
import { eventFrame, iso } from "./Job.ts"
import type { AnyJob, JobInfo, JobRecord } from "./Job.ts"
import type { ApiKeys } from "./Keys.ts"
import { defaultSwitches, Faults } from "./Knobs.ts"
import type { Switches } from "./Knobs.ts"
import { Sessions } from "./Session.ts"
import { Sockets } from "./Sockets.ts"
import type { Timings } from "./Timings.ts"
import { StateV1 } from "./v1/State.ts"
import type { Rule, Violation } from "./Violations.ts"
import type { WorkerRecord } from "./Worker.ts"

/** `jobSchedulingMaxErrors` of the API (cds-contract 5.2). */
const maxReleases = 5

const takeUrl = (job: JobRecord): string => `/v2/queue/${job.region}/job/${job.id}/hatchery/take`

export interface StateOptions {
  readonly keys: ApiKeys
  readonly timings: Timings
  readonly uuid: () => string
  readonly cdn: { readonly httpUrl: string; readonly tcpUrl: string; readonly tcpTls: boolean }
  /** Called after each change of a job's status. */
  readonly onStatus: (job: AnyJob) => void
}

export class State {
  readonly options: StateOptions
  readonly sessions: Sessions
  readonly sockets = new Sockets(eventFrame)
  readonly faults = new Faults()
  readonly switches: Switches = { ...defaultSwitches }
  readonly hatcheries = new Map<string, HatcheryRecord>()
  readonly jobs = new Map<string, JobRecord>()
  readonly workers = new Map<string, WorkerRecord>()
  readonly v1: StateV1 = new StateV1(this)
  readonly violations: Array<Violation> = []
  /** Calls whose answer may not have reached the caller, as `METHOD path`. */
  readonly unanswered = new Set<string>()
  /** Requests whose caller went away while they were worked on: what is done for them later nobody knows. */
  readonly abandoned = new WeakSet<ApiRequest>()
  /** Base address that signin answers as `api_url`; a front sets it once it knows its port. */
  apiUrl = "http://cds.simulated"
  finalJobs = 0
  #waiters: Array<{ readonly count: number; readonly done: Deferred.Deferred<void> }> = []

  constructor(options: StateOptions) {
    this.options = options
    this.sessions = new Sessions(options.keys)
  }

  violate(at: number, rule: Rule, subject: string, text: string): void {
    this.violations.push({ at, rule, subject, text })
  }

  /** Jobs of both sides, V2 first. */
  allJobs(): ReadonlyArray<AnyJob> {
    return [...this.jobs.values(), ...this.v1.jobs.values()]
  }

  addJob(job: JobRecord): void {
    this.jobs.set(job.id, job)
    this.changeStatus(job, "Waiting", job.queuedAt, "queued")
    this.sockets.publish(job, this.switches.eventCopies)
  }

  changeStatus(job: AnyJob, status: JobStatus, at: number, why: string): void {
    if (isFinal(status) !== isFinal(job.status)) this.finalJobs += isFinal(status) ? 1 : -1
    job.status = status
    job.history.push({ at, status, hatchery: job.hatcheryName, worker: job.workerName, why })
    for (const waiter of this.#waiters) {
      if (this.finalJobs >= waiter.count) Deferred.doneUnsafe(waiter.done, Effect.void)
    }
    this.#waiters = this.#waiters.filter((waiter) => this.finalJobs < waiter.count)
    this.options.onStatus(job)
  }

  /** Waits until that many jobs have reached a final status. */
  whenFinal(count: number): Effect.Effect<void> {
    return Effect.suspend(() => {
      if (this.finalJobs >= count) return Effect.void
      const done = Deferred.makeUnsafe<void>()
      this.#waiters.push({ count, done })
      return Deferred.await(done)
    })
  }

  tell(job: AnyJob, level: JobInfo["level"], message: string, at: number): void {
    job.infos.push({ at, level, message })
  }

  /** Back to the queue, with a new event. */
  requeue(job: JobRecord, at: number, why: string): void {
    job.hatcheryName = ""
    this.unanswered.delete(`POST ${takeUrl(job)}`)
    this.changeStatus(job, "Waiting", at, why)
    this.sockets.publish(job, this.switches.eventCopies)
  }

  /** A hatchery gives the job back, whatever its status; the fifth time fails it (cds-contract 5.2). */
  release(job: JobRecord, hatcheryName: string, at: number): void {
    job.releases += 1
    this.tell(job, "warning", `${hatcheryName} stops working on the job ${job.jobName}`, at)
    this.requeue(job, at, "hatchery release")
    if (job.releases < maxReleases) return
    this.tell(job, "error", `the job was given back ${job.releases} times`, at)
    this.changeStatus(job, "Fail", at, "too many releases")
  }

  /** The user stops the job; a final job stays as it is. */
  stop(job: AnyJob, at: number): void {
    if (isFinal(job.status)) return
    this.tell(job, "info", `stopped by its user at ${iso(at)}`, at)
    this.changeStatus(job, "Stopped", at, "stopped by its user")
  }

  /** Whether some worker other than this one runs the job now. */
  takenByAnother(job: JobRecord, worker: WorkerRecord): boolean {
    return worker.status === "Building" && job.workerId !== undefined && job.workerId !== worker.id
  }
}
