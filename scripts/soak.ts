/**
 * `npm run soak -- [--days D] [--jobs N]`: a simulated time of so many days with so many jobs, evenly spread, on the whole hatchery in this
 * process; by default a week and 100,000 jobs. The heap after collection is taken after a day and at the end: it has to stay within 10 %.
 *
 * The simulated API forgets jobs that are over for an hour, and the test's record of calls is emptied, as otherwise their memory would be what
 * is measured.
 */
import { setFlagsFromString } from "node:v8"
import { runInNewContext } from "node:vm"
import { parseArgs } from "node:util"
import { Effect } from "effect"
import { TestClock } from "effect/testing"
import { isFinal } from "../src/schema/Job.ts"
import { makeWorld, name, seeded, start, type World } from "../test/support/world.ts"

const { values } = parseArgs({
  options: { days: { type: "string", default: "7" }, jobs: { type: "string", default: "100000" } }
})
const days = Number(values.days)
const jobs = Number(values.jobs)
const minutes = days * 24 * 60
const hour = 3_600_000

setFlagsFromString("--expose-gc")
const collect = runInNewContext("gc") as () => void

/** Bytes in use after collection. */
const heap = (): number => {
  collect()
  collect()
  return process.memoryUsage().heapUsed
}

const megabytes = (bytes: number): string => `${(bytes / 1_048_576).toFixed(1)} MB`

interface Tally {
  done: number
  failed: number
  most: number
}

/** Counts the jobs that are over, and forgets those that have been for an hour. */
const forget = (world: World, tally: Tally, now: number): void => {
  const { jobs: known } = world.cds.state
  for (const [id, job] of known) {
    const last = job.history.at(-1)
    if (!isFinal(job.status) || last === undefined || now - last.at < hour) continue
    tally[job.status === "Success" ? "done" : "failed"]++
    known.delete(id)
  }
}

const soak = Effect.gen(function* () {
  const world = yield* makeWorld({
    seed: "soak",
    settings: {
      provision: [{ template: "debian12", number: 12 }],
      poolSize: 4,
      maxWorker: 60,
      maxConcurrentProvisioning: 20
    }
  })
  const { calls } = yield* start(world)
  yield* TestClock.adjust("10 minutes")
  const tally: Tally = { done: 0, failed: 0, most: 0 }
  let queued = 0
  let afterDay = 0
  for (let minute = 1; minute <= minutes; minute++) {
    const due = Math.floor((jobs * minute) / minutes) - queued
    queued += due
    if (due > 0) yield* world.cds.enqueue({ count: due, durationMs: 60_000 })
    yield* TestClock.adjust("1 minute")
    tally.most = Math.max(tally.most, world.vcenter.owned(name).length)
    if (minute % 60 !== 0) continue
    forget(world, tally, minute * 60_000)
    calls.length = 0
    if (minute === 24 * 60) afterDay = heap()
    if (minute % 720 === 0)
      console.log(`hour ${minute / 60}: ${tally.done} done, ${tally.failed} failed, ${megabytes(heap())}`)
  }
  yield* TestClock.adjust("3 hours")
  forget(world, tally, (minutes + 180) * 60_000)
  const atEnd = heap()
  const growth = afterDay === 0 ? 0 : atEnd / afterDay - 1
  console.log(
    JSON.stringify({
      jobs: { queued, done: tally.done, failed: tally.failed, left: world.cds.state.jobs.size },
      machines: { created: world.vcenter.summary().created, most: tally.most, left: world.vcenter.owned(name).length },
      violations: (yield* world.cds.violations).length,
      heap: { afterDay, atEnd, growth: Number(growth.toFixed(4)) }
    })
  )
  return tally.done === jobs && growth <= 0.1
}).pipe(seeded("soak"), Effect.scoped, Effect.provide(TestClock.layer()))

process.exitCode = (await Effect.runPromise(soak)) ? 0 : 1
