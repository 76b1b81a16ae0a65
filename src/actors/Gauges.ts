/**
 * The gauges of machines, addresses and doubt, taken when somebody asks for the metrics (seed 001 section 13; vsphere-behaviour 12): a
 * frozen hatchery shows at once, and nothing is counted while nobody looks.
 */
import { Effect, Metric } from "effect"
import { Capacity } from "../services/Capacity.ts"
import { Inventory } from "../services/Inventory.ts"
import { IpPool } from "../services/IpPool.ts"
import * as Metrics from "../services/Metrics.ts"
import { Registry } from "./Registry.ts"
import { claimOf, type StateTag } from "./vm/State.ts"

/** `take` sets each of them to what is so now. */
export const makeGauges = Effect.gen(function* () {
  const capacity = yield* Capacity
  const inventory = yield* Inventory
  const ips = yield* IpPool
  const registry = yield* Registry

  const take = Effect.gen(function* () {
    const machines = [...registry.machines.values()].map(({ vm }) => vm)
    const pool = machines.filter(({ state }) => claimOf(state) === undefined)
    const count = (...tags: ReadonlyArray<StateTag>) => pool.filter(({ state }) => tags.includes(state._tag)).length
    const used = yield* capacity.used
    const addresses = yield* ips.count
    const values: ReadonlyArray<readonly [Metric.Gauge<number>, number]> = [
      [Metrics.pendingWorkers, used.starting],
      [Metrics.machines, machines.length],
      [Metrics.provisioned, pool.length - count("Cloning")],
      [Metrics.provisionReady, count("Provisioned")],
      [Metrics.provisionStarting, count("Booting", "Settling", "Returning", "Held")],
      [Metrics.provisionDying, count("Reaping")],
      [Metrics.provisionInflight, count("Cloning")],
      [Metrics.ipReserved, addresses.leased],
      [Metrics.ipTotal, addresses.total],
      [Metrics.frozen, (yield* inventory.doubt) === undefined ? 0 : 1]
    ]
    yield* Effect.forEach(values, ([metric, value]) => Metric.update(metric, value), { discard: true })
  })
  return { take }
})
