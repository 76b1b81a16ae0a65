/**
 * Finding a machine for a job: a ready one of the pool, leased in the same breath, else a clone made for it (seed 001 section 6.2). Whatever was
 * leased on the way is free again when it does not come to a claim.
 */
import { Clock, Effect, type Tracer } from "effect"
import type { Job } from "../../schema/Job.ts"
import type { Size } from "../../schema/Machine.ts"
import { sameStamp } from "../../schema/ModelV1.ts"
import { Capacity } from "../../services/Capacity.ts"
import { Ids } from "../../services/Ids.ts"
import type { Wanted } from "./admission.ts"
import { makeConceive } from "../pool/conceive.ts"
import { Registry, sizeOf } from "../Registry.ts"
import { claimOf, isBuild, nameOf, poolOf, type Claim, type StateTag } from "../vm/State.ts"
import type { VmHandle } from "../Vm.ts"

const onTheWay: ReadonlySet<StateTag> = new Set(["Cloning", "Booting", "Settling", "Returning"])

const isReady = (handle: VmHandle, pool: string): boolean =>
  handle.vm.state._tag === "Provisioned" && handle.lease === undefined && poolOf(handle.vm) === pool

export const makeAssignment = Effect.gen(function* () {
  const capacity = yield* Capacity
  const conceive = yield* makeConceive
  const ids = yield* Ids
  const registry = yield* Registry

  /** For which project a machine was leased last: its actor may not have heard of it yet. */
  const lessees = new WeakMap<VmHandle, string>()

  const ready = (pool: string): ReadonlyArray<VmHandle> =>
    [...registry.machines.values()].filter((handle) => isReady(handle, pool))

  const coming = (pool: string): ReadonlyArray<VmHandle> =>
    [...registry.machines.values()].filter(
      ({ vm }) =>
        poolOf(vm) === pool && onTheWay.has(vm.state._tag) && claimOf(vm.state) === undefined && !isBuild(vm.state)
    )

  const claimFor = Effect.fnUntraced(function* (job: Job, region: string, wanted: Wanted) {
    const claim: Claim = {
      jobId: job.id,
      region,
      projectKey: job.projectKey,
      workerName: yield* ids.workerName(""),
      modelName: wanted.modelName,
      model: wanted.model,
      flavor: wanted.flavor,
      login: wanted.login,
      size: wanted.size,
      startedAt: yield* Clock.currentTimeMillis
    }
    return claim
  })

  /** The oldest first: it has been ready for longest. One whose V1 model was changed since is not for this job, and goes soon. */
  const lease = ({ pool, stamp }: Wanted, job: Job): VmHandle | undefined => {
    const [oldest] = ready(pool)
      .filter(({ vm }) => sameStamp(vm.model, stamp))
      .toSorted((a, b) => a.vm.createdAt - b.vm.createdAt)
    if (oldest === undefined) return undefined
    oldest.lease = job.id
    lessees.set(oldest, job.projectKey)
    return oldest
  }

  const fromPool = (handle: VmHandle, job: Job, region: string, wanted: Wanted, trace: Tracer.Span) =>
    Effect.gen(function* () {
      yield* capacity.reserve(handle.id, wanted.size ?? sizeOf(handle.vm))
      yield* registry.reserve(handle, yield* claimFor(job, region, wanted), trace)
    }).pipe(
      Effect.onError(() =>
        Effect.suspend(() => {
          handle.lease = undefined
          return capacity.release(handle.id)
        })
      )
    )

  const fresh = (job: Job, region: string, wanted: Wanted, trace: Tracer.Span) => {
    const { template, stamp: model, size } = wanted
    return conceive({ template, model }, { claim: claimFor(job, region, wanted), size }, trace)
  }

  return {
    /** How many ready machines of this pool nobody has. */
    ready: (pool: string): number => ready(pool).length,

    /** How many machines work, or are made ready, for each project. */
    shares: (): Map<string, number> => {
      const shares = new Map<string, number>()
      for (const handle of registry.machines.values()) {
        const lessee = handle.lease === undefined ? undefined : lessees.get(handle)
        const project = claimOf(handle.vm.state)?.projectKey ?? lessee
        if (project !== undefined) shares.set(project, (shares.get(project) ?? 0) + 1)
      }
      return shares
    },

    /**
     * Why there is nothing to be done for one of `jobs` jobs that wait for this pool: enough machines are on their way to it, or a limit is
     * reached. Undefined when it is worth a try.
     */
    hopeless: Effect.fnUntraced(function* (pool: string, size: Size, jobs: number) {
      const way = coming(pool)
      if (ready(pool).length === 0 && way.length >= jobs) return waitReason(pool, way)
      return (yield* capacity.refusal(size))?.reason
    }),

    /** Undefined when the job has a machine now, which carries on `trace`; else the reason why not. `jobs` as above. */
    assign: Effect.fnUntraced(function* (job: Job, region: string, wanted: Wanted, jobs: number, trace: Tracer.Span) {
      const handle = lease(wanted, job)
      const way = coming(wanted.pool)
      if (handle === undefined && way.length >= jobs) return waitReason(wanted.pool, way)
      const assigned =
        handle === undefined ? fresh(job, region, wanted, trace) : fromPool(handle, job, region, wanted, trace)
      return yield* assigned.pipe(
        Effect.as(undefined),
        Effect.catch((refusal) => Effect.succeed("reason" in refusal ? refusal.reason : refusal.message))
      )
    })
  }
})

const waitReason = (pool: string, coming: ReadonlyArray<VmHandle>): string => {
  const names = coming.slice(0, 3).map(({ vm }) => nameOf(vm))
  const more = coming.length > 3 ? ", …" : ""
  return `no provisioned machine of "${pool}" is ready; ${coming.length} on the way (${names.join(", ")}${more})`
}
