/** Jobs of both kinds from their queueing to their end: Rookery between the real CDS, with its real worker, and VMware's simulator. */
import { assert, it } from "@effect/vitest"
import { Effect } from "effect"
import * as Vcenter from "../harness/Vcenter.ts"
import type { Job } from "./Job.ts"
import * as RealStand from "./RealStand.ts"
import { keep, record } from "./Recording.ts"
import { replay } from "./Replay.ts"
import { realCds, shared } from "./suite.ts"

const minutes = (count: number) => count * 60_000

/** Samples how many machines of ours there are, templates left out, until the scope's end. */
const counted = (stand: RealStand.RealStand) =>
  Effect.gen(function* () {
    const machines = { most: 0 }
    const look = Effect.map(RealStand.ours(stand), ({ length }) => {
      machines.most = Math.max(machines.most, length)
    })
    yield* Effect.forkScoped(Effect.forever(Effect.andThen(look, Effect.sleep(50))))
    return machines as { readonly most: number }
  })

/** The V1 model is registered, and its template stands. */
const registered = ({ cds, vcenter }: RealStand.RealStand, name: string) =>
  Effect.gen(function* () {
    while ((yield* cds.modelV1(name)).need_registration) yield* Effect.sleep(200)
    const template = (yield* vcenter.inventory).find((one) => one.template && one.name === name)
    assert.isDefined(template, `no template ${name}`)
    return yield* cds.modelV1(name)
  })

const recorded = ({ cds, tap }: RealStand.RealStand) =>
  record({ name: cds.hatchery, region: cds.region, groups: [cds.group] }, tap.exchanges)

realCds("Rookery at the real CDS", () => {
  const started = shared(RealStand.start)

  it.live(
    "hatches a machine, serves a V2 job from it with the worker that the API hands out, reaps it and refills the pool",
    () =>
      Effect.gen(function* () {
        const stand = yield* started
        yield* stand.hatchery()
        const [ready] = yield* stand.pool(1)
        const earlier = stand.tap.exchanges.length
        const job = yield* stand.cds.runV2Job({ script: "echo from $(hostname), $((1000 + 1))" })
        yield* RealStand.succeeds(stand, job)
        yield* job.printed(`from ${ready?.name}, 1001`)
        const passed = stand.tap.exchanges
          .slice(earlier)
          .map(({ method, path, status }) => `${method} ${path} ${status}`)
        const of = `/v2/queue/${stand.cds.region}/job/${job.id}`
        for (const expected of [
          `POST ${of}/hatchery/take 200`,
          "GET /download/worker/linux/amd64 200",
          `POST ${of}/worker/signin 200`,
          `POST ${of}/worker/take 200`
        ])
          assert.deepStrictEqual(
            passed.filter((one) => one === expected),
            [expected]
          )
        const [next] = yield* RealStand.nothingLeft(stand, 1)
        assert.notStrictEqual(next?.ref, ready?.ref)
      }).pipe(Effect.scoped),
    minutes(4)
  )

  it.live(
    "serves a V1 job that names a model",
    () =>
      Effect.gen(function* () {
        const stand = yield* started
        yield* stand.hatchery()
        const [ready] = yield* stand.pool(1)
        const job = yield* stand.cds.runV1Job({
          script: "echo from $(hostname), $((1000 + 2))",
          requirements: [{ model: `${stand.cds.pathOf("debian")}@master` }]
        })
        yield* RealStand.succeeds(stand, job)
        yield* job.printed(`from ${ready?.name}, 1002`)
        yield* RealStand.nothingLeft(stand, 1)
      }).pipe(Effect.scoped),
    minutes(4)
  )

  it.live(
    "serves a V1 job that asks for a binary, by a default V2 model",
    () =>
      Effect.gen(function* () {
        const stand = yield* started
        yield* stand.hatchery({ defaultModels: { [`${stand.cds.pathOf("debian")}@master`]: ["bash"] } })
        const [ready] = yield* stand.pool(1)
        const job = yield* stand.cds.runV1Job({
          script: "echo from $(hostname), $((1000 + 3))",
          requirements: [{ binary: "bash" }]
        })
        yield* RealStand.succeeds(stand, job)
        yield* job.printed(`from ${ready?.name}, 1003`)
        yield* RealStand.nothingLeft(stand, 1)
      }).pipe(Effect.scoped),
    minutes(4)
  )

  it.live(
    "builds the template of a V1 model, has a worker register it, and serves a job from it",
    () =>
      Effect.gen(function* () {
        const stand = yield* started
        yield* stand.cds.addModelV1({ name: "debian-v1", image: "debian12", ...Vcenter.guestAccount })
        yield* stand.hatchery({ number: 0, times: { registerFrequency: "1s" } })
        const { nb_spawn_err, registered_capabilities } = yield* registered(stand, "debian-v1")
        assert.strictEqual(nb_spawn_err, 0)
        const capabilities = (registered_capabilities ?? []).map(({ type, value }) => `${type} ${value}`)
        assert.include(capabilities, "binary git")
        const job = yield* stand.cds.runV1Job({
          script: "echo $((1000 + 4))",
          requirements: [{ model: `${stand.cds.group}/debian-v1` }]
        })
        yield* RealStand.succeeds(stand, job)
        yield* job.printed("1004")
        yield* RealStand.nothingLeft(stand, 0)
      }).pipe(Effect.scoped),
    minutes(4)
  )

  it.live(
    "hears from the real API what the simulated one says, in status and shape",
    () =>
      Effect.gen(function* () {
        const recording = recorded(yield* started)
        assert.isNotEmpty(recording.story)
        if (process.env["ROOKERY_RECORD"] !== undefined) keep(recording)
        assert.deepStrictEqual(yield* replay(recording), [])
      }),
    minutes(2)
  )

  it.live(
    "serves ten jobs at once with room for three, each once, and never has more than three machines",
    () =>
      Effect.gen(function* () {
        const stand = yield* started
        yield* stand.hatchery({ number: 0, maxWorker: 3 })
        yield* stand.pool(0)
        const earlier = stand.tap.exchanges.length
        const machines = yield* counted(stand)
        const orders = Array.from({ length: 10 }, (_, index) => ({ script: `sleep 2; echo job $((2000 + ${index}))` }))
        const jobs = yield* stand.cds.runV2Jobs(orders)
        const serve = (job: Job, index: number) =>
          Effect.andThen(RealStand.succeeds(stand, job, minutes(5)), job.printed(`job ${2000 + index}`))
        yield* Effect.forEach(jobs, serve, { concurrency: "unbounded" })
        assert.strictEqual(machines.most, 3)
        const workers = stand.tap.exchanges
          .slice(earlier)
          .flatMap(({ path, status }) =>
            status === 200 ? (/\/job\/([\w-]+)\/worker\/take$/.exec(path)?.[1] ?? []) : []
          )
        assert.deepStrictEqual(workers.toSorted(), jobs.map(({ id }) => id).toSorted())
        yield* RealStand.nothingLeft(stand, 0)
        assert.deepStrictEqual(yield* replay(recorded(stand)), [])
      }).pipe(Effect.scoped),
    minutes(7)
  )
})
