/**
 * Strikes: blows that meet a machine at the very moment at which it comes into a certain state, where chance would hardly meet it.
 */
import { Clock, Effect } from "effect"
import type { StateTag, Vm } from "../../../src/actors/vm/State.ts"
import type { Dice } from "../Dice.ts"
import type { Deed, Kind, Kinds } from "../plan.ts"
import type { Stage } from "../Stage.ts"
import * as blows from "./blows.ts"
import type { Blow, Blows } from "./blows.ts"

/** States in which something is written on a machine, guarded. */
const writing: ReadonlyArray<StateTag> = ["Settling", "Reserved", "Renamed", "Powered", "Returning", "Reaping"]
const pooled: ReadonlyArray<StateTag> = ["Cloning", "Booting", "Settling", "Provisioned", "Returning"]
const claimed: ReadonlyArray<StateTag> = ["Cloning", "Reserved", "Renamed", "Powered", "Running"]
const anywhere: ReadonlyArray<StateTag> = [...new Set([...pooled, ...claimed, ...writing, "Held" as const])]

/** A blow, and how many milliseconds after the machine was met. */
export type Timed = readonly [blow: Blow, afterMs: number]

export const moment = (dice: Dice): number => dice.pick([0, 0, 0, 1, 20, 300, 1_000, dice.seconds(2, 40)])

/** Lies in wait for a machine that comes into the state. */
export const ambush = (state: StateTag, timed: ReadonlyArray<Timed>, of: (vm: Vm) => boolean = () => true): Deed => ({
  text: `${state}: ${timed.map(([{ text }, afterMs]) => `${text} after ${afterMs} ms`).join(", ")}`,
  does: (stage) =>
    Effect.sync(() => {
      stage.strikes.push({
        state,
        of,
        does: (site, vm) =>
          Effect.forEach(
            timed,
            Effect.fnUntraced(function* ([{ text, does }, afterMs]) {
              if (afterMs > 0) yield* Effect.sleep(afterMs)
              stage.struck.push(`${yield* Clock.currentTimeMillis} struck ${vm.id} in ${state}: ${text}`)
              yield* does(stage, site, vm)
            }),
            { concurrency: "unbounded", discard: true }
          )
      })
    })
})

/** One after the other, each for a machine of its own. */
export const together = (...deeds: ReadonlyArray<Deed>): Deed => ({
  text: deeds.map(({ text }) => text).join("; "),
  does: (stage: Stage) => Effect.forEach(deeds, ({ does }) => does(stage), { discard: true })
})

/** One to three blows in one of the states, the first of this sort. */
const struck =
  (choice: ReadonlyArray<StateTag>, sort: Blows): Kind =>
  (dice) => {
    const state = dice.pick(choice)
    const sorts = Array.from({ length: dice.pick([1, 1, 2, 3]) }, (_, n) => (n === 0 ? sort : dice.pick(all)))
    return ambush(
      state,
      sorts.map((one): Timed => [one(dice, state), moment(dice)])
    )
  }

/** The claim of a machine fails, so that it goes back to the pool. */
const failedClaim = blows.faulty("its claim fails", 0, () => ({
  _tag: "TaskFails",
  operation: "ReconfigVM_Task",
  fault: "GenericVmConfigFault",
  count: 1
}))

/** A claim that fails, and something else when the machine goes back to the pool for it. */
const givenBack: Kind = (dice) => {
  const more: ReadonlyArray<Timed> = dice.chance(0.3) ? [[blows.power(dice, "Reserved"), 0]] : []
  return together(
    ambush("Reserved", [[failedClaim, 0], ...more]),
    struck(["Returning"], dice.pick([blows.hands, blows.hands, ...all]))(dice)
  )
}

/** Another process claims the machine that we are about to claim, and then it is written on once more. */
const claimedTwice: Kind = (dice) => {
  const back = blows.takenOver("provisioned", true, false)
  return together(
    ambush("Reserved", [[blows.takenOver("renamed", false, dice.chance(0.2)), 0]]),
    ambush("Renamed", [[dice.chance(0.5) ? back : blows.hands(dice, "Renamed"), dice.pick([0, 1, 20])]])
  )
}

/** Written on while our own write takes its time. */
const overwritten: Kind = (dice) => {
  const state = dice.pick(writing)
  return ambush(state, [
    [blows.slowWrite(dice.seconds(2, 20)), 0],
    [blows.inTask(state, blows.hands(dice, state)), 0]
  ])
}

/** Another process has got as far as to run a worker in it, or has claimed it while it could not be reached. */
const outrun: Kind = (dice) => {
  const state = dice.pick(["Provisioned", "Reserved", "Returning"] as const)
  const theirs = blows.takenOver("running", false, true)
  if (state === "Provisioned") {
    const afterMs = moment(dice)
    const unseen: ReadonlyArray<Timed> = [
      [blows.unreachableFor(60_000), 0],
      [blows.takenOver("renamed", false, false), afterMs]
    ]
    return ambush(state, afterMs < 300 ? [[theirs, afterMs]] : unseen)
  }
  const trap = ambush(state, [
    [blows.slowWrite(dice.seconds(2, 20)), 0],
    [blows.inTask(state, theirs), 0]
  ])
  return state === "Reserved" ? trap : together(ambush("Reserved", [[failedClaim, 0]]), trap)
}

/** What becomes of a clone is not told, or it is not left alone for long. */
const cloned: Kind = (dice) => {
  const answer = blows.lostAnswer("CloneVM_Task")
  const slow = blows.slow(dice, "Cloning")
  const choice: ReadonlyArray<ReadonlyArray<Timed>> = [
    [
      [answer, 0],
      [blows.shrunk(dice, "Cloning"), moment(dice)]
    ],
    [
      [answer, 0],
      [blows.job(dice, "Cloning"), moment(dice)]
    ],
    [[blows.onceMade(blows.lostTasks(dice.pick([100, 500, 1_000]))), 0]],
    [[blows.onceMade(blows.hands(dice, "Cloning")), 0]],
    [[blows.onceMade(blows.written(`{"hatchery_name":"cousin","worker_name":"x"}`)), 0]],
    [[blows.onceMade(blows.destroyed), 0]],
    [[blows.takenElsewhere, 0], ...(dice.chance(0.5) ? [[slow, 0] as const] : [])]
  ]
  return ambush("Cloning", dice.pick(choice))
}

/** Its job goes elsewhere, or seems to be gone, while it is claimed and taken. */
const jobLost: Kind = (dice) => {
  if (dice.chance(0.3))
    return ambush("Reserved", [
      [blows.takenElsewhere, 0],
      [blows.slow(dice, "Reserved"), 0]
    ])
  return ambush("Renamed", [
    [blows.lateTake(dice.seconds(5, 9)), 0],
    [dice.chance(0.6) ? blows.forgottenJob : blows.takenElsewhere, 0]
  ])
}

/**
 * An old word of its claim, or of the pool, stands on it again while its worker starts or works, and the next process believes it. CDS may not
 * find its job then, or not know the worker yet.
 */
const setBack: Kind = (dice) => {
  const afterMs = dice.pick([0, 1_000, dice.seconds(5, 60)])
  const back = ambush("Running", [
    [blows.takenOver(dice.pick(["renamed", "renamed", "provisioned"]), false, false), afterMs],
    [blows.killed(dice, "Running"), afterMs + 1]
  ])
  if (afterMs > 1_000) return together(back, ambush("Renamed", [[blows.forgottenJob, 0]]))
  return afterMs === 0
    ? back
    : together(
        ambush("Powered", [[blows.lateWorker(60_000), 0]]),
        back,
        ambush("Powered", [[blows.slowWrite(120_000), 0]], ({ facts }) => facts?.power === "poweredOn")
      )
}

/** A guest without an address on a host that comes and goes: each time its boot is waited for anew. */
const flickering: Kind = (dice) => {
  const apartMs = dice.seconds(130, 170)
  const away = blows.unreachableFor(2_000)
  return together(
    ambush("Cloning", [[blows.addressless, 0]]),
    ambush(
      "Booting",
      Array.from({ length: 6 }, (_, n): Timed => [away, (n + 1) * apartMs])
    )
  )
}

const all: ReadonlyArray<Blows> = [
  blows.hands,
  blows.power,
  () => blows.destroyed,
  () => blows.renamed,
  blows.unreachable,
  blows.spoiled,
  blows.slow,
  blows.job,
  blows.shrunk,
  blows.killed
]

export const strikes: Kinds = {
  "struck: written on": struck([...writing, ...writing, ...anywhere], blows.hands),
  "struck: written on again": struck(writing, blows.hands),
  "struck: power": struck(anywhere, blows.power),
  "struck: destroyed": struck(anywhere, () => blows.destroyed),
  "struck: renamed": struck(anywhere, () => blows.renamed),
  "struck: unreachable": struck(anywhere, blows.unreachable),
  "struck: spoiled": struck(anywhere, blows.spoiled),
  "struck: slow": struck(writing, blows.slow),
  "struck: job": struck(claimed, blows.job),
  "struck: pool": struck(pooled, blows.shrunk),
  "struck: given back": givenBack,
  "struck: killed": struck(anywhere, blows.killed),
  "struck: claimed twice": claimedTwice,
  "struck: overwritten": overwritten,
  "struck: set back": setBack,
  "struck: outrun": outrun,
  "struck: cloned": cloned,
  "struck: job lost": jobLost,
  "struck: flickering": flickering,
  "struck: on again": () => ambush("Settling", [[blows.onceOff(blows.poweredOn), 0]])
}
