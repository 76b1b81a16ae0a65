/** Other people at vCenter: what they do to our machines, and to their own. */
import { Clock, Effect } from "effect"
import type { OtherPeople } from "../../../src/layers/simulated/vcenter/OtherPeople.ts"
import type { Dice } from "../Dice.ts"
import type { Deed, Kinds } from "../plan.ts"
import { rememberForeign } from "../Stage.ts"

type Act = (others: OtherPeople, machine: string) => boolean

/** vCenter refuses people too: a name that is taken, a machine that is on. */
export const attempted = (act: () => boolean): boolean => {
  try {
    return act()
  } catch {
    return false
  }
}

/** Done to one of all machines that are no templates, the one at that place when it happens. */
const to = (dice: Dice, act: Act, more = ""): Deed => {
  const where = dice.next()
  return {
    text: `${more} at ${where.toFixed(2)}`.trim(),
    does: (stage) =>
      Effect.map(Clock.currentTimeMillis, (now) => {
        const all = stage.vcenter.machines().filter(({ template, configured }) => !template && configured)
        const ref = all[Math.floor(where * all.length)]?.ref.value
        if (ref === undefined) return
        if (!attempted(() => act(stage.vcenter.others, ref))) return
        stage.meddled.set(ref, now)
        rememberForeign(stage)
      })
  }
}

const renamed = (dice: Dice): Deed => {
  const name = `renamed-${dice.between(100, 999)}`
  return to(dice, (others, machine) => others.rename(machine, name), name)
}

const annotated = (dice: Dice): Deed => {
  const text = dice.pick([
    "",
    "do not touch",
    "{",
    `{"hatchery_name":"cousin","worker_name":"x"}`,
    `{"hatchery_name":"rookery"}`
  ])
  return to(dice, (others, machine) => others.annotate(machine, text), text)
}

export const people: Kinds = {
  "somebody powers off": (dice) => to(dice, (others, machine) => others.powerOff(machine)),
  "somebody powers on": (dice) => to(dice, (others, machine) => others.powerOn(machine)),
  "somebody destroys": (dice) => to(dice, (others, machine) => others.destroy(machine)),
  "somebody renames": renamed,
  "somebody annotates": annotated,
  "somebody disturbs": (dice) => to(dice, (others, machine) => others.disturb(machine))
}
