/**
 * The gauges of workers, machines, addresses, the resource pool and doubt, taken when somebody asks for the metrics (seed 001 section 13;
 * vsphere-behaviour 12): a frozen hatchery shows at once, and nothing is counted while nobody looks. What has no value now has no series: a
 * machine that is gone, a resource pool that cannot be read. Disks alone are asked of vCenter, as no fact of the mirror holds them.
 */
import { Effect, Metric } from "effect"
import { parse } from "../../schema/Annotation.ts"
import type { MachineFacts, MachineRef } from "../../schema/Machine.ts"
import type { PoolUsage } from "../../schema/Resources.ts"
import { Inventory } from "../../services/Inventory.ts"
import { IpPool } from "../../services/IpPool.ts"
import * as Metrics from "../../services/Metrics.ts"
import { Settings } from "../../services/Settings.ts"
import { VSphere } from "../../services/VSphere.ts"
import { Registry } from "../Registry.ts"
import { claimOf, isBuild, nameOf, poolOf, type Vm } from "../vm/State.ts"
import { WorkerPool } from "./WorkerPool.ts"

type Gauge = Metric.Gauge<number>
type Tags = Readonly<Record<string, string>>

/** A series and its value now. */
interface Sample {
  readonly gauge: Gauge
  readonly value: number
  readonly tags: Tags
}

const sample = (gauge: Gauge, value: number, tags: Tags = {}): Sample => ({ gauge, value, tags })

const tagged =
  (tags: Tags) =>
  <A>(update: Effect.Effect<A>): Effect.Effect<A> =>
    Effect.updateService(update, Metric.CurrentMetricAttributes, (common) => ({ ...common, ...tags }))

/** A machine of ours that vCenter shows. */
interface Shown {
  readonly vm: Vm
  readonly facts: MachineFacts
}

const total = (machines: ReadonlyArray<MachineFacts>) => ({
  cpus: machines.reduce((sum, { numCpu }) => sum + numCpu, 0),
  memoryMB: machines.reduce((sum, { memoryMB }) => sum + memoryMB, 0)
})

const tagsOf = (vm: Vm): Tags => ({ worker_name: nameOf(vm), worker_model: poolOf(vm) })

const shownOf = (vms: ReadonlyArray<Vm>): ReadonlyArray<Shown> =>
  vms.flatMap((vm) => (vm.facts === undefined ? [] : [{ vm, facts: vm.facts }]))

const notBuilt = ({ vm }: Shown): boolean => !isBuild(vm.state)

const factsOf = (machines: ReadonlyArray<Shown>) => machines.map(({ facts }) => facts)

const perWorker = ({ vm, facts }: Shown): ReadonlyArray<Sample> => {
  const tags = tagsOf(vm)
  return [sample(Metrics.workerCpus, facts.numCpu, tags), sample(Metrics.workerMemory, facts.memoryMB, tags)]
}

/** No sum where a part of it is not known. */
const disks = (machines: ReadonlyArray<Shown>, sizes: ReadonlyMap<MachineRef, number>): ReadonlyArray<Sample> => {
  const samples = machines.flatMap(({ vm, facts }) => {
    const diskGB = sizes.get(facts.ref)
    return diskGB === undefined ? [] : [sample(Metrics.workerDisk, diskGB, tagsOf(vm))]
  })
  if (samples.length < machines.length) return samples
  return [
    ...samples,
    sample(
      Metrics.allocatedDisk,
      samples.reduce((sum, { value }) => sum + value, 0)
    )
  ]
}

/** The machines of the warm pool that vCenter shows: ready, on their way there, or on their way out. */
const provisions = (pool: ReadonlyArray<Shown>): ReadonlyArray<Sample> => {
  const ready = pool.filter(({ vm }) => vm.state._tag === "Provisioned").length
  const dying = pool.filter(({ vm }) => vm.state._tag === "Reaping").length
  return [
    sample(Metrics.provisioned, pool.length),
    sample(Metrics.provisionReady, ready),
    sample(Metrics.provisionDying, dying),
    sample(Metrics.provisionStarting, pool.length - ready - dying)
  ]
}

const usage = (gauges: Record<keyof PoolUsage, Gauge>, figures: PoolUsage | undefined): ReadonlyArray<Sample> =>
  figures === undefined
    ? []
    : [
        sample(gauges.max, figures.max),
        sample(gauges.used, figures.used),
        sample(gauges.unreserved, figures.unreserved)
      ]

/** `take` sets each of them to what is so now. */
export const makeGauges = Effect.gen(function* () {
  const inventory = yield* Inventory
  const ips = yield* IpPool
  const registry = yield* Registry
  const vsphere = yield* VSphere
  const workerPool = yield* WorkerPool
  const { cds } = yield* Settings
  let before: ReadonlyMap<string, Sample> = new Map()

  const vms = () => [...registry.machines.values()].map(({ vm }) => vm)

  const isOurModel = ({ template, annotation }: MachineFacts): boolean => {
    if (!template) return false
    const written = parse(annotation)
    return written?.model === true && written.hatcheryName === cds.name
  }

  const ofMachines = (all: ReadonlyArray<MachineFacts>): ReadonlyArray<Sample> => {
    const ours = vms()
    const shown = shownOf(ours)
    const machines = shown.filter(notBuilt)
    const templates = [...all.filter(isOurModel), ...factsOf(shown.filter(({ vm }) => isBuild(vm.state)))]
    const pool = machines.filter(({ vm }) => claimOf(vm.state) === undefined)
    const inflight = ours.filter(
      ({ facts, state }) => facts === undefined && claimOf(state) === undefined && !isBuild(state)
    )
    const [allocated, built, everybody] = [total(factsOf(machines)), total(templates), total(all)]
    return [
      ...machines.flatMap(perWorker),
      sample(Metrics.machines, machines.length),
      sample(Metrics.workerMachines, machines.length - pool.length),
      sample(Metrics.allocatedCpus, allocated.cpus),
      sample(Metrics.allocatedMemory, allocated.memoryMB),
      ...provisions(pool),
      sample(Metrics.provisionInflight, inflight.length),
      sample(Metrics.templates, templates.length),
      sample(Metrics.templateCpus, built.cpus),
      sample(Metrics.templateMemory, built.memoryMB),
      sample(Metrics.totalMachines, all.length),
      sample(Metrics.totalCpus, everybody.cpus),
      sample(Metrics.totalMemory, everybody.memoryMB)
    ]
  }

  /** An outage is shown at once: vCenter is not asked while it does not answer. */
  const ofDisks = Effect.gen(function* () {
    if (!(yield* inventory.view).current) return []
    const machines = shownOf(vms()).filter(notBuilt)
    return disks(machines, yield* vsphere.disks(factsOf(machines)))
  })

  const ofAddresses = Effect.map(ips.count, ({ total: all, used, reserved, active }) =>
    all === 0
      ? []
      : [
          sample(Metrics.ipTotal, all),
          sample(Metrics.ipUsed, used),
          sample(Metrics.ipReserved, reserved),
          sample(Metrics.ipActive, active)
        ]
  )

  const ofWorkers = Effect.map(workerPool.workers, (workers) =>
    Object.entries(Metrics.workers).map(([status, gauge]) =>
      sample(gauge, workers.filter((worker) => worker.status === status).length)
    )
  )

  const take = Effect.gen(function* () {
    const { machines } = yield* inventory.view
    const { cpu, memory } = yield* inventory.resources
    const samples = [
      ...(yield* ofWorkers),
      ...ofMachines([...machines.values()]),
      ...(yield* ofDisks),
      ...usage(Metrics.poolCpu, cpu),
      ...usage(Metrics.poolMemory, memory),
      ...(yield* ofAddresses),
      sample(Metrics.frozen, (yield* inventory.doubt) === undefined ? 0 : 1)
    ]
    const now = new Map(samples.map((one) => [`${one.gauge.id} ${Object.values(one.tags).join(" ")}`, one]))
    for (const [key, { gauge, tags }] of before) if (!now.has(key)) yield* tagged(tags)(Metric.remove(gauge))
    before = now
    for (const { gauge, value, tags } of samples) yield* tagged(tags)(Metric.update(gauge, value))
  })
  return { take }
})
