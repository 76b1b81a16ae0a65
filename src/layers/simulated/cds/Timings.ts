/** The API's own durations in milliseconds, with the defaults of a deployed CDS. */
export interface Timings {
  /** Life of a hatchery session (cds-contract 0.2). */
  readonly sessionMs: number
  /** Life of a worker session (6.4). */
  readonly workerSessionMs: number
  /** How long one take holds its lock at most (4.5). */
  readonly takeLockMs: number
  /** How long the work of one take lasts. */
  readonly takeMs: number
  /** A job that nobody started goes from Scheduling back to Waiting (4.7). */
  readonly schedulingTimeoutMs: number
  /** A job that nobody took fails (4.7). */
  readonly waitingTimeoutMs: number
  /** Period of the passes over jobs, and of the search for silent workers (4.7, 6.2). */
  readonly jobPassMs: number
  /** A worker without a beat for this long becomes Disabled (6.2). */
  readonly workerSilenceMs: number
  /** Period of the pass that deletes Disabled workers (6.2). */
  readonly cleanPassMs: number
  /** How often a worker beats (6.2). */
  readonly workerBeatMs: number
  /** How long the booking of a V1 job lasts when its hatchery names no time (4.7). */
  readonly bookingMs: number
  /** How long the registration of a V1 model stays booked (7.1). */
  readonly modelBookingMs: number
  /** Period of the passes over V1 jobs and workers (4.7, 6.2). */
  readonly passV1Ms: number
  /** Period of the pass that deletes V1 jobs that have ended. A real API draws it at its start, from one to nine seconds. */
  readonly endedPassMs: number
  /** A V1 service without a heartbeat for this long is deleted (3), and how often it is looked for. */
  readonly serviceSilenceMs: number
  readonly servicePassMs: number
}

export const defaultTimings: Timings = {
  sessionMs: 3_600_000,
  workerSessionMs: 24 * 3_600_000,
  takeLockMs: 30_000,
  takeMs: 5,
  schedulingTimeoutMs: 600_000,
  waitingTimeoutMs: 3_600_000,
  jobPassMs: 60_000,
  workerSilenceMs: 300_000,
  cleanPassMs: 10_000,
  workerBeatMs: 30_000,
  bookingMs: 120_000,
  modelBookingMs: 360_000,
  passV1Ms: 10_000,
  endedPassMs: 5_000,
  serviceSilenceMs: 180_000,
  servicePassMs: 30_000
}

/** Every duration multiplied by one factor; sessions keep at least two seconds, because their times are whole seconds. */
export const scaleTimings = (timings: Timings, factor: number): Timings => {
  const scaled = Object.fromEntries(
    Object.entries(timings).map(([name, ms]) => [name, Math.max(1, Math.round(ms * factor))])
  ) as unknown as Timings
  return { ...scaled, sessionMs: Math.max(2_000, scaled.sessionMs) }
}
