/**
 * Brings jobs and ready machines together. A job is seen (event or poll), read, admitted, and leases a machine before anything is sent; one
 * that cannot have a machine waits with its reason, which changes when the pool or the capacity does.
 */
import { Clock, Context, Effect, Exit, FiberMap, Layer, Metric, Semaphore, Stream, Tracer } from "effect"
import type { JobId, JobSighting, JobWithModel } from "../schema/Job.ts"
import { Capacity } from "../services/Capacity.ts"
import { Cds } from "../services/Cds.ts"
import { EventLog } from "../services/EventLog.ts"
import { Ids } from "../services/Ids.ts"
import * as Metrics from "../services/Metrics.ts"
import type { Decision } from "../services/Monitor.ts"
import { Settings } from "../services/Settings.ts"
import { admit, type Admission } from "./admission.ts"
import { Registry, sizeOf } from "./Registry.ts"
import { Signals, type Signal } from "./Signals.ts"
import { nameOf, type Claim } from "./vm/State.ts"
import type { VmHandle } from "./Vm.ts"

/** A job that was seen and has no machine. Times in milliseconds since the epoch. */
interface Waiting {
  readonly sighting: JobSighting
  readonly seenAt: number
  sightedAt: number
  /** Known once the job was read. */
  image: string | undefined
  reason: string
  decidedAt: number
  toldAt: number | undefined
}

/** A job that waits longer than this is told why, and again not sooner than this. */
const tellAfterMs = 30_000
const tellAgainMs = 5 * 60_000
/** CDS itself fails a job that waited for an hour (cds-contract 4.7): one not seen for as long is not coming back. */
const forgottenAfterMs = 60 * 60_000
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
      const ids = yield* Ids
      const log = yield* EventLog
      const registry = yield* Registry
      const settings = yield* Settings
      const signals = yield* Signals
      const waiting = new Map<JobId, Waiting>()
      const tries = new Map<JobId, { count: number; at: number }>()
      const starters = yield* Semaphore.make(Math.max(1, settings.maxConcurrentProvisioning))

      /** A ready machine of this template that nobody has, the oldest first; leased in the same breath. */
      const lease = (template: string, job: JobId): VmHandle | undefined => {
        let oldest: VmHandle | undefined
        for (const handle of registry.machines.values()) {
          if (!isReady(handle, template)) continue
          if (oldest === undefined || handle.vm.createdAt < oldest.vm.createdAt) oldest = handle
        }
        if (oldest !== undefined) oldest.lease = job
        return oldest
      }

      const refuse = Effect.fnUntraced(function* (entry: Waiting, reason: string) {
        const now = yield* Clock.currentTimeMillis
        const { id, region } = entry.sighting
        if (entry.reason !== reason) yield* log.append({ kind: "decision", subject: id, text: reason })
        entry.reason = reason
        entry.decidedAt = now
        if (now - entry.seenAt < tellAfterMs || now - (entry.toldAt ?? -Infinity) < tellAgainMs) return
        entry.toldAt = now
        yield* cds
          .info(region, id, "info", `Hatchery "${settings.cds.name}" cannot start a worker yet: ${reason}`)
          .pipe(Effect.catch((error) => Effect.logWarning(`the job ${id} could not be told: ${error.message}`)))
      })

      const tooManyTries = Effect.fnUntraced(function* (id: JobId) {
        const spent = tries.get(id)
        if (spent === undefined) return false
        if ((yield* Clock.currentTimeMillis) - spent.at > triesKeptMs) return !tries.delete(id)
        return settings.maxAttempts >= 0 && spent.count >= settings.maxAttempts
      })

      /** Undefined when the job has a machine now, else the reason why not. Whatever was leased on the way is free again then. */
      const claimMachine = Effect.fnUntraced(function* (
        entry: Waiting,
        { job }: JobWithModel,
        wanted: Extract<Admission, { _tag: "Wanted" }>,
        trace: Tracer.Span
      ) {
        const handle = lease(wanted.image, job.id)
        if (handle === undefined) return poolReason(registry.machines, wanted.image)
        const free = Effect.suspend(() => {
          handle.lease = undefined
          return capacity.release(handle.id)
        })
        const bind = Effect.gen(function* () {
          yield* capacity.reserve(handle.id, wanted.size ?? sizeOf(handle.vm))
          const claim: Claim = {
            jobId: job.id,
            region: entry.sighting.region,
            projectKey: job.projectKey,
            workerName: yield* ids.workerName(""),
            modelName: wanted.modelName,
            login: wanted.login,
            size: wanted.size,
            startedAt: yield* Clock.currentTimeMillis
          }
          yield* registry.reserve(handle, claim, trace)
          return undefined
        })
        return yield* bind.pipe(
          Effect.onError(() => free),
          Effect.catch((refusal) => Effect.succeed(refusal.reason))
        )
      })

      /** Decides about one job, under the span that its machine's actor carries on. True when the span is handed on. */
      const decide = Effect.fnUntraced(function* (entry: Waiting, trace: Tracer.Span) {
        const { id, region } = entry.sighting
        const read = yield* cds.job(region, id)
        yield* Metric.update(Metrics.jobsExamined, 1)
        const admission = admit(read.job, read.model, settings)
        if (admission._tag === "Over") {
          waiting.delete(id)
          return false
        }
        if (admission._tag === "Refused") return yield* Effect.as(refuse(entry, admission.reason), false)
        entry.image = admission.image
        if (yield* tooManyTries(id))
          return yield* Effect.as(
            refuse(entry, `it failed ${settings.maxAttempts} times (provision.maxAttemptsNumberBeforeFailure)`),
            false
          )
        yield* cds.cdn
        const reason = yield* claimMachine(entry, read, admission, trace)
        if (reason !== undefined) return yield* Effect.as(refuse(entry, reason), false)
        waiting.delete(id)
        yield* Metric.update(Metrics.jobsProcessed, 1)
        yield* log.append({ kind: "decision", subject: id, text: "a machine is leased" })
        return true
      })

      const consider = Effect.fnUntraced(function* (id: JobId) {
        const entry = waiting.get(id)
        if (entry === undefined) return
        const carrier = registry.carrier(id)
        if (carrier?.vm.state._tag === "Reaping") return yield* refuse(entry, "its last machine is being removed")
        if (carrier !== undefined) return void waiting.delete(id)
        if (entry.image !== undefined && readyOf(registry.machines, entry.image) === 0)
          return yield* refuse(entry, poolReason(registry.machines, entry.image))
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

      /** One decision per job at a time; a slow CDS delays the job it is slow for. */
      const look = (id: JobId): Effect.Effect<void> =>
        Effect.asVoid(
          FiberMap.run(
            fibers,
            id,
            starters
              .withPermits(1)(consider(id))
              .pipe(Effect.catchCause((cause) => Effect.logError(`deciding about the job ${id} crashed`, cause))),
            { onlyIfMissing: true }
          )
        )

      const sighted = Effect.fnUntraced(function* (sighting: JobSighting) {
        yield* Metric.update(sighting.source === "event" ? Metrics.jobsReceived : Metrics.jobsPolled, 1)
        const now = yield* Clock.currentTimeMillis
        const known = waiting.get(sighting.id)
        if (known === undefined) waiting.set(sighting.id, newcomer(sighting, now))
        else known.sightedAt = now
        for (const [id, entry] of waiting) if (now - entry.sightedAt > forgottenAfterMs) waiting.delete(id)
        yield* look(sighting.id)
      })

      /** As many of the waiting jobs look again as there is something for, the ones seen first before the others. */
      const lookAgain = Effect.fnUntraced(function* (template: string | undefined) {
        const free = new Map<string, number>()
        for (const [id, { image }] of waiting) {
          if (image === undefined || (template !== undefined && image !== template)) continue
          const left = free.get(image) ?? readyOf(registry.machines, image)
          if (left === 0) continue
          free.set(image, left - 1)
          yield* look(id)
        }
      })

      const heard = (signal: Signal): Effect.Effect<void> => {
        switch (signal._tag) {
          case "PoolGrew":
            return lookAgain(signal.template)
          case "CapacityFreed":
            return lookAgain(undefined)
          case "ReturnJob":
            return Effect.map(Clock.currentTimeMillis, (at) => {
              if (!signal.failed) return
              const count = (tries.get(signal.claim.jobId)?.count ?? 0) + 1
              tries.set(signal.claim.jobId, { count, at })
            })
          default:
            return Effect.void
        }
      }

      return Dispatcher.of({
        run: Effect.all([Stream.runForEach(cds.sightings, sighted), Stream.runForEach(signals.all, heard)], {
          concurrency: "unbounded",
          discard: true
        }).pipe(Effect.ensuring(FiberMap.clear(fibers))),
        waiting: Effect.sync(() =>
          [...waiting.values()]
            .map(({ sighting, decidedAt, reason }) => ({ job: sighting.id, at: decidedAt, reason }))
            .toSorted((a, b) => b.at - a.at)
        )
      })
    })
  )
}

const newcomer = (sighting: JobSighting, now: number): Waiting => ({
  sighting,
  seenAt: now,
  sightedAt: now,
  image: undefined,
  reason: "",
  decidedAt: now,
  toldAt: undefined
})

const endSpan = (span: Tracer.Span): Effect.Effect<void> =>
  Effect.map(Clock.currentTimeNanos, (now) => span.end(now, Exit.void))

const isReady = (handle: VmHandle, template: string): boolean =>
  handle.vm.state._tag === "Provisioned" && handle.lease === undefined && handle.vm.template === template

const readyOf = (machines: ReadonlyMap<string, VmHandle>, template: string): number => {
  let ready = 0
  for (const handle of machines.values()) if (isReady(handle, template)) ready++
  return ready
}

/** Why there is no machine, with what is on its way. */
const poolReason = (machines: ReadonlyMap<string, VmHandle>, template: string): string => {
  const coming = [...machines.values()].filter(
    ({ vm }) =>
      vm.template === template &&
      (vm.state._tag === "Cloning" || vm.state._tag === "Booting" || vm.state._tag === "Settling")
  )
  const names = coming.slice(0, 3).map(({ vm }) => nameOf(vm))
  return coming.length === 0
    ? `no provisioned machine of "${template}" is ready, and none is on its way (hatchery.vsphere.workerProvisioning)`
    : `no provisioned machine of "${template}" is ready; ${coming.length} on the way (${names.join(", ")}${coming.length > 3 ? ", …" : ""})`
}
