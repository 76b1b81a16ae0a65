/**
 * Another process at work under our name, by mistake: two settings files alike, a copy that was never stopped. It shows by what it writes on
 * our machines, which a process that was here before us cannot do any more. While it does, the view is not to be acted upon; which of the two
 * goes on when both have stopped is settled by their instance ids.
 */
import { Context, Effect, FiberHandle, Layer, Stream } from "effect"
import { parse, type Journal } from "../../schema/Annotation.ts"
import type { MachineFacts, MachineRef } from "../../schema/Machine.ts"
import { EventLog } from "../../services/EventLog.ts"
import { Inventory } from "../../services/Inventory.ts"
import { Settings } from "../../services/Settings.ts"
import { Registry } from "../Registry.ts"

/** How far two clocks may be apart. */
const skewMs = 60_000
/** A rival that has not written for so long has stopped, or is as frozen as we are. Twice as long for the one that gives way. */
const quietMs = 15 * 60_000

export class Rival extends Context.Service<
  Rival,
  {
    /** Watches for one. Never ends by itself. */
    readonly run: Effect.Effect<void>
  }
>()("rookery/actors/Rival") {
  static readonly layer = Layer.effect(
    Rival,
    Effect.gen(function* () {
      const inventory = yield* Inventory
      const log = yield* EventLog
      const { cds, times } = yield* Settings
      const { instance, now: startedAt } = yield* (yield* Registry).env
      const calm = yield* FiberHandle.make<void>()
      const last = new Map<MachineRef, string>()
      let rival: string | undefined

      /** The write of another process, when it was made after that process should have come to its end: a drain may overlap with our start. */
      const writeOf = (facts: MachineFacts): Journal | undefined => {
        const annotation = parse(facts.annotation)
        const journal = annotation?.hatcheryName === cds.name ? annotation.journal : undefined
        if (journal === undefined || journal.instance === instance) return undefined
        return Date.parse(journal.since) > startedAt + times.drainMs + skewMs ? journal : undefined
      }

      const end = Effect.gen(function* () {
        rival = undefined
        yield* Effect.logInfo(`no other process has worked as ${cds.name} for a while: this one goes on`)
        yield* inventory.distrust(undefined)
      })

      const freeze = Effect.fnUntraced(function* ({ name }: MachineFacts, journal: Journal) {
        const waits = journal.instance < instance ? 2 * quietMs : quietMs
        yield* FiberHandle.run(calm, Effect.andThen(Effect.sleep(waits), end))
        if (rival === journal.instance) return
        rival = journal.instance
        const text = `another process works as hatchery ${cds.name}: it wrote on ${name} at ${journal.since}; stop one of the two, or give them different names`
        yield* Effect.logError(text)
        yield* log.append({ kind: "alarm", subject: "Rival", text })
        yield* inventory.distrust(text)
      })

      const look = Effect.fnUntraced(function* (facts: MachineFacts) {
        const journal = writeOf(facts)
        if (journal === undefined) return
        const write = `${journal.instance} ${journal.generation}`
        if (last.get(facts.ref) === write) return
        last.set(facts.ref, write)
        yield* freeze(facts, journal)
      })

      return Rival.of({
        run: Stream.runForEach(inventory.changes, (change) => {
          if (change._tag === "Seen") return look(change.facts)
          return change._tag === "Gone" ? Effect.sync(() => void last.delete(change.facts.ref)) : Effect.void
        })
      })
    })
  )
}
