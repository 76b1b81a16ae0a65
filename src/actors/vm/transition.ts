/**
 * A machine's life: `State × Event → State' + actions`, pure and total (design, "A machine's life is a typed table").
 *
 * The spine is provisioned → reserved → renamed → powered → running → reaped. Each state has at most one work (`workOf`), started
 * when it is entered and interrupted when it is left; its end comes back as an event. Works are harmless when they are started
 * again, which is what adoption and waking from `Held` rely on.
 */
import { parse } from "../../schema/Annotation.ts"
import { isFinal } from "../../schema/Job.ts"
import type { MachineFacts } from "../../schema/Machine.ts"
import type { Action, Work } from "./Action.ts"
import type { EventOf, EventTag, VmEvent } from "./Event.ts"
import { prove } from "./prove.ts"
import type { Claim, HoldableState, Settlement, StateTag, Vm, VmState } from "./State.ts"
import { claimOf, reachable, resumed, unreachableReason } from "./State.ts"
import type { Cell, Env, Row, Step, VmIn } from "./table.ts"
import { cell, enter, row, stay } from "./table.ts"

const inPool: ReadonlySet<StateTag> = new Set(["Cloning", "Booting", "Settling", "Provisioned", "Returning"])
/** A removal that vCenter refuses is tried again after this long. */
const reapAgainMs = 60_000

const hatching: ReadonlySet<StateTag> = new Set(["Cloning", "Booting", "Settling"])

/** Into reaping, from anywhere. The pool hears of its loss. */
const reap = (vm: Vm, env: Env, reason: string, settlement: Settlement, more: ReadonlyArray<Action> = []): Step => {
  const claim = claimOf(vm.state)
  const was = vm.state._tag === "Held" ? vm.state.was._tag : vm.state._tag
  const actions: Array<Action> = [...more]
  if (inPool.has(was)) actions.push({ _tag: "PoolShrank" })
  if (was === "Cloning") actions.push({ _tag: "CloneEnded" })
  return enter(vm, { _tag: "Reaping", claim, settlement: claim === undefined ? "none" : settlement }, env, {
    reason,
    actions
  })
}

/** Like `reap`, because something went wrong: the job's user is told what, or the template has failed to hatch. */
const fail = (vm: Vm, env: Env, reason: string): Step => {
  const claim = claimOf(vm.state)
  const actions: Array<Action> = []
  if (claim !== undefined) actions.push({ _tag: "Tell", claim, level: "error", text: reason })
  if (hatching.has(vm.state._tag)) actions.push({ _tag: "HatchFailed", reason })
  return reap(vm, env, reason, "release", actions)
}

/** The line that CDS users know from the Go hatchery (cds-trace 4). */
const starting = (claim: Claim, env: Env): Action => ({
  _tag: "Tell",
  claim,
  level: "info",
  text: `Hatchery "${env.hatchery}" is starting the worker "${claim.workerName}" from model "${claim.modelName}"`
})

const returnJob = (claim: Claim, reason: string, failed: boolean): Action => ({
  _tag: "ReturnJob",
  claim,
  reason,
  failed
})

/** Back to the pool: the claim is undone by another guarded reconfigure. */
const giveBack = (vm: Vm, env: Env, claim: Claim, reason: string, failed: boolean): Step =>
  enter(vm, { _tag: "Returning" }, env, {
    reason,
    actions: [returnJob(claim, reason, failed), { _tag: "FreeCapacity" }]
  })

/** A machine loses its job without being reaped for it. One that may have been taken is settled at CDS, as no later state will. */
const dropJob = (vm: Vm, claim: Claim, reason: string, failed: boolean): ReadonlyArray<Action> => {
  const state = vm.state._tag === "Held" ? vm.state.was : vm.state
  const back = returnJob(claim, reason, failed)
  if (state._tag === "Reserved") return [back]
  const settlement = state._tag === "Reaping" ? state.settlement : "release"
  return [{ _tag: "SettleJob", claim, settlement, reason }, back]
}

/** The end of a machine for us: its worker's place is free, a job on it may look for another machine, its pool hears of its loss. */
const leaving = (vm: Vm, reason: string | undefined): ReadonlyArray<Action> => {
  const claim = claimOf(vm.state)
  const was = vm.state._tag === "Held" ? vm.state.was._tag : vm.state._tag
  const actions: Array<Action> = [{ _tag: "FreeCapacity" }]
  if (claim !== undefined) actions.push(...dropJob(vm, claim, reason ?? "its machine is gone", true))
  if (was === "Cloning") actions.push({ _tag: "CloneEnded" })
  if (inPool.has(was)) actions.push({ _tag: "PoolShrank" })
  return actions
}

/** Gone without our doing, or with it. */
const gone = (vm: Vm, env: Env, reason: string | undefined): Step =>
  enter(vm, { _tag: "Reaped" }, env, { reason, actions: [{ _tag: "FreeIp" }, ...leaving(vm, reason)] })

/** Somebody else's now: hands off. It keeps its address as long as it is there. */
const cede = (vm: Vm, env: Env, reason: string): Step =>
  enter(vm, { _tag: "Ceded" }, env, { reason, actions: leaving(vm, reason) })

/** True when the last writer is neither this process nor the generation that it took over. */
const rewritten = (vm: Vm, facts: MachineFacts, env: Env): boolean => {
  if (vm.facts === undefined || facts.annotation === vm.facts.annotation) return false
  const journal = parse(facts.annotation)?.journal
  return journal === undefined || (journal.instance !== env.instance && journal.generation !== vm.generation)
}

const owner = (facts: MachineFacts): string | undefined => parse(facts.annotation)?.hatcheryName

/**
 * The part of `Seen` that is the same everywhere: facts are kept, a machine of another owner is ceded, one that cannot be acted upon is
 * held; else the state has its say.
 */
const seen = <S extends StateTag>(
  to: ReadonlyArray<StateTag>,
  says: string,
  then: (vm: VmIn<S>, facts: MachineFacts, env: Env, before: Vm) => Step
): Cell<S, "Seen"> =>
  cell(["Held", "Ceded", ...to], `another owner: ceded; unreachable: held; ${says}`, (before, { facts }, env) => {
    if (owner(facts) !== env.hatchery) return cede({ ...before, facts }, env, "its annotation names another owner")
    const vm: VmIn<S> = { ...before, facts, ref: facts.ref }
    if (!reachable(facts)) return hold(vm, env, unreachableReason(facts))
    return then(vm, facts, env, before)
  })

const holdable = (state: VmState): state is HoldableState =>
  state._tag === "Booting" ||
  state._tag === "Settling" ||
  state._tag === "Provisioned" ||
  state._tag === "Powered" ||
  state._tag === "Running" ||
  state._tag === "Returning" ||
  state._tag === "Reaping"

/** A worker's start is resumed after a hold, not repeated: it may have been started already. */
const hold = (vm: Vm, env: Env, reason: string): Step => {
  const was = resumed(vm.state)
  if (!holdable(was)) return stay(vm)
  return enter(vm, { _tag: "Held", was, remaining: Math.max(0, (vm.deadline ?? env.now) - env.now) }, env, { reason })
}

const isOff = (facts: MachineFacts): boolean => facts.power === "poweredOff"

const seenGone = <S extends StateTag>(reason?: string): Cell<S, "Gone"> =>
  cell(["Reaped"], reason ?? "it is gone", (vm, _, env) => gone(vm, env, reason ?? vm.reason))

const asked = <S extends StateTag>(): Cell<S, "Reap"> =>
  cell(["Reaping"], "reaped as asked", (vm, event, env) => reap(vm, env, event.reason, event.settlement))

/** A reservation that comes too late: the job looks for another machine, and what was reserved for it is free. */
const tooLate = <S extends StateTag>(): Cell<S, "Reserve"> =>
  cell([], "too late: the job goes back", (vm, { claim }) => {
    const back = returnJob(claim, "its machine was no longer ready", false)
    return stay(vm, claimOf(vm.state) === undefined ? [back, { _tag: "FreeCapacity" }] : [back])
  })

const conceded = <S extends StateTag>(): Cell<S, "Conceded"> =>
  cell(
    ["Ceded", "Booting", "Settling", "Provisioned", "Renamed", "Running", "Reaping"],
    "what it proves to be now",
    (vm, event, env) => reprove(vm, env, event.reason)
  )

/** Somebody else wrote on it: it becomes what it proves to be, and a claim of ours is lost. */
const reprove = (vm: Vm, env: Env, reason: string): Step => {
  const proven = vm.facts === undefined ? undefined : prove(vm.facts, env)
  if (proven === undefined) return cede(vm, env, reason)
  const claim = claimOf(vm.state)
  const lost = claim !== undefined && claimOf(proven.state)?.jobId !== claim.jobId
  const actions: Array<Action> = lost ? [...dropJob(vm, claim, reason, false), { _tag: "FreeCapacity" }] : []
  if (inPool.has(vm.state._tag) && !inPool.has(proven.state._tag)) actions.push({ _tag: "PoolShrank" })
  return { vm: { ...proven, reason: proven.reason ?? reason }, actions, entered: true }
}

const failed = <S extends StateTag>(doing: string): Cell<S, "Failed"> =>
  cell(["Reaping"], `${doing} failed: reaped`, (vm, event, env) => fail(vm, env, `${doing} failed: ${event.reason}`))

const late = <S extends StateTag>(doing: string): Cell<S, "Deadline"> =>
  cell(["Reaping"], `${doing} took too long: reaped`, (vm, _, env) => fail(vm, env, `${doing} took too long`))

const wrote = (vm: Vm): Partial<Vm> => ({ generation: vm.generation + 1 })

/** The job is no longer wanted while its machine hatches: the machine was touched, so it is reaped. */
const dropped = <S extends StateTag>(): Cell<S, "Cancel"> =>
  cell(["Reaping"], "reaped: its job is no longer wanted", (vm, event, env) => reap(vm, env, event.reason, "release"))

const jobEnded = <S extends StateTag>(): Cell<S, "JobEnded"> =>
  cell(["Reaping"], "reaped: the job is final", (vm, event, env) =>
    isFinal(event.status) ? reap(vm, env, `its job is ${event.status}`, "none") : stay(vm)
  )

const everyEvent = [
  "Seen",
  "Gone",
  "Reserve",
  "Cancel",
  "Reap",
  "SignedIn",
  "Disabled",
  "JobEnded",
  "Deadline",
  "Cloned",
  "Done",
  "Exited",
  "Refused",
  "Conceded",
  "Failed",
  "Settled"
] as const

/**
 * The clone exists: on to its first boot or, made for a job, to its worker; away with it when it is not wanted any more. After a lost answer
 * CDS is asked about the job.
 */
const cloned = (vm: VmIn<"Cloning">, env: Env, known: Partial<Vm>): Step => {
  const { claim, cancelled, lost } = vm.state
  const made = { ...vm, ...known, ...wrote(vm) }
  const ended: ReadonlyArray<Action> = [{ _tag: "CloneEnded" }]
  if (cancelled !== undefined) return reap(made, env, cancelled, "release")
  if (claim === undefined) return enter(made, { _tag: "Booting" }, env, { actions: ended })
  return lost
    ? enter(made, { _tag: "Renamed", claim, cancelled: undefined, resumed: true }, env, { actions: ended })
    : enter(made, { _tag: "Powered", claim, on: false }, env, { actions: [...ended, starting(claim, env)] })
}

/** A clone cannot be called back: it is reaped once it exists. */
const unwanted = <E extends EventTag>(why: (event: EventOf<E>) => string): Cell<"Cloning", E> =>
  cell(["Cloning"], "remembered until it exists: a clone cannot be called back", (vm, event) =>
    stay({ ...vm, state: { ...vm.state, cancelled: why(event) } })
  )

export const table: { readonly [S in StateTag]: Row<S> } = {
  Cloning: row<"Cloning">("the clone is being made; name, uuid and address were chosen before")(
    {
      Cloned: cell(["Booting", "Powered", "Reaping"], "it exists; no longer wanted: reaped", (vm, event, env) =>
        cloned({ ...vm, state: { ...vm.state, lost: false } }, env, { ref: event.ref })
      ),
      Seen: cell(
        ["Booting", "Renamed", "Reaping", "Ceded"],
        "lost answer: it exists after all; another owner: ceded",
        (vm, { facts }, env) => {
          // While the clone task runs the machine shows without its annotation.
          if (owner(facts) === undefined) return stay(vm)
          if (owner(facts) !== env.hatchery) return cede({ ...vm, facts }, env, "its annotation names another owner")
          const known = { facts, ref: facts.ref }
          return vm.state.lost ? cloned(vm, env, known) : stay({ ...vm, ...known })
        }
      ),
      Gone: seenGone("it went while it was cloned"),
      Failed: cell(
        ["Cloning", "Booting", "Renamed", "Reaping"],
        "outcome unknown: the inventory decides; else reaped",
        (vm, event, env) => {
          if (!event.unknown) return fail(vm, env, `cloning failed: ${event.reason}`)
          const state = { ...vm.state, lost: true }
          return vm.facts === undefined
            ? enter(vm, state, env, { reason: event.reason })
            : cloned({ ...vm, state }, env, {})
        }
      ),
      Refused: cell(["Cloning"], "its job is not to be had: reaped once it exists", (vm, event) => {
        const { claim, ...state } = vm.state
        const back = claim === undefined ? [] : [returnJob(claim, event.reason, false)]
        return stay({ ...vm, state: { ...state, cancelled: event.reason } }, [...back, { _tag: "FreeCapacity" }])
      }),
      Cancel: unwanted((event) => event.reason),
      JobEnded: unwanted((event) => `its job is ${event.status}`),
      Reap: unwanted((event) => event.reason),
      Deadline: late("cloning"),
      Reserve: tooLate()
    },
    ["SignedIn", "Disabled", "Done", "Exited", "Conceded", "Settled"]
  ),

  Booting: row<"Booting">("first boot: customization and address")(
    {
      Seen: seen(["Booting"], "noted", (vm) => stay(vm)),
      Gone: seenGone("it went while it booted"),
      Done: cell(["Settling"], "customized, with its address", (vm, _, env) => enter(vm, { _tag: "Settling" }, env)),
      Failed: failed("its first boot"),
      Deadline: late("its first boot"),
      Reap: asked(),
      Reserve: tooLate()
    },
    ["Cancel", "SignedIn", "Disabled", "JobEnded", "Cloned", "Exited", "Refused", "Conceded", "Settled"]
  ),

  Settling: row<"Settling">("shutting down, then recorded as provisioned")(
    {
      Seen: seen(["Settling"], "noted", (vm) => stay(vm)),
      Gone: seenGone("it went while it shut down"),
      Done: cell(["Provisioned"], "ready", (vm, _, env) =>
        enter(vm, { _tag: "Provisioned" }, env, {
          patch: wrote(vm),
          actions: [{ _tag: "Hatched" }, { _tag: "PoolGrew" }]
        })
      ),
      Conceded: conceded(),
      Failed: failed("its shutdown into the pool"),
      Deadline: late("its shutdown into the pool"),
      Reap: asked(),
      Reserve: tooLate()
    },
    ["Cancel", "SignedIn", "Disabled", "JobEnded", "Cloned", "Exited", "Refused", "Settled"]
  ),

  Provisioned: row<"Provisioned">("off, ready for a job")(
    {
      Reserve: cell(["Reserved"], "leased for a job", (vm, { claim }, env) =>
        enter(vm, { _tag: "Reserved", claim, cancelled: undefined }, env, { actions: [{ _tag: "PoolShrank" }] })
      ),
      Seen: seen(
        ["Reaping", "Provisioned", "Booting", "Settling", "Renamed", "Running"],
        "somebody wrote on it: what it proves to be; somebody powered it on: reaped",
        (vm, facts, env, before) => {
          if (rewritten(before, facts, env)) return reprove(vm, env, "somebody else wrote on it in the pool")
          return isOff(facts) ? stay(vm) : reap(vm, env, "somebody powered it on in the pool", "none")
        }
      ),
      Gone: seenGone("it was removed from the pool"),
      Deadline: cell(["Provisioned", "Reaping"], "looked at again; on: reaped", (vm, _, env) =>
        vm.facts === undefined || isOff(vm.facts)
          ? stay({ ...vm, deadline: enter(vm, vm.state, env).vm.deadline })
          : reap(vm, env, "somebody powered it on in the pool", "none")
      ),
      Reap: asked()
    },
    [
      "Cancel",
      "SignedIn",
      "Disabled",
      "JobEnded",
      "Cloned",
      "Done",
      "Exited",
      "Refused",
      "Conceded",
      "Failed",
      "Settled"
    ]
  ),

  Reserved: row<"Reserved">("the claim is being written: name, annotation and size in one guarded reconfigure")(
    {
      Done: cell(["Renamed", "Returning"], "claimed; cancelled meanwhile: given back", (vm, _, env) => {
        const { claim, cancelled } = vm.state
        const claimed = { ...vm, ...wrote(vm) }
        return cancelled === undefined
          ? enter(claimed, { _tag: "Renamed", claim, cancelled: undefined, resumed: false }, env)
          : giveBack(claimed, env, claim, cancelled, false)
      }),
      Cancel: cell(["Reserved"], "remembered until the claim is written", (vm, event) =>
        stay({ ...vm, state: { ...vm.state, cancelled: event.reason } })
      ),
      JobEnded: cell(["Reserved"], "remembered until the claim is written", (vm, event) =>
        stay({ ...vm, state: { ...vm.state, cancelled: `its job is ${event.status}` } })
      ),
      Conceded: conceded(),
      Failed: cell(["Returning"], "the claim failed: given back", (vm, event, env) =>
        giveBack(vm, env, vm.state.claim, `claiming the machine failed: ${event.reason}`, true)
      ),
      Deadline: cell(["Returning"], "the claim took too long: given back", (vm, _, env) =>
        giveBack(vm, env, vm.state.claim, "claiming the machine took too long", true)
      ),
      Seen: cell(["Ceded"], "another owner: ceded; else noted", (vm, { facts }, env) =>
        owner(facts) === env.hatchery
          ? stay({ ...vm, facts })
          : cede({ ...vm, facts }, env, "its annotation names another owner")
      ),
      Gone: seenGone("it went while it was claimed"),
      Reap: asked(),
      Reserve: tooLate()
    },
    ["SignedIn", "Disabled", "Cloned", "Exited", "Refused", "Settled"]
  ),

  Renamed: row<"Renamed">("claimed for a job, which is being taken")(
    {
      Done: cell(["Powered", "Reaping"], "taken; cancelled meanwhile: reaped", (vm, _, env) => {
        const { claim, cancelled } = vm.state
        return cancelled === undefined
          ? enter(vm, { _tag: "Powered", claim, on: false }, env, { actions: [starting(claim, env)] })
          : reap(vm, env, cancelled, "release")
      }),
      Refused: cell(["Returning", "Reaping"], "the take was refused: given back; on: reaped", (vm, event, env) =>
        vm.facts === undefined || isOff(vm.facts)
          ? giveBack(vm, env, vm.state.claim, event.reason, false)
          : reap(vm, env, event.reason, "none")
      ),
      Cancel: cell(["Renamed"], "remembered until the take is answered", (vm, event) =>
        stay({ ...vm, state: { ...vm.state, cancelled: event.reason } })
      ),
      JobEnded: cell(["Renamed"], "remembered until the take is answered", (vm, event) =>
        stay({ ...vm, state: { ...vm.state, cancelled: `its job is ${event.status}` } })
      ),
      Failed: failed("taking its job"),
      Deadline: late("taking its job"),
      Seen: cell(["Ceded"], "another owner: ceded; else noted", (vm, { facts }, env) =>
        owner(facts) === env.hatchery
          ? stay({ ...vm, facts })
          : cede({ ...vm, facts }, env, "its annotation names another owner")
      ),
      Gone: seenGone("it went before it was powered on"),
      Reap: asked(),
      Reserve: tooLate()
    },
    ["SignedIn", "Disabled", "Cloned", "Exited", "Conceded", "Settled"]
  ),

  Powered: row<"Powered">("powering on, getting ready, recording the bootstrap")(
    {
      Done: cell(["Running"], "ready and recorded", (vm, _, env) =>
        enter(vm, { _tag: "Running", claim: vm.state.claim, signedIn: false, resumed: false }, env, {
          patch: wrote(vm),
          actions: [{ _tag: "CommitCapacity" }]
        })
      ),
      Seen: seen(["Powered", "Reaping"], "on: noted; off after it was on: reaped", (vm, facts, env) => {
        if (isOff(facts)) return vm.state.on ? fail(vm, env, "it went off while it booted") : stay(vm)
        return stay({ ...vm, state: { ...vm.state, on: true } })
      }),
      Gone: seenGone("it went while it booted"),
      Cancel: dropped(),
      JobEnded: jobEnded(),
      Conceded: conceded(),
      Failed: failed("its boot"),
      Deadline: late("its boot"),
      Reap: asked(),
      Reserve: tooLate()
    },
    ["SignedIn", "Disabled", "Cloned", "Exited", "Refused", "Settled"]
  ),

  Running: row<"Running">("the worker is started and works until the machine goes off")(
    {
      SignedIn: cell(["Running"], "CDS knows the worker: its TTL counts from its claim", (vm, _, env) => {
        if (vm.state.signedIn) return stay(vm)
        const state: VmState = { ...vm.state, signedIn: true }
        return stay({ ...vm, state, deadline: vm.state.claim.startedAt + env.times.workerTtlMs })
      }),
      Exited: cell(
        ["Running", "Reaping"],
        "the bootstrap failed: told and reaped; else it will go off",
        (vm, event, env) => {
          if (event.exitCode === 0) return stay({ ...vm, deadline: env.now + env.times.finishedWorkerGraceMs })
          const log = event.log === "" ? "" : `; its log ends with:\n${event.log}`
          return fail(vm, env, `the worker's start script ended with exit code ${event.exitCode}${log}`)
        }
      ),
      Seen: seen(["Running", "Reaping"], "off: reaped", (vm, facts, env) =>
        isOff(facts) ? reap(vm, env, "its worker has finished", "release") : stay(vm)
      ),
      Gone: seenGone("it was removed while its worker ran"),
      Disabled: cell(["Reaping"], "reaped: CDS disabled its worker", (vm, _, env) =>
        reap(vm, env, "CDS disabled its worker", "release")
      ),
      JobEnded: jobEnded(),
      Cancel: dropped(),
      Failed: failed("starting its worker"),
      Deadline: cell(
        ["Running", "Reaping"],
        "its time is over: a job that had a worker fails; else CDS is asked whether it has one",
        (vm, _, env) =>
          vm.state.signedIn
            ? reap(vm, env, `the worker's time (workerTTL) is over`, "fail")
            : enter(vm, { ...vm.state, overdue: true }, env)
      ),
      Refused: cell(["Reaping"], "CDS knows no such worker: given back", (vm, event, env) =>
        fail(vm, env, event.reason)
      ),
      Reap: asked(),
      Reserve: tooLate()
    },
    ["Cloned", "Done", "Conceded", "Settled"]
  ),

  Returning: row<"Returning">("the claim is being undone by another guarded reconfigure")(
    {
      Done: cell(["Provisioned"], "back in the pool", (vm, _, env) =>
        enter(vm, { _tag: "Provisioned" }, env, { patch: wrote(vm), actions: [{ _tag: "PoolGrew" }] })
      ),
      Seen: seen(["Returning", "Reaping"], "on: reaped", (vm, facts, env) =>
        isOff(facts) ? stay(vm) : reap(vm, env, "it went on while it was given back", "none")
      ),
      Gone: seenGone("it went while it was given back"),
      Conceded: conceded(),
      Failed: cell(["Reaping"], "giving it back failed: reaped", (vm, event, env) =>
        reap(vm, env, `giving it back failed: ${event.reason}`, "none")
      ),
      Deadline: cell(["Reaping"], "giving it back took too long: reaped", (vm, _, env) =>
        reap(vm, env, "giving it back took too long", "none")
      ),
      Reap: asked(),
      Reserve: tooLate()
    },
    ["Cancel", "SignedIn", "Disabled", "JobEnded", "Cloned", "Exited", "Refused", "Settled"]
  ),

  Held: row<"Held">("cannot be acted upon: its host does not answer, or vCenter asks a question")(
    {
      Seen: cell(
        ["Held", "Ceded", "Booting", "Settling", "Provisioned", "Powered", "Running", "Returning", "Reaping"],
        "reachable again: on where it was, with the time it had left",
        (vm, { facts }, env) => {
          if (owner(facts) !== env.hatchery) return cede({ ...vm, facts }, env, "its annotation names another owner")
          if (!reachable(facts)) return stay({ ...vm, facts, reason: unreachableReason(facts) })
          const { was, remaining } = vm.state
          const awake: Vm = {
            ...vm,
            facts,
            state: was,
            since: env.now,
            deadline: env.now + remaining,
            reason: undefined
          }
          return { ...step(awake, { _tag: "Seen", facts }, env), entered: true }
        }
      ),
      Gone: seenGone("it went while it could not be reached"),
      Deadline: cell(["Held"], "still held: an alarm", (vm, _, env) =>
        enter(vm, vm.state, env, {
          reason: vm.reason,
          actions: [{ _tag: "Alarm", text: `cannot be acted upon for long: ${vm.reason ?? ""}` }]
        })
      ),
      Reap: cell(["Held"], "reaped when it can be", (vm, event) =>
        stay({
          ...vm,
          state: { ...vm.state, was: { _tag: "Reaping", claim: claimOf(vm.state), settlement: event.settlement } },
          reason: `${event.reason}; ${vm.reason ?? ""}`
        })
      ),
      Reserve: tooLate()
    },
    [
      "Cancel",
      "SignedIn",
      "Disabled",
      "JobEnded",
      "Cloned",
      "Done",
      "Exited",
      "Refused",
      "Conceded",
      "Failed",
      "Settled"
    ]
  ),

  Reaping: row<"Reaping">("recorded for removal: its job is settled, it is powered off and destroyed")(
    {
      Settled: cell(["Reaping"], "the job may look for another machine", (vm) => {
        const { claim } = vm.state
        return stay(
          { ...vm, state: { _tag: "Reaping", claim: undefined, settlement: "none" } },
          claim === undefined ? [] : [returnJob(claim, vm.reason ?? "its machine was reaped", true)]
        )
      }),
      Seen: seen(["Reaping"], "noted", (vm) => stay(vm)),
      Gone: seenGone(),
      Conceded: cell(["Ceded"], "somebody else's now: hands off", (vm, event, env) => cede(vm, env, event.reason)),
      Failed: cell(["Reaping"], "an alarm; tried again soon", (vm, event, env) =>
        stay({ ...vm, deadline: Math.min(vm.deadline ?? Infinity, env.now + reapAgainMs) }, [
          { _tag: "Alarm", text: `cannot be removed: ${event.reason}` }
        ])
      ),
      Deadline: cell(["Reaping"], "an alarm, and tried again", (vm, _, env) =>
        enter(vm, vm.state, env, { reason: vm.reason, actions: [{ _tag: "Alarm", text: "is still not removed" }] })
      ),
      Reserve: tooLate()
    },
    ["Cancel", "SignedIn", "Disabled", "JobEnded", "Cloned", "Done", "Exited", "Refused", "Reap"]
  ),

  Reaped: row<"Reaped">("gone; its address is free")({}, everyEvent),

  Ceded: row<"Ceded">("somebody else's")({}, everyEvent)
}

/** The one function of the table: total, as an ignored event changes nothing. */
export const step = (vm: Vm, event: VmEvent, env: Env): Step => {
  const cells: { readonly [E in EventTag]?: Pick<Cell<StateTag, EventTag>, "run"> | undefined } =
    table[vm.state._tag].cells
  return cells[event._tag]?.run(vm, event, env) ?? stay(vm)
}

/** The work that a state does; undefined where it only waits. */
export const workOf = (state: VmState): Work | undefined => {
  switch (state._tag) {
    case "Cloning":
      return state.lost ? undefined : "clone"
    case "Booting":
      return "boot"
    case "Settling":
      return "settle"
    case "Reserved":
      return "claim"
    case "Renamed":
      return "take"
    case "Powered":
      return "power"
    case "Running":
      if (state.signedIn) return undefined
      return state.overdue ? "inquire" : "bootstrap"
    case "Returning":
      return "unclaim"
    case "Reaping":
      return "reap"
    default:
      return undefined
  }
}
