/** Blows: what people, vCenter, CDS and the process itself do to one machine. */
import { Clock, Effect } from "effect"
import type { StateTag, Vm } from "../../../src/actors/vm/State.ts"
import type { Machine } from "../../../src/layers/simulated/vcenter/Machine.ts"
import type { SimFaultInput } from "../../../src/layers/simulated/vcenter/FaultBook.ts"
import { type JournalState, print } from "../../../src/schema/Annotation.ts"
import { isV1 } from "../../../src/schema/Job.ts"
import type { Dice } from "../Dice.ts"
import { annotationOf, later, rememberForeign, type Site, type Stage, want } from "../Stage.ts"
import { restored, troubled } from "./vcenter.ts"

/** One thing done to a machine. */
export interface Blow {
  readonly text: string
  readonly does: (stage: Stage, site: Site, vm: Vm) => Effect.Effect<void>
}

/** One of the blows of a sort, for a machine in that state. */
export type Blows = (dice: Dice, state: StateTag) => Blow

const machineOf = ({ vcenter }: Stage, vm: Vm): Machine | undefined =>
  vcenter.machines().find(({ ref, instanceUuid }) => ref.value === vm.ref || instanceUuid === vm.id)

/** Done past the hatchery to the machine, if vCenter has it. */
const byHand = (text: string, act: (stage: Stage, machine: Machine) => void): Blow => ({
  text,
  does: (stage, _, vm) =>
    Effect.map(Clock.currentTimeMillis, (now) => {
      const machine = machineOf(stage, vm)
      if (machine === undefined) return
      try {
        act(stage, machine)
      } catch {
        return
      }
      stage.meddled.set(machine.ref.value, now)
      rememberForeign(stage)
    })
})

/**
 * An annotation as another process of the same hatchery would write it: in agreement with name and worker, with its own job or one that nobody
 * knows. `on`: it has powered the machine on by then.
 */
export const takenOver = (state: JournalState, jobless: boolean, on: boolean) =>
  byHand(`taken over as ${state}${jobless ? ", without a job" : ""}${on ? ", on" : ""}`, ({ vcenter }, machine) => {
    const found = annotationOf(machine)
    if (found === undefined) return
    const claimed = !jobless && (state === "renamed" || state === "running" || found.jobId !== undefined)
    vcenter.others.annotate(
      machine.ref.value,
      print({
        ...found,
        jobId: claimed ? (found.jobId ?? machine.instanceUuid) : undefined,
        journal: {
          v: 1,
          since: new Date(0).toISOString(),
          ...found.journal,
          state,
          name: machine.name,
          worker: found.workerName ?? "",
          generation: (found.journal?.generation ?? 0) + 7,
          instance: "another process"
        }
      })
    )
    if (on && machine.power === "poweredOff") vcenter.others.powerOn(machine.ref.value)
  })

/** What the Go hatchery makes of the annotation when it comes by: no key of ours. */
export const asGoWrites = (provisioning: boolean, model: boolean) =>
  byHand(
    `written on without our key${provisioning ? ", provisioning" : ""}${model ? ", a template" : ""}`,
    ({ vcenter }, machine) => {
      const found = annotationOf(machine)
      if (found === undefined) return
      vcenter.others.annotate(machine.ref.value, print({ ...found, provisioning, model, journal: undefined }))
    }
  )

export const written = (text: string) =>
  byHand(`written on: ${text}`, ({ vcenter }, { ref }) => void vcenter.others.annotate(ref.value, text))

/** Its name is not ours to rely on any more, nor what it says: somebody makes a template of their own of it. */
export const adapted = byHand("made somebody's own template", ({ vcenter }, machine) => {
  const found = annotationOf(machine)
  if (found === undefined) return
  vcenter.others.rename(machine.ref.value, `own-${machine.ref.value}`)
  vcenter.others.annotate(machine.ref.value, print({ ...found, provisioning: false, model: true, journal: undefined }))
})

export const hands: Blows = (dice) =>
  dice.pick([
    takenOver(
      dice.pick(["booting", "provisioned", "renamed", "reaping", "converting"]),
      dice.chance(0.2),
      dice.chance(0.2)
    ),
    takenOver(dice.pick(["provisioned", "renamed"]), dice.chance(0.2), false),
    takenOver("running", dice.chance(0.1), dice.chance(0.8)),
    asGoWrites(dice.chance(0.5), dice.chance(0.3)),
    written(dice.pick(["", "do not touch", `{"hatchery_name":"cousin","worker_name":"x"}`])),
    adapted
  ])

export const poweredOn = byHand("powered on", ({ vcenter }, { ref }) => void vcenter.others.powerOn(ref.value))

export const power: Blows = (dice) =>
  dice.chance(0.6)
    ? poweredOn
    : byHand("powered off", ({ vcenter }, { ref }) => void vcenter.others.powerOff(ref.value))

export const destroyed = byHand("destroyed", ({ vcenter }, { ref }) => void vcenter.others.destroy(ref.value))

export const renamed = byHand(
  "renamed",
  ({ vcenter }, { ref }) => void vcenter.others.rename(ref.value, `renamed-${ref.value}`)
)

/** A fault for this machine, or for the next call of the kind. */
export const faulty = (text: string, lastsMs: number, make: (machine: string) => SimFaultInput): Blow => ({
  text,
  does: (stage, _, vm) => {
    const machine = machineOf(stage, vm)
    return Effect.andThen(troubled(stage, lastsMs), stage.vcenter.inject(make(machine?.name ?? vm.poolName)))
  }
})

export const unreachableFor = (forMs: number): Blow =>
  faulty(`inaccessible for ${forMs / 1000} s`, forMs, (machine) => ({
    _tag: "Disconnects",
    forMs,
    state: "inaccessible",
    machine
  }))

export const unreachable: Blows = (dice) =>
  unreachableFor(dice.pick([2_000, dice.seconds(20, 300), dice.minutes(65, 80)]))

/** The tasks that a machine has in a state. */
const tasksIn = (state: StateTag): ReadonlyArray<string> => {
  switch (state) {
    case "Cloning":
      return ["CloneVM_Task"]
    case "Powered":
      return ["PowerOnVM_Task", "ReconfigVM_Task"]
    case "Converting":
      return ["ReconfigVM_Task", "MarkAsTemplate"]
    case "Reaping":
      return ["ReconfigVM_Task", "PowerOffVM_Task", "Destroy_Task"]
    default:
      return ["ReconfigVM_Task"]
  }
}

export const spoiled: Blows = (dice, state) => {
  const operation = dice.pick(tasksIn(state))
  const count = dice.pick([1, 1, 4])
  return dice.pick([
    faulty(`the answer to ${operation} is lost`, 0, () => ({ _tag: "AnswerLost", operation, count })),
    faulty(`${operation} is dropped`, 0, () => ({ _tag: "CallDropped", operation, sent: true, count })),
    faulty(`${operation} fails`, 0, () => ({ _tag: "TaskFails", operation, fault: "GenericVmConfigFault", count })),
    faulty(`${operation} is refused`, 0, () => ({ _tag: "CallFails", operation, fault: "NoPermission", count }))
  ])
}

export const slow: Blows = (dice, state) => {
  const operation = dice.pick(tasksIn(state))
  const delayMs = dice.minutes(1, 30)
  const count = dice.pick([1, 5])
  return faulty(`${operation} takes ${delayMs / 1000} s more`, delayMs, () => ({
    _tag: "TaskSlow",
    operation,
    delayMs,
    count
  }))
}

/** The machine's job, when it has one. */
const toJob = (text: string, act: (stage: Stage, id: string, worker: string) => Effect.Effect<void>): Blow => ({
  text,
  does: (stage, _, { state }) =>
    "claim" in state && state.claim !== undefined ? act(stage, state.claim.jobId, state.claim.workerName) : Effect.void
})

/** As the take of another hatchery leaves it; nobody works on it there, and CDS takes it back after a while. */
export const takenElsewhere = toJob("its job is taken by another hatchery", ({ cds }, id) => {
  const v2 = cds.state.jobs.get(id)
  if (v2 === undefined) return cds.holdTakeLock(id)
  return Effect.map(Clock.currentTimeMillis, (now) => {
    if (v2.status !== "Waiting") return
    v2.hatcheryName = "cousin"
    v2.scheduledAt = now
    cds.state.changeStatus(v2, "Scheduling", now, "hatchery take")
  })
})

export const job: Blows = (dice) =>
  dice.pick([
    toJob("its job is stopped", ({ cds }, id) => cds.stop(id)),
    toJob("its job is stopped", ({ cds }, id) => cds.stop(id)),
    takenElsewhere,
    toJob("its job is locked", ({ cds }, id) => cds.holdTakeLock(id)),
    toJob("its worker is disabled", ({ cds }, _, worker) => cds.disableWorker(worker))
  ])

/** The pool is to be smaller for a while, which takes machines on their way to it. */
export const shrunk: Blows = (dice) => {
  const forMs = dice.seconds(1, 120)
  return {
    text: `its pool is emptied for ${forMs / 1000} s`,
    does: (stage, site, { template }) => {
      const number = site.wanted.get(template)
      return number === undefined
        ? Effect.void
        : Effect.andThen(want(site, template, 0), later(stage, forMs, want(site, template, number)))
    }
  }
}

export const killed: Blows = (dice) => {
  const when = dice.pick(["before", "unanswered", "answered"] as const)
  return {
    text: `the process dies at its next call, ${when}`,
    does: (_, site) => Effect.sync(() => site.process?.arm({ at: 1, when }))
  }
}

/** As soon as the machine is like that, within ten minutes; else not at all. */
export const once = (like: string, holds: (machine: Machine) => boolean, blow: Blow): Blow => ({
  text: `${blow.text} as soon as it is ${like}`,
  does: Effect.fnUntraced(function* (stage, site, vm) {
    for (let tries = 0; tries < 6_000; tries++) {
      const machine = machineOf(stage, vm)
      if (machine?.configured === true && holds(machine)) return yield* blow.does(stage, site, vm)
      yield* Effect.sleep(100)
    }
  })
})

export const onceMade = (blow: Blow): Blow => once("made", () => true, blow)

/** While a task on it runs: on one that is on, no earlier than its guest is ready. */
export const inTask = (state: StateTag, blow: Blow): Blow =>
  once("in a task", ({ busy, guest }) => busy !== undefined && (state !== "Powered" || guest.ready), blow)

/** Its next reconfigure takes so much longer. */
export const slowWrite = (delayMs: number): Blow =>
  faulty(`ReconfigVM_Task takes ${delayMs / 1_000} s more`, delayMs, (machine) => ({
    _tag: "TaskSlow",
    operation: "ReconfigVM_Task",
    delayMs,
    count: 1,
    machine
  }))

export const onceOff = (blow: Blow): Blow => once("off", ({ power }) => power === "poweredOff", blow)

/** A machine that is on is switched off for it. */
export const marked = byHand("marked as a template", ({ vcenter }, { ref, power }) => {
  if (power === "poweredOn") vcenter.others.powerOff(ref.value)
  vcenter.others.markAsTemplate(ref.value)
})

export const lostAnswer = (operation: string): Blow =>
  faulty(`the answer to ${operation} is lost`, 0, () => ({ _tag: "AnswerLost", operation, count: 1 }))

/** A while later vCenter comes up again from a backup of that moment: all is as it was but tasks and sessions. */
export const lostTasks = (afterMs: number): Blow => ({
  text: `its task is lost ${afterMs} ms later`,
  does: (stage) =>
    Effect.sleep(afterMs).pipe(
      Effect.andThen(stage.vcenter.inject({ _tag: "Save" })),
      Effect.andThen(restored.does(stage))
    )
})

/** Its guest boots, and has no address. */
export const addressless = faulty("its guest has no address", 0, (machine) => ({
  _tag: "GuestFails",
  how: "NoAddress",
  count: 1,
  machine
}))

/** CDS begins to take its job so late. */
export const lateTake = (lateMs: number): Blow =>
  toJob(`its job is taken ${lateMs / 1_000} s late`, (stage, id) =>
    Effect.andThen(
      troubled(stage, lateMs),
      stage.cds.fault({ kind: "slow", ms: lateMs, path: isV1(id) ? `/${id}/book` : `/${id}/hatchery/take` })
    )
  )

/** Its worker signs in so late; `beyond` its time to do so. */
export const lateWorker = (lateMs: number, beyond = false): Blow => ({
  text: `its worker signs in ${lateMs / 1_000} s ${beyond ? "too " : ""}late`,
  does: ({ behaviours }, { world }, { state }) =>
    Effect.sync(() => {
      const startMs = lateMs + (beyond ? world.settings.times.workerRegistrationTtlMs : 0)
      if ("claim" in state && state.claim !== undefined) behaviours.set(state.claim.jobId, [{ startMs }])
    })
})

/** CDS does not find its job when it is asked about it once. */
export const forgottenJob = toJob("its job is not found", (stage, id) =>
  Effect.andThen(
    troubled(stage, 0),
    stage.cds.fault({ kind: "answer", status: 404, method: "GET", path: isV1(id) ? `/${id}/infos` : `/job/${id}` })
  )
)
