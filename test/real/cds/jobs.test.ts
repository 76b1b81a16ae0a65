/** Jobs of both kinds from their queueing to their end: Rookery between the real CDS, with its real worker, and VMware's simulator. */
import { assert, it } from "@effect/vitest"
import { Effect } from "effect"
import * as RealStand from "./RealStand.ts"
import { realCds, shared } from "./suite.ts"

const minutes = (count: number) => count * 60_000

realCds("Rookery at the real CDS", () => {
  const started = shared(RealStand.start)

  it.live(
    "hatches a machine, serves a V2 job from it with the worker that the API hands out, reaps it and refills the pool",
    () =>
      Effect.gen(function* () {
        const stand = yield* started
        yield* stand.hatchery()
        const [ready] = yield* stand.pool(1)
        yield* stand.tap.forget
        const job = yield* stand.cds.runV2Job({ script: "echo from $(hostname), $((1000 + 1))" })
        assert.include(yield* RealStand.succeeds(stand, job), `from ${ready?.name}, 1001`)
        const passed = stand.tap.exchanges.map(({ method, path, status }) => `${method} ${path} ${status}`)
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
        assert.include(yield* RealStand.succeeds(stand, job), `from ${ready?.name}, 1002`)
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
        assert.include(yield* RealStand.succeeds(stand, job), `from ${ready?.name}, 1003`)
        yield* RealStand.nothingLeft(stand, 1)
      }).pipe(Effect.scoped),
    minutes(4)
  )
})
