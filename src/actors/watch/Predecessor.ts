/**
 * What the process before this one may have left and does not show yet: calls that are still under way, clones that vCenter has in hand, and
 * machines that cannot be read. Which address and which job they have is known only when they can; until then nobody new is given either
 * (promise 1).
 */
import { Context, Effect, Layer } from "effect"
import { ownerOf, parse } from "../../schema/Annotation.ts"
import type { JobId } from "../../schema/Job.ts"
import { readable, type MachineFacts } from "../../schema/Machine.ts"
import { Ids } from "../../services/Ids.ts"
import { Inventory } from "../../services/Inventory.ts"
import { Settings } from "../../services/Settings.ts"
import { Registry } from "../Registry.ts"

/** While the configuration cannot be read at all, or does not exist yet, an empty annotation says nothing. */
const isUnread = ({ unreadable }: MachineFacts): boolean =>
  unreadable.includes("config.annotation") || unreadable.includes("config.changeVersion")

const names = (machines: ReadonlyArray<MachineFacts>): string =>
  machines.map(({ name, ref }) => (name === "" ? ref : name)).join(", ")

export class Predecessor extends Context.Service<
  Predecessor,
  {
    /**
     * Returns when all that was left shows: what was under way (`times.lateCallMs`) has come, and then clones have ended and machines can be read,
     * or have had the time of a clone (`times.cloneMs`) to do so. To be asked for when every machine that
     * can be read has its actor.
     */
    readonly settled: Effect.Effect<void>
    /** Why this job may not have a machine yet; undefined when nothing that was left speaks against it. */
    readonly objection: (job: JobId) => Effect.Effect<string | undefined>
  }
>()("rookery/actors/Predecessor") {
  static readonly layer = Layer.effect(
    Predecessor,
    Effect.gen(function* () {
      const ids = yield* Ids
      const inventory = yield* Inventory
      const registry = yield* Registry
      const { cds, times } = yield* Settings
      let isSettled = false
      let hasArrived = false

      const mayBeOurs = (facts: MachineFacts): Effect.Effect<boolean> =>
        !isUnread(facts)
          ? Effect.succeed(ownerOf(facts) === cds.name)
          : facts.name === ""
            ? Effect.succeed(true)
            : ids.isWorkerName(facts.name)

      /** Machines without an actor that cannot be read and may be ours. */
      const left = Effect.flatMap(inventory.view, ({ machines }) =>
        Effect.filter(
          [...machines.values()].filter((facts) => !readable(facts) && !registry.machines.has(facts.id)),
          mayBeOurs
        )
      )

      const shown = Effect.gen(function* () {
        yield* inventory.clonesEnded
        while ((yield* left).length > 0) yield* Effect.sleep("1 second")
      })

      const settled = yield* Effect.cached(
        Effect.gen(function* () {
          yield* Effect.sleep(times.lateCallMs)
          hasArrived = true
          yield* Effect.timeoutOption(shown, times.cloneMs)
          isSettled = true
          const unknown = yield* left
          if (unknown.length > 0)
            yield* Effect.logWarning(
              `${names(unknown)}: cannot be read and may be a machine of this hatchery; it goes on without`
            )
        })
      )

      return Predecessor.of({
        settled,
        objection: Effect.fnUntraced(function* (job) {
          const unknown = yield* left
          const carrier = unknown.find(({ annotation }) => parse(annotation)?.jobId === job)
          if (carrier !== undefined) return `its machine ${carrier.name} cannot be read`
          if (isSettled) return undefined
          if (!hasArrived)
            return "calls that were under way when this hatchery started may still arrive (lateCallGrace)"
          return unknown.length === 0
            ? "clones that were under way when this hatchery started have not ended"
            : `machines that may be of this hatchery cannot be read yet: ${names(unknown)}`
        })
      })
    })
  )
}
