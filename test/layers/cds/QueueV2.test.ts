import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { TestClock } from "effect/testing"
import { Cds } from "../../../src/services/Cds.ts"
import { api, inTurn, moving, noContent, notFound, ok, withSignin } from "./api.ts"
import type { Reply } from "./api.ts"

const id = "6d3c1b9e-0000-4000-8000-000000000001"
const jobPath = `/v2/queue/r1/job/${id}`
const takePath = `${jobPath}/hatchery/take`

const job = (more: object = {}) => ({
  id,
  job_id: "build",
  workflow_run_id: "run",
  project_key: "PRJ",
  workflow_name: "wf",
  run_number: 3,
  status: "Waiting",
  queued: "2026-01-01T00:00:00.123456789Z",
  scheduled: "0001-01-01T00:00:00Z",
  region: "r1",
  model_type: "vsphere",
  model_osarch: "linux/amd64",
  worker_name: "",
  hatchery_name: "",
  steps_status: null,
  job: { "runs-on": "PRJ/vcs/org/repo/deb@refs/heads/main", steps: null },
  initiator: null,
  ...more
})

const taken = job({ status: "Scheduling", hatchery_name: "my-hatch" })

type Api = { -readonly [K in "take" | "read" | "release" | "result" | "info"]?: () => Reply }

/** Answers by what is asked of the job. */
const world = (answers: Api) =>
  api(
    withSignin(({ method, path }) => {
      if (path === jobPath) return answers.read?.() ?? ok({ runjob: job(), model: {} })
      if (path === takePath && method === "POST") return answers.take?.() ?? notFound
      if (path === takePath && method === "DELETE") return answers.release?.() ?? noContent
      return (path.endsWith("/result") ? answers.result?.() : answers.info?.()) ?? noContent
    })
  )

const take = Cds.use((cds) => moving(cds.take("r1", id)))
const refusedTake = Cds.use((cds) => moving(Effect.flip(cds.take("r1", id))))

const readJob = (runjob: unknown, model?: unknown) => {
  const { layer } = world({ read: () => ok({ runjob, model }) })
  return Cds.use((cds) => cds.job("r1", id)).pipe(Effect.provide(layer), Effect.catchTag("ConfigInvalid", Effect.die))
}

describe("reading a job", () => {
  it.effect("tells what a hatchery needs of the job and its model", () =>
    Effect.gen(function* () {
      const model = { name: "deb", type: "vsphere", osarch: "linux/amd64", spec: { image: "debian12", password: "p" } }
      assert.deepStrictEqual(yield* readJob(job(), model), {
        job: {
          id,
          status: "Waiting",
          region: "r1",
          projectKey: "PRJ",
          workflowName: "wf",
          jobName: "build",
          runNumber: 3,
          queuedAt: Date.UTC(2026, 0, 1) + 123,
          modelType: "vsphere",
          osArch: "linux/amd64",
          workerName: "",
          hatcheryName: "",
          runsOn: { model: "PRJ/vcs/org/repo/deb@refs/heads/main", memory: "", flavor: "" },
          hasServices: false
        },
        model: {
          name: "deb",
          type: "vsphere",
          osArch: "linux/amd64",
          image: "debian12",
          flavor: "",
          username: "",
          password: "p"
        }
      })
    })
  )

  it.effect("reads runs-on as an object and services", () =>
    Effect.gen(function* () {
      const inner = { "runs-on": { model: "deb", memory: "", flavor: "big" }, services: { pg: { image: "postgres" } } }
      const found = (yield* readJob(job({ job: inner }))).job
      assert.deepStrictEqual(found.runsOn, { model: "deb", memory: "", flavor: "big" })
      assert.isTrue(found.hasServices)
    })
  )

  it.effect("knows no model where the run carries none, absent, null or empty", () =>
    Effect.gen(function* () {
      for (const model of [undefined, null, { name: "", type: "", osarch: "", spec: null }]) {
        assert.isUndefined((yield* readJob(job(), model)).model)
      }
    })
  )

  it.effect("takes Go's zero time for no time, and null for empty", () =>
    Effect.gen(function* () {
      const found = yield* readJob(job({ queued: "0001-01-01T00:00:00Z", job: null, worker_name: null }))
      assert.deepInclude(found.job, { queuedAt: 0, workerName: "", hasServices: false })
    })
  )

  it.effect("is malformed with an unknown status or a time that is none", () =>
    Effect.gen(function* () {
      for (const wrong of [{ status: "Dreaming" }, { queued: "yesterday" }, { id: "" }]) {
        const error = yield* Effect.flip(readJob(job(wrong)))
        assert.strictEqual(error.kind, "malformed")
        assert.include(error.message, `runjob.${Object.keys(wrong)[0]}`)
      }
    })
  )
})

describe("taking a job", () => {
  it.effect("posts without a body and gives the job as it is now", () => {
    const { layer, calls } = world({ take: () => ok(taken) })
    return Effect.gen(function* () {
      assert.deepInclude(yield* take, { status: "Scheduling", hatcheryName: "my-hatch" })
      assert.lengthOf(calls(takePath), 1)
      assert.isUndefined(calls(takePath)[0]?.body)
      assert.lengthOf(calls(jobPath), 0)
    }).pipe(Effect.provide(layer))
  })

  it.effect("is not found when somebody else has it, without a second look", () => {
    const { layer, calls } = world({})
    return Effect.gen(function* () {
      assert.strictEqual((yield* refusedTake).kind, "notFound")
      assert.lengthOf(calls(takePath), 1)
      assert.lengthOf(calls(jobPath), 0)
    }).pipe(Effect.provide(layer))
  })

  const lost: ReadonlyArray<Reply> = ["cut", { status: 500, body: { id: 1 } }, ok("garbled")]

  it.effect("is ours when the answer was lost and the job shows our name", () =>
    Effect.forEach(lost, (reply) => {
      const { layer } = world({ take: inTurn(reply, notFound), read: () => ok({ runjob: taken }) })
      return Effect.map(take, (found) => assert.strictEqual(found.hatcheryName, "my-hatch")).pipe(Effect.provide(layer))
    })
  )

  it.effect("is not found when the answer was lost and the job shows another name", () => {
    const theirs = job({ status: "Scheduling", hatchery_name: "other" })
    const { layer } = world({ take: inTurn("cut", notFound), read: () => ok({ runjob: theirs }) })
    return Effect.gen(function* () {
      const error = yield* refusedTake
      assert.strictEqual(error.kind, "notFound")
      assert.include(error.message, "other")
    }).pipe(Effect.provide(layer))
  })

  it.effect("waits for a lost take that is still under way", () => {
    const { layer, calls } = world({
      take: inTurn("cut", notFound),
      read: inTurn(ok({ runjob: job() }), ok({ runjob: job() }), ok({ runjob: taken }))
    })
    return Effect.gen(function* () {
      assert.strictEqual((yield* take).hatcheryName, "my-hatch")
      assert.lengthOf(calls(jobPath), 3)
    }).pipe(Effect.provide(layer))
  })

  it.effect("takes again when the lost take has done nothing", () => {
    let takes = 0
    const { layer } = world({
      take: () => (++takes <= 3 ? "cut" : ok(taken)),
      read: () => ok({ runjob: takes <= 3 ? job() : taken })
    })
    return Effect.map(take, ({ status }) => assert.strictEqual(status, "Scheduling")).pipe(Effect.provide(layer))
  })

  it.effect("is ours although the session ended while the answer was lost", () => {
    const { layer } = world({
      take: inTurn("cut", { status: 401, body: { id: 10, message: "not authenticated" } }, notFound),
      read: () => ok({ runjob: taken })
    })
    return Effect.map(take, ({ hatcheryName }) => assert.strictEqual(hatcheryName, "my-hatch")).pipe(
      Effect.provide(layer)
    )
  })

  it.effect("is not found when a worker of ours runs the job already", () => {
    const running = job({ status: "Building", hatchery_name: "my-hatch" })
    const { layer } = world({ take: inTurn("cut", notFound), read: () => ok({ runjob: running }) })
    return Effect.map(refusedTake, ({ kind }) => assert.strictEqual(kind, "notFound")).pipe(Effect.provide(layer))
  })

  it.effect("gives up when the lock of a lost take has long run out and the job still waits", () => {
    const { layer, calls } = world({ take: inTurn("cut", notFound) })
    return Effect.gen(function* () {
      assert.strictEqual((yield* refusedTake).kind, "notFound")
      assert.isAtLeast(calls(jobPath).length, 30)
    }).pipe(Effect.provide(layer))
  })

  it.effect("stays unreachable when the job cannot be read either", () => {
    const { layer } = world({ take: () => "cut", read: () => "cut" })
    return Effect.map(refusedTake, ({ kind }) => assert.strictEqual(kind, "unreachable")).pipe(Effect.provide(layer))
  })
})

const release = Cds.use((cds) => moving(cds.release("r1", id)))
const fail = Cds.use((cds) => moving(cds.fail("r1", id, "no machine")))

const failedRelease = Cds.use((cds) => moving(Effect.flip(cds.release("r1", id))))

describe("ending what was taken", () => {
  const echo: Reply = { status: 400, body: { id: 149, message: "invalid data" } }

  it.effect("releases with DELETE on the take", () => {
    const { layer, calls } = world({})
    return Effect.gen(function* () {
      yield* release
      assert.deepStrictEqual(
        calls(takePath).map(({ method }) => method),
        ["DELETE"]
      )
    }).pipe(Effect.provide(layer))
  })

  it.effect("has released when the answer was lost and the job is no longer ours", () => {
    const { layer } = world({ release: inTurn("cut"), read: () => ok({ runjob: job() }) })
    return Effect.provide(release, layer)
  })

  it.effect("has not released what CDS refuses to release", () => {
    const { layer } = world({ release: () => echo, read: () => ok({ runjob: job() }) })
    return Effect.map(failedRelease, ({ kind }) => assert.strictEqual(kind, "refused")).pipe(Effect.provide(layer))
  })

  it.effect("does not release again unasked when an answer is lost: the job may have a worker by now", () =>
    Effect.forEach(["cut", "silence", { status: 502, body: {} }] as const, (reply) => {
      const { layer, calls } = world({ release: () => reply, read: () => ok({ runjob: taken }) })
      return Effect.gen(function* () {
        assert.strictEqual((yield* failedRelease).kind, "unreachable")
        assert.lengthOf(calls(takePath), 1)
      }).pipe(Effect.provide(layer))
    })
  )

  it.effect("releases again when CDS says that the job is locked, as nothing was done", () => {
    const locked: Reply = { status: 409, body: { id: 148, message: "locked" } }
    const { layer, calls } = world({ release: inTurn(locked, noContent) })
    return Effect.gen(function* () {
      yield* release
      assert.lengthOf(calls(takePath), 2)
    }).pipe(Effect.provide(layer))
  })

  it.effect("fails the job with the reason and the time", () => {
    const { layer, calls } = world({})
    return Effect.gen(function* () {
      yield* TestClock.setTime(Date.UTC(2026, 0, 1))
      yield* fail
      const [call] = calls(`${jobPath}/result`)
      assert.strictEqual(call?.method, "POST")
      assert.deepStrictEqual(call?.body, { status: "Fail", error: "no machine", time: "2026-01-01T00:00:00.000Z" })
    }).pipe(Effect.provide(layer))
  })

  it.effect("has failed the job when the answer was lost and the job is final", () => {
    const { layer } = world({
      result: inTurn("cut", { status: 400, body: { id: 74, message: "terminated" } }),
      read: () => ok({ runjob: job({ status: "Fail" }) })
    })
    return Effect.provide(fail, layer)
  })

  it.effect("has not failed the job when it goes on", () => {
    const { layer } = world({
      result: inTurn("cut", { status: 403, body: { id: 11, message: "forbidden" } }),
      read: () => ok({ runjob: job({ status: "Scheduling", hatchery_name: "other" }) })
    })
    return Cds.use((cds) => moving(Effect.flip(cds.fail("r1", id, "no machine")))).pipe(
      Effect.map(({ kind }) => assert.strictEqual(kind, "refused")),
      Effect.provide(layer)
    )
  })

  it.effect("writes a line for the user", () => {
    const { layer, calls } = world({})
    return Effect.gen(function* () {
      yield* TestClock.setTime(Date.UTC(2026, 0, 1))
      yield* Cds.use((cds) => cds.tell("r1", id, { _tag: "Waits", modelName: "deb", reason: "slow" }))
      assert.deepStrictEqual(calls(`${jobPath}/info`)[0]?.body, {
        level: "info",
        message: 'Hatchery "my-hatch" cannot start a worker yet: slow',
        time: "2026-01-01T00:00:00.000Z"
      })
    }).pipe(Effect.provide(layer))
  })
})
