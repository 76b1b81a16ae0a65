/** The rows of the table for a machine that is made and made ready for the pool, or is cloned for a job. */
import { ownerOf } from "../../schema/Annotation.ts"
import { isOff, readable } from "../../schema/Machine.ts"
import { asked, conceded, failed, late, seen, seenGone, tooLate, unwanted } from "./cells.ts"
import { cede, cloned, fail, reap, rewrites, wrote } from "./moves.ts"
import { cell, enter, row, stay } from "./table.ts"

export const Cloning = row<"Cloning">("the clone is being made; name, uuid and address were chosen before")(
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
        if (!readable(facts) || ownerOf(facts) === undefined) return stay(vm)
        if (ownerOf(facts) !== env.hatchery) return cede({ ...vm, facts }, env)
        const known = { facts, ref: facts.ref }
        return vm.state.lost ? cloned(vm, env, known) : stay({ ...vm, ...known })
      }
    ),
    Gone: seenGone("it went while it was cloned"),
    Failed: cell(
      ["Cloning", "Booting", "Preparing", "Renamed", "Reaping"],
      "outcome unknown: the inventory decides; else reaped",
      (vm, event, env) => {
        const { cancelled } = vm.state
        if (!event.unknown && cancelled !== undefined) return reap(vm, env, cancelled, "release")
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
)

export const Booting = row<"Booting">("first boot: customization and address")(
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
)

export const Settling = row<"Settling">("shutting down, then recorded as provisioned")(
  {
    Seen: seen(["Settling"], "noted", (vm) => stay(vm)),
    Gone: seenGone("it went while it shut down"),
    Done: cell(["Provisioned", "Reaping"], "ready; on again: reaped", (vm, _, env) =>
      vm.facts === undefined || isOff(vm.facts)
        ? enter(vm, { _tag: "Provisioned" }, env, {
            patch: wrote(vm),
            actions: [{ _tag: "Hatched" }, { _tag: "PoolGrew" }]
          })
        : reap({ ...vm, ...wrote(vm) }, env, "somebody powered it on before it was ready", "none")
    ),
    Conceded: conceded(rewrites),
    Failed: failed("its shutdown into the pool"),
    Deadline: late("its shutdown into the pool"),
    Reap: asked(),
    Reserve: tooLate()
  },
  ["Cancel", "SignedIn", "Disabled", "JobEnded", "Cloned", "Exited", "Refused", "Settled"]
)
