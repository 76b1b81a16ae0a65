/** Turning machines on and off, and taking them away: the state changes themselves, without the tasks around them. */
import { Effect } from "effect"
import { boot } from "./Boot.ts"
import type { Core } from "./Core.ts"
import { guestOff } from "./Machine.ts"
import type { Machine } from "./Machine.ts"
import { dateTime, refuse } from "./Wire.ts"

/** A new `config.changeVersion`: the time, and a number that never comes twice. */
export const nextVersion = (core: Core): Pick<Machine, "changeVersion" | "modifiedAt"> => {
  const now = core.now()
  return { changeVersion: `${dateTime(now).slice(0, -1)}${String(core.nextId()).padStart(6, "0")}Z`, modifiedAt: now }
}

export const isLive = (core: Core, machine: Machine): boolean => core.store.find(machine.ref) === machine

/** Refuses with InvalidState when the machine cannot be worked on: its host does not answer, or it waits for an answer itself. */
export const mustBeReachable = (machine: Machine) => {
  if (machine.connection !== "connected")
    refuse("InvalidState", `The operation is not allowed in the current connection state: ${machine.connection}.`)
  if (machine.question !== undefined)
    refuse("InvalidState", `The virtual machine '${machine.name}' waits for an answer.`)
}

export const mustBePowered = (machine: Machine, power: Machine["power"]) => {
  if (machine.power === power) return
  const message = `The attempted operation cannot be performed in the current state (${machine.power}).`
  refuse("InvalidPowerState", message, { requestedState: power, existingState: machine.power })
}

/** Refuses with InvalidPowerState or InsufficientResourcesFault. The guest boots in the background. */
export const powerOn = (core: Core, machine: Machine) => {
  mustBePowered(machine, "poweredOff")
  if (machine.pool !== undefined) core.tree.useMemory(machine.memoryMB)
  core.store.update(machine, {
    power: "poweredOn",
    bootedAt: core.now(),
    guest: { ...guestOff, customization: machine.guest.customization },
    ...nextVersion(core)
  })
  core.run(
    `${machine.ref.value}/boot`,
    Effect.map(boot(core, machine), (died) => died && powerOff(core, machine))
  )
}

/** Off at once, with everything that ran in the guest. Off already: nothing. */
export const powerOff = (core: Core, machine: Machine) => {
  if (machine.power === "poweredOff") return
  core.stop(`${machine.ref.value}/boot`)
  core.stop(`${machine.ref.value}/shutdown`)
  core.guests.halt(machine)
  if (machine.pool !== undefined) core.tree.useMemory(-machine.memoryMB)
  core.store.update(machine, {
    power: "poweredOff",
    bootedAt: undefined,
    guest: { ...guestOff, customization: machine.guest.customization, hostName: machine.guest.hostName }
  })
}

/** The guest begins to shut itself down in `afterMs`, and the machine goes off a while later. As in a guest, the last order holds. */
export const shutDown = (core: Core, machine: Machine, afterMs = 0) =>
  core.run(
    `${machine.ref.value}/shutdown`,
    Effect.sleep(afterMs).pipe(
      Effect.andThen(core.pause(core.timings().shutdownMs)),
      Effect.andThen(Effect.sync(() => powerOff(core, machine)))
    )
  )

/** Gone with its disks, whatever its state. */
export const destroy = (core: Core, machine: Machine) => {
  powerOff(core, machine)
  core.guests.forget(machine)
  core.tree.remove(machine)
}
