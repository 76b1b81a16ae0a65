/** What goes wrong at CDS: refusals, locks, time-outs, lost answers, lost events, workers disabled by their users. */
import { Effect } from "effect"
import type { Fault, Switches } from "../../../src/layers/simulated/cds/Knobs.ts"
import type { Dice } from "../Dice.ts"
import type { Deed, Kinds } from "../plan.ts"
import { later, type Stage } from "../Stage.ts"
import { troubled } from "./vcenter.ts"

const paths = [
  "/hatchery/take",
  "/v2/queue/",
  "/v2/worker",
  "/hatchery/heartbeat",
  "/info",
  "/result",
  "/signin",
  "/download",
  ""
]

const times = (dice: Dice): number => dice.pick([1, 1, 3, 10, 40])

export const faulty = (fault: Fault): Deed => ({
  text: JSON.stringify(fault),
  does: (stage) => Effect.andThen(troubled(stage, 60_000), stage.cds.fault(fault))
})

const refused = (status: number) => (dice: Dice) =>
  faulty({ kind: "answer", status, path: dice.pick(paths), times: times(dice) })

const spoiled = (kind: "dropped" | "lost" | "malformed") => (dice: Dice) =>
  faulty({ kind, path: dice.pick(paths), times: times(dice) })

/** A switch that stands wrong for a while. */
const switched = (dice: Dice, wrong: Partial<Switches>, right: Partial<Switches>): Deed => {
  const forMs = dice.seconds(10, 400)
  return {
    text: JSON.stringify({ ...wrong, forMs }),
    does: Effect.fnUntraced(function* (stage) {
      yield* troubled(stage, forMs)
      yield* stage.cds.set(wrong)
      yield* later(stage, forMs, stage.cds.set(right))
    })
  }
}

/** Something done to a job, the one at that place of the list when it happens. */
const toJob = (dice: Dice, act: (stage: Stage, id: string) => Effect.Effect<void>): Deed => {
  const where = dice.next()
  return {
    text: `at ${where.toFixed(2)}`,
    does: (stage) => {
      const ids = [...stage.cds.state.jobs.keys()]
      const id = ids[Math.floor(where * ids.length)]
      return id === undefined ? Effect.void : act(stage, id)
    }
  }
}

export const cds: Kinds = {
  "CDS refuses": (dice) => refused(dice.pick([400, 403, 404, 409]))(dice),
  "CDS is broken": (dice) => refused(dice.pick([500, 502, 503]))(dice),
  "CDS forgets the session": refused(401),
  "CDS sessions revoked": () => ({ text: "", does: ({ cds }) => cds.revokeSessions }),
  "CDS is slow": (dice) =>
    faulty({ kind: "slow", ms: dice.pick([500, 9_000, 30_000]), path: dice.pick(paths), times: times(dice) }),
  "CDS drops": spoiled("dropped"),
  "CDS answer lost": spoiled("lost"),
  "CDS answer malformed": spoiled("malformed"),
  "CDS socket ends": (dice) => {
    const how = dice.pick(["drop", 1000, 1001, 1011] as const)
    return { text: String(how), does: ({ cds }) => cds.endSockets(how) }
  },
  "CDS events": (dice) => switched(dice, { eventCopies: dice.pick([0, 3]) }, { eventCopies: 1 }),
  "CDN missing": (dice) => switched(dice, { cdn: false }, { cdn: true }),
  "lists as null": (dice) => switched(dice, { nullLists: true }, { nullLists: false }),
  "job locked": (dice) => toJob(dice, ({ cds }, id) => cds.holdTakeLock(id)),
  "event again": (dice) => toJob(dice, ({ cds }, id) => cds.resendEvent(id)),
  "job stopped": (dice) => toJob(dice, ({ cds }, id) => cds.stop(id)),
  "worker disabled": (dice) => toJob(dice, ({ cds }, id) => cds.disableWorker(cds.state.jobs.get(id)?.workerName ?? ""))
}
