/** The gauges of machines and addresses, sampled every 30 s as the Go hatchery does (seed 001 section 13; vsphere-behaviour 12). */
import { Context, Effect, Layer, Metric } from "effect"
import { Capacity } from "../services/Capacity.ts"
import { IpPool } from "../services/IpPool.ts"
import * as Metrics from "../services/Metrics.ts"
import { Registry } from "./Registry.ts"
import { claimOf, type StateTag } from "./vm/State.ts"

export class Gauges extends Context.Service<
  Gauges,
  {
    /** Never ends by itself. */
    readonly run: Effect.Effect<void>
  }
>()("rookery/actors/Gauges") {
  static readonly layer = Layer.effect(
    Gauges,
    Effect.gen(function* () {
      const capacity = yield* Capacity
      const ips = yield* IpPool
      const registry = yield* Registry

      const sample = Effect.gen(function* () {
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
          [Metrics.ipTotal, addresses.total]
        ]
        yield* Effect.forEach(values, ([metric, value]) => Metric.update(metric, value), { discard: true })
      })

      return Gauges.of({ run: Effect.forever(Effect.andThen(sample, Effect.sleep("30 seconds"))) })
    })
  )
}
