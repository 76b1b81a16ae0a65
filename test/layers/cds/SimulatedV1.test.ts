/** The V1 side of the client against the simulated API, which tells as violations what the protocol does not allow. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Redacted } from "effect"
import { TestClock } from "effect/testing"
import type { CdsError } from "../../../src/schema/Errors.ts"
import { moving, simulated, withBoth, withV1 } from "./simulated.ts"

const beat = { now: 0, lines: [] }

describe("the client and the simulated V1 API", () => {
  it.effect("carry a job from the event to a worker that has run it", () =>
    Effect.gen(function* () {
      const { api, cds, sightings, startWorker } = yield* simulated(withBoth)
      const [id = ""] = yield* api.enqueueV1({ region: "", requirements: [{ type: "binary", value: "git" }] })
      yield* TestClock.adjust("1 second")
      assert.deepInclude(sightings, { id, region: "", projectKey: "PROJ", source: "event" })
      const { job } = yield* cds.job("", id)
      assert.deepStrictEqual(job.v1?.requirements, [{ name: "git", type: "binary", value: "git" }])
      assert.deepInclude(yield* cds.take("", id), { status: "Scheduling", hatcheryName: "rookery" })
      yield* cds.tell("", id, { _tag: "Starts", workerName: "stoic-keldysh", modelName: "deb" })

      const worker = yield* startWorker({ workerName: "stoic-keldysh", modelName: "deb", jobId: id })
      yield* TestClock.adjust("10 seconds")
      assert.deepInclude((yield* cds.workers)[0], { api: "v1", name: "stoic-keldysh", status: "Building", jobId: id })
      yield* TestClock.adjust("1 minute")
      assert.strictEqual((yield* Fiber.join(worker)).exitCode, 0)
      assert.strictEqual((yield* api.job(id))?.status, "Success")
      assert.deepStrictEqual(yield* api.violations, [])
    })
  )

  it.effect("lose no job when the answer to a booking is lost, cut short or late, and book none twice", () =>
    Effect.gen(function* () {
      const { api, cds } = yield* simulated(withV1)
      const path = "/book"
      const faults = [
        { kind: "lost", path },
        { kind: "dropped", path },
        { kind: "malformed", path },
        { kind: "answer", status: 500, path, times: 2 },
        { kind: "answer", status: 401, path },
        { kind: "slow", ms: 15_000, path }
      ] as const
      for (const fault of faults) {
        const [id = ""] = yield* api.enqueueV1()
        yield* api.fault(fault)
        assert.strictEqual((yield* moving(cds.take("", id))).status, "Scheduling", fault.kind)
        yield* cds.release("", id)
        assert.strictEqual((yield* cds.job("", id)).job.status, "Waiting")
      }
      assert.deepStrictEqual(yield* api.violations, [])
    })
  )

  it.effect("leave a job alone that another hatchery has booked, or that nobody knows", () =>
    Effect.gen(function* () {
      const { api, cds } = yield* simulated(withV1)
      const [id = ""] = yield* api.enqueueV1()
      yield* api.holdTakeLock(id)
      assert.deepInclude((yield* cds.job("", id)).job, { status: "Scheduling", hatcheryName: "other-hatchery" })
      for (const [call, other] of [
        [cds.take("", id), "booked"],
        [cds.take("", "4711"), "unknown"],
        [cds.job("", "4711"), "unknown"]
      ] as const) {
        assert.strictEqual((yield* Effect.flip<unknown, CdsError, never>(call)).kind, "notFound", other)
      }
    })
  )

  it.effect("know a release and a failure as done although their answers are lost", () =>
    Effect.gen(function* () {
      const { api, cds } = yield* simulated(withV1)
      const [id = ""] = yield* api.enqueueV1()
      yield* cds.take("", id)
      yield* api.fault({ kind: "lost", method: "DELETE" })
      yield* moving(cds.release("", id))
      assert.strictEqual((yield* api.job(id))?.status, "Waiting")
      yield* cds.take("", id)
      yield* api.fault({ kind: "lost", path: "/result" })
      yield* moving(cds.fail("", id, "no machine"))
      assert.strictEqual((yield* api.job(id))?.status, "Fail")
      assert.deepStrictEqual(yield* api.violations, [])
    })
  )

  it.effect("end a job that a worker runs, with the reason on the job", () =>
    Effect.gen(function* () {
      const { api, cds, startWorker } = yield* simulated(withV1)
      const [id = ""] = yield* api.enqueueV1({ durationMs: 3_600_000 })
      yield* cds.take("", id)
      yield* startWorker({ workerName: "stoic-keldysh", modelName: "deb", jobId: id })
      yield* TestClock.adjust("10 seconds")
      assert.strictEqual((yield* api.job(id))?.status, "Building")
      yield* cds.fail("", id, "the worker's time is over")
      const ended = yield* api.job(id)
      assert.strictEqual(ended?.status, "Fail")
      assert.include(JSON.stringify(ended?.infos), "the worker's time is over")
      assert.deepStrictEqual(yield* api.violations, [])
    })
  )

  it.effect("see the jobs that came while the socket was away, and jobs whose booking ran out", () =>
    Effect.gen(function* () {
      const { api, cds, ids, sightings } = yield* simulated(withV1)
      for (const how of [1000, 1001, "drop"] as const) {
        yield* TestClock.adjust("40 seconds")
        yield* api.endSockets(how)
        const [id = ""] = yield* api.enqueueV1()
        yield* TestClock.adjust("1 second")
        assert.include(ids(), id)
      }
      const [id = ""] = yield* api.enqueueV1()
      yield* cds.take("", id)
      yield* TestClock.adjust("1 second")
      sightings.length = 0
      yield* TestClock.adjust("46 minutes")
      assert.notInclude(ids(), id)
      yield* TestClock.adjust("2 minutes")
      assert.include(ids(), id)
    })
  )

  it.effect("go on after the session's hour, and when sessions are revoked or the service is deleted", () =>
    Effect.gen(function* () {
      const { api, cds, ids } = yield* simulated(withBoth)
      yield* TestClock.adjust("61 minutes")
      yield* cds.heartbeat(beat)
      yield* api.revokeSessions
      assert.deepStrictEqual(yield* cds.workers, [])
      yield* api.deleteService("rookery")
      yield* cds.heartbeat(beat)
      assert.deepStrictEqual(yield* cds.workers, [])
      const [id = ""] = yield* api.enqueueV1()
      yield* TestClock.adjust("20 seconds")
      assert.include(ids(), id)
      assert.deepStrictEqual(yield* api.violations, [])
    })
  )

  it.effect("ask for the configured region alone where jobs without one are left to others", () =>
    Effect.gen(function* () {
      const { api, ids, region } = yield* simulated(withV1, { region: "north", ignoreJobWithNoRegion: true })
      assert.strictEqual(region, "north")
      const [here = ""] = yield* api.enqueueV1({ region: "north" })
      const [there = ""] = yield* api.enqueueV1({ region: "south" })
      const [anywhere = ""] = yield* api.enqueueV1()
      yield* TestClock.adjust("30 seconds")
      assert.include(ids(), here)
      assert.notInclude(ids(), there)
      assert.notInclude(ids(), anywhere)
    })
  )

  it.effect("register a model by a worker, and count what went wrong before", () =>
    Effect.gen(function* () {
      const { api, cds, startWorker } = yield* simulated(withV1)
      yield* api.addModel({ name: "deb", password: "hunter2" })
      const [model] = (yield* cds.models).models
      assert.deepInclude(model, { name: "deb", group: "shared.infra", image: "debian12", needRegistration: true })
      assert.strictEqual(Redacted.value(yield* cds.modelPassword(model!)), "hunter2")
      yield* cds.bookModel(model!)
      assert.strictEqual((yield* Effect.flip(cds.bookModel(model!))).kind, "refused")
      yield* cds.failModel(model!, "no sign in", "the log's end")
      assert.strictEqual((yield* cds.models).models[0]?.spawnErrors, 1)
      yield* cds.bookModel(model!)
      const names = { workerName: "register-stoic-keldysh", modelName: "shared.infra/deb" }
      yield* startWorker({ ...names, jobId: "", model: model! })
      yield* TestClock.adjust("10 seconds")
      assert.deepInclude((yield* cds.models).models[0], { needRegistration: false, spawnErrors: 0 })
      assert.deepStrictEqual(yield* api.violations, [])
    })
  )

  it.effect("bring a V2 model with its password for a V1 job that names it", () =>
    Effect.gen(function* () {
      const { api, cds } = yield* simulated(withBoth)
      yield* api.addModelAsCode({ path: "PROJ/github/org/repo/deb", branch: "main", password: "hunter2" })
      const model = yield* cds.modelAsCode("PROJ/github/org/repo/deb@main")
      assert.deepInclude(model, { name: "deb", image: "debian12", password: "hunter2" })
      const other = yield* Effect.flip(cds.modelAsCode("PROJ/github/org/repo/deb"))
      assert.strictEqual(other.kind, "notFound")
    })
  )

  it.effect("part in order: the session ends with the signout", () =>
    Effect.gen(function* () {
      const { api, cds } = yield* simulated(withV1)
      const [id = ""] = yield* api.enqueueV1()
      yield* cds.signout
      assert.strictEqual((yield* cds.job("", id)).job.status, "Waiting")
      assert.deepStrictEqual(yield* api.violations, [])
    })
  )
})
