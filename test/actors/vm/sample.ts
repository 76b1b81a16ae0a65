/** Machines, claims and events to try the pure parts of an actor on. */
import { assert } from "@effect/vitest"
import { defaultTimes } from "../../../src/schema/config/defaults.ts"
import type { Annotation, JournalState } from "../../../src/schema/Annotation.ts"
import { print } from "../../../src/schema/Annotation.ts"
import type { MachineFacts } from "../../../src/schema/Machine.ts"
import type { ModelStamp } from "../../../src/schema/ModelV1.ts"
import { annotate } from "../../../src/actors/vm/annotate.ts"
import { allowance } from "../../../src/actors/vm/deadlines.ts"
import type { Action } from "../../../src/actors/vm/Action.ts"
import type { VmEvent } from "../../../src/actors/vm/Event.ts"
import type { Claim, StateOf, Vm, VmState } from "../../../src/actors/vm/State.ts"
import type { Env, Step } from "../../../src/actors/vm/table.ts"
import { step } from "../../../src/actors/vm/transition.ts"

export const minute = 60_000
export const now = Date.UTC(2030, 0, 1, 12)

export const env: Env = { now, times: defaultTimes, hatchery: "rookery", instance: "this process" }

/** The same a while later. */
export const later = (ms: number): Env => ({ ...env, now: now + ms })

export const claim: Claim = {
  jobId: "job-1",
  region: "default",
  projectKey: "PROJ",
  workerName: "busy-lovelace",
  modelName: "debian",
  login: undefined,
  size: undefined,
  startedAt: now - 5 * minute
}

export const poolName = "provision-v2-ip-10-0-0-2-calm-turing"

/** An annotation as the Go hatchery writes it on a machine of the pool. */
export const goProvision: Annotation = {
  hatcheryName: "rookery",
  workerName: poolName,
  registerOnly: false,
  provisioning: true,
  workerModelPath: undefined,
  vmwareModelPath: "debian12",
  workerModelLastModified: undefined,
  model: false,
  created: now - 60 * minute,
  workerStartTime: undefined,
  jobId: undefined,
  ipAddress: "10.0.0.2",
  journal: undefined
}

/** An annotation as the Go hatchery writes it on the template of a V1 model. */
export const goTemplate = ({ path, lastModified }: ModelStamp): Annotation => ({
  ...goProvision,
  workerName: undefined,
  provisioning: false,
  workerModelPath: path,
  vmwareModelPath: undefined,
  workerModelLastModified: lastModified,
  model: true
})

export const goAnnotation = (more: Partial<Annotation> = {}): string => print({ ...goProvision, ...more })

const bare: Vm = {
  id: "11111111-1111-4111-8111-111111111111",
  ref: "vm-7",
  template: "debian12",
  poolName,
  ip: "10.0.0.2",
  generation: 3,
  size: { cpus: 2, memoryMB: 4096 },
  createdAt: now - 60 * minute,
  facts: undefined,
  state: { _tag: "Provisioned" },
  since: now,
  deadline: undefined,
  reason: undefined
}

/** What our key says in each state that is written down, by the process of `env`, in generation 3. */
export const written = (state: JournalState, more: Partial<Parameters<typeof annotate>[1]> = {}): string =>
  annotate({ ...bare, generation: 2 }, { state, claim: claims(state) ? claim : undefined, ...more }, env)

const claims = (state: JournalState): boolean => state === "renamed" || state === "running"

const pooled = written("provisioned")

export const facts = (more: Partial<MachineFacts> = {}): MachineFacts => ({
  ref: "vm-7",
  unreadable: [],
  name: poolName,
  id: bare.id,
  annotation: pooled,
  changeVersion: "7",
  template: false,
  power: "poweredOff",
  connection: "connected",
  question: undefined,
  numCpu: 2,
  memoryMB: 4096,
  createdAt: now - 60 * minute,
  bootedAt: undefined,
  resourcePool: "resgroup-1",
  guest: {
    ipAddress: undefined,
    addresses: [],
    operationsReady: false,
    toolsRunning: false,
    customization: "SUCCEEDED"
  },
  ...more
})

export const on = { power: "poweredOn" } as const
export const foreign = { annotation: goAnnotation({ hatcheryName: "somebody" }) }
export const disconnected = { connection: "disconnected" } as const

/** A machine that has been in that state since `now`, with the deadline that goes with it. */
export const machine = (state: VmState, more: Partial<Vm> = {}): Vm => {
  const ms = allowance(state, env.times)
  return {
    ...bare,
    facts: facts(),
    state,
    deadline: ms === undefined ? undefined : now + ms,
    ...(state._tag === "Cloning" ? { ref: undefined, facts: undefined, generation: 0 } : {}),
    ...more
  }
}

const claimV1: Claim = { ...claim, jobId: "7" }

export const states = {
  cloning: { _tag: "Cloning", lost: false },
  lost: { _tag: "Cloning", lost: true },
  unwanted: { _tag: "Cloning", lost: false, cancelled: "too many" },
  forJob: { _tag: "Cloning", lost: false, claim },
  lostForJob: { _tag: "Cloning", lost: true, claim },
  booting: { _tag: "Booting" },
  settling: { _tag: "Settling" },
  provisioned: { _tag: "Provisioned" },
  reserved: { _tag: "Reserved", claim, cancelled: undefined },
  unwantedReserved: { _tag: "Reserved", claim, cancelled: "stopped by its user" },
  renamed: { _tag: "Renamed", claim, cancelled: undefined, resumed: false },
  unwantedRenamed: { _tag: "Renamed", claim, cancelled: "stopped by its user", resumed: false },
  powered: { _tag: "Powered", claim, on: false },
  poweredOn: { _tag: "Powered", claim, on: true },
  running: { _tag: "Running", claim, signedIn: false, resumed: false },
  resumed: { _tag: "Running", claim, signedIn: false, resumed: true },
  overdue: { _tag: "Running", claim, signedIn: false, resumed: false, overdue: true },
  working: { _tag: "Running", claim, signedIn: true, resumed: false },
  returning: { _tag: "Returning" },
  heldBooting: { _tag: "Held", was: { _tag: "Booting" }, remaining: 4 * minute },
  heldProvisioned: { _tag: "Held", was: { _tag: "Provisioned" }, remaining: 4 * minute },
  heldRunning: {
    _tag: "Held",
    was: { _tag: "Running", claim, signedIn: false, resumed: false },
    remaining: 4 * minute
  },
  building: { _tag: "Cloning", lost: false, builds: true },
  preparing: { _tag: "Preparing" },
  converting: { _tag: "Converting" },
  heldPreparing: { _tag: "Held", was: { _tag: "Preparing", resumed: true }, remaining: 4 * minute },
  templated: { _tag: "Templated" },
  reaping: { _tag: "Reaping", claim: undefined, settlement: "none" },
  unsettled: { _tag: "Reaping", claim, settlement: "release" },
  lateWorker: { _tag: "Reaping", claim: claimV1, settlement: "release", late: true },
  reaped: { _tag: "Reaped" },
  ceded: { _tag: "Ceded" }
} as const satisfies Record<string, VmState>

export const seen = (more: Partial<MachineFacts> = {}): VmEvent => ({ _tag: "Seen", facts: facts(more) })
export const conceded = (more: Partial<MachineFacts> = {}): VmEvent => ({
  _tag: "Conceded",
  reason: "somebody else wrote on it",
  facts: facts(more)
})
export const done: VmEvent = { _tag: "Done" }
export const failed: VmEvent = { _tag: "Failed", reason: "the disk is full", unknown: false }
export const deadline: VmEvent = { _tag: "Deadline" }
export const reserve: VmEvent = { _tag: "Reserve", claim }

/** Every event, in the variants that make a difference. */
export const events: ReadonlyArray<VmEvent> = [
  seen({}),
  seen(on),
  seen(foreign),
  seen(disconnected),
  seen({ annotation: "" }),
  seen({ question: "Was it moved or copied?" }),
  seen({ annotation: goAnnotation({ provisioning: false, jobId: "job-2", workerName: "other" }), name: "other" }),
  seen({ name: claim.workerName, annotation: written("running"), ...on }),
  { _tag: "Gone" },
  { _tag: "Reserve", claim: { ...claim, jobId: "job-9", workerName: "late-hopper" } },
  { _tag: "Cancel", reason: "its job was taken by somebody" },
  { _tag: "Reap", reason: "asked", settlement: "release" },
  { _tag: "SignedIn" },
  { _tag: "Disabled" },
  { _tag: "JobEnded", status: "Success" },
  { _tag: "JobEnded", status: "Building" },
  { _tag: "Deadline" },
  { _tag: "Cloned", ref: "vm-7" },
  { _tag: "Done" },
  { _tag: "Exited", exitCode: 0, log: "" },
  { _tag: "Exited", exitCode: 1, log: "worker: no space left" },
  { _tag: "Refused", reason: "the job is Scheduling at other" },
  conceded({}),
  { _tag: "Failed", reason: "the disk is full", unknown: false },
  { _tag: "Failed", reason: "no answer", unknown: true },
  { _tag: "Settled", waits: true }
]

/** What becomes of a machine by one event. */
export const after = (vm: Vm, event: VmEvent, at: Env = env): Step => step(vm, event, at)

/** The names of what a transition asks for, in order. */
export const asks = ({ actions }: Step): ReadonlyArray<string> => actions.map(({ _tag }) => _tag)

/** The first of these that a transition asks for. */
export const find = <T extends Action["_tag"]>({ actions }: Step, tag: T): Extract<Action, { _tag: T }> | undefined =>
  actions.find((action): action is Extract<Action, { _tag: T }> => action._tag === tag)

/** The state of a machine that is reaped now. */
export const reaping = ({ vm }: Step): StateOf<"Reaping"> => {
  assert.strictEqual(vm.state._tag, "Reaping")
  return vm.state as StateOf<"Reaping">
}

/** Why the job's user is told that its worker failed. */
export const toldWhy = (tell: Extract<Action, { _tag: "Tell" }> | undefined): string | undefined =>
  tell?.notice._tag === "SpawnFailed" ? tell.notice.reason : undefined
