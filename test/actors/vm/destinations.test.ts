import { assert, describe, it } from "@effect/vitest"
import { annotate, type Entry } from "../../../src/actors/vm/annotate.ts"
import type { EventTag, VmEvent } from "../../../src/actors/vm/Event.ts"
import {
  claimOf,
  isEnd,
  type Claim,
  type HoldableState,
  type StateTag,
  type Vm,
  type VmState
} from "../../../src/actors/vm/State.ts"
import type { Env, Step } from "../../../src/actors/vm/table.ts"
import { step, table } from "../../../src/actors/vm/transition.ts"
import type { JournalState } from "../../../src/schema/Annotation.ts"
import { defaultTimes } from "../../../src/schema/config/defaults.ts"
import type { JobStatus } from "../../../src/schema/Job.ts"
import type { MachineFacts } from "../../../src/schema/Machine.ts"

const env: Env = { now: 1_800_000_000_000, times: defaultTimes, hatchery: "ours", instance: "this-process" }

const claim: Claim = {
  jobId: "job-1",
  region: "default",
  projectKey: "P",
  workerName: "worker-1",
  modelName: "model",
  login: undefined,
  size: undefined,
  startedAt: env.now - 60_000
}

const blank: Vm = {
  id: "machine-1",
  ref: "vm-1",
  template: "debian12",
  poolName: "provision-v2-1",
  ip: "10.0.0.5",
  generation: 3,
  size: { cpus: 2, memoryMB: 4096 },
  createdAt: env.now - 3_600_000,
  facts: undefined,
  state: { _tag: "Provisioned" },
  since: env.now - 1_000,
  deadline: env.now + 1_000,
  reason: undefined
}

const bare: MachineFacts = {
  ref: "vm-1",
  unreadable: [],
  name: blank.poolName,
  id: blank.id,
  annotation: "",
  changeVersion: "1",
  template: false,
  power: "poweredOff",
  connection: "connected",
  question: undefined,
  numCpu: 2,
  memoryMB: 4096,
  createdAt: blank.createdAt,
  bootedAt: undefined,
  resourcePool: undefined,
  guest: { ipAddress: undefined, addresses: [], operationsReady: false, toolsRunning: false, customization: undefined }
}

const entries: ReadonlyArray<Entry> = [
  ...(["booting", "provisioned", "renamed", "running", "reaping"] as const satisfies ReadonlyArray<JournalState>)
].flatMap((state): ReadonlyArray<Entry> => [
  { state, claim: undefined },
  { state, claim }
])

const buildEntries: ReadonlyArray<Entry> = [
  { state: "preparing", claim: undefined },
  { state: "converting", claim: undefined }
]

/** What may be written on a machine: by this process, by another one of ours, by this one earlier, by the Go hatchery, by others, by nobody. */
const writings: ReadonlyArray<{ readonly annotation: string; readonly name: string }> = [
  ...[...entries, ...buildEntries].flatMap((entry) =>
    [env, { ...env, instance: "another-process" }, { ...env, hatchery: "theirs" }].map((writer) => ({
      annotation: annotate({ ...blank, generation: 7 }, entry, writer),
      name: entry.claim?.workerName ?? blank.poolName
    }))
  ),
  {
    annotation: annotate({ ...blank, generation: 1 }, { state: "booting", claim: undefined }, env),
    name: blank.poolName
  },
  {
    annotation: JSON.stringify({ hatchery_name: "ours", worker_name: "x", provisioning: true }),
    name: "provision-v2-1"
  },
  { annotation: JSON.stringify({ hatchery_name: "ours", worker_name: "worker-1", job_id: "job-2" }), name: "worker-1" },
  { annotation: JSON.stringify({ hatchery_name: "ours", model: true }), name: "template" },
  {
    annotation: JSON.stringify({ hatchery_name: "ours", model: true, created: new Date(env.now).toISOString() }),
    name: "debian-tmp"
  },
  { annotation: "somebody's note", name: "provision-v2-1" }
]

const conditions: ReadonlyArray<Partial<MachineFacts>> = [
  { power: "poweredOff" },
  { power: "poweredOn" },
  { power: "poweredOff", guest: { ...bare.guest, customization: "SUCCEEDED" } },
  { power: "poweredOff", guest: { ...bare.guest, customization: "FAILED" } },
  { power: "suspended" },
  { template: true },
  { connection: "disconnected" },
  { question: "which one?" }
]

const allFacts: ReadonlyArray<MachineFacts> = writings.flatMap((writing) =>
  conditions.map((condition) => ({ ...bare, ...writing, ...condition }))
)

const holdable: ReadonlyArray<HoldableState> = [
  { _tag: "Booting" },
  { _tag: "Settling" },
  { _tag: "Provisioned" },
  ...[false, true].map((on) => ({ _tag: "Powered", claim, on }) as const),
  ...[false, true].flatMap((signedIn) =>
    [false, true].map((resumed) => ({ _tag: "Running", claim, signedIn, resumed }) as const)
  ),
  { _tag: "Returning" },
  { _tag: "Preparing" },
  { _tag: "Preparing", resumed: true },
  { _tag: "Reaping", claim: undefined, settlement: "none" },
  ...(["none", "release", "fail"] as const).map((settlement) => ({ _tag: "Reaping", claim, settlement }) as const),
  { _tag: "Reaping", claim, settlement: "release", late: true }
]

const allStates: ReadonlyArray<VmState> = [
  ...[false, true].flatMap((lost) => [
    { _tag: "Cloning", lost } as const,
    { _tag: "Cloning", lost, claim } as const,
    { _tag: "Cloning", lost, cancelled: "not wanted" } as const,
    { _tag: "Cloning", lost, builds: true } as const,
    { _tag: "Cloning", lost, claim, cancelled: "not wanted" } as const
  ]),
  ...[undefined, "not wanted"].flatMap((cancelled) => [
    { _tag: "Reserved", claim, cancelled } as const,
    ...[false, true].map((resumed) => ({ _tag: "Renamed", claim, cancelled, resumed }) as const)
  ]),
  ...holdable,
  ...holdable.map((was) => ({ _tag: "Held", was, remaining: 500 }) as const),
  { _tag: "Converting" },
  { _tag: "Templated" },
  { _tag: "Reaped" },
  { _tag: "Ceded" }
]

const jobStatuses: ReadonlyArray<JobStatus> = ["Waiting", "Scheduling", "Building", "Success", "Fail", "Cancelled"]

const allEvents: ReadonlyArray<VmEvent> = [
  ...allFacts.map((facts) => ({ _tag: "Seen", facts }) as const),
  { _tag: "Gone" },
  { _tag: "Reserve", claim: { ...claim, jobId: "job-9" } },
  { _tag: "Cancel", reason: "not wanted" },
  ...(["none", "release", "fail"] as const).map(
    (settlement) => ({ _tag: "Reap", reason: "asked", settlement }) as const
  ),
  { _tag: "SignedIn" },
  { _tag: "Disabled" },
  ...jobStatuses.map((status) => ({ _tag: "JobEnded", status }) as const),
  { _tag: "Deadline" },
  { _tag: "Cloned", ref: "vm-1" },
  { _tag: "Done" },
  { _tag: "Exited", exitCode: 0, log: "" },
  { _tag: "Exited", exitCode: 1, log: "no worker" },
  { _tag: "Refused", reason: "taken by another" },
  ...allFacts.map((facts) => ({ _tag: "Conceded", reason: "written by another", facts }) as const),
  ...[false, true].map((unknown) => ({ _tag: "Failed", reason: "no", unknown }) as const),
  { _tag: "Settled", waits: true }
]

interface Taken {
  readonly before: Vm
  readonly event: VmEvent
  readonly step: Step
}

/** What may have been known before the event: all of it matters, except to news of the machine itself, for which three examples do. */
const knownBefore = (event: VmEvent): ReadonlyArray<MachineFacts | undefined> =>
  event._tag === "Seen" || event._tag === "Conceded"
    ? [undefined, allFacts[0], allFacts.at(-1)]
    : [undefined, ...allFacts]

/** Each state meets each event, with each thing that may have been known of the machine before. */
const everyStep = function* (): Generator<Taken> {
  for (const state of allStates)
    for (const event of allEvents)
      for (const facts of knownBefore(event)) {
        const before: Vm = { ...blank, facts, state, deadline: isEnd(state) ? undefined : blank.deadline }
        yield { before, event, step: step(before, event, env) }
      }
}

const way = (from: StateTag, event: EventTag, to: StateTag): string => `${from} × ${event} → ${to}`

const listed = new Set(
  Object.entries(table).flatMap(([from, { cells }]) =>
    Object.entries(cells as Record<string, { readonly to: ReadonlyArray<StateTag> }>).flatMap(([event, { to }]) =>
      to.filter((state) => state !== from).map((state) => way(from as StateTag, event as EventTag, state))
    )
  )
)

describe("the transition table, over each state and each event", () => {
  const taken = new Set<string>()
  const wrong = { deadline: new Set<string>(), worth: new Set<string>(), ended: new Set<string>() }
  for (const { before, event, step } of everyStep()) {
    const [from, to] = [before.state._tag, step.vm.state._tag]
    const name = way(from, event._tag, to)
    if (from !== to) taken.add(name)
    if (isEnd(step.vm.state) !== (step.vm.deadline === undefined)) wrong.deadline.add(name)
    if (isEnd(before.state) && step.vm !== before) wrong.ended.add(name)
    const frees = to === "Reaped" || to === "Templated"
    if (!isEnd(before.state) && frees !== step.actions.some(({ _tag }) => _tag === "FreeIp")) wrong.worth.add(name)
    const job = claimOf(before.state)?.jobId
    const kept = job === undefined || claimOf(step.vm.state)?.jobId === job
    const told = step.actions.some((action) => action._tag === "ReturnJob" && action.claim.jobId === job)
    if (!kept && !told) wrong.worth.add(name)
  }

  it("leads only where the cells say", () => {
    assert.deepStrictEqual([...taken].filter((one) => !listed.has(one)).toSorted(), [])
  })

  it("leads everywhere the cells say", () => {
    assert.deepStrictEqual([...listed].filter((one) => !taken.has(one)).toSorted(), [])
  })

  it("has a deadline in each state but the ends", () => {
    assert.deepStrictEqual([...wrong.deadline], [])
  })

  it("never leaves an end", () => {
    assert.deepStrictEqual([...wrong.ended], [])
  })

  it("loses neither a job nor an address on the way", () => {
    assert.deepStrictEqual([...wrong.worth], [])
  })
})
