/**
 * The hatchery process killed again and again at random moments while jobs come in, judged from outside alone: by CDS's own books and by
 * the inventory of VMware's simulator. ROOKERY_SEED replays the moments, ROOKERY_JOBS and ROOKERY_KILLS make it shorter or longer.
 */
import { assert, it } from "@effect/vitest"
import { Clock, Console, Effect, Random } from "effect"
import type * as Cds from "./harness/Cds.ts"
import * as Go from "./harness/Go.ts"
import { HarnessError } from "./harness/HarnessError.ts"
import type * as Process from "./harness/Process.ts"
import { real } from "./harness/real.ts"
import * as Stand from "./harness/Stand.ts"

const jobs = Number(process.env["ROOKERY_JOBS"] ?? 200)
const kills = Number(process.env["ROOKERY_KILLS"] ?? 50)

const ipRange = "10.0.0.0/27"

/** The life of one process: what comes in meanwhile, and when it ends, in milliseconds from its start. */
interface Life {
  readonly endsAt: number
  readonly orders: ReadonlyArray<{ readonly at: number; readonly durationMs: number }>
}

/** From before the process is up to long after a job's end. */
const planned: Effect.Effect<ReadonlyArray<Life>> = Effect.forEach(Array.from({ length: kills }), (_, life) =>
  Effect.gen(function* () {
    const endsAt = yield* Random.nextIntBetween(200, 7000)
    const count = Math.floor(((life + 1) * jobs) / kills) - Math.floor((life * jobs) / kills)
    const order = Effect.all({ at: Random.nextIntBetween(0, endsAt), durationMs: Random.nextIntBetween(100, 3000) })
    const orders = yield* Effect.forEach(Array.from({ length: count }), () => order)
    return { endsAt, orders }
  })
)

/** The jobs whose workers signed in, as they passed. */
const signedIn = ({ taps }: Stand.Stand): ReadonlyArray<string> =>
  taps.cds.exchanges.flatMap(({ path }) => /\/job\/([\w-]+)\/worker\/signin$/.exec(path)?.[1] ?? [])

/** Lives one life, and answers for which jobs workers signed in in it. */
const live = Effect.fnUntraced(function* (stand: Stand.Stand, { endsAt, orders }: Life) {
  const hatchery = yield* stand.hatchery
  const ordering = Effect.forEach(orders, ({ at, durationMs }) => Effect.delay(stand.cds.enqueue({ durationMs }), at), {
    concurrency: "unbounded",
    discard: true
  })
  const killing = Effect.delay(hatchery.kill("SIGKILL"), endsAt)
  yield* Effect.all([ordering, killing], { concurrency: "unbounded" })
  assert.deepStrictEqual(yield* hatchery.exit, { code: null, signal: "SIGKILL" }, hatchery.lines.join("\n"))
  const served = signedIn(stand)
  yield* stand.taps.vcenter.forget
  yield* stand.taps.cds.forget
  return served
}, Effect.scoped)

const lastWords = ({ lines }: Process.Running): string => lines.slice(-20).join("\n")

const isFinal = ({ status }: Cds.Job) => ["Success", "Fail", "Stopped", "Cancelled", "Skipped"].includes(status)

/** Looks until nothing is left. Fails when it has not become less for three minutes: a slow computer takes its time, but gets on. */
const emptied = <A>(
  look: Effect.Effect<ReadonlyArray<A>, HarnessError>,
  what: string,
  hatchery: Process.Running
): Effect.Effect<void, HarnessError> =>
  Effect.gen(function* () {
    let fewest = Number.POSITIVE_INFINITY
    let since = yield* Clock.currentTimeMillis
    while (true) {
      const left = yield* look
      if (left.length === 0) return
      const now = yield* Clock.currentTimeMillis
      if (left.length < fewest) {
        fewest = left.length
        since = now
      } else if (now - since > 3 * 60_000) {
        const some = JSON.stringify(left.slice(0, 5), undefined, 1)
        const words = `${left.length} ${what} do not become fewer: ${some}\n${lastWords(hatchery)}`
        return yield* new HarnessError({ message: words })
      }
      yield* Effect.sleep(250)
    }
  })

const allFinal = (stand: Stand.Stand, hatchery: Process.Running) => {
  const open = Effect.map(stand.cds.jobs, (all) => all.filter((job) => !isFinal(job)))
  return Effect.andThen(emptied(open, "open jobs", hatchery), stand.cds.jobs)
}

const nothingOfOurs = (stand: Stand.Stand, hatchery: Process.Running) =>
  emptied(Effect.map(stand.session.machines, Stand.owned), "machines", hatchery)

/** The pool, however slow the computer is. */
const full = (stand: Stand.Stand, hatchery: Process.Running) =>
  Effect.mapError(
    stand.pool(5 * 60_000),
    ({ message }) => new HarnessError({ message: `${message}\n${lastWords(hatchery)}` })
  )

/** How a job ended, by its last status and what brought it there. */
const endOf = ({ status, history }: Cds.Job): string => `${status}, ${history.at(-1)?.why}`

/** The ways in which CDS itself ends a job that found no hatchery in order. */
const cdsEnds = ["Fail, too many releases", "Fail, waiting timeout"]

const tally = (words: ReadonlyArray<string>): Readonly<Record<string, number>> =>
  Object.fromEntries([...new Set(words)].map((word) => [word, words.filter((other) => other === word).length]))

real("the hatchery killed at random", Go.goMissing(), () => {
  it.live(
    `serves ${jobs} jobs through ${kills} kills, none twice, and leaves nothing behind`,
    () =>
      Effect.gen(function* () {
        const seed = process.env["ROOKERY_SEED"] ?? String(yield* Clock.currentTimeMillis)
        yield* Console.log(`ROOKERY_SEED=${seed}`)
        const start = yield* Clock.currentTimeMillis
        const stand = yield* Stand.start({
          vcenter: ["-tasks-kept", "1m"],
          cds: ["--time-scale", "0.1"],
          configuration: {
            number: 6,
            poolSize: 4,
            maxWorker: 10,
            ipRange,
            times: { workerRegistrationTTL: "20s", taskTimeout: "20s", shutdownTimeout: "10s" }
          }
        })
        const before = yield* stand.vcenter.inventory
        const lives = yield* Effect.forEach(yield* Random.withSeed(planned, seed), (life) => live(stand, life))

        const ended = yield* Effect.scoped(
          Effect.gen(function* () {
            const hatchery = yield* stand.hatchery
            const all = yield* allFinal(stand, hatchery)
            yield* full(stand, hatchery)
            return all
          })
        )
        yield* nothingOfOurs(stand, yield* stand.hatcheryWith({ number: 0 }))

        const { CloneVM_Task: clones } = yield* stand.vcenter.counters
        const minutes = ((yield* Clock.currentTimeMillis) - start) / 60_000
        yield* Console.log(
          `${kills} kills, ${ended.length} jobs (${JSON.stringify(tally(ended.map(endOf)))}), ` +
            `${ended.reduce((sum, { releases }) => sum + releases, 0)} releases, ` +
            `${(clones?.count ?? 0) - (clones?.faults ?? 0)} clones asked for, ${minutes.toFixed(1)} minutes`
        )
        assert.strictEqual(ended.length, jobs)
        for (const job of ended) {
          assert.include(["Success, worker result", ...cdsEnds], endOf(job), JSON.stringify(job))
          const runs = job.history.filter(({ status }) => status === "Building").length
          assert.strictEqual(runs, job.status === "Success" ? 1 : 0, JSON.stringify(job))
        }
        const served = [...lives.flat(), ...signedIn(stand)]
        assert.deepStrictEqual(
          served.filter((job, index) => served.indexOf(job) !== index),
          [],
          "had two workers"
        )
        assert.deepStrictEqual((yield* stand.cds.state).violations, [])
        assert.deepStrictEqual([...stand.doubles], [])
        assert.deepStrictEqual(Stand.foreign(yield* stand.vcenter.inventory), Stand.foreign(before))
        // Last, as a slow computer may miss these two, and the promises above are to be known all the same.
        assert.isAtLeast(served.length, jobs * 0.9)
        assert.isAbove(ended.filter(({ status }) => status === "Success").length, jobs * 0.9)
      }).pipe(Effect.scoped),
    30 * 60_000
  )
})
