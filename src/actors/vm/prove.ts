/**
 * Adoption: what a machine of ours proves to be by its annotation, its name and its power state. Our own key decides while it is
 * believed, else the Go hatchery's rules do (design, "vCenter is the journal"; vsphere-behaviour 3, 8 and 11).
 */
import type { Annotation, Journal } from "../../schema/Annotation.ts"
import { believed, parse } from "../../schema/Annotation.ts"
import type { MachineFacts } from "../../schema/Machine.ts"
import type { Claim, Vm, VmState } from "./State.ts"
import type { Env } from "./table.ts"
import { allowance } from "./deadlines.ts"

interface Proof {
  readonly state: VmState
  /** When the state began, by what the machine says. */
  readonly since: number
  readonly reason?: string
}

/** Undefined when the machine is not ours to look after: no annotation, another owner, a V1 template, a vSphere template. */
export const prove = (facts: MachineFacts, env: Env): Vm | undefined => {
  const annotation = parse(facts.annotation)
  if (annotation === undefined || annotation.hatcheryName !== env.hatchery) return undefined
  if (annotation.model || facts.template) return undefined
  const journal = believed(annotation, facts.name)
  const proof = journal === undefined ? byGoRules(facts, annotation, env) : byJournal(facts, annotation, journal, env)
  return {
    id: facts.id,
    ref: facts.ref,
    template: annotation.vmwareModelPath ?? "",
    poolName: journal?.poolName ?? poolNameOf(annotation, facts),
    ip: annotation.ipAddress,
    generation: annotation.journal?.generation ?? 0,
    size:
      journal?.cpus !== undefined && journal.memoryMB !== undefined
        ? { cpus: journal.cpus, memoryMB: journal.memoryMB }
        : { cpus: facts.numCpu, memoryMB: facts.memoryMB },
    createdAt: annotation.created ?? facts.createdAt ?? env.now,
    facts,
    state: proof.state,
    since: proof.since,
    deadline: deadlineOf(proof.state, env),
    reason: proof.reason
  }
}

/** A restart spends nobody's time; a worker's TTL counts from its claim again once it is seen at CDS. */
const deadlineOf = (state: VmState, env: Env): number | undefined => {
  const ms = allowance(state, env.times)
  return ms === undefined ? undefined : env.now + ms
}

const off = (facts: MachineFacts): boolean => facts.power === "poweredOff"

const unfinished = (facts: MachineFacts): boolean =>
  facts.guest.customization === "PENDING" ||
  facts.guest.customization === "RUNNING" ||
  facts.guest.customization === "FAILED"

const poolNameOf = (annotation: Annotation, facts: MachineFacts): string =>
  facts.name.startsWith("provision-") ? facts.name : `provision-v2-${annotation.workerName ?? facts.name}`

const reaping = (reason: string, claim: Claim | undefined, since: number): Proof => ({
  state: { _tag: "Reaping", claim, settlement: claim === undefined ? "none" : "release" },
  since,
  reason
})

const byJournal = (facts: MachineFacts, annotation: Annotation, journal: Journal, env: Env): Proof => {
  const since = Date.parse(journal.since) || env.now
  const claim = claimFrom(annotation, journal, since)
  switch (journal.state) {
    case "booting":
      // Off, a clone for a job may be on its way to its first boot: the task that made it powers it on.
      if (claim !== undefined) return { state: { _tag: "Renamed", claim, cancelled: undefined, resumed: true }, since }
      if (!off(facts)) return { state: { _tag: "Booting" }, since }
      return facts.guest.customization === "SUCCEEDED"
        ? { state: { _tag: "Settling" }, since }
        : reaping("it is off and its customization has not succeeded", undefined, since)
    case "provisioned":
      return off(facts)
        ? { state: { _tag: "Provisioned" }, since }
        : reaping("it was found powered on in the pool", undefined, since)
    case "renamed":
      return claim === undefined
        ? reaping("it carries a claim without a job", undefined, since)
        : { state: { _tag: "Renamed", claim, cancelled: undefined, resumed: true }, since }
    case "running":
      if (claim === undefined) return reaping("it carries a worker without a job", undefined, since)
      return off(facts)
        ? reaping("its worker has finished", claim, since)
        : { state: { _tag: "Running", claim, signedIn: false, resumed: true }, since }
    case "reaping":
      return {
        state: { _tag: "Reaping", claim, settlement: claim === undefined ? "none" : (journal.settlement ?? "release") },
        since,
        reason: journal.reason ?? "it was being reaped"
      }
  }
}

const claimFrom = (annotation: Annotation, journal: Journal, since: number): Claim | undefined =>
  annotation.jobId === undefined || annotation.workerName === undefined
    ? undefined
    : {
        jobId: annotation.jobId,
        region: journal.region ?? "",
        projectKey: journal.project ?? "",
        workerName: annotation.workerName,
        modelName: journal.model ?? "",
        login: undefined,
        size: undefined,
        startedAt: annotation.workerStartTime ?? since
      }

/**
 * A machine as the Go hatchery leaves it. One that still says `provisioning` under a name without the pool's prefix was claimed by
 * state A, which renames only. A start time may be missing: then the boot time, then the creation date counts (defect 75).
 */
const byGoRules = (facts: MachineFacts, annotation: Annotation, env: Env): Proof => {
  const since = annotation.workerStartTime ?? facts.bootedAt ?? annotation.created ?? facts.createdAt ?? env.now
  if (annotation.provisioning && facts.name.startsWith("provision-")) {
    if (!off(facts)) return { state: { _tag: "Booting" }, since }
    return unfinished(facts)
      ? reaping("it is off and its customization has not succeeded", undefined, since)
      : { state: { _tag: "Provisioned" }, since }
  }
  const claim: Claim = {
    // A machine that registers a V1 model carries job "0": none.
    jobId: annotation.jobId === undefined || annotation.jobId === "0" ? "" : annotation.jobId,
    region: "",
    projectKey: "",
    workerName: facts.name,
    modelName: "",
    login: undefined,
    size: undefined,
    startedAt: since
  }
  return off(facts)
    ? reaping("its worker has finished", claim, since)
    : { state: { _tag: "Running", claim, signedIn: false, resumed: true }, since }
}
