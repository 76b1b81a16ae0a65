/**
 * Keeps the warm pool: so many ready machines of each template and V1 model, hatched one clone slot at a time, refilled when a machine is claimed as well
 * as on the interval, every pool getting a clone before any gets its second (seed 001 section 6.3; vsphere-behaviour 7).
 */
import { Clock, Context, Effect, Fiber, FiberSet, Layer, Queue, Semaphore, Stream } from "effect"
import { pathOf, sameStamp, stampOf } from "../../schema/ModelV1.ts"
import { EventLog } from "../../services/EventLog.ts"
import { Inventory } from "../../services/Inventory.ts"
import { Ids } from "../../services/Ids.ts"
import { IpPool } from "../../services/IpPool.ts"
import { Settings } from "../../services/Settings.ts"
import { makeConceive, type Source } from "./conceive.ts"
import { standingByName, unready } from "../models/modelTemplates.ts"
import { Registry } from "../Registry.ts"
import { Signals, type Signal } from "../Signals.ts"
import { Troubles } from "../jobs/Troubles.ts"
import { claimOf, inPool, placeOf, poolOf } from "../vm/State.ts"
import { send, type VmHandle } from "../Vm.ts"
import { WorkerModels } from "../models/WorkerModels.ts"

export class Nursery extends Context.Service<
  Nursery,
  {
    /** Never ends by itself. */
    readonly run: Effect.Effect<void>
    /** How many ready machines of a pool (a template, or the path of a V1 model) to keep from now on. */
    readonly want: (pool: string, number: number) => Effect.Effect<void>
  }
>()("rookery/actors/Nursery") {
  static readonly layer = Layer.effect(
    Nursery,
    Effect.gen(function* () {
      const conceive = yield* makeConceive
      const ids = yield* Ids
      const inventory = yield* Inventory
      const ips = yield* IpPool
      const log = yield* EventLog
      const registry = yield* Registry
      const settings = yield* Settings
      const signals = yield* Signals
      const workerModels = yield* WorkerModels
      const wanted = new Map([
        ...settings.provision.map(({ template, number }) => [template, number] as const),
        ...settings.modelProvision.map(({ modelPath, number }) => [modelPath, number] as const)
      ])
      const modelPools = new Set(settings.modelProvision.map(({ modelPath }) => modelPath))
      const troubles = new Troubles()
      /** Hatches that wait for a slot: no machine yet, but on the way. */
      const planned = new Map<string, number>()
      const slots = yield* Semaphore.make(settings.poolSize)
      const wake = yield* Queue.dropping<void>(1)
      const hatches = yield* FiberSet.make()

      const pooled = (): ReadonlyArray<VmHandle> =>
        [...registry.machines.values()].filter(({ vm }) => inPool(vm.state) && claimOf(vm.state) === undefined)

      const members = (pool: string) => pooled().filter(({ vm }) => poolOf(vm) === pool)

      const failed = Effect.fnUntraced(function* (pool: string, reason: string) {
        const { news, pauseMs } = troubles.again(pool, reason, yield* Clock.currentTimeMillis)
        if (news)
          yield* Effect.logWarning(`hatching a machine of "${pool}" failed, tried again with growing pauses: ${reason}`)
        yield* log.append({ kind: "decision", subject: pool, text: `hatching failed: ${reason}` })
        yield* FiberSet.run(hatches, Effect.andThen(Effect.sleep(pauseMs), Queue.offer(wake, undefined)))
      })

      const modelOf = (pool: string) =>
        Effect.map(workerModels.list, (list) => list?.models.find((model) => pathOf(model) === pool))

      /** What a pool is cloned from now; none while its V1 model has no template, or is not registered. */
      const sourceOf = Effect.fnUntraced(function* (pool: string) {
        if (!modelPools.has(pool)) return { template: pool, model: undefined } satisfies Source
        const model = yield* modelOf(pool)
        if (model === undefined) return undefined
        const standing = standingByName(model, yield* inventory.view, settings.cds.name)
        if (unready(model, standing) !== undefined) return undefined
        return { template: model.name, model: stampOf(model) } satisfies Source
      })

      const count = (pool: string, by: number) =>
        Effect.sync(() => void planned.set(pool, (planned.get(pool) ?? 0) + by))

      /** Counts as planned until its machine has an actor; holds its slot until the clone has an outcome. */
      const hatch = (source: Source) =>
        conceive(source, { named: (ip) => ids.workerName(prefixOf(source, ip)) }).pipe(
          Effect.ensuring(count(poolOf(source), -1)),
          Effect.flatMap(registry.cloneEnded)
        )

      const plan = (source: Source) =>
        Effect.andThen(
          count(poolOf(source), 1),
          FiberSet.run(
            hatches,
            slots
              .withPermits(1)(hatch(source))
              .pipe(
                Effect.catch(({ message }) =>
                  signals.send({ _tag: "HatchFailed", pool: poolOf(source), reason: message })
                ),
                Effect.catchCause((cause) =>
                  Effect.logError(`hatching a machine of "${poolOf(source)}" crashed`, cause)
                )
              )
          )
        )

      const deficit = (pool: string, number: number, now: number): number =>
        troubles.isPausing(pool, now) ? 0 : number - members(pool).length - (planned.get(pool) ?? 0)

      const pass = Effect.gen(function* () {
        const now = yield* Clock.currentTimeMillis
        yield* replace
        yield* part
        const missing = new Map([...wanted].map(([pool, number]) => [pool, deficit(pool, number, now)]))
        for (const pool of roundRobin(missing)) {
          const source = yield* sourceOf(pool)
          if (source !== undefined) yield* plan(source)
        }
        yield* shrink
      })

      /** A machine of a V1 model that was changed since is of no use to any job. */
      const replace = Effect.gen(function* () {
        if ((yield* workerModels.list) === undefined) return
        for (const handle of pooled()) {
          if (handle.vm.model === undefined || handle.lease !== undefined) continue
          const model = yield* modelOf(handle.vm.model.path)
          if (model !== undefined) {
            if (!sameStamp(handle.vm.model, stampOf(model))) yield* dismiss([handle], "its V1 model was changed")
          } else if (settings.cds.token === undefined || (yield* workerModels.isGone(handle.vm.model.path)))
            yield* dismiss([handle], "CDS has its V1 model no more")
        }
      })

      /** Two machines with one address, of which the other is somebody else's and was not shown when ours got it, are of no use to a job. */
      const part = Effect.gen(function* () {
        const ours = new Set([...registry.machines.values()].map(({ vm }) => vm.ref))
        for (const handle of pooled()) {
          const { ip } = handle.vm
          if (ip === undefined || handle.lease !== undefined || isReady(handle) === 0) continue
          if ((yield* ips.holders(ip)).some((ref) => !ours.has(ref)))
            yield* dismiss([handle], `its address ${ip} is on somebody else's machine too`)
        }
      })

      /** Dying, then booting, then the oldest ready; never a leased one (defect 53). */
      const shrink = Effect.suspend(() => {
        const pools = new Set(pooled().map(({ vm }) => poolOf(vm)))
        return Effect.forEach(
          pools,
          (pool) => {
            const all = members(pool)
            const excess = all.length - (wanted.get(pool) ?? 0)
            const free = all.filter(({ lease }) => lease === undefined)
            const chosen = excess <= 0 ? [] : free.toSorted(byWorth).slice(0, excess)
            return dismiss(chosen, "the pool has more machines than are wanted")
          },
          { discard: true }
        )
      })

      const heard = (signal: Signal): Effect.Effect<void> => {
        switch (signal._tag) {
          case "PoolShrank":
            return Effect.asVoid(Queue.offer(wake, undefined))
          case "Hatched":
            return Effect.sync(() => troubles.forget(signal.pool))
          case "Built":
            return Effect.sync(() => {
              troubles.forget(signal.pool)
              Queue.offerUnsafe(wake, undefined)
            })
          case "HatchFailed":
            return failed(signal.pool, signal.reason)
          default:
            return Effect.void
        }
      }

      const passes = Effect.gen(function* () {
        while (true) {
          yield* pass
          yield* Effect.timeoutOption(Queue.take(wake), settings.times.provisioningIntervalMs)
        }
      })

      return Nursery.of({
        run: Effect.gen(function* () {
          const listening = yield* Effect.forkChild(Stream.runForEach(signals.all, heard))
          yield* Effect.forkChild(Effect.andThen(workerModels.first, Queue.offer(wake, undefined)))
          yield* Effect.raceFirst(passes, Fiber.join(listening))
        }).pipe(
          // A hatch that was interrupted while it waited for its slot is not planned any more.
          Effect.ensuring(
            Effect.andThen(
              FiberSet.clear(hatches),
              Effect.sync(() => planned.clear())
            )
          )
        ),
        want: (pool, number) =>
          Effect.sync(() => {
            wanted.set(pool, number)
            Queue.offerUnsafe(wake, undefined)
          })
      })
    })
  )
}

/** The Go hatchery's names: `provision-v1-` for V1 models, and the address in the name of a V2 machine. */
const prefixOf = ({ model }: Source, ip: string | undefined): string => {
  if (model !== undefined) return "provision-v1"
  return ip === undefined ? "provision-v2" : `provision-v2-ip-${ip.replaceAll(".", "-")}`
}

const dismiss = (handles: ReadonlyArray<VmHandle>, reason: string) =>
  Effect.forEach(handles, (handle) => send(handle, { _tag: "Reap", reason, settlement: "none" }), {
    discard: true
  })

const isReady = ({ vm }: VmHandle): number => (placeOf(vm.state) === "Provisioned" ? 1 : 0)

const byWorth = (a: VmHandle, b: VmHandle): number => isReady(a) - isReady(b) || a.vm.createdAt - b.vm.createdAt

/** One of each pool that misses any, then a second one, and so on, in configured order. */
export const roundRobin = (missing: ReadonlyMap<string, number>): ReadonlyArray<string> => {
  const rounds = Math.max(0, ...missing.values())
  return Array.from({ length: rounds }, (_, round) =>
    [...missing].filter(([, number]) => number > round).map(([pool]) => pool)
  ).flat()
}
