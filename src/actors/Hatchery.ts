/**
 * The root: finds everything at its place, adopts every machine of ours, then lets the others work, and ends with order. It also carries the
 * inventory's news to the machines' actors.
 */
import { Clock, Context, Deferred, Effect, Fiber, Layer, Stream } from "effect"
import { readable, unreadableReason } from "../schema/Machine.ts"
import type { MachineFacts, MachineId } from "../schema/Machine.ts"
import type { ConfigInvalid } from "../schema/Errors.ts"
import { Cds } from "../services/Cds.ts"
import { EventLog } from "../services/EventLog.ts"
import { Inventory, type InventoryChange } from "../services/Inventory.ts"
import { IpPool } from "../services/IpPool.ts"
import { Settings } from "../services/Settings.ts"
import { VSphere } from "../services/VSphere.ts"
import { Dispatcher } from "./jobs/Dispatcher.ts"
import { Heart } from "./watch/Heart.ts"
import { Nursery } from "./pool/Nursery.ts"
import { Parts } from "./Parts.ts"
import { Predecessor } from "./watch/Predecessor.ts"
import { Reaper } from "./watch/Reaper.ts"
import { Registrar } from "./models/Registrar.ts"
import { Registry } from "./Registry.ts"
import { Rival } from "./watch/Rival.ts"
import type { GaveUp } from "./Supervisor.ts"
import { WorkerModels } from "./models/WorkerModels.ts"
import { prove } from "./vm/prove.ts"
import { claimOf, nameOf, type StateTag, type Vm } from "./vm/State.ts"
import { type Env, enter } from "./vm/table.ts"
import { send } from "./Vm.ts"

/** States in which a stop would leave a job between two hands; a drain waits for these to pass. */
const inBetween: ReadonlySet<StateTag> = new Set(["Reserved", "Renamed", "Returning"])

/** What has to go, or to be asked about, comes last: its job may be at work on another machine by now. */
const isLeaving = (facts: MachineFacts, env: Env): number => {
  const state = prove(facts, env)?.state
  return Number(state?._tag === "Reaping" || (state?._tag === "Running" && state.overdue === true))
}

export class Hatchery extends Context.Service<
  Hatchery,
  {
    /**
     * The whole service. Fails with ConfigInvalid when a setting is wrong, with GaveUp when a part crashes again and again. Interrupting it
     * drains: no new job is taken, what is in between finishes within `times.drainMs`, the session ends.
     */
    readonly run: Effect.Effect<never, ConfigInvalid | GaveUp>
    /** Returns when every machine of ours that was there at the start has its actor. */
    readonly adopted: Effect.Effect<void>
  }
>()("rookery/actors/Hatchery") {
  static readonly layer = Layer.effect(
    Hatchery,
    Effect.gen(function* () {
      const cds = yield* Cds
      const dispatcher = yield* Dispatcher
      const heart = yield* Heart
      const inventory = yield* Inventory
      const ips = yield* IpPool
      const log = yield* EventLog
      const nursery = yield* Nursery
      const { run: part } = yield* Parts
      const predecessor = yield* Predecessor
      const reaper = yield* Reaper
      const registrar = yield* Registrar
      const registry = yield* Registry
      const { run: watchForRival } = yield* Rival
      const settings = yield* Settings
      const vsphere = yield* VSphere
      const workerModels = yield* WorkerModels
      const adopted = yield* Deferred.make<void>()

      /** Two machines with one address or one job: the one that came later to it goes (promise 1), unless the other goes anyway. */
      const rival = (vm: Vm): string | undefined => {
        const job = claimOf(vm.state)?.jobId
        for (const { id, vm: other } of registry.machines.values()) {
          if (id === vm.id) continue
          if (vm.ip !== undefined && other.ip === vm.ip) return `its address ${vm.ip} belongs to ${nameOf(other)}`
          if (job !== undefined && job !== "" && other.state._tag !== "Reaping" && claimOf(other.state)?.jobId === job)
            return `its job is on ${nameOf(other)}`
        }
        return undefined
      }

      /** One that cannot be read may be anybody's, and may be at work: it is looked at when it can. */
      const adopt = Effect.fnUntraced(function* (facts: MachineFacts, previous?: MachineFacts) {
        if (!readable(facts)) {
          if (facts.unreadable.join() !== previous?.unreadable.join())
            yield* Effect.logInfo(`${facts.name} ${unreadableReason(facts)}; it is left alone`)
          return
        }
        const env = yield* registry.env
        const proven = prove(facts, env, yield* cds.region)
        if (proven === undefined) return
        const reason = proven.state._tag === "Reaping" ? undefined : rival(proven)
        const claim = claimOf(proven.state)
        const settlement = claim === undefined ? "none" : "release"
        const vm =
          reason === undefined ? proven : enter(proven, { _tag: "Reaping", claim, settlement }, env, { reason }).vm
        yield* log.append({
          kind: "transition",
          subject: vm.id,
          text: `adopted → ${vm.state._tag}`,
          data: { name: nameOf(vm), ip: vm.ip, job: claimOf(vm.state)?.jobId, reason: vm.reason }
        })
        yield* Effect.logInfo(
          `adopted ${nameOf(vm)} as ${vm.state._tag}${vm.reason === undefined ? "" : `: ${vm.reason}`}`
        )
        yield* registry.spawn(vm)
      })

      const adoptAll = Effect.gen(function* () {
        const { machines } = yield* inventory.view
        const env = yield* registry.env
        const oldestFirst = [...machines.values()]
          .map((facts) => ({ facts, last: isLeaving(facts, env) }))
          .toSorted((a, b) => a.last - b.last || (a.facts.createdAt ?? 0) - (b.facts.createdAt ?? 0))
        for (const { facts } of oldestFirst) if (!registry.machines.has(facts.id)) yield* adopt(facts)
        yield* Deferred.succeed(adopted, undefined)
      })

      const route = Effect.fnUntraced(function* (change: InventoryChange) {
        if (change._tag === "Complete") {
          if (!(yield* Deferred.isDone(adopted))) yield* adoptAll
          return
        }
        const { facts } = change
        yield* change._tag === "Gone" ? ips.forget(facts) : ips.observe(facts)
        // A machine in the making shows before its uuid does.
        if (facts.id === "") return
        const handle = registry.machines.get(facts.id)
        if (change._tag === "Gone") {
          if (handle === undefined) yield* ips.release(facts.id)
          else if ((handle.vm.ref ?? facts.ref) === facts.ref) yield* send(handle, { _tag: "Gone" })
          return
        }
        if (handle !== undefined) yield* send(handle, { _tag: "Seen", facts })
        else if (yield* Deferred.isDone(adopted)) yield* adopt(facts, change.previous)
      })

      const parts = Effect.andThen(
        Deferred.await(adopted),
        Effect.all(
          [
            part("Dispatcher")(dispatcher.run),
            Effect.andThen(predecessor.settled, part("Nursery")(nursery.run)),
            part("Reaper")(reaper.run),
            Effect.andThen(predecessor.settled, part("Registrar")(registrar.run))
          ],
          { concurrency: "unbounded", discard: true }
        )
      )

      const passing = (): ReadonlyArray<MachineId> =>
        [...registry.machines.values()]
          .filter(({ vm, lease }) => lease !== undefined || inBetween.has(vm.state._tag))
          .map(({ id }) => id)

      /** The dispatcher is stopped by now: what it began comes to rest, the rest is taken up by the next start. */
      const drain = Effect.gen(function* () {
        const until = (yield* Clock.currentTimeMillis) + settings.times.drainMs
        while (passing().length > 0 && (yield* Clock.currentTimeMillis) < until) yield* Effect.sleep("100 millis")
        yield* registry.stop
        yield* Effect.all([vsphere.logout, cds.signout], { concurrency: "unbounded", discard: true })
      }).pipe(Effect.withSpan("Hatchery.drain"))

      const run = Effect.scoped(
        Effect.gen(function* () {
          yield* Effect.all([vsphere.validate, cds.signin], { concurrency: "unbounded", discard: true })
          const news = part("Router")(Stream.runForEach(inventory.changes, route))
          // These outlive the others: a drain needs the news.
          const routing = yield* Effect.forkScoped(news)
          const watching = yield* Effect.forkScoped(part("Rival")(watchForRival))
          const beating = yield* Effect.forkScoped(part("Heart")(heart.run))
          const models = yield* Effect.forkScoped(part("WorkerModels")(workerModels.run))
          return yield* Effect.all([parts, ...[routing, watching, beating, models].map(Fiber.join)], {
            concurrency: "unbounded",
            discard: true
          }).pipe(Effect.andThen(Effect.never), Effect.ensuring(drain))
        })
      )

      return Hatchery.of({ run, adopted: Deferred.await(adopted) })
    })
  )
}
