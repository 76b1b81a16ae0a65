/** What administrators and other tools do to machines, past every guard: at once, without a task. Machines are named by name or reference. */
import type { Core } from "./Core.ts"
import type { Machine } from "./Machine.ts"
import { isMachine } from "./Machine.ts"
import { becomeTemplate } from "./operations/TemplateOperations.ts"
import { destroy, nextVersion, powerOff, powerOn } from "./Power.ts"

export const find = (core: Core, nameOrRef: string): Machine | undefined => {
  const found = core.store.find({ type: "VirtualMachine", value: nameOrRef })
  return isMachine(found) ? found : core.tree.named(nameOrRef)
}

/** True when there is such a machine and it was done. */
export type Deed = (machine: string) => boolean

const deed =
  (core: Core, act: (machine: Machine) => void): Deed =>
  (name) => {
    const machine = find(core, name)
    if (machine === undefined) return false
    act(machine)
    return true
  }

export const makeOtherPeople = (core: Core) => ({
  powerOff: deed(core, (machine) => powerOff(core, machine)),
  powerOn: deed(core, (machine) => powerOn(core, machine)),
  destroy: deed(core, (machine) => destroy(core, machine)),
  markAsTemplate: deed(core, (machine) => becomeTemplate(core, machine)),
  rename: (machine: string, name: string) =>
    deed(core, (found) => {
      core.tree.rename(found, name)
      core.store.update(found, nextVersion(core))
    })(machine),
  annotate: (machine: string, annotation: string) =>
    deed(core, (found) => core.store.update(found, { annotation, ...nextVersion(core) }))(machine),
  /** `changeVersion` moves without a visible reason, as DRS and Tools make it do. */
  disturb: deed(core, (machine) => core.store.update(machine, nextVersion(core)))
})

export type OtherPeople = ReturnType<typeof makeOtherPeople>
