import { assert, it } from "@effect/vitest"
import { Effect } from "effect"
import { TestClock } from "effect/testing"
import { apiKeys, call, hatchery, oneJob, signin, simulated, takeAtOnce, worker, workerToken } from "./caller.ts"

/** An API with one job that a hatchery has taken. */
const taken = Effect.gen(function* () {
  const api = yield* simulated()
  const it = yield* hatchery(api)
  const id = yield* oneJob(api)
  yield* takeAtOnce(it.take(id))
  return { api, it, id }
})

it.effect("A worker signs in, takes its job, beats, posts the result and signs out", () =>
  Effect.gen(function* () {
    const { api, it, id } = yield* taken
    const w = yield* worker(api, id)
    assert.deepInclude(w.signed.body, { name: "stoic-heron", status: "Waiting", run_job_id: id, model_name: "debian" })
    assert.strictEqual((yield* w.take).status, 200)
    assert.deepInclude((yield* it.call("GET", "/v2/worker")).body[0], { name: "stoic-heron", status: "Building" })
    assert.strictEqual((yield* w.refresh).status, 204)
    assert.strictEqual((yield* w.result("Success")).status, 204)
    assert.strictEqual((yield* w.signout).status, 204)
    assert.strictEqual((yield* w.refresh).status, 401)
    const job = yield* api.job(id)
    assert.deepStrictEqual(
      job?.history.map(({ status, worker }) => [status, worker]),
      [
        ["Waiting", ""],
        ["Scheduling", ""],
        ["Building", "stoic-heron"],
        ["Success", "stoic-heron"]
      ]
    )
    assert.deepStrictEqual(yield* api.violations, [])
  })
)

it.effect("A disabled worker is seen until the next pass, at most ten seconds", () =>
  Effect.gen(function* () {
    const { api, it, id } = yield* taken
    yield* worker(api, id)
    yield* api.disableWorker("stoic-heron")
    assert.strictEqual((yield* it.call("GET", "/v2/worker")).body[0].status, "Disabled")
    yield* TestClock.adjust("10 seconds")
    assert.strictEqual((yield* it.call("GET", "/v2/worker")).text, "null")
  })
)

it.effect("A worker token is 401 when another key signed it, when it has expired, and when it is not RS", () =>
  Effect.gen(function* () {
    const { api, id } = yield* taken
    const url = `/v2/queue/default/job/${id}/worker/signin`
    const signin = (token: string) => Effect.map(call(api, "POST", url, token, {}), ({ status }) => status)
    assert.strictEqual(yield* signin(workerToken(id, "w", 0, "RS512", apiKeys.privateKey)), 401)
    assert.strictEqual(yield* signin(workerToken(id, "w", -3_600_000)), 401)
    assert.strictEqual(yield* signin(workerToken(id, "w", 0, "PS512")), 401)
    assert.strictEqual(yield* signin("nonsense"), 401)
    assert.strictEqual(yield* signin(workerToken(id, "w", 0)), 200)
  })
)

it.effect("A worker is 403 for a job that is not Scheduling or not the one of its token", () =>
  Effect.gen(function* () {
    const { api, it, id } = yield* taken
    const other = yield* oneJob(api)
    assert.strictEqual((yield* worker(api, other)).signed.status, 403)
    yield* takeAtOnce(it.take(other))
    const url = `/v2/queue/default/job/${other}/worker/signin`
    assert.strictEqual((yield* call(api, "POST", url, workerToken(id, "w", 0), {})).status, 403)
  })
)

it.effect("A worker's session is 403 on a hatchery's routes, and a hatchery's on a worker's", () =>
  Effect.gen(function* () {
    const { api, it, id } = yield* taken
    const { signed } = yield* worker(api, id)
    assert.strictEqual((yield* call(api, "GET", "/v2/worker", signed.headers["X-CDS-JWT"])).status, 403)
    assert.strictEqual((yield* it.call("POST", `/v2/queue/default/job/${id}/worker/take`)).status, 403)
  })
)

it.effect("300 seconds without a beat disable a worker, and its job stops when its row is gone", () =>
  Effect.gen(function* () {
    const { api, id } = yield* taken
    const w = yield* worker(api, id)
    yield* w.take
    yield* TestClock.adjust("4 minutes")
    assert.strictEqual((yield* api.job(id))?.status, "Building")
    yield* TestClock.adjust("3 minutes")
    const job = yield* api.job(id)
    assert.strictEqual(job?.status, "Stopped")
    assert.strictEqual(job?.history.at(-1)?.why, "worker lost")
  })
)

it.effect("A beat on a job that was stopped is 410 id 92", () =>
  Effect.gen(function* () {
    const { api, id } = yield* taken
    const w = yield* worker(api, id)
    yield* w.take
    yield* api.stop(id)
    assert.deepInclude((yield* w.refresh).body, { id: 92 })
    assert.strictEqual((yield* w.result("Success")).status, 400)
  })
)

it.effect("Two workers that go on with one job are a violation", () =>
  Effect.gen(function* () {
    const { api, it, id } = yield* taken
    const first = yield* worker(api, id, "first")
    yield* first.take
    yield* it.release(id)
    yield* takeAtOnce(it.take(id))
    const second = yield* worker(api, id, "second")
    yield* second.take
    yield* first.refresh
    assert.strictEqual((yield* first.result("Success")).status, 403)
    assert.deepInclude((yield* api.violations)[1], { rule: "two-workers", subject: id })
    yield* second.refresh
    assert.strictEqual((yield* api.violations).length, 3)
  })
)

it.effect("The worker is downloaded without a session, under aliases of its architecture", () =>
  Effect.gen(function* () {
    const api = yield* simulated()
    const get = (url: string) => api.handle({ method: "GET", url, headers: {}, body: undefined })
    const answer = yield* get("/download/worker/linux/x86_64")
    assert.strictEqual(answer.headers["Content-Type"], "application/octet-stream")
    assert.match(answer.body ?? "", /^#!\/bin\/sh/)
    assert.strictEqual((yield* get("/download/worker/linux/aarch64")).status, 404)
  })
)

it.effect("A hatchery sees its own workers only", () =>
  Effect.gen(function* () {
    const hatcheries = ["rookery", "eyrie"].map((name) => ({ name, region: "default" }))
    const api = yield* simulated({ hatcheries })
    const it = yield* hatchery(api)
    const other = (yield* signin(api, { ...api.identities[1] })).body.token
    const id = yield* oneJob(api)
    yield* takeAtOnce(it.take(id))
    yield* worker(api, id)
    assert.strictEqual((yield* it.call("GET", "/v2/worker")).body.length, 1)
    assert.strictEqual((yield* call(api, "GET", "/v2/worker", other)).text, "null")
  })
)
