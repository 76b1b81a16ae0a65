/** Which machines carry a job, are leased for it or stand in its way: asked for each job that is looked at, so it is kept and not searched for. */
import { parse } from "../schema/Annotation.ts"
import type { JobId } from "../schema/Job.ts"
import { isOff, type MachineId } from "../schema/Machine.ts"
import { claimOf, placeOf, type Vm } from "./vm/State.ts"
import type { VmHandle } from "./Vm.ts"

export class Carriers {
  private readonly byJob = new Map<JobId, Set<VmHandle>>()

  /** Does something to a machine that may change which jobs it is for. */
  change(handle: VmHandle, does: () => void): void {
    const before = jobsOf(handle)
    does()
    const after = jobsOf(handle)
    for (const job of before) if (!after.includes(job)) this.remove(job, handle)
    for (const job of after) if (!before.includes(job)) this.add(job, handle)
  }

  add(job: JobId, handle: VmHandle): void {
    const carriers = this.byJob.get(job)
    if (carriers === undefined) this.byJob.set(job, new Set([handle]))
    else carriers.add(handle)
  }

  of(job: JobId): Iterable<VmHandle> {
    return this.byJob.get(job) ?? []
  }

  /** The other machine that is on with this job, whether it is for it or has to go. */
  on(job: JobId, except: MachineId): VmHandle | undefined {
    for (const handle of this.of(job))
      if (handle.id !== except && handle.vm.facts !== undefined && !isOff(handle.vm.facts)) return handle
    return undefined
  }

  private remove(job: JobId, handle: VmHandle): void {
    const carriers = this.byJob.get(job)
    carriers?.delete(handle)
    if (carriers?.size === 0) this.byJob.delete(job)
  }
}

/** At most three, mostly none or one. A worker that registers a model has no job. */
export const jobsOf = ({ lease, vm }: Pick<VmHandle, "lease" | "vm">): ReadonlyArray<JobId> =>
  [lease, claimOf(vm.state)?.jobId, leftOver(vm)].filter((job): job is JobId => job !== undefined && job !== "")

/** True for a machine that is leased or claimed for the job, and does not merely stand in its way. */
export const isFor = ({ lease, vm }: Pick<VmHandle, "lease" | "vm">, job: JobId): boolean =>
  lease === job || claimOf(vm.state)?.jobId === job

/** The job that stands on a machine which is on and has to go, whatever became of it: nobody else gets it before this one is off (promise 1). */
const leftOver = ({ state, facts }: Vm): JobId | undefined =>
  placeOf(state) === "Reaping" && facts !== undefined && !isOff(facts) ? parse(facts.annotation)?.jobId : undefined
