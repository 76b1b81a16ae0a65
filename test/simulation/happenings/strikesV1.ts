/** Strikes that meet machines on their way to be the template of a V1 model. Each has a model changed, so that one is built. */
import type { StateTag, Vm } from "../../../src/actors/vm/State.ts"
import { claimOf, isBuild } from "../../../src/actors/vm/State.ts"
import { isV1 } from "../../../src/schema/Job.ts"
import type { Deed, Kind, Kinds } from "../plan.ts"
import * as blows from "./blows.ts"
import type { Blows } from "./blows.ts"
import { ambush, moment, type Timed, together } from "./strikes.ts"
import { changed } from "./v1.ts"

const building: ReadonlyArray<StateTag> = ["Preparing", "Preparing", "Converting", "Converting", "Cloning"]

const ofV1 = ({ state }: Vm): boolean => isV1(claimOf(state)?.jobId ?? "")

const build = ({ state }: Vm): boolean => isBuild(state)

const trap = (state: StateTag, timed: ReadonlyArray<Timed>): Deed => ambush(state, timed, build)

/** Strikes a build in one of the states, and has one begin. */
const struck =
  (choice: ReadonlyArray<StateTag>, ...sorts: ReadonlyArray<Blows>): Kind =>
  (dice) => {
    const state = dice.pick(choice)
    const timed = sorts.map((sort, n): Timed => [sort(dice, state), n === 0 ? moment(dice) : 0])
    return together(trap(state, timed), changed(dice))
  }

/** As the Go hatchery leaves a build, and the process that knew better dies: the next one finds it. */
const leaked: Kind = (dice) => {
  const more: ReadonlyArray<Blows> = [() => blows.destroyed, blows.unreachable, () => blows.marked]
  return together(
    trap("Preparing", [
      [blows.asGoWrites(false, true), 0],
      [blows.killed(dice, "Preparing"), dice.pick([1, 1_000, 10_000])]
    ]),
    changed(dice),
    trap("Preparing", dice.chance(0.6) ? [[dice.pick(more)(dice, "Preparing"), moment(dice) + 20_000]] : [])
  )
}

/** The mark of a template is there before its answer. */
const overtaken: Kind = (dice) =>
  together(
    trap("Converting", [
      [blows.slow(dice, "Reaping"), 0],
      [blows.marked, dice.pick([0, 300, 2_000])]
    ]),
    changed(dice)
  )

const held: Kind = (dice) =>
  together(
    trap("Preparing", [
      [blows.unreachableFor(dice.seconds(5, 60)), 1_000],
      [blows.marked, 3_000]
    ]),
    changed(dice)
  )

/** What others of our name, or none, make of a build while its mark is being written. */
const overwritten: Kind = (dice) => {
  const blow = dice.pick([
    blows.takenOver("converting", true, false),
    blows.takenOver("converting", true, false),
    blows.takenOver("preparing", true, false),
    blows.takenOver("provisioned", true, false),
    blows.adapted,
    blows.written(dice.pick(["", `{"hatchery_name":"cousin"}`]))
  ])
  return together(
    trap("Converting", [
      [blows.slowWrite(dice.seconds(2, 20)), 0],
      [blows.inTask("Converting", blow), 0]
    ]),
    changed(dice)
  )
}

/** The worker of a V1 job that was given up signs in while its machine is removed. */
const givenUp: Kind = (dice) =>
  together(
    ambush("Powered", [[blows.lateWorker(dice.seconds(5, 30), true), 0]], ofV1),
    ambush("Reaping", [[blows.slowWrite(120_000), 0]], ofV1)
  )

export const strikesV1: Kinds = {
  "struck V1 worker: given up": givenUp,
  "struck V1 build: written on": struck(building, blows.hands),
  "struck V1 build: overwritten": overwritten,
  "struck V1 build: power": struck(building, blows.power),
  "struck V1 build: destroyed": struck(building, () => blows.destroyed),
  "struck V1 build: destroyed in a slow task": struck(["Converting"], () => blows.destroyed, blows.slow),
  "struck V1 build: marked": struck(["Preparing", "Converting"], () => blows.marked),
  "struck V1 build: overtaken": overtaken,
  "struck V1 build: held": held,
  "struck V1 build: unreachable": struck(building, blows.unreachable),
  "struck V1 build: spoiled": struck(building, blows.spoiled),
  "struck V1 build: slow": struck(building, blows.slow),
  "struck V1 build: killed": struck(building, blows.killed),
  "struck V1 build: left behind": leaked,
  "struck V1 build: answer lost": struck(["Cloning"], () => blows.lostAnswer("CloneVM_Task")),
  "struck V1 build: task lost": struck(["Cloning"], (dice) =>
    blows.onceMade(blows.lostTasks(dice.pick([100, 500, 1_000])))
  )
}
