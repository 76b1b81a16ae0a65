/**
 * Keeps the warm pool: so many ready machines of each template, hatched one clone slot at a time, refilled when a machine is claimed as well
 * as on the interval, every template getting a clone before any gets its second (seed 001 section 6.3; vsphere-behaviour 7).
 */
import { Clock, Context, Effect, Fiber, FiberSet, Layer, Queue, Semaphore, Stream } from "effect"
import { EventLog } from "../services/EventLog.ts"
import { Ids } from "../services/Ids.ts"
import { IpPool } from "../services/IpPool.ts"
import { Settings } from "../services/Settings.ts"
import { VSphere } from "../services/VSphere.ts"
import { Registry } from "./Registry.ts"
import { Signals, type Signal } from "./Signals.ts"
import { newborn } from "./vm/newborn.ts"
import { claimOf, inPool, placeOf } from "./vm/State.ts"
import { send, type VmHandle } from "./Vm.ts"

/** A template that keeps failing is tried again after 5 s, doubling, at most 10 minutes (defect 56). */
const firstPauseMs = 5_000
const longestPauseMs = 10 * 60_000

interface Trouble {
  readonly failures: number
  readonly notBefore: number
  readonly reason: string
}

export class Nursery extends Context.Service<
  Nursery,
  {
    /** Never ends by itself. */
    readonly run: Effect.Effect<void>
    /** How many ready machines of a template to keep from now on. */
    readonly want: (template: string, number: number) => Effect.Effect<void>
  }
>()("rookery/actors/Nursery") {
  static readonly layer = Layer.effect(
    Nursery,
    Effect.gen(function* () {
      const ids = yield* Ids
      const ips = yield* IpPool
      const log = yield* EventLog
      const registry = yield* Registry
      const settings = yield* Settings
      const signals = yield* Signals
      const vsphere = yield* VSphere
      const wanted = new Map(settings.provision.map(({ template, number }) => [template, number]))
      const trouble = new Map<string, Trouble>()
      /** Hatches that wait for a slot: no machine yet, but on the way. */
      const planned = new Map<string, number>()
      const slots = yield* Semaphore.make(settings.poolSize)
      const wake = yield* Queue.dropping<void>(1)
      const hatches = yield* FiberSet.make()

      const poolOf = (template: string): ReadonlyArray<VmHandle> =>
        [...registry.machines.values()].filter(
          ({ vm }) => vm.template === template && inPool.has(placeOf(vm.state)) && claimOf(vm.state) === undefined
        )

      const failed = Effect.fnUntraced(function* (template: string, reason: string) {
        const before = trouble.get(template)
        const failures = (before?.failures ?? 0) + 1
        const pause = Math.min(longestPauseMs, firstPauseMs * 2 ** (failures - 1))
        trouble.set(template, { failures, reason, notBefore: (yield* Clock.currentTimeMillis) + pause })
        if (before?.reason !== reason)
          yield* Effect.logWarning(
            `hatching a machine of "${template}" failed, tried again with growing pauses: ${reason}`
          )
        yield* log.append({ kind: "decision", subject: template, text: `hatching failed: ${reason}` })
        yield* FiberSet.run(hatches, Effect.andThen(Effect.sleep(pause), Queue.offer(wake, undefined)))
      })

      /** Name, uuid and address are chosen before anything is sent (design, "Intent before action"). */
      const conceive = Effect.fnUntraced(function* (template: string) {
        yield* vsphere.template(template)
        const id = yield* ids.uuid
        const addressing = yield* ips.lease(id)
        const ip = addressing._tag === "Static" ? addressing.ip : undefined
        const prefix = ip === undefined ? "provision-v2" : `provision-v2-ip-${ip.replaceAll(".", "-")}`
        const poolName = yield* ids.workerName(prefix)
        const now = yield* Clock.currentTimeMillis
        return newborn({ id, template, poolName, ip, claim: undefined, now }, settings.times)
      })

      const count = (template: string, by: number) =>
        Effect.sync(() => void planned.set(template, (planned.get(template) ?? 0) + by))

      /** Counts as planned until its machine has an actor; holds its slot until the clone has an outcome. */
      const hatch = (template: string) =>
        conceive(template).pipe(
          Effect.flatMap(registry.spawn),
          Effect.ensuring(count(template, -1)),
          Effect.flatMap(registry.cloneEnded)
        )

      const plan = (template: string) =>
        Effect.andThen(
          count(template, 1),
          FiberSet.run(
            hatches,
            slots
              .withPermits(1)(hatch(template))
              .pipe(
                Effect.catch((error) => failed(template, error.message)),
                Effect.catchCause((cause) => Effect.logError(`hatching a machine of "${template}" crashed`, cause))
              )
          )
        )

      const deficit = (template: string, number: number, now: number): number =>
        (trouble.get(template)?.notBefore ?? 0) > now
          ? 0
          : number - poolOf(template).length - (planned.get(template) ?? 0)

      const pass = Effect.gen(function* () {
        const now = yield* Clock.currentTimeMillis
        const missing = new Map([...wanted].map(([template, number]) => [template, deficit(template, number, now)]))
        for (const template of roundRobin(missing)) yield* plan(template)
        yield* shrink
      })

      /** Dying, then booting, then the oldest ready; never a leased one (defect 53). */
      const shrink = Effect.suspend(() => {
        const templates = new Set([...registry.machines.values()].map(({ vm }) => vm.template))
        return Effect.forEach(
          templates,
          (template) => {
            const free = poolOf(template).filter(({ lease }) => lease === undefined)
            const excess = poolOf(template).length - (wanted.get(template) ?? 0)
            const chosen = excess <= 0 ? [] : free.toSorted(byWorth).slice(0, excess)
            return Effect.forEach(chosen, (handle) =>
              send(handle, { _tag: "Reap", reason: "the pool has more machines than are wanted", settlement: "none" })
            )
          },
          { discard: true }
        )
      })

      const heard = (signal: Signal): Effect.Effect<void> => {
        switch (signal._tag) {
          case "PoolShrank":
            return Effect.asVoid(Queue.offer(wake, undefined))
          case "Hatched":
            return Effect.sync(() => void trouble.delete(signal.template))
          case "HatchFailed":
            return failed(signal.template, signal.reason)
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
          yield* Effect.raceFirst(passes, Fiber.join(listening))
        }).pipe(Effect.ensuring(FiberSet.clear(hatches))),
        want: (template, number) =>
          Effect.sync(() => {
            wanted.set(template, number)
            Queue.offerUnsafe(wake, undefined)
          })
      })
    })
  )
}

const isReady = ({ vm }: VmHandle): number => (placeOf(vm.state) === "Provisioned" ? 1 : 0)

const byWorth = (a: VmHandle, b: VmHandle): number => isReady(a) - isReady(b) || a.vm.createdAt - b.vm.createdAt

/** One of each template that misses any, then a second one, and so on, in configured order. */
export const roundRobin = (missing: ReadonlyMap<string, number>): ReadonlyArray<string> => {
  const rounds = Math.max(0, ...missing.values())
  return Array.from({ length: rounds }, (_, round) =>
    [...missing].filter(([, number]) => number > round).map(([template]) => template)
  ).flat()
}
