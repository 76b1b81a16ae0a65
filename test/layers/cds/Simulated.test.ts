/** The client against the simulated API, which checks what it is sent and tells as violations what the protocol does not allow. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber } from "effect"
import { TestClock } from "effect/testing"
import { moving, simulated, withV2 } from "./simulated.ts"

describe("the client and the simulated API", () => {
  it.effect("carry a job from the event to a worker that has run it", () =>
    Effect.gen(function* () {
      const { api, cds, region, sightings, startWorker } = yield* simulated(withV2)
      const [id = ""] = yield* api.enqueue({ image: "debian12", flavor: "big" })
      yield* TestClock.adjust("1 second")
      assert.deepInclude(sightings, { id, region, projectKey: "PROJ", source: "event" })
      const { job, model } = yield* cds.job(region, id)
      assert.strictEqual(job.runsOn.flavor, "big")
      assert.strictEqual(model?.image, "debian12")
      assert.strictEqual((yield* moving(cds.take(region, id))).status, "Scheduling")
      yield* cds.tell(region, id, { _tag: "Starts", workerName: "w", modelName: "deb" })

      const worker = yield* startWorker({ workerName: "stoic-keldysh", modelName: model?.name ?? "", jobId: id })
      yield* TestClock.adjust("10 seconds")
      assert.deepInclude((yield* cds.workers)[0], { name: "stoic-keldysh", status: "Building", jobId: id })
      yield* TestClock.adjust("1 minute")
      assert.strictEqual((yield* Fiber.join(worker)).exitCode, 0)
      assert.strictEqual((yield* cds.job(region, id)).job.status, "Success")
      assert.deepStrictEqual(yield* api.violations, [])
    })
  )

  it.effect("lose no job when the answer to a take is lost, cut short or late", () =>
    Effect.gen(function* () {
      const { api, cds, region } = yield* simulated(withV2)
      const path = "/hatchery/take"
      const faults = [
        { kind: "lost", path },
        { kind: "dropped", path },
        { kind: "malformed", path },
        { kind: "answer", status: 500, path, times: 2 },
        { kind: "slow", ms: 15_000, path }
      ] as const
      for (const fault of faults) {
        const [id = ""] = yield* api.enqueue()
        yield* api.fault(fault)
        assert.strictEqual((yield* moving(cds.take(region, id))).status, "Scheduling")
        yield* cds.release(region, id)
      }
      assert.deepStrictEqual(yield* api.violations, [])
    })
  )

  it.effect("know a release and a failure as done although their answers are lost", () =>
    Effect.gen(function* () {
      const { api, cds, region } = yield* simulated(withV2)
      const [id = ""] = yield* api.enqueue()
      yield* moving(cds.take(region, id))
      yield* api.fault({ kind: "lost", method: "DELETE" })
      yield* moving(cds.release(region, id))
      assert.deepInclude(yield* api.job(id), { status: "Waiting", releases: 1 })
      yield* moving(cds.take(region, id))
      yield* api.fault({ kind: "lost", path: "/result" })
      yield* moving(cds.fail(region, id, "no machine"))
      assert.strictEqual((yield* api.job(id))?.status, "Fail")
      assert.deepStrictEqual(yield* api.violations, [])
    })
  )

  it.effect("see the jobs that came while the socket was away", () =>
    Effect.gen(function* () {
      const { api, ids } = yield* simulated(withV2)
      for (const how of [1000, 1001, "drop"] as const) {
        yield* TestClock.adjust("40 seconds")
        yield* api.endSockets(how)
        const [id = ""] = yield* api.enqueue()
        yield* TestClock.adjust("1 second")
        assert.include(ids(), id)
      }
    })
  )

  it.effect("go on when all sessions are revoked and the region has changed", () =>
    Effect.gen(function* () {
      const { api, cds, ids } = yield* simulated(withV2)
      yield* api.moveHatchery("rookery", "elsewhere")
      yield* api.revokeSessions
      assert.deepStrictEqual(yield* cds.workers, [])
      assert.strictEqual(yield* cds.region, "elsewhere")
      const [id = ""] = yield* api.enqueue({ region: "elsewhere" })
      yield* TestClock.adjust("20 seconds")
      assert.include(ids(), id)
      assert.deepStrictEqual(yield* api.violations, [])
    })
  )
})
