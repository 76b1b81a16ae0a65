/**
 * Strikes: what people, vCenter and the process itself do to a machine at the very moment at which it comes into a certain state, where chance
 * would hardly meet it.
 */
import { Clock, Effect } from "effect"
import type { StateTag, Vm } from "../../../src/actors/vm/State.ts"
import type { Machine } from "../../../src/layers/simulated/vcenter/Machine.ts"
import type { SimFaultInput } from "../../../src/layers/simulated/vcenter/FaultBook.ts"
import { type JournalState, print } from "../../../src/schema/Annotation.ts"
import type { Dice } from "../Dice.ts"
import type { Kind, Kinds } from "../plan.ts"
import { annotationOf, later, rememberForeign, type Site, type Stage, want } from "../Stage.ts"
import { troubled } from "./vcenter.ts"

/** One thing done, after so many milliseconds, to the machine that the strike met. */
interface Blow {
  readonly afterMs: number
  readonly text: string
  readonly does: (stage: Stage, site: Site, vm: Vm) => Effect.Effect<void>
}

/** States in which something is written on a machine, guarded. */
const writing: ReadonlyArray<StateTag> = ["Settling", "Reserved", "Renamed", "Powered", "Returning", "Reaping"]
const pooled: ReadonlyArray<StateTag> = ["Cloning", "Booting", "Settling", "Provisioned", "Returning"]
const claimed: ReadonlyArray<StateTag> = ["Cloning", "Reserved", "Renamed", "Powered", "Running"]
const anywhere: ReadonlyArray<StateTag> = [...new Set([...pooled, ...claimed, ...writing, "Held" as const])]

const moment = (dice: Dice): number => dice.pick([0, 0, 0, 1, 20, 300, 1_000, dice.seconds(2, 40)])

const machineOf = ({ vcenter }: Stage, vm: Vm): Machine | undefined =>
  vcenter.machines().find(({ ref, instanceUuid }) => ref.value === vm.ref || instanceUuid === vm.id)

/** Done past the hatchery to the machine, if vCenter has it. */
const byHand = (text: string, act: (stage: Stage, machine: Machine) => void): Omit<Blow, "afterMs"> => ({
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

/** An annotation as another process of the same hatchery would write it: in agreement with name and worker, with its own job or one that nobody knows. */
const takenOver = (state: JournalState, jobless: boolean) =>
  byHand(`taken over as ${state}${jobless ? ", without a job" : ""}`, ({ vcenter }, machine) => {
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
  })

/** What the Go hatchery makes of the annotation when it comes by: no key of ours. */
const asGoWrites = (provisioning: boolean, model: boolean) =>
  byHand(
    `written on without our key${provisioning ? ", provisioning" : ""}${model ? ", a template" : ""}`,
    ({ vcenter }, machine) => {
      const found = annotationOf(machine)
      if (found === undefined) return
      vcenter.others.annotate(machine.ref.value, print({ ...found, provisioning, model, journal: undefined }))
    }
  )

const written = (text: string) =>
  byHand(`written on: ${text}`, ({ vcenter }, { ref }) => void vcenter.others.annotate(ref.value, text))

const hands = (dice: Dice): Omit<Blow, "afterMs"> =>
  dice.pick([
    takenOver(dice.pick(["booting", "provisioned", "renamed", "running", "reaping"]), dice.chance(0.2)),
    takenOver(dice.pick(["booting", "provisioned", "renamed", "running"]), dice.chance(0.2)),
    asGoWrites(dice.chance(0.5), dice.chance(0.3)),
    written(dice.pick(["", "do not touch", `{"hatchery_name":"cousin","worker_name":"x"}`]))
  ])

const power = (dice: Dice): Omit<Blow, "afterMs"> =>
  dice.chance(0.6)
    ? byHand("powered on", ({ vcenter }, { ref }) => void vcenter.others.powerOn(ref.value))
    : byHand("powered off", ({ vcenter }, { ref }) => void vcenter.others.powerOff(ref.value))

const destroyed = byHand("destroyed", ({ vcenter }, { ref }) => void vcenter.others.destroy(ref.value))

const renamed = byHand(
  "renamed",
  ({ vcenter }, { ref }) => void vcenter.others.rename(ref.value, `renamed-${ref.value}`)
)

/** A fault for this machine, or for the next call of the kind. */
const faulty = (text: string, lastsMs: number, make: (machine: string) => SimFaultInput): Omit<Blow, "afterMs"> => ({
  text,
  does: (stage, _, vm) => {
    const machine = machineOf(stage, vm)
    return Effect.andThen(troubled(stage, lastsMs), stage.vcenter.inject(make(machine?.name ?? vm.poolName)))
  }
})

const unreachable = (dice: Dice): Omit<Blow, "afterMs"> => {
  const forMs = dice.pick([2_000, dice.seconds(20, 300), dice.minutes(65, 80)])
  return faulty(`inaccessible for ${forMs / 1000} s`, forMs, (machine) => ({
    _tag: "Disconnects",
    forMs,
    state: "inaccessible",
    machine
  }))
}

/** The tasks that a machine has in a state. */
const tasksIn = (state: StateTag): ReadonlyArray<string> => {
  switch (state) {
    case "Cloning":
      return ["CloneVM_Task"]
    case "Powered":
      return ["PowerOnVM_Task", "ReconfigVM_Task"]
    case "Reaping":
      return ["ReconfigVM_Task", "PowerOffVM_Task", "Destroy_Task"]
    default:
      return ["ReconfigVM_Task"]
  }
}

const spoiled = (dice: Dice, state: StateTag): Omit<Blow, "afterMs"> => {
  const operation = dice.pick(tasksIn(state))
  const count = dice.pick([1, 1, 4])
  return dice.pick([
    faulty(`the answer to ${operation} is lost`, 0, () => ({ _tag: "AnswerLost", operation, count })),
    faulty(`${operation} is dropped`, 0, () => ({ _tag: "CallDropped", operation, sent: true, count })),
    faulty(`${operation} fails`, 0, () => ({ _tag: "TaskFails", operation, fault: "GenericVmConfigFault", count })),
    faulty(`${operation} is refused`, 0, () => ({ _tag: "CallFails", operation, fault: "NoPermission", count }))
  ])
}

const slow = (dice: Dice, state: StateTag): Omit<Blow, "afterMs"> => {
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
const toJob = (
  text: string,
  act: (stage: Stage, id: string, worker: string) => Effect.Effect<void>
): Omit<Blow, "afterMs"> => ({
  text,
  does: (stage, _, { state }) =>
    "claim" in state && state.claim !== undefined ? act(stage, state.claim.jobId, state.claim.workerName) : Effect.void
})

const job = (dice: Dice): Omit<Blow, "afterMs"> =>
  dice.pick([
    toJob("its job is stopped", ({ cds }, id) => cds.stop(id)),
    toJob("its job is stopped", ({ cds }, id) => cds.stop(id)),
    toJob("its job is locked", ({ cds }, id) => cds.holdTakeLock(id)),
    toJob("its worker is disabled", ({ cds }, _, worker) => cds.disableWorker(worker))
  ])

/** The pool is to be smaller for a while, which takes machines on their way to it. */
const shrunk = (dice: Dice): Omit<Blow, "afterMs"> => {
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

const killed = (dice: Dice): Omit<Blow, "afterMs"> => {
  const when = dice.pick(["before", "unanswered", "answered"] as const)
  return {
    text: `the process dies at its next call, ${when}`,
    does: (_, site) => Effect.sync(() => site.process?.arm({ at: 1, when }))
  }
}

type Striking = (dice: Dice, state: StateTag) => Omit<Blow, "afterMs">

/** Lies in wait for a machine that enters the state. */
const ambush = (state: StateTag, blows: ReadonlyArray<Blow>) => ({
  text: `${state}: ${blows.map(({ afterMs, text }) => `${text} after ${afterMs} ms`).join(", ")}`,
  does: (stage: Stage) =>
    Effect.sync(() => {
      stage.strikes.push({
        state,
        does: (site, vm) =>
          Effect.forEach(
            blows,
            Effect.fnUntraced(function* ({ afterMs, text, does }) {
              if (afterMs > 0) yield* Effect.sleep(afterMs)
              stage.struck.push(`${yield* Clock.currentTimeMillis} struck ${vm.id} in ${state}: ${text}`)
              yield* does(stage, site, vm)
            }),
            { concurrency: "unbounded", discard: true }
          )
      })
    })
})

/** One to three blows in one of the states, the first of this sort. */
const struck =
  (choice: ReadonlyArray<StateTag>, striking: Striking): Kind =>
  (dice) => {
    const state = dice.pick(choice)
    const blows = Array.from({ length: dice.pick([1, 1, 2, 3]) }, (_, n): Blow => ({
      ...(n === 0 ? striking : dice.pick(all))(dice, state),
      afterMs: moment(dice)
    }))
    return ambush(state, blows)
  }

/** A claim that fails, and something else when the machine goes back to the pool for it. */
const givenBack: Kind = (dice) => {
  const fails = faulty("its claim fails", 0, () => ({
    _tag: "TaskFails",
    operation: "ReconfigVM_Task",
    fault: "GenericVmConfigFault",
    count: 1
  }))
  const first = ambush("Reserved", [
    { ...fails, afterMs: 0 },
    ...(dice.chance(0.3) ? [{ ...power(dice), afterMs: 0 }] : [])
  ])
  const second = struck(["Returning"], dice.pick([hands, hands, ...all]))(dice)
  return {
    text: `${first.text}; ${second.text}`,
    does: (stage) => Effect.andThen(first.does(stage), second.does(stage))
  }
}

const destroys: Striking = () => destroyed
const renames: Striking = () => renamed
const all: ReadonlyArray<Striking> = [hands, power, destroys, renames, unreachable, spoiled, slow, job, shrunk, killed]

export const strikes: Kinds = {
  "struck: written on": struck([...writing, ...writing, ...anywhere], hands),
  "struck: written on again": struck(writing, hands),
  "struck: power": struck(anywhere, power),
  "struck: destroyed": struck(anywhere, destroys),
  "struck: renamed": struck(anywhere, renames),
  "struck: unreachable": struck(anywhere, unreachable),
  "struck: spoiled": struck(anywhere, spoiled),
  "struck: slow": struck(writing, slow),
  "struck: job": struck(claimed, job),
  "struck: pool": struck(pooled, shrunk),
  "struck: given back": givenBack,
  "struck: killed": struck(anywhere, killed)
}
