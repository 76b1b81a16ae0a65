/**
 * The ledger of workers: reserved and committed are counted alike, so that what admits a job and what the metrics show are the same numbers
 * (design, "Capacity is a ledger"; seed 001 sections 6.4 and 12; vsphere-behaviour 9; defect 81). What the resource pool has left is vCenter's
 * figure, and no limit while it cannot be read; while the inventory is in doubt nothing is begun.
 */
import { Effect, Layer } from "effect"
import { NoCapacity } from "../../schema/Errors.ts"
import type { MachineId, Size } from "../../schema/Machine.ts"
import type { Resources } from "../../schema/Resources.ts"
import { Capacity } from "../../services/Capacity.ts"
import { Inventory, type Doubt } from "../../services/Inventory.ts"
import { Settings, type SettingsShape } from "../../services/Settings.ts"

/** Where machines are put, as it is seen now. */
interface Place {
  readonly resources: Resources
  readonly doubt: Doubt | undefined
}

interface Entry extends Size {
  readonly starting: boolean
}

const bytesPerMB = 2 ** 20

/**
 * The pool's CPU is measured in MHz, and no number of CPUs stands for one of these: any left is enough (vsphere-behaviour 9.1). Its memory shows
 * a worker once that is on, so the `startingMB` of those on their way there are not left either. They count until they run: one that is on before
 * may count twice for a while, and then the next start waits.
 */
const poolRefusal = (size: Size, startingMB: number, { cpu, memory }: Resources): NoCapacity | undefined => {
  if (cpu !== undefined && cpu.unreserved <= 0)
    return new NoCapacity({
      limit: "resourcePool",
      reason: `the resource pool has no CPU left that is not reserved (${cpu.unreserved} of ${cpu.max} MHz)`
    })
  const left = Math.floor((memory?.unreserved ?? Infinity) / bytesPerMB)
  if (memory !== undefined && size.memoryMB > left - startingMB) {
    const starts = startingMB > 0 ? `, ${startingMB} MB of them for workers that start,` : ","
    return new NoCapacity({
      limit: "resourcePool",
      reason: `the resource pool has ${left} of ${Math.floor(memory.max / bytesPerMB)} MB left that are not reserved${starts} and the worker needs ${size.memoryMB} MB`
    })
  }
  return undefined
}

/** A worker of a flavor leaves room for `countSmallerFlavorToKeep` workers of the smallest flavor, where that is a smaller one (seed 001 section 13.5). */
const reserveRefusal = (size: Size, usedCpus: number, settings: SettingsShape): NoCapacity | undefined => {
  const { countSmallerFlavorToKeep: keep, flavors, maxCpus } = settings
  if (!flavors.some(({ cpus, memoryMB }) => cpus === size.cpus && memoryMB === size.memoryMB)) return undefined
  const smallest = Math.min(...flavors.map(({ cpus }) => cpus))
  const left = maxCpus - usedCpus
  if (smallest >= size.cpus || size.cpus + keep * smallest <= left) return undefined
  return new NoCapacity({
    limit: "maxCpus",
    reason: `${size.cpus} CPUs of the ${left} that are left of hatchery.vsphere.maxCpus = ${maxCpus} would not leave ${keep} times ${smallest} CPUs for smaller workers (countSmallerFlavorToKeep)`
  })
}

export const layer: Layer.Layer<Capacity, never, Settings | Inventory> = Layer.effect(
  Capacity,
  Effect.gen(function* () {
    const inventory = yield* Inventory
    const settings = yield* Settings
    const ledger = new Map<MachineId, Entry>()
    let strays = 0

    const sum = () => {
      let [starting, cpus, memoryMB] = [0, 0, 0]
      for (const entry of ledger.values()) {
        if (entry.starting) starting++
        cpus += entry.cpus
        memoryMB += entry.memoryMB
      }
      return { workers: ledger.size, starting, cpus, memoryMB }
    }

    const startingMB = (): number => {
      let sum = 0
      for (const { starting, memoryMB } of ledger.values()) if (starting) sum += memoryMB
      return sum
    }

    /** The first limit that one more worker of this size would pass. A limit of 0 is none (seed 12). */
    const refusal = (size: Size, { resources, doubt }: Place): NoCapacity | undefined => {
      if (doubt !== undefined)
        return new NoCapacity({ limit: "inventory", reason: `the inventory is in doubt: ${doubt.reason}` })
      const used = sum()
      const { maxWorker, maxConcurrentProvisioning, maxCpus, maxMemoryMB } = settings
      const workers = used.workers + strays
      if (maxWorker > 0 && workers >= maxWorker)
        return new NoCapacity({
          limit: "maxWorker",
          reason: `${workers} workers of at most ${maxWorker} (provision.maxWorker)`
        })
      if (used.starting >= maxConcurrentProvisioning)
        return new NoCapacity({
          limit: "maxConcurrentProvisioning",
          reason: `${used.starting} workers are starting, at most ${maxConcurrentProvisioning} at once (provision.maxConcurrentProvisioning)`
        })
      const pool = poolRefusal(size, startingMB(), resources)
      if (pool !== undefined) return pool
      if (maxCpus > 0 && used.cpus + size.cpus > maxCpus)
        return new NoCapacity({
          limit: "maxCpus",
          reason: `${size.cpus} CPUs more than the ${used.cpus} in use would pass hatchery.vsphere.maxCpus = ${maxCpus}`
        })
      const reserve = maxCpus > 0 ? reserveRefusal(size, used.cpus, settings) : undefined
      if (reserve !== undefined) return reserve
      if (maxMemoryMB > 0 && used.memoryMB + size.memoryMB > maxMemoryMB)
        return new NoCapacity({
          limit: "maxMemoryMB",
          reason: `${size.memoryMB} MB more than the ${used.memoryMB} MB in use would pass hatchery.vsphere.maxMemoryMB = ${maxMemoryMB}`
        })
      return undefined
    }

    const place: Effect.Effect<Place> = Effect.zipWith(inventory.resources, inventory.doubt, (resources, doubt) => ({
      resources,
      doubt
    }))

    return Capacity.of({
      reserve: (machine, size) =>
        Effect.flatMap(place, (found) => {
          const refused = refusal(size, found)
          if (refused !== undefined) return Effect.fail(refused)
          ledger.set(machine, { ...size, starting: true })
          return Effect.void
        }),
      refusal: (size) => Effect.map(place, (found) => refusal(size, found)),
      commit: (machine, size, starting) => Effect.sync(() => void ledger.set(machine, { ...size, starting })),
      release: (machine) => Effect.sync(() => void ledger.delete(machine)),
      strays: (count) => Effect.sync(() => void (strays = count)),
      used: Effect.sync(sum)
    })
  })
)
