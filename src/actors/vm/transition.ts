/**
 * A machine's life: `State × Event → State' + actions`, pure and total (design, "A machine's life is a typed table").
 *
 * The spine is provisioned → reserved → renamed → powered → running → reaped. Each state has at most one work (`workOf`), started
 * when it is entered and interrupted when it is left; its end comes back as an event. Works are harmless when they are started
 * again, which is what adoption and waking from `Held` rely on.
 */
import { readable } from "../../schema/Machine.ts"
import type { Work } from "./Action.ts"
import { buildRows } from "./building.ts"
import {
  seen,
  seenClaimed,
  seenGone,
  asked,
  tooLate,
  conceded,
  failed,
  late,
  dropped,
  jobEnded,
  everyEvent,
  unwanted
} from "./cells.ts"
import type { EventTag, VmEvent } from "./Event.ts"
import {
  reap,
  fail,
  starting,
  returnJob,
  giveBack,
  cede,
  rewritten,
  owner,
  isOff,
  reprove,
  wrote,
  cloned
} from "./moves.ts"
import type { StateTag, Vm, VmState } from "./State.ts"
import { claimOf, clonedForJob, poolSize, reachable, unreachableReason } from "./State.ts"
import type { Cell, Env, Row, Step } from "./table.ts"
import { cell, enter, row, stay } from "./table.ts"

/** A removal that vCenter refuses is tried again after this long. */
const reapAgainMs = 60_000

export const table: { readonly [S in StateTag]: Row<S> } = {
  Cloning: row<"Cloning">("the clone is being made; name, uuid and address were chosen before")(
    {
      Cloned: cell(
        ["Booting", "Preparing", "Powered", "Reaping"],
        "it exists; no longer wanted: reaped",
        (vm, event, env) => cloned({ ...vm, state: { ...vm.state, lost: false } }, env, { ref: event.ref })
      ),
      Seen: cell(
        ["Booting", "Preparing", "Renamed", "Reaping", "Ceded"],
        "lost answer: it exists after all; another owner: ceded",
        (vm, { facts }, env) => {
          // While the clone task runs the machine shows without its configuration.
          if (!readable(facts) || owner(facts) === undefined) return stay(vm)
          if (owner(facts) !== env.hatchery) return cede({ ...vm, facts }, env, "its annotation names another owner")
          const known = { facts, ref: facts.ref }
          return vm.state.lost ? cloned(vm, env, known) : stay({ ...vm, ...known })
        }
      ),
      Gone: seenGone("it went while it was cloned"),
      Failed: cell(
        ["Cloning", "Booting", "Preparing", "Renamed", "Reaping"],
        "outcome unknown: the inventory decides; else reaped",
        (vm, event, env) => {
          if (!event.unknown) return fail(vm, env, `cloning failed: ${event.reason}`)
          const state = { ...vm.state, lost: true }
          return vm.facts === undefined
            ? enter(vm, state, env, { reason: event.reason })
            : cloned({ ...vm, state }, env, {})
        }
      ),
      Refused: unwanted((event) => event.reason),
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
        enter({ ...vm, size: poolSize(vm) }, { _tag: "Reserved", claim, cancelled: undefined }, env, {
          actions: [{ _tag: "PoolShrank" }]
        })
      ),
      Seen: seen(
        ["Reaping", "Provisioned", "Booting", "Settling", "Renamed", "Running", "Preparing", "Converting"],
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
      Seen: seenClaimed(),
      Gone: seenGone("it went while it was claimed"),
      Reap: asked(),
      Reserve: tooLate()
    },
    ["SignedIn", "Disabled", "Cloned", "Exited", "Refused", "Settled"]
  ),

  Renamed: row<"Renamed">("claimed for a job, which is being taken")(
    {
      Done: cell(["Powered", "Reaping"], "taken; cancelled meanwhile: reaped", (vm, _, env) => {
        const { claim, cancelled, resumed } = vm.state
        const patch = resumed ? wrote(vm) : {}
        return cancelled === undefined
          ? enter(vm, { _tag: "Powered", claim, on: false }, env, { patch, actions: starting(vm, claim) })
          : reap(vm, env, cancelled, "release")
      }),
      Refused: cell(
        ["Returning", "Reaping"],
        "the take was refused: given back; on, or cloned for the job: reaped",
        (vm, event, env) =>
          !clonedForJob(vm) && (vm.facts === undefined || isOff(vm.facts))
            ? giveBack(vm, env, vm.state.claim, event.reason, false)
            : reap(vm, env, event.reason, "none")
      ),
      Cancel: cell(["Renamed"], "remembered until the take is answered", (vm, event) =>
        stay({ ...vm, state: { ...vm.state, cancelled: event.reason } })
      ),
      JobEnded: cell(["Renamed"], "remembered until the take is answered", (vm, event) =>
        stay({ ...vm, state: { ...vm.state, cancelled: `its job is ${event.status}` } })
      ),
      Conceded: conceded(),
      Failed: failed("taking its job"),
      Deadline: late("taking its job"),
      Seen: seenClaimed(),
      Gone: seenGone("it went before it was powered on"),
      Reap: asked(),
      Reserve: tooLate()
    },
    ["SignedIn", "Disabled", "Cloned", "Exited", "Settled"]
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
        // When its time is over already: the next millisecond, as a deadline of this one has been told.
        const deadline = Math.max(env.now + 1, vm.state.claim.startedAt + env.times.workerTtlMs)
        return stay({ ...vm, state, deadline })
      }),
      Exited: cell(
        ["Running", "Reaping"],
        "the bootstrap failed: told and reaped; else it will go off",
        (vm, event, env) => {
          if (event.exitCode === 0)
            return stay({
              ...vm,
              state: { ...vm.state, ended: true },
              deadline: env.now + env.times.finishedWorkerGraceMs
            })
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

  ...buildRows,

  Held: row<"Held">(
    "cannot be acted upon: its host does not answer, vCenter asks a question, or does not tell what it is"
  )(
    {
      Seen: cell(
        [
          "Held",
          "Ceded",
          "Booting",
          "Settling",
          "Provisioned",
          "Powered",
          "Running",
          "Returning",
          "Preparing",
          "Templated",
          "Reaping"
        ],
        "reachable again: on where it was, with the time it had left",
        (vm, { facts }, env) => {
          if (readable(facts) && owner(facts) !== env.hatchery)
            return cede({ ...vm, facts }, env, "its annotation names another owner")
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
      Settled: cell(["Reaping"], "a job that waits again may look for another machine", (vm, { waits }) => {
        const { claim } = vm.state
        return stay(
          { ...vm, state: { _tag: "Reaping", claim: undefined, settlement: "none" } },
          claim === undefined || !waits ? [] : [returnJob(claim, vm.reason ?? "its machine was reaped", true)]
        )
      }),
      Seen: seen(["Reaping"], "noted", (vm) => stay(vm)),
      Gone: seenGone(),
      Conceded: conceded(),
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
      return state.lost ? "seek" : "clone"
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
    case "Preparing":
      return state.resumed === true ? undefined : "prepare"
    case "Converting":
      return "convert"
    case "Reaping":
      return "reap"
    default:
      return undefined
  }
}
