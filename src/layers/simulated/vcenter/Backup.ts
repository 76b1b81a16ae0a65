/**
 * A backup of the vCenter, and its restore: what vCenter knows of machines goes back; what the hosts know (power, size, guests) does not.
 * Machines made since are gone, machines destroyed since are there again, powered off.
 */
import type { Core } from "./Core.ts"
import { guestOff, isMachine } from "./Machine.ts"
import type { Machine } from "./Machine.ts"
import { destroy } from "./Power.ts"

export type Backup = ReadonlyArray<Machine>

export const backUp = (core: Core): Backup =>
  core.tree
    .machines()
    .filter(({ configured }) => configured)
    .map((machine) => ({ ...machine }))

const goBack = (core: Core, machine: Machine, saved: Machine) => {
  core.tree.rename(machine, saved.name)
  core.store.update(machine, {
    annotation: saved.annotation,
    changeVersion: saved.changeVersion,
    modifiedAt: saved.modifiedAt,
    template: saved.template,
    extraConfig: saved.extraConfig,
    connection: "connected",
    question: undefined,
    recentTasks: [],
    busy: undefined
  })
}

const reappear = (core: Core, saved: Machine) =>
  core.tree.add({
    ...saved,
    power: "poweredOff",
    bootedAt: undefined,
    connection: "connected",
    question: undefined,
    guest: { ...guestOff, customization: saved.guest.customization },
    recentTasks: [],
    busy: undefined
  })

export const restore = (core: Core, backup: Backup) => {
  core.sessions.endAll()
  core.tasks.clear()
  const kept = new Set(backup.map(({ ref }) => ref.value))
  for (const machine of core.tree.machines()) {
    if (!kept.has(machine.ref.value)) destroy(core, machine)
    else core.tree.rename(machine, `restoring ${machine.ref.value}`)
  }
  for (const saved of backup) {
    const machine = core.store.find(saved.ref)
    if (isMachine(machine)) goBack(core, machine, saved)
    else reappear(core, saved)
  }
}
