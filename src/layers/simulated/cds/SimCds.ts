/**
 * The simulated CDS API: a state machine on the Effect clock that answers like the real one to a hatchery and its workers, V1 and V2, checks what
 * it is sent, and tells a judge what happened. It knows no transport: `InProcess.ts` and `Front.ts` put one around it.
 */
import { Clock, Effect, Fiber, FiberSet, Random } from "effect"
import type { Scope } from "effect"
import { cancelAsPlanned, runClockwork } from "./Clockwork.ts"
import type { ApiAnswer, ApiRequest, ConnectionCut } from "./Exchange.ts"
import { register } from "./Identity.ts"
import type { Identity, Registered } from "./Identity.ts"
import type { AnyJob, JobRecord } from "./Job.ts"
import { countsOf, delaysOf, viewOf } from "./Judge.ts"
import type { Counts, Delays, JobView } from "./Judge.ts"
import { makeKeys } from "./Keys.ts"
import type { ApiKeys } from "./Keys.ts"
import type { Fault, Switches } from "./Knobs.ts"
import { jobOf } from "./Order.ts"
import type { JobOrder } from "./Order.ts"
import { makePipeline, markAbandoned } from "./Pipeline.ts"
import { errandRoutes } from "./routes/errands.ts"
import { hatcheryRoutes } from "./routes/hatchery.ts"
import { queueRoutes } from "./routes/queue.ts"
import { hatcheryRoutesV1 } from "./routes/v1/hatchery.ts"
import { modelRoutesV1 } from "./routes/v1/model.ts"
import { queueRoutesV1 } from "./routes/v1/queue.ts"
import { workerRoutesV1 } from "./routes/v1/worker.ts"
import { workerRoutes } from "./routes/worker.ts"
import type { Connection } from "./Sockets.ts"
import { State } from "./State.ts"
import { defaultTimings, scaleTimings } from "./Timings.ts"
import type { Timings } from "./Timings.ts"
import type { JobRecordV1 } from "./v1/Job.ts"
import type { ModelRecord } from "./v1/Model.ts"
import type { JobOrderV1, ModelAsCodeOrder, ModelOrder } from "./v1/Order.ts"
import { nobody } from "./v1/State.ts"
import type { Violation } from "./Violations.ts"

export interface SimCdsOptions {
  /** The hatcheries that may sign in; one named `rookery` in region `default` unless given. */
  readonly hatcheries?: ReadonlyArray<Identity>
  /** Seed of the ids; without it they come from the caller's Random. */
  readonly seed?: string | number
  /** Base address that signin tells as `api_url`; a front tells its own. */
  readonly apiUrl?: string
  readonly cdn?: { readonly httpUrl: string; readonly tcpUrl: string; readonly tcpTls: boolean }
  readonly timings?: Partial<Timings>
  /** Multiplies every duration of `timings`. */
  readonly timeScale?: number
  /** The API's signing key; made at start unless given. */
  readonly keys?: ApiKeys
}

export interface SimCds {
  /** Names, regions and consumer tokens of the hatcheries that may sign in. */
  readonly identities: ReadonlyArray<Registered>
  readonly timings: Timings
  /** Answers one request. The work goes on when the caller gives up. */
  readonly handle: (request: ApiRequest) => Effect.Effect<ApiAnswer, ConnectionCut>
  /** Opens `/v2/hatchery/ws` or `/ws` until the scope ends; fails with the answer that refuses the upgrade. */
  readonly upgrade: (request: ApiRequest) => Effect.Effect<Connection, ApiAnswer | ConnectionCut, Scope.Scope>

  /** Puts jobs into the queue and answers their ids. */
  readonly enqueue: (order?: JobOrder) => Effect.Effect<ReadonlyArray<string>>
  /** The same for V1 jobs, whose ids are numbers in decimal digits. */
  readonly enqueueV1: (order?: JobOrderV1) => Effect.Effect<ReadonlyArray<string>>
  /** Adds a V1 model, or changes the one of that group and name; answers it as it is at any later moment. */
  readonly addModel: (order: ModelOrder) => Effect.Effect<Readonly<ModelRecord>>
  /** Adds a V2 model as code that V1 jobs may name. */
  readonly addModelAsCode: (order: ModelAsCodeOrder) => Effect.Effect<void>
  /** Jobs of V2, then of V1. */
  readonly jobs: Effect.Effect<ReadonlyArray<JobView>>
  readonly job: (id: string) => Effect.Effect<JobView | undefined>
  readonly counts: Effect.Effect<Counts>
  readonly delays: Effect.Effect<Delays>
  readonly violations: Effect.Effect<ReadonlyArray<Violation>>
  /** Waits until that many jobs have a final status. */
  readonly whenFinal: (count: number) => Effect.Effect<void>

  readonly fault: (fault: Fault) => Effect.Effect<void>
  readonly clearFaults: Effect.Effect<void>
  readonly set: (switches: Partial<Switches>) => Effect.Effect<void>
  /** The job's user stops it. */
  readonly stop: (jobId: string) => Effect.Effect<void>
  /** Holds the job's take lock as a concurrent take would, for the life of the lock; a V1 job is booked by another hatchery. */
  readonly holdTakeLock: (jobId: string) => Effect.Effect<void>
  /** Sends the job's event again, whatever its status. */
  readonly resendEvent: (jobId: string) => Effect.Effect<void>
  /** Ends all websockets with this close code, or without a closing handshake. */
  readonly endSockets: (how: number | "drop") => Effect.Effect<void>
  /** Disables a worker by its name, as its user may. */
  readonly disableWorker: (name: string) => Effect.Effect<void>
  /** Grants a hatchery another region; it learns it at its next signin. An empty one grants none. */
  readonly moveHatchery: (name: string, region: string) => Effect.Effect<void>
  /** Deletes a hatchery's V1 service, as the API does when its heartbeats stop. */
  readonly deleteService: (name: string) => Effect.Effect<void>
  /** Ends all sessions of hatcheries, V1 and V2. */
  readonly revokeSessions: Effect.Effect<void>
  /** For tests and fronts that look deeper. */
  readonly state: State
}

const hex = "0123456789abcdef"

/** Random version 4 UUIDs, lower case, from one source of numbers in [0, 1). */
const uuids = (next: () => number) => (): string =>
  "xxxxxxxx-xxxx-4xxx-yxxx-xxxxxxxxxxxx".replace(/[xy]/g, (kind) => {
    const digit = Math.floor(next() * 16)
    return hex.charAt(kind === "x" ? digit : (digit & 3) | 8)
  })

const makeState = Effect.fnUntraced(function* (options: SimCdsOptions) {
  const random = yield* options.seed === undefined ? Random.Random : Random.withSeed(Random.Random, options.seed)
  const fork = yield* FiberSet.makeRuntime<never, void>()
  const state: State = new State({
    keys: options.keys ?? makeKeys(),
    timings: scaleTimings({ ...defaultTimings, ...options.timings }, options.timeScale ?? 1),
    uuid: uuids(() => random.nextDoubleUnsafe()),
    cdn: options.cdn ?? { httpUrl: "http://cdn.simulated", tcpUrl: "cdn.simulated:8090", tcpTls: false },
    onStatus: (job) => {
      const cancel = cancelAsPlanned(state, job)
      if (cancel !== undefined) fork(cancel)
    }
  })
  if (options.apiUrl !== undefined) state.apiUrl = options.apiUrl
  return state
})

/** The handle's part that reads the state. */
const judging = (state: State) => ({
  jobs: Effect.sync(() => state.allJobs().map(viewOf)),
  job: (id: string) =>
    Effect.sync(() => {
      const job = state.jobs.get(id) ?? state.v1.jobs.get(id)
      return job === undefined ? undefined : viewOf(job)
    }),
  counts: Effect.sync(() => countsOf(state)),
  delays: Effect.sync(() => delaysOf(state)),
  violations: Effect.sync(() => [...state.violations]),
  whenFinal: (count: number) => state.whenFinal(count)
})

/** The handle's part that changes what the API does. */
const meddling = (state: State) => {
  const onJob = (id: string, v2: (job: JobRecord, now: number) => void, v1: (job: JobRecordV1, now: number) => void) =>
    Effect.map(Clock.currentTimeMillis, (now) => {
      const job = state.jobs.get(id)
      if (job !== undefined) return v2(job, now)
      const jobV1 = state.v1.jobs.get(id)
      if (jobV1 !== undefined) v1(jobV1, now)
    })
  const stop = (job: AnyJob, now: number) => state.stop(job, now)
  return {
    fault: (fault: Fault) => Effect.sync(() => state.faults.set(fault)),
    clearFaults: Effect.sync(() => state.faults.clear()),
    set: (switches: Partial<Switches>) => Effect.sync(() => void Object.assign(state.switches, switches)),
    stop: (id: string) => onJob(id, stop, stop),
    holdTakeLock: (id: string) =>
      onJob(
        id,
        (job, now) => {
          job.lockedUntil = now + state.options.timings.takeLockMs
        },
        (job, now) => state.v1.book(job, nobody, state.options.timings.bookingMs, now)
      ),
    resendEvent: (id: string) =>
      onJob(
        id,
        (job) => state.sockets.publish(job, 1),
        (job) => state.v1.sockets.publish(job, 1)
      ),
    endSockets: (how: number | "drop") =>
      Effect.sync(() => {
        state.sockets.end(how)
        state.v1.sockets.end(how)
      }),
    disableWorker: (name: string) =>
      Effect.map(Clock.currentTimeMillis, (now) => {
        for (const worker of state.workers.values()) if (worker.name === name) worker.status = "Disabled"
        for (const worker of state.v1.workers.values()) if (worker.name === name) state.v1.disable(worker, now)
      }),
    deleteService: (name: string) =>
      Effect.sync(() => {
        const service = [...state.v1.services.values()].find(({ consumer }) => consumer.name === name)
        if (service !== undefined) state.v1.deleteService(service)
      }),
    moveHatchery: (name: string, region: string) =>
      Effect.sync(() => {
        const hatchery = state.hatcheries.get(name)
        if (hatchery !== undefined) hatchery.region = region
      }),
    revokeSessions: Effect.sync(() => state.sessions.revoke(({ kind }) => kind === "hatchery" || kind === "consumer"))
  }
}

const routes = [
  ...hatcheryRoutes,
  ...queueRoutes,
  ...workerRoutes,
  ...errandRoutes,
  ...hatcheryRoutesV1,
  ...queueRoutesV1,
  ...workerRoutesV1,
  ...modelRoutesV1
]

/** The handle's part that fills the V1 side. */
const filling = (state: State) => ({
  enqueueV1: (order: JobOrderV1 = {}) =>
    Effect.map(Clock.currentTimeMillis, (now) =>
      Array.from({ length: order.count ?? 1 }, () => state.v1.enqueue(order, now).id)
    ),
  addModel: (order: ModelOrder) => Effect.map(Clock.currentTimeMillis, (now) => state.v1.addModel(order, now)),
  addModelAsCode: (order: ModelAsCodeOrder) => Effect.sync(() => state.v1.addModelAsCode(order))
})

export const make = Effect.fnUntraced(function* (
  options: SimCdsOptions = {}
): Effect.fn.Return<SimCds, never, Scope.Scope> {
  const scope = yield* Effect.scope
  const state = yield* makeState(options)
  const startedAt = yield* Clock.currentTimeMillis
  const wanted = options.hatcheries ?? [{ name: "rookery", region: "default" }]
  const identities = wanted.map((identity) => register(state, identity, startedAt))
  const { answer, upgrade } = makePipeline(state, routes)
  yield* runClockwork(state)

  const enqueue = (order: JobOrder = {}) =>
    Effect.map(Clock.currentTimeMillis, (queuedAt) =>
      Array.from({ length: order.count ?? 1 }, () => {
        const { uuid } = state.options
        const region = identities[0]?.region ?? ""
        const runNumber = state.jobs.size + 1
        const job = jobOf(order, { id: uuid(), workflowRunId: uuid(), runNumber, region, queuedAt })
        state.addJob(job)
        return job.id
      })
    )

  const handle = (request: ApiRequest) =>
    Effect.flatMap(Effect.forkIn(answer(request), scope), Fiber.join).pipe(
      Effect.onInterrupt(() => Effect.sync(() => markAbandoned(state, request)))
    )

  const { timings } = state.options
  return {
    identities,
    timings,
    handle,
    upgrade,
    enqueue,
    ...filling(state),
    ...judging(state),
    ...meddling(state),
    state
  }
})
