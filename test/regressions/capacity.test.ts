/** Defects 79 to 83: limits, and what the metrics say. */
import { assert, describe } from "@effect/vitest"
import { Effect, Metric } from "effect"
import * as Metrics from "../../src/services/Metrics.ts"
import {
  callsDuring,
  gauges,
  hatched,
  job,
  order,
  pass,
  regression,
  toCds,
  until,
  whyWaits,
  working,
  type Stand
} from "./support.ts"

const three = { provision: [{ template: "debian12", number: 3 }] }

const done = (stand: Stand, id: string) => until("the job is done", () => job(stand, id).status === "Success")

const value = (metric: Metric.Gauge<number>) => Effect.map(Metric.value(metric), (state) => state.value)

/** The most jobs that were with this hatchery at once, until all are done. */
const mostAtOnce = Effect.fnUntraced(function* (stand: Stand, ids: ReadonlyArray<string>) {
  let most = 0
  yield* until("all are done", () => {
    const ours = ids.filter((id) => ["Scheduling", "Building"].includes(job(stand, id).status)).length
    most = Math.max(most, ours)
    return ids.every((id) => job(stand, id).status === "Success")
  })
  return most
})

describe("capacity and metrics", () => {
  regression(
    "79",
    "limits hold for jobs without a flavor: each counts with the size of its machine",
    Effect.gen(function* () {
      for (const limit of [{ maxCpus: 5 }, { maxMemoryMB: 10_000 }]) {
        const stand = yield* hatched({ settings: { ...three, ...limit } })
        assert.strictEqual(yield* mostAtOnce(stand, yield* stand.cds.enqueue({ count: 4 })), 2)
      }
    })
  )

  regression(
    "81",
    "three jobs in the same moment do not pass a limit of one",
    Effect.gen(function* () {
      for (const limit of [{ maxWorker: 1 }, { maxCpus: 2 }]) {
        const stand = yield* hatched({ settings: { ...three, ...limit } })
        assert.strictEqual(yield* mostAtOnce(stand, yield* stand.cds.enqueue({ count: 3 })), 1)
        assert.strictEqual(toCds(stand, "/hatchery/take").length, 3)
      }
    })
  )

  regression(
    "82",
    "jobs that wait for a place cost vCenter nothing",
    Effect.gen(function* () {
      const stand = yield* hatched({ settings: { maxWorker: 1 } })
      yield* working(stand, yield* order(stand, { durationMs: 20 * 60_000 }))
      yield* pass("3 minutes")
      yield* stand.cds.enqueue({ count: 5 })
      assert.deepStrictEqual(yield* callsDuring(stand, pass("10 minutes")), [])
    })
  )

  regression(
    "83",
    "while vCenter does not answer the metrics do not fall to zero, and ready machines are no workers",
    Effect.gen(function* () {
      const stand = yield* hatched()
      yield* stand.vcenter.inject({ _tag: "Restart", downMs: 10 * 60_000 })
      yield* pass("5 minutes")
      yield* gauges(stand)
      assert.strictEqual(yield* value(Metrics.machines), 2)
      assert.strictEqual(yield* value(Metrics.provisionReady), 2)
      assert.strictEqual(yield* value(Metrics.workers.Pending), 0)
      assert.strictEqual(yield* value(Metrics.frozen), 1)
      yield* pass("10 minutes")
      yield* gauges(stand)
      assert.strictEqual(yield* value(Metrics.frozen), 0)
    })
  )

  regression(
    "O1",
    "a default flavor that nobody defined is a reason on the job, and the process goes on",
    Effect.gen(function* () {
      const stand = yield* hatched({ settings: { defaultFlavor: "nowhere" } })
      const id = yield* order(stand)
      yield* pass("1 minute")
      assert.match(yield* whyWaits(stand, id), /flavor "nowhere"/)
      yield* pass("2 minutes")
      assert.strictEqual(job(stand, id).status, "Waiting")
    })
  )

  regression(
    "O1",
    "the default flavor is the size of a job that names none",
    Effect.gen(function* () {
      const flavors = [
        { name: "small", cpus: 1, memoryMB: 2048 },
        { name: "large", cpus: 8, memoryMB: 16_384 }
      ]
      const stand = yield* hatched({ settings: { flavors, defaultFlavor: "large" } })
      const { cpus } = yield* working(stand, yield* order(stand))
      assert.strictEqual(cpus, 8)
      const small = yield* order(stand, { flavor: "small" })
      assert.strictEqual((yield* working(stand, small)).cpus, 1)
      yield* done(stand, small)
    })
  )
})
