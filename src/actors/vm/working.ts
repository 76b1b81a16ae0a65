/** The rows of the table for a machine whose job is taken: it boots, and its worker works. */
import { isV1 } from "../../schema/Job.ts"
import { isOff } from "../../schema/Machine.ts"
import { conceded, dropped, failed, jobEnded, late, seen, seenGone, tooLate } from "./cells.ts"
import { atWork, fail, reap, setBack, workEnds, wrote } from "./moves.ts"
import type { Env, Step, VmIn } from "./table.ts"
import { cell, enter, row, stay } from "./table.ts"

/** While its worker works: a restart that finds a mark from before would not know of the worker, and end it (promise 4). */
const atWorkMarked = (vm: VmIn<"Running">, env: Env): Step =>
  stay(vm.facts !== undefined && setBack(vm, vm.facts, env) ? { ...vm, state: { ...vm.state, setBack: true } } : vm)

export const Powered = row<"Powered">("powering on, getting ready, recording the bootstrap")(
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
    SignedIn: cell(["Running"], "on: its worker is at work already, as after a restore of vCenter", (vm, _, env) =>
      vm.state.on ? atWork(vm, env, vm.state.claim) : stay(vm)
    ),
    Gone: seenGone("it went while it booted"),
    Cancel: dropped(),
    JobEnded: jobEnded(),
    Conceded: conceded(["Renamed", "Running"]),
    Failed: failed("its boot"),
    Deadline: late("its boot"),
    Reserve: tooLate()
  },
  ["Reap", "Disabled", "Cloned", "Exited", "Refused", "Settled"]
)

export const Running = row<"Running">("the worker is started and works until the machine goes off")(
  {
    SignedIn: cell(["Running"], "CDS knows the worker: its TTL counts from its claim", (vm, _, env) => {
      if (vm.state.signedIn) return stay(vm)
      return atWorkMarked(
        { ...vm, state: { ...vm.state, signedIn: true }, deadline: workEnds(vm.state.claim, env) },
        env
      )
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
    Seen: seen(
      ["Running", "Reaping"],
      "off: reaped; at work under an older mark of ours: written anew",
      (vm, facts, env) => {
        if (isOff(facts)) return reap(vm, env, "its worker has finished", "release")
        return vm.state.signedIn ? atWorkMarked(vm, env) : stay(vm)
      }
    ),
    Done: cell(["Running"], "recorded anew", (vm) => {
      const { setBack: _, ...state } = vm.state
      return stay({ ...vm, state })
    }),
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
    Refused: cell(["Reaping"], "CDS knows no such worker: given back", (vm, event, env) => {
      const given = fail(vm, env, event.reason)
      const { state } = given.vm
      return state._tag === "Reaping" && isV1(vm.state.claim.jobId)
        ? { ...given, vm: { ...given.vm, state: { ...state, late: true } } }
        : given
    }),
    Reserve: tooLate()
  },
  ["Reap", "Cloned", "Conceded", "Settled"]
)
