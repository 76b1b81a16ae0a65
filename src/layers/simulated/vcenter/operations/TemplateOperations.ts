/** CreateSnapshot_Task, MarkAsTemplate, which is no task and done at once, and Rename_Task. */
import * as Args from "../Args.ts"
import type { Core } from "../Core.ts"
import type { Machine } from "../Machine.ts"
import { mustBePowered, mustBeReachable, nextVersion } from "../Power.ts"
import { escapeName } from "../Tree.ts"
import { refuse } from "../Wire.ts"
import { machineOf } from "./Handler.ts"
import type { Handler } from "./Handler.ts"
import { machineTask } from "./PowerOperations.ts"

/** The new one is the current one, and the child of the one before. */
export const createSnapshotTask: Handler = (core, call) => {
  Args.required("name", Args.text(call.args["name"]))
  return machineTask(core, call, "VirtualMachine.createSnapshot", core.timings().reconfigureMs, (machine) => {
    if (machine.template) refuse("NotSupported", "A template cannot have a snapshot taken.")
    const snapshot = { type: "VirtualMachineSnapshot", value: `snapshot-${core.nextId()}` }
    core.store.update(machine, { snapshot, ...nextVersion(core) })
  })
}

export const markAsTemplate: Handler = (core, call) => {
  const machine = machineOf(core, call.self)
  mustBeReachable(machine)
  if (machine.template) refuse("NotSupported", "It is a template already.")
  becomeTemplate(core, machine)
  return undefined
}

/** Refuses with InvalidPowerState. */
export const becomeTemplate = (core: Core, machine: Machine) => {
  mustBePowered(machine, "poweredOff")
  core.store.update(machine, { template: true, pool: undefined, ...nextVersion(core) })
}

export const renameTask: Handler = (core, call) => {
  const name = Args.required("newName", Args.text(call.args["newName"]))
  if (name === "") Args.invalidArgument("newName", "A name cannot be empty.")
  return machineTask(core, call, "ManagedEntity.rename", core.timings().reconfigureMs, (machine) => {
    core.tree.rename(machine, escapeName(name))
    core.store.update(machine, nextVersion(core))
  })
}
