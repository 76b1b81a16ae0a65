/**
 * Workers that CDS lists and that have no machine (cds-contract 6.3; seed 001 section 6.4.1). A V1 worker without one is disabled, which fails
 * the job that it runs, so one look is not enough (defect 2): it takes two, a reaper interval apart, each on a view of vCenter that is complete,
 * not in doubt and answered. V2 workers cannot be disabled by a hatchery: CDS does so when they are silent.
 */
import { Clock, Effect } from "effect"
import type { CdsWorker } from "../../schema/Job.ts"
import { Capacity } from "../../services/Capacity.ts"
import { Cds } from "../../services/Cds.ts"
import { Inventory } from "../../services/Inventory.ts"
import { Settings } from "../../services/Settings.ts"
import { Registry } from "../Registry.ts"
import { claimOf } from "../vm/State.ts"

export const makeStrays = Effect.gen(function* () {
  const capacity = yield* Capacity
  const cds = yield* Cds
  const inventory = yield* Inventory
  const registry = yield* Registry
  const { times } = yield* Settings
  /** By the worker's id: since when, milliseconds. */
  let known: ReadonlyMap<string, number> = new Map()

  /** The names that a worker's machine may have, or is going to have; undefined while one of them cannot be told. */
  const names = Effect.map(inventory.view, ({ current, machines }) => {
    const shown = [...machines.values()].map(({ name }) => name)
    if (!current || shown.includes("")) return undefined
    const claimed = [...registry.machines.values()].map(({ vm }) => claimOf(vm.state)?.workerName ?? "")
    return new Set([...shown, ...claimed])
  })

  const disable = (worker: CdsWorker) =>
    Effect.andThen(
      Effect.logWarning(`the worker ${worker.name} has no machine any more: it is disabled at CDS`),
      cds.disable(worker)
    ).pipe(
      Effect.catch((error) => Effect.logWarning(`the worker ${worker.name} could not be disabled: ${error.message}`))
    )

  const tend = (worker: CdsWorker, since: number | undefined, now: number): Effect.Effect<void> => {
    if (since === undefined)
      return Effect.logWarning(
        `the worker ${worker.name} (${worker.api}) is ${worker.status} at CDS and has no machine`
      )
    return worker.api === "v1" && now - since >= times.reaperIntervalMs ? disable(worker) : Effect.void
  }

  /** @param listed the workers as CDS has just listed them. */
  const look = Effect.fnUntraced(function* (listed: ReadonlyArray<CdsWorker>) {
    const there = yield* names
    if (there === undefined) return
    const now = yield* Clock.currentTimeMillis
    const before = known
    const strays = listed.filter(({ name, status }) => status !== "Disabled" && !there.has(name))
    known = new Map(strays.map(({ id }) => [id, before.get(id) ?? now]))
    yield* capacity.strays(strays.length)
    for (const worker of strays) yield* tend(worker, before.get(worker.id), now)
  })
  return { look }
})
