/**
 * Reconciles machines with what CDS knows: which workers signed in, which were disabled, which jobs are over (vsphere-behaviour 11). It only
 * tells the machines' actors; each decides for itself.
 */
import { Context, Effect, Layer } from "effect"
import type { CdsWorker } from "../../schema/Job.ts"
import { isFinal } from "../../schema/Job.ts"
import { Cds } from "../../services/Cds.ts"
import { Inventory } from "../../services/Inventory.ts"
import { Settings } from "../../services/Settings.ts"
import { Registry } from "../Registry.ts"
import { makeStrays } from "./strays.ts"
import type { VmEvent } from "../vm/Event.ts"
import { claimOf, isAskable, type Claim } from "../vm/State.ts"
import { send, type VmHandle } from "../Vm.ts"
import { WorkerPool } from "./WorkerPool.ts"

export class Reaper extends Context.Service<
  Reaper,
  {
    /** Never ends by itself. */
    readonly run: Effect.Effect<void>
  }
>()("rookery/actors/Reaper") {
  static readonly layer = Layer.effect(
    Reaper,
    Effect.gen(function* () {
      const cds = yield* Cds
      const inventory = yield* Inventory
      const registry = yield* Registry
      const settings = yield* Settings
      const workerPool = yield* WorkerPool
      const strays = yield* makeStrays

      /** A job that is over needs no machine; one that went back to the queue, or to another hatchery, needs none of ours. */
      const askForJob = Effect.fnUntraced(function* (claim: Claim, taken: boolean) {
        if (!isAskable(claim)) return undefined
        return yield* cds.job(claim.region, claim.jobId).pipe(
          Effect.map(({ job }): VmEvent | undefined => {
            if (isFinal(job.status)) return { _tag: "JobEnded", status: job.status }
            if (taken && job.status === "Waiting") return { _tag: "Cancel", reason: "its job went back to the queue" }
            if (job.hatcheryName !== "" && job.hatcheryName !== settings.cds.name)
              return { _tag: "Cancel", reason: `its job was taken by ${job.hatcheryName}` }
            return undefined
          }),
          Effect.catch((error) =>
            error.kind === "notFound"
              ? Effect.succeed<VmEvent>({ _tag: "JobEnded", status: "Cancelled" })
              : Effect.undefined
          )
        )
      })

      /** What a pass finds out about one machine; undefined when there is nothing to tell. */
      const look = Effect.fnUntraced(function* (handle: VmHandle, workers: ReadonlyMap<string, CdsWorker>) {
        const { state } = handle.vm
        const claim = claimOf(state)
        if (claim === undefined || state._tag === "Reaping" || state._tag === "Held") return undefined
        const worker = workers.get(claim.workerName)
        if (worker === undefined) return yield* askForJob(claim, state._tag === "Powered" || state._tag === "Running")
        if (worker.status === "Disabled") return { _tag: "Disabled" } as const
        return { _tag: "SignedIn" } as const
      })

      const pass = Effect.gen(function* () {
        if ((yield* inventory.doubt) !== undefined) return
        const listed = yield* workerPool.refresh
        yield* strays.look(listed)
        const byName = new Map(listed.map((worker) => [worker.name, worker]))
        yield* Effect.forEach(
          [...registry.machines.values()],
          (handle) =>
            Effect.flatMap(look(handle, byName), (event) => (event === undefined ? Effect.void : send(handle, event))),
          { concurrency: 8, discard: true }
        )
      }).pipe(
        Effect.catch((error) => Effect.logWarning(`this cleanup pass is left out: ${error.message}`)),
        Effect.withSpan("Reaper.pass")
      )

      return Reaper.of({
        run: Effect.forever(Effect.andThen(Effect.sleep(settings.times.reaperIntervalMs), pass))
      })
    })
  )
}
