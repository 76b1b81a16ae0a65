/** Carries out a fault: the ones that happen at once here, the others by arming the book. What passes is undone after its time. */
import { Effect } from "effect"
import { backUp, restore } from "./Backup.ts"
import type { Backup } from "./Backup.ts"
import type { Core } from "./Core.ts"
import type { FaultOf, SimFault } from "./FaultBook.ts"
import { find } from "./OtherPeople.ts"
import { isLive } from "./Power.ts"
import { Fault } from "./Wire.ts"

/** Properties that may be read again are told to all who follow them. */
const makeReadable = (core: Core, paths: ReadonlyArray<string>) => {
  for (const path of paths) {
    core.faults.setUnreadable(path, false)
    for (const machine of core.tree.machines()) core.store.touch(machine, path)
  }
}

/** Takes back the faults that still wait for their occasion, and what may not be read. */
export const clearFaults = (core: Core) => {
  makeReadable(core, core.faults.unreadablePaths())
  core.faults.clear()
}

export const makeInject = (core: Core) => {
  let saved: Backup = backUp(core)

  /** Runs `undo` after that time of the clock. */
  const undoAfter = (millis: number, undo: () => void) =>
    core.run(`fault/${core.nextId()}`, Effect.andThen(Effect.sleep(millis), Effect.sync(undo)))

  const shrinkView = (fault: FaultOf<"ViewShrinks">) => {
    const machines = core.tree.machines()
    const share = fault.share ?? (fault.machines === undefined ? 1 : 0)
    const refs = machines
      .filter(({ name }) => fault.machines?.includes(name) === true || core.random() < share)
      .map(({ ref }) => ref)
    core.views.hide(refs)
    undoAfter(fault.forMs, () => core.views.show(refs))
  }

  const disconnect = (fault: FaultOf<"Disconnects">) => {
    const host = core.tree.hosts.find((ref) => ref.value === fault.host || fault.host === "*")
    const hit = core.tree
      .machines()
      .filter(
        (machine) =>
          machine.name === fault.machine ||
          fault.host === "*" ||
          (host !== undefined && machine.host.value === host.value)
      )
    const set = (connection: "connected" | "disconnected" | "inaccessible") => {
      for (const machine of hit) if (isLive(core, machine)) core.store.update(machine, { connection })
      if (host !== undefined)
        core.tree.setHostConnection(host, connection === "connected" ? connection : "notResponding")
    }
    set(fault.state)
    undoAfter(fault.forMs, () => set("connected"))
  }

  const ask = (fault: FaultOf<"Asks">) => {
    const machine = find(core, fault.machine)
    if (machine === undefined) return
    core.store.update(machine, { question: fault.text })
    undoAfter(fault.forMs, () => isLive(core, machine) && core.store.update(machine, { question: undefined }))
  }

  const loseCollectors = () => {
    for (const session of core.sessions.all())
      for (const [key, collector] of session.collectors) {
        collector.destroy(new Fault({ fault: "ManagedObjectNotFound", message: "The property collector is gone." }))
        if (key !== "propertyCollector") session.collectors.delete(key)
      }
  }

  return (fault: SimFault): void => {
    core.traffic.note(`${core.now()} fault ${fault._tag}`)
    switch (fault._tag) {
      case "SessionEnds":
        return core.sessions.endAll()
      case "CollectorLost":
        return loseCollectors()
      case "Restart":
        core.faults.setDownUntil(core.now() + fault.downMs)
        return core.sessions.endAll()
      case "Save":
        saved = backUp(core)
        return undefined
      case "Restore":
        return restore(core, saved)
      case "ViewShrinks":
        return shrinkView(fault)
      case "Disconnects":
        return disconnect(fault)
      case "Asks":
        return ask(fault)
      case "DatastoreFull":
        core.tree.setDatastoresFull(true)
        return undoAfter(fault.forMs, () => core.tree.setDatastoresFull(false))
      case "Unreadable":
        core.faults.setUnreadable(fault.path, true)
        return undoAfter(fault.forMs, () => makeReadable(core, [fault.path]))
      default:
        return core.faults.arm(fault)
    }
  }
}
