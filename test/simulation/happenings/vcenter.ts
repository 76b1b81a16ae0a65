/** What goes wrong at vCenter: its calls, tasks, sessions, views, hosts and datastores. */
import { Clock, Effect } from "effect"
import type { SimFaultInput } from "../../../src/layers/simulated/vcenter/FaultBook.ts"
import type { Dice } from "../Dice.ts"
import type { Deed, Kinds } from "../plan.ts"
import { rememberForeign, type Stage } from "../Stage.ts"

/** A fault that vCenter's fault book knows. */
export const fault = (input: SimFaultInput, lastsMs = 0): Deed => ({
  text: JSON.stringify(input),
  does: (stage) =>
    Effect.all([troubled(stage, lastsMs), blind(stage, input), stage.vcenter.inject(input)], { discard: true })
})

const blind = (stage: Stage, fault: SimFaultInput): Effect.Effect<void> =>
  Effect.map(Clock.currentTimeMillis, (now) => {
    if (fault._tag === "ViewShrinks" || fault._tag === "Unreadable")
      stage.blindUntil = Math.max(stage.blindUntil, now + fault.forMs)
  })

/** The world is in disorder until then at least, and while it recovers. */
export const troubled = (stage: Stage, lastsMs: number): Effect.Effect<void> =>
  Effect.map(Clock.currentTimeMillis, (now) => {
    stage.troubledUntil = Math.max(stage.troubledUntil, now + lastsMs + 120_000)
  })

const tasks = ["CloneVM_Task", "ReconfigVM_Task", "PowerOnVM_Task", "PowerOffVM_Task", "Destroy_Task"]
const calls = [
  ...tasks,
  "ShutdownGuest",
  "StartProgramInGuest",
  "ListProcessesInGuest",
  "RetrievePropertiesEx",
  "WaitForUpdatesEx",
  "CreateFilter",
  "CreateContainerView",
  "Login",
  "*"
]
const taskFaults = [
  "InvalidState",
  "TaskInProgress",
  "ConcurrentAccess",
  "GenericVmConfigFault",
  "InsufficientResourcesFault",
  "ResourceInUse"
]
const callFaults = [
  "NotAuthenticated",
  "InvalidState",
  "ManagedObjectNotFound",
  "RuntimeFault",
  "ResourceInUse",
  "NoPermission"
]

const few = (dice: Dice): number => dice.pick([1, 1, 2, 5])

/** One of the machines that are ours, by a number from 0 to 1. */
const machineOf = (stage: Stage, where: number): string | undefined => {
  const ours = stage.sites.flatMap(({ name }) => stage.vcenter.owned(name))
  return ours[Math.floor(where * ours.length)]?.name
}

/** A fault that needs a machine: the one there at that place when it happens. */
const onMachine = (dice: Dice, lastsMs: number, make: (machine: string) => SimFaultInput): Deed => {
  const where = dice.next()
  return {
    text: JSON.stringify(make(`at ${where.toFixed(2)}`)),
    does: (stage) => {
      const machine = machineOf(stage, where)
      return machine === undefined ? Effect.void : fault(make(machine), lastsMs).does(stage)
    }
  }
}

const lasting = (dice: Dice, make: (forMs: number) => SimFaultInput): Deed => {
  const forMs = dice.pick([dice.seconds(1, 30), dice.minutes(1, 10)])
  return fault(make(forMs), forMs)
}

export const restored: Deed = {
  text: "",
  does: Effect.fnUntraced(function* (stage) {
    yield* fault({ _tag: "Restore" }, 600_000).does(stage)
    stage.restoredAt = yield* Clock.currentTimeMillis
    rememberForeign(stage)
  })
}

export const vcenter: Kinds = {
  "task fails": (dice) =>
    fault({ _tag: "TaskFails", operation: dice.pick(tasks), fault: dice.pick(taskFaults), count: few(dice) }),
  "call fails": (dice) =>
    fault({ _tag: "CallFails", operation: dice.pick(calls), fault: dice.pick(callFaults), count: few(dice) }),
  "call dropped": (dice) =>
    fault({ _tag: "CallDropped", operation: dice.pick(calls), sent: dice.chance(0.5), count: few(dice) }),
  "answer lost": (dice) => fault({ _tag: "AnswerLost", operation: dice.pick(calls), count: few(dice) }),
  "slow call": (dice) =>
    fault({
      _tag: "SlowCall",
      operation: dice.pick(calls),
      delayMs: dice.pick([500, 5_000, 14_999, 16_000, 60_000]),
      count: few(dice)
    }),
  "session ends": () => fault({ _tag: "SessionEnds" }),
  "collector lost": () => fault({ _tag: "CollectorLost" }),
  restart: (dice) => lasting(dice, (downMs) => ({ _tag: "Restart", downMs })),
  backup: () => fault({ _tag: "Save" }),
  restore: () => restored,
  "login refused": () => ({
    text: "",
    does: (stage) =>
      Effect.andThen(
        fault({ _tag: "CallFails", operation: "Login", fault: "InvalidLogin", count: 1 }).does(stage),
        fault({ _tag: "SessionEnds" }).does(stage)
      )
  }),
  "view is empty": (dice) => lasting(dice, (forMs) => ({ _tag: "ViewShrinks", forMs, share: 1 })),
  "view shrinks": (dice) => lasting(dice, (forMs) => ({ _tag: "ViewShrinks", forMs, share: dice.next() })),
  "host disconnects": (dice) =>
    lasting(dice, (forMs) => ({ _tag: "Disconnects", forMs, state: "disconnected", host: "*" })),
  "machine inaccessible": (dice) => {
    const forMs = dice.seconds(1, 600)
    return onMachine(dice, forMs, (machine) => ({ _tag: "Disconnects", forMs, state: "inaccessible", machine }))
  },
  "machine asks": (dice) => {
    const forMs = dice.seconds(1, 600)
    return onMachine(dice, forMs, (machine) => ({ _tag: "Asks", machine, text: "Retry or abort?", forMs }))
  },
  "datastore full": (dice) => lasting(dice, (forMs) => ({ _tag: "DatastoreFull", forMs })),
  "updates late": (dice) => fault({ _tag: "UpdatesLate", delayMs: dice.seconds(1, 40), count: few(dice) }, 240_000),
  "updates twice": (dice) => fault({ _tag: "UpdatesDuplicate", count: few(dice) }),
  "property unreadable": (dice) =>
    lasting(dice, (forMs) => ({
      _tag: "Unreadable",
      path: dice.pick(["guest.net", "name", "config.annotation", "runtime.powerState"]),
      forMs
    }))
}
