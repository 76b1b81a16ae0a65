/** All machines of ours that live, an actor each. Reading it costs nothing; the warm pool and the capacity are counted here, not in vCenter. */
import { Clock, Context, Effect, FiberMap, Latch, Layer, Metric } from "effect"
import type { Tracer } from "effect"
import { isV1 } from "../schema/Job.ts"
import type { MachineId } from "../schema/Machine.ts"
import { Capacity } from "../services/Capacity.ts"
import { Cds, type Notice } from "../services/Cds.ts"
import { EventLog } from "../services/EventLog.ts"
import { Ids } from "../services/Ids.ts"
import { IpPool } from "../services/IpPool.ts"
import * as Metrics from "../services/Metrics.ts"
import { Settings } from "../services/Settings.ts"
import { makeDeadlines } from "./Deadlines.ts"
import { Carriers, isFor } from "./Carriers.ts"
import { Signals } from "./Signals.ts"
import type { Action } from "./vm/Action.ts"
import type { VmEvent } from "./vm/Event.ts"
import { makeWorks } from "./vm/works.ts"
import type { Claim, Vm } from "./vm/State.ts"
import { claimOf, isEnd, nameOf, poolOf, type StateTag } from "./vm/State.ts"
import type { Env } from "./vm/table.ts"
import { makeHandle, run, send, type Doing, type VmHandle } from "./Vm.ts"

/** A worker that has a machine and does not run yet: it counts against maxConcurrentProvisioning. */
const starting: ReadonlySet<StateTag> = new Set(["Cloning", "Reserved", "Renamed", "Powered"])

export class Registry extends Context.Service<
  Registry,
  {
    /** Brings an actor to life for this machine, under its job's span; one that lives already is returned as it is. */
    readonly spawn: (vm: Vm, trace?: Tracer.Span) => Effect.Effect<VmHandle>
    readonly machines: ReadonlyMap<MachineId, VmHandle>
    /** What transitions are decided with: time, owner, this process. */
    readonly env: Effect.Effect<Env>
    /** Leases a ready machine for a job at once, in memory, and then tells its actor (design, "Lease before claim"). */
    readonly reserve: (handle: VmHandle, claim: Claim, trace: Tracer.Span | undefined) => Effect.Effect<void>
    /** Returns when the clone of a machine spawned in Cloning has an outcome. */
    readonly cloneEnded: (handle: VmHandle) => Effect.Effect<void>
    /** Ends all actors; their machines stay as they are. */
    readonly stop: Effect.Effect<void>
    /** The live machine that carries this job, or is leased for it; where there is none, one that has to be off before another may. */
    readonly carrier: (jobId: string) => VmHandle | undefined
  }
>()("rookery/actors/Registry") {
  static readonly layer = Layer.effect(
    Registry,
    Effect.gen(function* () {
      const cds = yield* Cds
      const ips = yield* IpPool
      const capacity = yield* Capacity
      const log = yield* EventLog
      const settings = yield* Settings
      const signals = yield* Signals
      const { work, settleJob, settleLate } = yield* makeWorks
      const fibers = yield* FiberMap.make<MachineId>()
      const machines = new Map<MachineId, VmHandle>()
      const cloning = new Map<MachineId, Latch.Latch>()
      const instance = yield* (yield* Ids).uuid
      const scope = yield* Effect.scope

      const env = Effect.map(Clock.currentTimeMillis, (now): Env => ({
        now,
        times: settings.times,
        hatchery: settings.cds.name,
        instance
      }))

      const carriers = new Carriers()
      const carrier = (jobId: string): VmHandle | undefined => {
        const handles = [...carriers.of(jobId)]
        return handles.find((handle) => isFor(handle, jobId)) ?? handles[0]
      }

      const elsewhere = (id?: MachineId) => ({
        carriedElsewhere: (jobId: string) =>
          [...carriers.of(jobId)].some((handle) => handle.id !== id && isFor(handle, jobId))
      })

      const tellJob = (claim: Claim, notice: Notice) =>
        claim.jobId === ""
          ? Effect.void
          : cds.tell(claim.region, claim.jobId, notice).pipe(
              Effect.catch((error) => Effect.logWarning(`the job ${claim.jobId} could not be told: ${error.message}`)),
              Effect.forkIn(scope),
              Effect.asVoid
            )

      const act = (handle: VmHandle, action: Action): Effect.Effect<void> => {
        const { id } = handle.vm
        const pool = poolOf(handle.vm)
        switch (action._tag) {
          case "Tell":
            return tellJob(action.claim, action.notice)
          case "ReturnJob":
            return Effect.all(
              [
                Metric.update(Metrics.spawnErrors, action.failed ? 1 : 0),
                signals.send(action),
                Effect.forkIn(isV1(action.claim.jobId) ? settleLate(elsewhere(), action.claim) : Effect.void, scope)
              ],
              { discard: true }
            )
          case "SettleJob":
            return settleJob(elsewhere(id), action.claim, action.settlement, action.reason).pipe(
              Effect.forkIn(scope),
              Effect.asVoid
            )
          case "CommitCapacity":
            return Effect.andThen(
              capacity.commit(id, claimOf(handle.vm.state)?.size ?? sizeOf(handle.vm), false),
              signals.send({ _tag: "CapacityFreed", machine: id })
            )
          case "FreeCapacity":
            return Effect.andThen(capacity.release(id), signals.send({ _tag: "CapacityFreed", machine: id }))
          case "FreeIp":
            return ips.release(id)
          case "CloneEnded":
            return Effect.sync(() => {
              cloning.get(id)?.openUnsafe()
              cloning.delete(id)
            })
          case "PoolGrew":
          case "PoolShrank":
          case "Hatched":
            return signals.send({ _tag: action._tag, pool })
          case "Built":
            return signals.send({ ...action, pool, model: handle.vm.model })
          case "HatchFailed":
            return signals.send({ _tag: "HatchFailed", pool, reason: action.reason })
          case "BuildFailed":
            return signals.send({ ...action, pool, model: handle.vm.model })
          case "Alarm":
            return Effect.andThen(
              Effect.logError(`${nameOf(handle.vm)} ${action.text}`),
              log.append({ kind: "alarm", subject: id, text: action.text })
            )
        }
      }

      const told = (before: Vm, event: VmEvent, after: Vm): Effect.Effect<void> => {
        if (before.state._tag === after.state._tag && event._tag !== "Deadline") return Effect.void
        const text = `${before.state._tag} → ${after.state._tag}`
        const data = {
          event: event._tag,
          name: nameOf(after),
          job: claimOf(after.state)?.jobId,
          ip: after.ip,
          reason: after.reason
        }
        return Effect.all(
          [
            count(after),
            Effect.logDebug(`${nameOf(after)}: ${text}${after.reason === undefined ? "" : ` (${after.reason})`}`),
            log.append({ kind: "transition", subject: after.id, text, data })
          ],
          { discard: true }
        )
      }

      const { arm } = yield* makeDeadlines(machines)
      const doing: Doing = {
        arm,
        env,
        act,
        told,
        work: (handle, name) =>
          work(name, {
            vm: () => handle.vm,
            env,
            tell: (event) => send(handle, event),
            onElsewhere: (jobId) => {
              const other = carriers.on(jobId, handle.id)
              return other === undefined ? undefined : nameOf(other.vm)
            },
            ...elsewhere(handle.id)
          })
      }

      /** What an adopted machine holds is taken into account before its actor does anything. One that does not exist yet holds what was reserved for it. */
      const account = Effect.fnUntraced(function* (vm: Vm) {
        if (vm.ip !== undefined) yield* ips.adopt(vm.id, vm.ip)
        const claim = claimOf(vm.state)
        if (claim !== undefined && vm.ref !== undefined)
          yield* capacity.commit(vm.id, claim.size ?? sizeOf(vm), starting.has(vm.state._tag))
      })

      const spawn = Effect.fnUntraced(function* (vm: Vm, trace?: Tracer.Span) {
        const living = machines.get(vm.id)
        if (living !== undefined) return living
        const handle = yield* makeHandle(vm, carriers)
        handle.trace = trace
        machines.set(vm.id, handle)
        if (vm.state._tag === "Cloning") cloning.set(vm.id, yield* Latch.make())
        yield* account(vm)
        if (vm.state._tag === "Cloning") yield* count(vm)
        yield* FiberMap.run(
          fibers,
          vm.id,
          run(handle, doing).pipe(
            Effect.tapCause((cause) => Effect.logError(`the actor of ${nameOf(handle.vm)} is lost`, cause)),
            Effect.ensuring(
              Effect.sync(() => {
                if (!isEnd(handle.vm.state)) return
                handle.lease = undefined
                machines.delete(vm.id)
              })
            )
          )
        )
        return handle
      })

      const reserve = Effect.fnUntraced(function* (handle: VmHandle, claim: Claim, trace: Tracer.Span | undefined) {
        handle.lease = claim.jobId
        handle.trace = trace
        yield* send(handle, { _tag: "Reserve", claim })
      })

      return Registry.of({
        spawn,
        machines,
        env,
        reserve,
        carrier,
        cloneEnded: (handle) => cloning.get(handle.id)?.await ?? Effect.void,
        stop: FiberMap.clear(fibers)
      })
    })
  )
}

export const sizeOf = (vm: Vm) =>
  vm.facts === undefined
    ? (vm.size ?? { cpus: 0, memoryMB: 0 })
    : { cpus: vm.facts.numCpu, memoryMB: vm.facts.memoryMB }

/** Worker starts begun and gone well. */
const count = ({ state }: Vm): Effect.Effect<void> => {
  if (state._tag === "Reserved" || (state._tag === "Cloning" && state.claim !== undefined))
    return Effect.andThen(Metric.update(Metrics.startersPicked, 1), Metric.update(Metrics.spawning, 1))
  return state._tag === "Running" ? Metric.update(Metrics.spawned, 1) : Effect.void
}
