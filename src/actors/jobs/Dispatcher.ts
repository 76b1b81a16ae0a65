/**
 * Brings jobs and ready machines together. A job is seen (event or poll), read, admitted, and leases a machine before anything is sent; one
 * that cannot have a machine waits with its reason, which changes when the pool or the capacity does.
 */
import {
  Cause,
  Clock,
  Context,
  Effect,
  Exit,
  Fiber,
  FiberMap,
  Layer,
  Metric,
  Queue,
  Semaphore,
  Stream,
  Tracer
} from "effect"
import { isV1, type JobId, type JobSighting } from "../../schema/Job.ts"
import type { Size } from "../../schema/Machine.ts"
import { Capacity } from "../../services/Capacity.ts"
import { Cds } from "../../services/Cds.ts"
import { EventLog } from "../../services/EventLog.ts"
import * as Metrics from "../../services/Metrics.ts"
import type { Decision } from "../../services/Monitor.ts"
import { Settings } from "../../services/Settings.ts"
import { makeAssignment } from "./assignment.ts"
import { makeJobModel } from "./jobModel.ts"
import { Predecessor } from "../watch/Predecessor.ts"
import { Registry } from "../Registry.ts"
import { Signals, type Signal } from "../Signals.ts"
import { Troubles } from "./Troubles.ts"
import { inTurn, newcomer, type Waiting } from "./Waiting.ts"
import { isAskable, placeOf } from "../vm/State.ts"

/** A job that waits longer than this is told why, and again not sooner than this. */
const tellAfterMs = 30_000
const tellAgainMs = 5 * 60_000
/** CDS itself fails a job that waited for an hour (cds-contract 4.7): one not seen for as long is not coming back. */
const forgottenAfterMs = 60 * 60_000
/** A worker whose size is its template's: only the limits on their number can be told beforehand. */
const nothing: Size = { cpus: 0, memoryMB: 0 }
/** A job whose machine was lost is looked at again after this long. */
const returnedMs = 5_000
/** A job whose turn it is, and whose CDS takes longer, holds up the others no more. */
const turnMs = 2_000
/** How long spent tries of a job are remembered (vsphere-behaviour 4.1 rule 7). */
const triesKeptMs = 60 * 60_000

export class Dispatcher extends Context.Service<
  Dispatcher,
  {
    /** Never ends by itself. */
    readonly run: Effect.Effect<void>
    /** Why jobs wait, newest first. */
    readonly waiting: Effect.Effect<ReadonlyArray<Decision>>
  }
>()("rookery/actors/Dispatcher") {
  static readonly layer = Layer.effect(
    Dispatcher,
    Effect.gen(function* () {
      const cds = yield* Cds
      const capacity = yield* Capacity
      const log = yield* EventLog
      const predecessor = yield* Predecessor
      const registry = yield* Registry
      const settings = yield* Settings
      const signals = yield* Signals
      const assignment = yield* makeAssignment
      const jobModel = yield* makeJobModel
      const waiting = new Map<JobId, Waiting>()
      /** Those of them that are to be looked at. */
      const due = new Set<JobId>()
      const tries = new Map<JobId, { count: number; at: number }>()
      const troubles = new Troubles()
      const readers = yield* Semaphore.make(Math.max(1, settings.maxConcurrentProvisioning))
      const wake = yield* Queue.dropping<void>(1)

      const withTrouble = (pool: string, reason: string): string => {
        const trouble = troubles.reasonOf(pool)
        return trouble === undefined || reason.includes(trouble)
          ? reason
          : `${reason}; its machines do not hatch: ${trouble}`
      }

      /** This job and those that wait for the same pool. */
      const rivals = (pool: string): number => [...waiting.values()].filter((entry) => entry.pool === pool).length

      const refuse = Effect.fnUntraced(function* (entry: Waiting, reason: string) {
        const now = yield* Clock.currentTimeMillis
        const { id, region } = entry.sighting
        if (entry.reason !== reason) yield* log.append({ kind: "decision", subject: id, text: reason })
        entry.reason = reason
        entry.decidedAt = now
        if (!entry.told || now - entry.seenAt < tellAfterMs || now - (entry.toldAt ?? -Infinity) < tellAgainMs) return
        entry.toldAt = now
        yield* cds
          .tell(region, id, { _tag: "Waits", modelName: entry.modelName, reason })
          .pipe(Effect.catch((error) => Effect.logWarning(`the job ${id} could not be told: ${error.message}`)))
      })

      const tooManyTries = Effect.fnUntraced(function* (id: JobId) {
        const spent = tries.get(id)
        if (spent === undefined) return false
        if ((yield* Clock.currentTimeMillis) - spent.at > triesKeptMs) return !tries.delete(id)
        return settings.maxAttempts >= 0 && spent.count >= settings.maxAttempts
      })

      /** CDS fails a V2 job by itself after five releases; a V1 job waits until somebody says that it has failed (cds-contract 5.4). */
      const giveUp = Effect.fnUntraced(function* (entry: Waiting) {
        const { id, region } = entry.sighting
        const reason = `it failed ${settings.maxAttempts} times (provision.maxAttemptsNumberBeforeFailure)`
        yield* refuse(entry, reason)
        if (!isV1(id)) return
        yield* cds.fail(region, id, `Hatchery "${settings.cds.name}" gives up: ${reason}`).pipe(
          Effect.tap(() => Effect.sync(() => waiting.delete(id))),
          Effect.catch((error) => Effect.logWarning(`the job ${id} could not be failed: ${error.message}`))
        )
      })

      /** The job as it is now, and what it needs. */
      const read = Effect.fnUntraced(function* ({ sighting: { id, region } }: Waiting) {
        const found = yield* cds.job(region, id)
        yield* Metric.update(Metrics.jobsExamined, 1)
        const admission = yield* jobModel.admission(found)
        if (admission._tag === "Wanted") yield* cds.cdn
        return { job: found.job, admission }
      })

      /** Decides about one job, under the span that its machine's actor carries on. True when the span is handed on. */
      const decide = Effect.fnUntraced(function* (entry: Waiting, trace: Tracer.Span) {
        const { id, region } = entry.sighting
        const { job, admission } = yield* readers.withPermits(1)(read(entry))
        if (admission._tag === "Over") {
          waiting.delete(id)
          return false
        }
        if (admission._tag === "Refused") {
          entry.told = admission.told
          if (admission.final) entry.unfit = admission.reason
          return yield* Effect.as(refuse(entry, admission.reason), false)
        }
        entry.told = true
        entry.pool = admission.pool
        entry.modelName = admission.modelName
        entry.size = admission.size
        yield* entry.turn.await
        const reason = yield* assignment.assign(job, region, admission, rivals(admission.pool), trace)
        if (reason !== undefined) return yield* Effect.as(refuse(entry, withTrouble(admission.pool, reason)), false)
        waiting.delete(id)
        yield* Metric.update(Metrics.jobsProcessed, 1)
        yield* log.append({ kind: "decision", subject: id, text: "a machine is leased" })
        return true
      })

      const consider = Effect.fnUntraced(function* (id: JobId) {
        const entry = waiting.get(id)
        if (entry === undefined) return
        const carrier = registry.carrier(id)
        if (carrier !== undefined && placeOf(carrier.vm.state) === "Reaping")
          return yield* refuse(entry, "its last machine is being removed")
        if (carrier !== undefined) return void waiting.delete(id)
        const objection = yield* predecessor.objection(id)
        if (objection !== undefined) return yield* refuse(entry, objection)
        if (entry.unfit !== undefined) return yield* refuse(entry, entry.unfit)
        if (yield* tooManyTries(id)) return yield* giveUp(entry)
        if (entry.pool !== undefined) {
          const reason = yield* assignment.hopeless(entry.pool, entry.size ?? nothing, rivals(entry.pool))
          if (reason !== undefined) return yield* refuse(entry, withTrouble(entry.pool, reason))
        }
        const trace = yield* Effect.makeSpan("Job", {
          root: true,
          attributes: { "job.id": id, "job.project": entry.sighting.projectKey }
        })
        const handedOn = yield* decide(entry, trace).pipe(
          Effect.withParentSpan(trace),
          Effect.catch((error) =>
            error.kind === "notFound" && error.call === "job"
              ? Effect.sync(() => !waiting.delete(id))
              : Effect.as(refuse(entry, `CDS: ${error.message}`), false)
          ),
          Effect.onError(() => endSpan(trace))
        )
        if (!handedOn) yield* endSpan(trace)
      })

      const fibers = yield* FiberMap.make<JobId>()

      const guarded = (id: JobId): Effect.Effect<void> =>
        Effect.catchCause(consider(id), (cause) =>
          Cause.hasInterruptsOnly(cause)
            ? Effect.interrupt
            : Effect.logError(`deciding about the job ${id} crashed`, cause)
        )

      const isDue = (id: JobId): void => {
        due.add(id)
        Queue.offerUnsafe(wake, undefined)
      }

      const sighted = Effect.fnUntraced(function* (sighting: JobSighting) {
        for (const counter of Metrics.sightings(sighting)) yield* Metric.update(counter, 1)
        const now = yield* Clock.currentTimeMillis
        const entry = waiting.get(sighting.id) ?? newcomer(sighting, now)
        waiting.set(sighting.id, entry)
        entry.sightedAt = now
        isDue(sighting.id)
      })

      /** As many of the waiting jobs are looked at again as there may be machines for. */
      const lookAgain = Effect.fnUntraced(function* (of: string | undefined) {
        const ready = new Map<string, number>()
        let clones = settings.maxConcurrentProvisioning - (yield* capacity.used).starting
        for (const [id, { pool }] of inTurn(waiting, assignment.shares())) {
          if (pool === undefined || (of !== undefined && pool !== of)) continue
          const left = ready.get(pool) ?? assignment.ready(pool)
          if (left > 0) ready.set(pool, left - 1)
          else if (clones > 0) clones--
          else continue
          isDue(id)
        }
      })

      const forget = Effect.map(Clock.currentTimeMillis, (now) => {
        for (const [id, { sightedAt }] of waiting) if (now - sightedAt > forgottenAfterMs) waiting.delete(id)
      })

      /**
       * The jobs that are due are read side by side and served one after the other, so that projects share what is short (seed 001 section 12):
       * else the one whose job is read the fastest would get it, and V2 jobs are read faster than V1 jobs. A machine given changes whose turn it is.
       */
      const serve = Effect.gen(function* () {
        yield* forget
        const looking = new Map<JobId, Fiber.Fiber<void>>()
        let turns: Array<readonly [JobId, Waiting]> = []
        while (true) {
          if (due.size > 0) {
            const now = yield* Clock.currentTimeMillis
            turns = inTurn(waiting, assignment.shares())
            for (const [id, { notBefore, turn }] of turns) {
              if (!due.has(id) || now < notBefore) continue
              turn.closeUnsafe()
              looking.set(id, yield* FiberMap.run(fibers, id, guarded(id), { onlyIfMissing: true }))
            }
            due.clear()
          }
          const next = turns.shift()
          if (next === undefined) return
          const [id, { turn }] = next
          const fiber = looking.get(id)
          if (fiber === undefined) continue
          looking.delete(id)
          turn.openUnsafe()
          yield* Effect.timeoutOption(Fiber.await(fiber), turnMs)
          if (!waiting.has(id)) turns = inTurn(waiting, assignment.shares())
        }
      })

      /** Whoever had to wait for what the process before may have left. The nursery plans first: a machine for the pool will do. */
      const everybody = Effect.delay(
        Effect.sync(() => [...waiting.keys()].forEach(isDue)),
        returnedMs
      )

      /** A job that lost its machine waits again, and is looked at soon: nobody may tell of it before the next poll. */
      const returned = Effect.fnUntraced(function* ({ claim, reason, failed }: Extract<Signal, { _tag: "ReturnJob" }>) {
        const { jobId: id, region, projectKey } = claim
        if (!isAskable(claim)) return
        const now = yield* Clock.currentTimeMillis
        if (failed) tries.set(id, { count: (tries.get(id)?.count ?? 0) + 1, at: now })
        const entry = waiting.get(id) ?? { ...newcomer({ id, region, projectKey, source: "event" }, now), reason }
        waiting.set(id, entry)
        entry.notBefore = now + returnedMs
        yield* Effect.forkChild(
          Effect.andThen(
            Effect.sleep(returnedMs),
            Effect.sync(() => isDue(id))
          )
        )
      })

      const heard = (signal: Signal): Effect.Effect<void> => {
        switch (signal._tag) {
          case "PoolGrew":
            return lookAgain(signal.pool)
          case "CapacityFreed":
            return lookAgain(undefined)
          case "ReturnJob":
            return returned(signal)
          case "HatchFailed":
            return Effect.map(Clock.currentTimeMillis, (now) => void troubles.again(signal.pool, signal.reason, now))
          case "Hatched":
          case "Built":
            return Effect.sync(() => troubles.forget(signal.pool))
          default:
            return Effect.void
        }
      }

      return Dispatcher.of({
        run: Effect.all(
          [
            Stream.runForEach(cds.sightings, sighted),
            Stream.runForEach(signals.all, heard),
            Effect.forever(Effect.andThen(Queue.take(wake), serve)),
            Effect.andThen(predecessor.settled, everybody)
          ],
          { concurrency: "unbounded", discard: true }
        ).pipe(Effect.ensuring(FiberMap.clear(fibers))),
        waiting: Effect.sync(() =>
          [...waiting.values()]
            .map(({ sighting, decidedAt, reason }) => ({ job: sighting.id, at: decidedAt, reason }))
            .toSorted((a, b) => b.at - a.at)
        )
      })
    })
  )
}

const endSpan = (span: Tracer.Span): Effect.Effect<void> =>
  Effect.map(Clock.currentTimeNanos, (now) => span.end(now, Exit.void))
