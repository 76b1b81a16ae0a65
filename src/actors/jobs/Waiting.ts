/** A job that was seen and has no machine, and whose turn it is next. Times in milliseconds since the epoch. */
import { Latch } from "effect"
import type { JobId, JobSighting } from "../../schema/Job.ts"
import type { Size } from "../../schema/Machine.ts"

export interface Waiting {
  readonly sighting: JobSighting
  readonly seenAt: number
  sightedAt: number
  /** Known once the job was read. */
  pool: string | undefined
  modelName: string
  size: Size | undefined
  /** Why it is none of ours, whenever it is read: CDS freezes a job, and a V2 job's model, when it queues it. */
  unfit: string | undefined
  /** Its user hears why it waits; where another hatchery may well run it, only the operator does. */
  told: boolean
  reason: string
  decidedAt: number
  toldAt: number | undefined
  /** It has lost its machine, and is left alone for a moment. */
  notBefore: number
  /** Open when it may take a machine. */
  readonly turn: Latch.Latch
}

export const newcomer = (sighting: JobSighting, now: number): Waiting => ({
  sighting,
  seenAt: now,
  sightedAt: now,
  pool: undefined,
  modelName: "",
  size: undefined,
  unfit: undefined,
  told: true,
  reason: "",
  decidedAt: now,
  toldAt: undefined,
  notBefore: now,
  turn: Latch.makeUnsafe(false)
})

/** The project with the fewest machines first, as it gets one the next, and of its jobs the one seen first (seed 001 section 12). */
export const inTurn = (
  waiting: ReadonlyMap<JobId, Waiting>,
  shares: ReadonlyMap<string, number>
): Array<readonly [JobId, Waiting]> => {
  const queues = Map.groupBy(waiting, ([, { sighting }]) => sighting.projectKey)
  const turns = [...queues].flatMap(([project, jobs]) =>
    jobs.map((job, index) => ({ job, turn: (shares.get(project) ?? 0) + index }))
  )
  return turns.toSorted((a, b) => a.turn - b.turn || a.job[1].seenAt - b.job[1].seenAt).map(({ job }) => job)
}
