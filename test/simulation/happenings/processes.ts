/** The hatcheries' own processes come and go, their settings change, and the clock leaps. */
import type { Effect } from "effect"
import { TestClock } from "effect/testing"
import type { Dice } from "../Dice.ts"
import type { Deed, Kinds } from "../plan.ts"
import { end, want, type Site, type Stage } from "../Stage.ts"

const toSite = (dice: Dice, act: (stage: Stage, site: Site) => Effect.Effect<void>, text = ""): Deed => {
  const second = dice.chance(0.4)
  return { text, does: (stage) => act(stage, stage.sites[second ? stage.sites.length - 1 : 0]!) }
}

/** Somebody starts it again after a while, as a service manager does. */
const gone = (how: "kill" | "stop") => (dice: Dice) => {
  const awayMs = dice.pick([0, 0, 1_000, dice.seconds(1, 60), dice.minutes(1, 15)])
  return toSite(dice, (stage, site) => end(stage, site, how, awayMs), `for ${awayMs / 1000} s`)
}

export const processes: Kinds = {
  kill: gone("kill"),
  stop: gone("stop"),
  "pool number": (dice) => {
    const number = dice.between(0, 3)
    return toSite(dice, (_, site) => want(site, "debian12", number), String(number))
  },
  "clock leaps": (dice) => {
    const ms = dice.pick([dice.minutes(5, 30), dice.minutes(60, 180)])
    return { text: `${ms / 60_000} min`, does: () => TestClock.adjust(ms) }
  }
}
