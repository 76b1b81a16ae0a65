/** The hatchery's account of itself, read from its actors' memory: nothing is listed or changed for it, and nothing asked but the size of disks. */
import { Clock, Duration, Effect, Layer } from "effect"
import type { MonitoringLine } from "../../schema/Monitoring.ts"
import type { Resources } from "../../schema/Resources.ts"
import { Capacity } from "../../services/Capacity.ts"
import { Cds } from "../../services/Cds.ts"
import { Inventory } from "../../services/Inventory.ts"
import { IpPool } from "../../services/IpPool.ts"
import { Monitor, type MachineRow } from "../../services/Monitor.ts"
import { Settings } from "../../services/Settings.ts"
import { Dispatcher } from "../jobs/Dispatcher.ts"
import { makeGauges } from "./Gauges.ts"
import { Parts } from "../Parts.ts"
import { Registry } from "../Registry.ts"
import { claimOf, nameOf, type Vm } from "../vm/State.ts"
import { WorkerPool } from "./WorkerPool.ts"

const rowOf = (vm: Vm): MachineRow => ({
  id: vm.id,
  ref: vm.ref,
  name: nameOf(vm),
  state: vm.state._tag.toLowerCase(),
  since: vm.since,
  deadline: vm.deadline,
  template: vm.template,
  job: claimOf(vm.state)?.jobId,
  ip: vm.ip,
  reason: vm.reason
})

/** As Go prints a duration, in whole seconds: `1h2m3s`. */
const goDuration = (ms: number): string => {
  const { hours, minutes, seconds, days } = Duration.parts(Duration.millis(ms))
  const h = days * 24 + hours
  return `${h > 0 ? `${h}h` : ""}${h > 0 || minutes > 0 ? `${minutes}m` : ""}${seconds}s`
}

const warning = (component: string, value: string): MonitoringLine => ({ status: "WARN", component, value })
const ok = (component: string, value: string): MonitoringLine => ({ status: "OK", component, value })
const alert = (component: string, value: string): MonitoringLine => ({ status: "AL", component, value })

/** What of the resource pool is no limit because nobody knows it (vsphere-behaviour 9.5). */
const unreadable = ({ cpu, memory }: Resources): ReadonlyArray<MonitoringLine> => {
  const lost = [...(cpu === undefined ? ["CPU"] : []), ...(memory === undefined ? ["memory"] : [])]
  if (lost.length === 0) return []
  const limits = "only maxWorker, maxCpus and maxMemoryMB limit"
  return [warning("ResourcePool", `${lost.join(" and ")} cannot be read: ${limits}`)]
}

/** @param version the program's version, as CDS compares it with its own. */
export const layer = (version: string) =>
  Layer.effect(
    Monitor,
    Effect.gen(function* () {
      const capacity = yield* Capacity
      const cds = yield* Cds
      const dispatcher = yield* Dispatcher
      const inventory = yield* Inventory
      const ips = yield* IpPool
      const parts = yield* Parts
      const registry = yield* Registry
      const settings = yield* Settings
      const workerPool = yield* WorkerPool
      const gauges = yield* makeGauges
      const startedAt = yield* Clock.currentTimeMillis

      const all = Effect.sync(() => [...registry.machines.values()].map(({ vm }) => vm))

      /** The lines in CDS's order (cds-contract 3), then ours: why the view is doubted, why CDS cannot be reached. */
      const status = Effect.gen(function* () {
        const now = yield* Clock.currentTimeMillis
        const { workers } = yield* capacity.used
        const doubt = yield* inventory.doubt
        const trouble = yield* cds.trouble
        const max = settings.maxWorker > 0 ? String(settings.maxWorker) : "unlimited"
        const lines = [
          ok("Version", version),
          ok("Uptime", goDuration(now - startedAt)),
          ok("Time", new Date(now).toISOString()),
          ...[...(yield* parts.running)].map(([name, runs]) =>
            runs ? ok(`goroutine/${name}`, "Running") : alert(`goroutine/${name}`, "NOT running")
          ),
          ok("Workers", `${workers}/${max}`),
          doubt === undefined
            ? ok("VirtualMachines", String(registry.machines.size))
            : alert("VirtualMachines", `frozen: ${doubt.reason}`),
          ...unreadable(yield* inventory.resources),
          ...(trouble === undefined ? [] : [alert("CDS", trouble)])
        ]
        return { now, lines }
      })

      return Monitor.of({
        status,
        workers: workerPool.workers,
        machines: Effect.map(all, (vms) => vms.map(rowOf)),
        waiting: dispatcher.waiting,
        gauges: gauges.take,
        leased: Effect.map(ips.count, ({ leased }) => leased)
      })
    })
  )
