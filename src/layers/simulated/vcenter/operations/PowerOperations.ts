/** Power on, power off, shut down the guest, destroy, and the cancelling of a task. */
import { Effect } from "effect"
import type { Machine } from "../Machine.ts"
import { destroy, isLive, mustBePowered, mustBeReachable, powerOff, powerOn, shutDown } from "../Power.ts"
import type { Core } from "../Core.ts"
import type { Task } from "../Task.ts"
import { attempt } from "../Task.ts"
import { notFound } from "../ObjectStore.ts"
import { refuse } from "../Wire.ts"
import type { Ref } from "../Wire.ts"
import { machineOf } from "./Handler.ts"
import type { Call, Handler } from "./Handler.ts"

/** A task of one machine alone: takes its time, looks whether the machine is still there, and acts. */
export const machineTask = (
  core: Core,
  call: Call,
  descriptionId: string,
  millis: number,
  act: (machine: Machine) => void
): Ref => {
  const machine = machineOf(core, call.self)
  return core.tasks.start({
    descriptionId,
    entity: machine,
    operation: call.operation,
    exclusive: true,
    cancelable: false,
    work: (pause) =>
      pause(millis).pipe(
        Effect.andThen(
          attempt(() => {
            if (!isLive(core, machine)) return notFound(machine.ref)
            mustBeReachable(machine)
            act(machine)
            return undefined
          })
        )
      )
  })
}

export const powerOnTask: Handler = (core, call) =>
  machineTask(core, call, "VirtualMachine.powerOn", core.timings().powerOnMs, (machine) => {
    if (machine.template) refuse("NotSupported", "A template cannot be powered on.")
    powerOn(core, machine)
  })

export const powerOffTask: Handler = (core, call) =>
  machineTask(core, call, "VirtualMachine.powerOff", core.timings().powerOffMs, (machine) => {
    mustBePowered(machine, "poweredOn")
    powerOff(core, machine)
  })

export const shutdownGuest: Handler = (core, call) => {
  const machine = machineOf(core, call.self)
  mustBeReachable(machine)
  mustBePowered(machine, "poweredOn")
  if (!machine.guest.tools) refuse("ToolsUnavailable", "VMware Tools is not running in the guest.")
  shutDown(core, machine)
  return undefined
}

export const destroyTask: Handler = (core, call) =>
  machineTask(core, call, "VirtualMachine.destroy", core.timings().destroyMs, (machine) => {
    mustBePowered(machine, "poweredOff")
    destroy(core, machine)
  })

export const cancelTask: Handler = (core, { self }) => {
  core.tasks.cancel(core.store.get(self) as Task)
  return undefined
}
