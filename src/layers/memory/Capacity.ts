/**
 * The ledger of workers: reserved and committed are counted alike, so that what admits a job and what the metrics show are the same numbers
 * (design, "Capacity is a ledger"; seed 001 sections 6.4 and 12; defect 81).
 */
import { Effect, Layer } from "effect"
import { NoCapacity } from "../../schema/Errors.ts"
import type { MachineId, Size } from "../../schema/Machine.ts"
import { Capacity } from "../../services/Capacity.ts"
import { Settings } from "../../services/Settings.ts"

interface Entry extends Size {
  readonly starting: boolean
}

export const layer: Layer.Layer<Capacity, never, Settings> = Layer.effect(
  Capacity,
  Effect.gen(function* () {
    const settings = yield* Settings
    const ledger = new Map<MachineId, Entry>()

    const sum = () => {
      let [starting, cpus, memoryMB] = [0, 0, 0]
      for (const entry of ledger.values()) {
        if (entry.starting) starting++
        cpus += entry.cpus
        memoryMB += entry.memoryMB
      }
      return { workers: ledger.size, starting, cpus, memoryMB }
    }

    /** The first limit that one more worker of this size would pass. A limit of 0 is none (seed 12). */
    const refusal = (size: Size): NoCapacity | undefined => {
      const used = sum()
      const { maxWorker, maxConcurrentProvisioning, maxCpus, maxMemoryMB } = settings
      if (maxWorker > 0 && used.workers >= maxWorker)
        return new NoCapacity({
          limit: "maxWorker",
          reason: `${used.workers} workers of at most ${maxWorker} (provision.maxWorker)`
        })
      if (used.starting >= maxConcurrentProvisioning)
        return new NoCapacity({
          limit: "maxConcurrentProvisioning",
          reason: `${used.starting} workers are starting, at most ${maxConcurrentProvisioning} at once (provision.maxConcurrentProvisioning)`
        })
      if (maxCpus > 0 && used.cpus + size.cpus > maxCpus)
        return new NoCapacity({
          limit: "maxCpus",
          reason: `${size.cpus} CPUs more than the ${used.cpus} in use would pass hatchery.vsphere.maxCpus = ${maxCpus}`
        })
      if (maxMemoryMB > 0 && used.memoryMB + size.memoryMB > maxMemoryMB)
        return new NoCapacity({
          limit: "maxMemoryMB",
          reason: `${size.memoryMB} MB more than the ${used.memoryMB} MB in use would pass hatchery.vsphere.maxMemoryMB = ${maxMemoryMB}`
        })
      return undefined
    }

    return Capacity.of({
      reserve: (machine, size) =>
        Effect.suspend(() => {
          const refused = refusal(size)
          if (refused !== undefined) return Effect.fail(refused)
          ledger.set(machine, { ...size, starting: true })
          return Effect.void
        }),
      refusal: (size) => Effect.sync(() => refusal(size)),
      commit: (machine, size, starting) => Effect.sync(() => void ledger.set(machine, { ...size, starting })),
      release: (machine) => Effect.sync(() => void ledger.delete(machine)),
      used: Effect.sync(sum)
    })
  })
)
