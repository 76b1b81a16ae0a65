/**
 * The pool of workers: those that CDS lists and those that have a machine of ours, together by name (cds-contract 6.3). Looking at it asks
 * nobody: CDS's list is the one that the Reaper had last.
 */
import { Context, Effect, Layer } from "effect"
import type { CdsError } from "../../schema/Errors.ts"
import type { CdsWorker, PoolWorker } from "../../schema/Job.ts"
import { Cds } from "../../services/Cds.ts"
import { Registry } from "../Registry.ts"
import { claimOf } from "../vm/State.ts"

export class WorkerPool extends Context.Service<
  WorkerPool,
  {
    /** Asks CDS for its list, which stays until the next one. */
    readonly refresh: Effect.Effect<ReadonlyArray<CdsWorker>, CdsError>
    /** By name. One that CDS does not know is `Pending`, or `Registering` when it registers its model. */
    readonly workers: Effect.Effect<ReadonlyArray<PoolWorker>>
  }
>()("rookery/actors/WorkerPool") {
  static readonly layer = Layer.effect(
    WorkerPool,
    Effect.gen(function* () {
      const cds = yield* Cds
      const registry = yield* Registry
      let listed: ReadonlyArray<CdsWorker> = []

      return WorkerPool.of({
        refresh: Effect.tap(cds.workers, (workers) => Effect.sync(() => (listed = workers))),
        workers: Effect.sync(() => {
          const pool = new Map<string, PoolWorker>()
          for (const { vm } of registry.machines.values()) {
            const claim = claimOf(vm.state)
            if (claim === undefined || vm.state._tag === "Reaping") continue
            pool.set(claim.workerName, { name: claim.workerName, status: claim.registers ? "Registering" : "Pending" })
          }
          for (const worker of listed) pool.set(worker.name, worker)
          return [...pool.values()].toSorted((a, b) => (a.name < b.name ? -1 : 1))
        })
      })
    })
  )
}
