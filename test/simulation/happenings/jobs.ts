/** Work: jobs of all sorts, with workers of all sorts. */
import { Effect } from "effect"
import type { Behaviour } from "../../../src/layers/simulated/cds/SimWorker.ts"
import type { JobOrder } from "../../../src/layers/simulated/cds/Order.ts"
import type { Dice } from "../Dice.ts"
import type { Deed, Kinds } from "../plan.ts"

/** Puts jobs into the queue; the first tries of each get these workers. Some go to the second hatchery, where there is one. */
const enqueue = (dice: Dice, order: JobOrder, workers: ReadonlyArray<Behaviour> = []): Deed => {
  const elsewhere = dice.chance(0.4)
  const image = dice.chance(0.15) ? { image: "alma9" } : {}
  const flavor = dice.chance(0.15) ? { flavor: "large" } : {}
  const whole: JobOrder = {
    count: dice.pick([1, 1, 1, 2, 4]),
    durationMs: dice.seconds(1, 240),
    ...order,
    ...image,
    ...flavor
  }
  return {
    text: JSON.stringify({ ...whole, workers }),
    does: Effect.fnUntraced(function* ({ cds, sites, behaviours }) {
      const site = sites[elsewhere ? sites.length - 1 : 0]!
      const ids = yield* cds.enqueue({ ...whole, region: site.region })
      for (const id of ids) behaviours.set(id, [...workers])
    })
  }
}

/** So many tries have this worker. */
const tries = (dice: Dice, worker: Behaviour): ReadonlyArray<Behaviour> =>
  Array.from({ length: dice.pick([1, 1, 2, 6]) }, () => worker)

const plain = (dice: Dice): Deed => enqueue(dice, { outcome: dice.chance(0.15) ? "Fail" : "Success" })

/** Plain jobs are written several times: they come more often. */
export const jobs: Kinds = {
  job: plain,
  "another job": plain,
  "one more job": plain,
  "job that is stopped": (dice) =>
    enqueue(dice, {
      cancel: {
        on: dice.pick(["Waiting", "Scheduling", "Building"]),
        afterMs: dice.pick([0, 5, 50, 1_000, 10_000, 30_000])
      }
    }),
  "job longer than the TTL": (dice) => enqueue(dice, { count: 1, durationMs: dice.minutes(25, 40) }),
  "worker never signs in": (dice) => enqueue(dice, { count: 1 }, tries(dice, { neverRegisters: true })),
  "worker signs in late": (dice) => enqueue(dice, { count: 1 }, tries(dice, { startMs: dice.seconds(30, 720) })),
  "worker dies": (dice) =>
    enqueue(dice, { count: 1, durationMs: 120_000 }, tries(dice, { diesAfterMs: dice.seconds(1, 100) })),
  "worker hangs": (dice) =>
    enqueue(dice, { count: 1, durationMs: 120_000 }, tries(dice, { hangsAfterMs: dice.seconds(1, 100) })),
  "job of another sort": (dice) =>
    enqueue(
      dice,
      dice.pick<JobOrder>([{ memory: "8192" }, { image: "windows" }, { flavor: "unknown" }, { osArch: "linux/arm64" }])
    )
}
