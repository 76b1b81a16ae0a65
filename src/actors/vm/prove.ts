/**
 * Adoption: what a machine of ours proves to be by its annotation, its name and its power state. Our own key decides while it is
 * believed, else the Go hatchery's rules do (design, "vCenter is the journal"; vsphere-behaviour 3, 8 and 11).
 */
import type { Annotation, Journal } from "../../schema/Annotation.ts"
import { believed, madeFor, parse } from "../../schema/Annotation.ts"
import { isOff, type MachineFacts } from "../../schema/Machine.ts"
import type { Claim, Settlement, Vm, VmState } from "./State.ts"
import type { Env } from "./table.ts"
import { allowance } from "./deadlines.ts"

interface Proof {
  readonly state: VmState
  /** When the state began, by what the machine says. */
  readonly since: number
  /** Its deadline, where that does not start anew. */
  readonly until?: number
  readonly reason?: string
}

/**
 * Undefined when the machine is not ours to look after: no annotation, another owner, a vSphere template, what somebody made of one. `region` is that
 * of the signin: the Go hatchery does not write down a V2 job's, and a V2 hatchery is granted one.
 */
export const prove = (facts: MachineFacts, env: Env, region = ""): Vm | undefined => {
  const annotation = parse(facts.annotation)
  if (annotation === undefined || annotation.hatcheryName !== env.hatchery) return undefined
  if (facts.template) return undefined
  const journal = believed(annotation, facts.name)
  const proof =
    journal === undefined ? byGoRules(facts, annotation, env, region) : byJournal(facts, annotation, journal, env)
  if (proof === undefined) return undefined
  const model = madeFor(annotation)
  return {
    id: facts.id,
    ref: facts.ref,
    template: annotation.vmwareModelPath ?? model?.path.split("/")[1] ?? "",
    model,
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
    deadline: proof.until ?? deadlineOf(proof.state, env),
    reason: proof.reason
  }
}

/** A restart spends nobody's time; a worker's TTL counts from its claim again once it is seen at CDS. */
const deadlineOf = (state: VmState, env: Env): number | undefined => {
  const ms = allowance(state, env.times)
  return ms === undefined ? undefined : env.now + ms
}

const unfinished = (facts: MachineFacts): boolean =>
  facts.guest.customization === "PENDING" ||
  facts.guest.customization === "RUNNING" ||
  facts.guest.customization === "FAILED"

const poolNameOf = (annotation: Annotation, facts: MachineFacts): string => {
  if (facts.name.startsWith("provision-") || annotation.model) return facts.name
  const name = annotation.workerName ?? facts.name
  // State A renames at the claim and leaves the pool's name in the annotation.
  if (name.startsWith("provision-")) return name
  return `provision-${madeFor(annotation) === undefined ? "v2" : "v1"}-${name}`
}

const reaping = (
  reason: string,
  claim: Claim | undefined,
  since: number,
  settlement: Settlement = "release"
): Proof => ({
  state: { _tag: "Reaping", claim, settlement: claim === undefined ? "none" : settlement },
  since,
  reason
})

const unfinishedBuild = "an earlier process was building its template"

const byJournal = (facts: MachineFacts, annotation: Annotation, journal: Journal, env: Env): Proof => {
  const since = Date.parse(journal.since) || env.now
  const claim = claimFrom(annotation, journal, since)
  const reason = journal.reason ?? "it was being reaped"
  switch (journal.state) {
    case "booting":
      // Off, a clone for a job may be on its way to its first boot: the task that made it powers it on.
      if (claim !== undefined) return { state: { _tag: "Renamed", claim, cancelled: undefined, resumed: true }, since }
      if (!isOff(facts)) return { state: { _tag: "Booting" }, since }
      return facts.guest.customization === "SUCCEEDED"
        ? { state: { _tag: "Settling" }, since }
        : reaping("it is off and its customization has not succeeded", undefined, since)
    case "provisioned":
      if (isOff(facts)) return { state: { _tag: "Provisioned" }, since }
      return unlessAtWork(reaping("it was found powered on in the pool", claim, since))
    case "renamed":
      return claim === undefined
        ? reaping("it carries a claim without a job", undefined, since)
        : { state: { _tag: "Renamed", claim, cancelled: undefined, resumed: true }, since }
    case "running":
      if (claim === undefined) return reaping("it carries a worker without a job", undefined, since)
      return isOff(facts)
        ? reaping("its worker has finished", claim, since)
        : { state: { _tag: "Running", claim, signedIn: false, resumed: true }, since }
    case "preparing":
      return reaping(unfinishedBuild, undefined, since)
    case "converting":
      return isOff(facts)
        ? { state: { _tag: "Converting" }, since }
        : reaping("it was found powered on on its way to be a template", undefined, since)
    case "reaping": {
      const proof = reaping(reason, claim, since, journal.settlement)
      return isOff(facts) ? proof : unlessAtWork(proof)
    }
  }
}

/**
 * A machine that is on is to be removed, for a reason that may not hold: CDS is asked first whether its worker is at work (promise 4). A job whose
 * time is over, or that is none of ours, needs no asking.
 */
const unlessAtWork = (proof: Proof): Proof =>
  proof.state._tag === "Reaping" && proof.state.settlement === "release" && isWork(proof.state.claim)
    ? { ...proof, state: { _tag: "Running", claim: proof.state.claim, signedIn: false, resumed: true, overdue: true } }
    : proof

const isWork = (claim: Claim | undefined): claim is Claim => claim !== undefined && claim.jobId !== ""

const claimFrom = (annotation: Annotation, journal: Journal, since: number): Claim | undefined =>
  annotation.jobId === undefined || annotation.workerName === undefined
    ? undefined
    : {
        ...jobOf(annotation),
        region: journal.region ?? "",
        projectKey: journal.project ?? "",
        workerName: annotation.workerName,
        modelName: journal.model ?? "",
        ...startedBy(annotation, journal.modelId),
        login: undefined,
        size: undefined,
        startedAt: annotation.workerStartTime ?? since
      }

const startedBy = (annotation: Annotation, id: number | undefined): Pick<Claim, "model"> => {
  const stamp = madeFor(annotation)
  return stamp === undefined || id === undefined ? {} : { model: { id, ...stamp } }
}

/** A machine that registers a V1 model carries job "0": none. */
const jobOf = ({ jobId, registerOnly }: Annotation): Pick<Claim, "jobId" | "registers"> => ({
  jobId: jobId === undefined || jobId === "0" ? "" : jobId,
  ...(registerOnly ? { registers: true } : {})
})

/**
 * A V1 template in the making, as the Go hatchery leaks it when a build fails (defect 77): it has its time to become one. Under another name it is
 * a template that somebody made a machine of again, and theirs to look after.
 */
const leakedBuild = (facts: MachineFacts, annotation: Annotation, env: Env): Proof | undefined => {
  const since = annotation.created ?? facts.createdAt ?? env.now
  // What is a template was `converting` before: this one never was, whatever name somebody gave it.
  if (annotation.journal?.state === "preparing") return reaping(unfinishedBuild, undefined, since)
  if (!facts.name.endsWith("-tmp")) return undefined
  const until = since + env.times.templateMs
  return until <= env.now
    ? reaping("the building of its template was never finished", undefined, since)
    : { state: { _tag: "Preparing", resumed: true }, since, until }
}

/**
 * A machine as the Go hatchery leaves it. One that still says `provisioning` under a name without the pool's prefix was claimed by
 * state A, which renames only. A start time may be missing: then the boot time, then the creation date counts (defect 75).
 */
const byGoRules = (facts: MachineFacts, annotation: Annotation, env: Env, region: string): Proof | undefined => {
  if (annotation.model) return leakedBuild(facts, annotation, env)
  const since = annotation.workerStartTime ?? facts.bootedAt ?? annotation.created ?? facts.createdAt ?? env.now
  if (annotation.provisioning && facts.name.startsWith("provision-")) {
    if (!isOff(facts)) return { state: { _tag: "Booting" }, since }
    return unfinished(facts)
      ? reaping("it is off and its customization has not succeeded", undefined, since)
      : { state: { _tag: "Provisioned" }, since }
  }
  const claim: Claim = {
    ...jobOf(annotation),
    region,
    projectKey: "",
    workerName: facts.name,
    modelName: "",
    ...startedBy(annotation, 0),
    login: undefined,
    size: undefined,
    startedAt: since
  }
  return isOff(facts)
    ? reaping("its worker has finished", claim, since)
    : { state: { _tag: "Running", claim, signedIn: false, resumed: true }, since }
}
