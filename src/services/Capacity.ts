/** The ledger of what our workers use: reserved while a job is being decided, committed once a machine is claimed for it. */
import { Context } from "effect"
import type { Effect } from "effect"
import type { NoCapacity } from "../schema/Errors.ts"
import type { MachineId, Size } from "../schema/Machine.ts"

export class Capacity extends Context.Service<
  Capacity,
  {
    /** Reserves a worker of that size for the machine, or says which limit forbids it. Atomic. */
    readonly reserve: (machine: MachineId, size: Size) => Effect.Effect<void, NoCapacity>
    /** Which limit would forbid one more worker of that size now; undefined when there is room. Reserves nothing. */
    readonly refusal: (size: Size) => Effect.Effect<NoCapacity | undefined>
    /** The machine is a worker from now on, whatever the limits say (adoption included). `starting` counts against maxConcurrentProvisioning. */
    readonly commit: (machine: MachineId, size: Size, starting: boolean) => Effect.Effect<void>
    readonly release: (machine: MachineId) => Effect.Effect<void>
    /** How many workers CDS lists that have no machine of ours: they count against maxWorker alone. */
    readonly strays: (count: number) => Effect.Effect<void>
    readonly used: Effect.Effect<{
      readonly workers: number
      readonly starting: number
      readonly cpus: number
      readonly memoryMB: number
    }>
  }
>()("rookery/services/Capacity") {}
