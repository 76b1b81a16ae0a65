/** The rows of the table for a machine that becomes the template of a V1 model (seed 001 section 4.1; vsphere-behaviour 11.5). */
import { ownerOf } from "../../schema/Annotation.ts"
import { readable } from "../../schema/Machine.ts"
import { conceded, everyEvent, failed, late, seen, seenGone, tooLate } from "./cells.ts"
import { cede, templated, wrote } from "./moves.ts"
import { cell, enter, row, stay } from "./table.ts"

export const Preparing = row<"Preparing">("the clone of a base image is prepared to be the template of a V1 model")(
  {
    Seen: seen(["Preparing", "Templated"], "noted; a template: done", (vm, facts, env) =>
      facts.template ? templated(vm, env) : stay(vm)
    ),
    Gone: seenGone("it went while it was prepared"),
    Done: cell(["Converting"], "prepared, and off", (vm, _, env) => enter(vm, { _tag: "Converting" }, env)),
    Failed: failed("preparing the template"),
    Deadline: late("preparing the template"),
    Reserve: tooLate()
  },
  ["Cancel", "Reap", "SignedIn", "Disabled", "JobEnded", "Cloned", "Exited", "Refused", "Conceded", "Settled"]
)

export const Converting = row<"Converting">("off; its annotation and the mark of a template are being written")(
  {
    Done: cell(["Templated"], "a template", (vm, _, env) => templated({ ...vm, ...wrote(vm) }, env)),
    Seen: cell(
      ["Templated", "Ceded"],
      "another owner: ceded; a template: done; else noted",
      (before, { facts }, env) => {
        const vm = { ...before, facts }
        if (!readable(facts)) return stay(vm)
        if (ownerOf(facts) !== env.hatchery) return cede(vm, env)
        return facts.template ? templated(vm, env) : stay(vm)
      }
    ),
    Gone: seenGone("it went while it became a template"),
    Conceded: conceded(["Converting"]),
    Failed: failed("making the template"),
    Deadline: late("making the template"),
    Reserve: tooLate()
  },
  ["Cancel", "Reap", "SignedIn", "Disabled", "JobEnded", "Cloned", "Exited", "Refused", "Settled"]
)

export const Templated = row<"Templated">("the template of a V1 model; no machine any more")({}, everyEvent)
