/** What the hatchery tells about itself: on `/mon/*`, in heartbeats, on the live table. Reading it changes nothing of the hatchery. */
import { Context } from "effect"
import type { Effect } from "effect"
import type { PoolWorker } from "../schema/Job.ts"
import type { MachineId, MachineRef } from "../schema/Machine.ts"
import type { MonitoringStatus } from "../schema/Monitoring.ts"

/** One machine of ours, for people. Times in milliseconds since the epoch. */
export interface MachineRow {
  readonly id: MachineId
  readonly ref: MachineRef | undefined
  readonly name: string
  readonly state: string
  /** When the state was entered. */
  readonly since: number
  /** When the state's deadline passes. */
  readonly deadline: number | undefined
  readonly template: string
  readonly job: string | undefined
  readonly ip: string | undefined
  /** Why it is where it is, when that is not obvious: the last failure, the reason for reaping. */
  readonly reason: string | undefined
}

/** Why a job waits or was refused (promise 7). */
export interface Decision {
  readonly job: string
  readonly at: number
  readonly reason: string
}

export class Monitor extends Context.Service<
  Monitor,
  {
    readonly status: Effect.Effect<MonitoringStatus>
    /** The pool of workers, by name. */
    readonly workers: Effect.Effect<ReadonlyArray<PoolWorker>>
    readonly machines: Effect.Effect<ReadonlyArray<MachineRow>>
    /** Newest first, one per job. */
    readonly waiting: Effect.Effect<ReadonlyArray<Decision>>
    /** Sets the gauges (`Metrics.ts`) to what is so now, to be read at once. */
    readonly gauges: Effect.Effect<void>
    /** Addresses leased now. */
    readonly leased: Effect.Effect<number>
  }
>()("rookery/services/Monitor") {}
