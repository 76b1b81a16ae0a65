/** What a machine's annotation says in each state that is written down: the Go hatchery's keys (vsphere-behaviour 3, state B) and ours. */
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

export const annotationOf = (vm: Vm, entry: Entry, env: Env): Annotation => {
  const { claim } = entry
  const workerName = claim?.workerName ?? vm.poolName
  return {
    hatcheryName: env.hatchery,
    workerName,
    registerOnly: false,
    provisioning: claim === undefined,
    workerModelPath: undefined,
    vmwareModelPath: vm.template,
    workerModelLastModified: undefined,
    model: false,
    created: vm.createdAt,
    workerStartTime: claim?.startedAt,
    jobId: claim?.jobId === "" ? undefined : claim?.jobId,
    ipAddress: vm.ip,
    journal: {
      v: 1,
      state: entry.state,
      generation: vm.generation + 1,
      instance: env.instance,
      name: nameFor(vm, entry),
      worker: workerName,
      since: new Date(env.now).toISOString(),
      poolName: vm.poolName,
      ...(vm.size === undefined ? {} : { cpus: vm.size.cpus, memoryMB: vm.size.memoryMB }),
      ...(claim === undefined ? {} : { region: claim.region, model: claim.modelName, project: claim.projectKey }),
      ...(entry.reason === undefined ? {} : { reason: entry.reason.slice(0, 200) }),
      ...(entry.settlement === undefined ? {} : { settlement: entry.settlement })
    }
  }
}

export const annotate = (vm: Vm, entry: Entry, env: Env): string => print(annotationOf(vm, entry, env))
