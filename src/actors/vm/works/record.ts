/** Writing on a machine: what it is and what is meant to happen to it, in one guarded reconfigure (design, "Intent before action"). */
import { Effect } from "effect"
import { parse } from "../../../schema/Annotation.ts"
import type { MachineFacts } from "../../../schema/Machine.ts"
import { type MachineChange, VSphere } from "../../../services/VSphere.ts"
import { annotate, type Entry, nameFor } from "../annotate.ts"
import type { Vm } from "../State.ts"
import { nameOf } from "../State.ts"
import type { Env } from "../table.ts"
import { persist, refOf, type WorkContext } from "./kit.ts"

/** The machine is still what we last knew: ours, and written last by this process or in the generation we took over. */
const stillOurs =
  (vm: Vm, env: Env) =>
  (facts: MachineFacts): boolean => {
    const annotation = parse(facts.annotation)
    if (annotation?.hatcheryName !== env.hatchery) return false
    if (annotation.journal === undefined) return facts.annotation === vm.facts?.annotation
    return annotation.journal.instance === env.instance || annotation.journal.generation === vm.generation
  }

/** The journal's entry, with what else changes in the same call. */
export const makeRecord = Effect.map(VSphere, (vsphere) =>
  Effect.fnUntraced(function* (work: WorkContext, entry: Entry, more: MachineChange = {}) {
    const vm = work.vm()
    const ref = yield* refOf(vm)
    const env = yield* work.env
    const name = nameFor(vm, entry)
    const change = { ...more, annotation: annotate(vm, entry, env), ...(name === nameOf(vm) ? {} : { name }) }
    yield* persist(vsphere.reconfigure(ref, stillOurs(vm, env), change))
  })
)
