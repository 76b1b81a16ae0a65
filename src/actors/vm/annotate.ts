/** What a machine's annotation says in each state that is written down: the Go hatchery's keys (vsphere-behaviour 3) and ours. */
import type { Annotation, JournalState } from "../../schema/Annotation.ts"
import { print } from "../../schema/Annotation.ts"
import type { Claim, Settlement, Vm } from "./State.ts"
import type { Env } from "./table.ts"

export interface Entry {
  readonly state: JournalState
  readonly claim: Claim | undefined
  readonly reason?: string | undefined
  readonly settlement?: Settlement
}

/** The machine's name that goes with this entry: the worker's while it has one. */
export const nameFor = (vm: Vm, entry: Entry): string =>
  entry.state === "reaping" ? (vm.facts?.name ?? vm.poolName) : (entry.claim?.workerName ?? vm.poolName)

/** A machine on its way to be the template of a V1 model says so, as the template will; one that is reaped is no template any more. */
const becomesTemplate = ({ state }: Entry): boolean => state === "preparing" || state === "converting"

/** The Go hatchery's way to say that a worker registers its model and has no job. */
const noJob = "0"

export const annotationOf = (vm: Vm, entry: Entry, env: Env): Annotation => {
  const { claim } = entry
  const template = becomesTemplate(entry)
  const workerName = template ? undefined : (claim?.workerName ?? vm.poolName)
  return {
    hatcheryName: env.hatchery,
    workerName,
    registerOnly: claim?.registers ?? false,
    provisioning: claim === undefined && !template,
    workerModelPath: vm.model?.path,
    vmwareModelPath: template ? undefined : vm.template,
    workerModelLastModified: vm.model?.lastModified,
    model: template,
    created: vm.createdAt,
    workerStartTime: claim?.startedAt,
    jobId: claim?.registers === true ? noJob : claim?.jobId,
    ipAddress: vm.ip,
    journal: {
      v: 1,
      state: entry.state,
      generation: vm.generation + 1,
      instance: env.instance,
      name: nameFor(vm, entry),
      worker: workerName ?? "",
      since: new Date(env.now).toISOString(),
      poolName: vm.poolName,
      ...(vm.size === undefined ? {} : { cpus: vm.size.cpus, memoryMB: vm.size.memoryMB }),
      ...(claim === undefined ? {} : { region: claim.region, model: claim.modelName, project: claim.projectKey }),
      ...(claim?.model === undefined ? {} : { modelId: claim.model.id }),
      ...(entry.reason === undefined ? {} : { reason: entry.reason.slice(0, 200) }),
      ...(entry.settlement === undefined ? {} : { settlement: entry.settlement })
    }
  }
}

export const annotate = (vm: Vm, entry: Entry, env: Env): string => print(annotationOf(vm, entry, env))
