import { assert, it } from "@effect/vitest"
import { Effect } from "effect"
import { TestClock } from "effect/testing"
import { apiKeys, call, signedToken, simulated } from "../caller.ts"
import { hatchery, oneJob, rules, statuses, worker, workerToken } from "./caller.ts"

/** An API with one job that a hatchery has booked. */
const booked = Effect.gen(function* () {
  const api = yield* simulated()
  const it = yield* hatchery(api)
  const id = yield* oneJob(api)
  yield* it.book(id)
  return { api, it, id }
})

const signin = (api: Parameters<typeof call>[0], token: string) =>
  Effect.map(call(api, "POST", "/auth/consumer/worker/signin", token, {}), ({ status }) => status)

it.effect("A worker signs in, waits, takes its job, beats, posts the result and signs out", () =>
  Effect.gen(function* () {
    const { api, it, id } = yield* booked
    const w = yield* worker(api, id)
    assert.deepInclude(w.signed.body, { name: "stoic-heron", status: "Waiting", job_run_id: 1, hatchery_id: 1 })
    assert.strictEqual((yield* w.read()).status, 200)
    assert.strictEqual((yield* w.waiting).status, 204)
    const taken = yield* w.take
    assert.deepInclude(taken.body.NodeJobRun, { id: 1, status: "Building", worker_name: "stoic-heron" })
    assert.deepInclude((yield* it.call("GET", "/worker")).body[0], { status: "Building", model_name: "" })
    assert.strictEqual((yield* w.refresh).status, 204)
    assert.strictEqual((yield* w.result("Success")).status, 204)
    assert.strictEqual((yield* w.signout).status, 204)
    assert.deepStrictEqual(yield* statuses(api, id), ["Waiting", "Scheduling", "Building", "Success"])
    assert.deepStrictEqual(
      (yield* api.job(id))?.infos.map((info) => info.id),
      ["MsgSpawnInfoJobInQueue", "MsgSpawnInfoJobTaken", "MsgSpawnInfoJobTakenWorkerVersion", "MsgSpawnInfoWorkerEnd"]
    )
    assert.deepStrictEqual(yield* api.violations, [])
  })
)

it.effect("A worker is let in with a valid token alone, for a job that is there", () =>
  Effect.gen(function* () {
    const { api, id } = yield* booked
    const claims = { model: {}, job_id: Number(id), register_only: false }
    assert.strictEqual(yield* signin(api, signedToken(claims, "w", 0, "RS512", apiKeys.privateKey)), 401)
    assert.strictEqual(yield* signin(api, signedToken(claims, "w", -3_600_000)), 401)
    assert.strictEqual(yield* signin(api, signedToken(claims, "w", 0, "PS512")), 401)
    assert.strictEqual(yield* signin(api, signedToken({ ...claims, register_only: true }, "w", 0)), 401)
    assert.strictEqual(yield* signin(api, signedToken({ model: {}, register_only: false }, "w", 0)), 401)
    assert.strictEqual(yield* signin(api, signedToken({ model: {}, register_only: true }, "w", 0)), 401)
    assert.strictEqual(yield* signin(api, workerToken(id, 0, { hatchery: "eyrie" })), 404)
    assert.strictEqual(yield* signin(api, workerToken("77", 0)), 403)
    assert.strictEqual(yield* signin(api, workerToken(id, 0)), 200)
  })
)

/** How a worker for a job of that region is answered, when its hatchery is bound to the west. */
const signinInTheWest = (ignoreJobWithNoRegion: boolean, region: string) =>
  Effect.gen(function* () {
    const identity = { name: "rookery", region: "default", regionV1: "west", ignoreJobWithNoRegion }
    const api = yield* simulated({ hatcheries: [identity] })
    yield* hatchery(api, 0, { region: "west", ignore_job_with_no_region: ignoreJobWithNoRegion })
    return yield* signin(api, workerToken(yield* oneJob(api, { region }), 0))
  })

it.effect("A hatchery bound to a region runs jobs of it, and without region only if it does not ignore these", () =>
  Effect.gen(function* () {
    assert.strictEqual(yield* signinInTheWest(false, "west"), 200)
    assert.strictEqual(yield* signinInTheWest(false, ""), 200)
    assert.strictEqual(yield* signinInTheWest(true, ""), 401)
    assert.strictEqual(yield* signinInTheWest(false, "east"), 401)
  })
)

it.effect("A worker's model must be there, and of a group that may run the job", () =>
  Effect.gen(function* () {
    const { api, id } = yield* booked
    const shared = yield* api.addModel({ name: "deb" })
    const foreign = yield* api.addModel({ name: "deb", group: "others" })
    assert.strictEqual(yield* signin(api, workerToken(id, 0, { modelId: 77 })), 401)
    assert.strictEqual(yield* signin(api, workerToken(id, 0, { modelId: foreign.id })), 401)
    const w = yield* worker(api, id, { modelId: shared.id })
    assert.deepInclude(w.signed.body, { model_id: shared.id, model_name: "deb" })
    yield* w.take
    assert.strictEqual((yield* w.read()).body.model, "deb")
  })
)

it.effect("A worker sees and takes its own job only", () =>
  Effect.gen(function* () {
    const { api, id } = yield* booked
    const other = yield* oneJob(api)
    const w = yield* worker(api, id)
    assert.strictEqual((yield* w.read(other)).status, 403)
    assert.strictEqual((yield* call(api, "POST", `/queue/workflows/${other}/take`, w.session, {})).status, 403)
    assert.strictEqual((yield* call(api, "GET", "/worker", w.session)).status, 403)
  })
)

it.effect("The second worker that starts on a job is 410 id 91 and a violation", () =>
  Effect.gen(function* () {
    const { api, id } = yield* booked
    yield* (yield* worker(api, id, { name: "first" })).take
    const second = yield* worker(api, id, { name: "second" })
    const refused = yield* second.take
    assert.deepStrictEqual([refused.status, refused.body.id], [410, 91])
    assert.deepStrictEqual(yield* rules(api), ["two-workers"])
    yield* second.refresh
    assert.deepStrictEqual(yield* rules(api), ["two-workers", "two-workers"])
  })
)

it.effect("A booking that ends while a worker runs the job changes nothing and is no violation", () =>
  Effect.gen(function* () {
    const { api, it, id } = yield* booked
    const w = yield* worker(api, id)
    yield* w.take
    yield* TestClock.adjust("3 minutes")
    assert.deepInclude((yield* it.read(id)).body, { status: "Building", bookedby: {} })
    assert.deepStrictEqual(yield* rules(api), [])
  })
)

it.effect("The API books even a job that a worker runs, which goes on", () =>
  Effect.gen(function* () {
    const { api, it, id } = yield* booked
    yield* (yield* worker(api, id)).take
    yield* it.release(id)
    assert.strictEqual((yield* it.book(id)).status, 200)
    assert.deepInclude((yield* it.read(id)).body, { status: "Building", bookedby: { name: "rookery", id: 1 } })
    assert.deepInclude(yield* api.job(id), { status: "Building", releases: 0 })
  })
)

it.effect("A hatchery disables its own workers; one that builds fails its job", () =>
  Effect.gen(function* () {
    const hatcheries = ["rookery", "eyrie"].map((name) => ({ name, region: "default" }))
    const api = yield* simulated({ hatcheries })
    const it = yield* hatchery(api)
    const other = yield* hatchery(api, 1)
    const id = yield* oneJob(api)
    const w = yield* worker(api, id)
    yield* w.take
    const url = `/worker/${w.signed.body.id}/disable`
    assert.strictEqual((yield* other.call("POST", url)).status, 403)
    assert.strictEqual((yield* it.call("POST", "/worker/77/disable")).status, 404)
    assert.strictEqual((yield* it.call("POST", url)).status, 204)
    assert.strictEqual((yield* it.call("GET", "/worker")).body[0].status, "Disabled")
    assert.strictEqual((yield* other.call("GET", "/worker")).text, "[]")
    const job = yield* api.job(id)
    assert.strictEqual(job?.status, "Fail")
    assert.strictEqual(job?.infos.at(-1)?.id, "MsgSpawnInfoWorkerDisabledByHatchery")
  })
)

it.effect("Disabling a worker that waits leaves its job alone", () =>
  Effect.gen(function* () {
    const { api, id } = yield* booked
    yield* worker(api, id)
    yield* api.disableWorker("stoic-heron")
    assert.strictEqual((yield* api.job(id))?.status, "Scheduling")
  })
)

it.effect("300 silent seconds disable a worker; it goes away in the next pass, and its job fails", () =>
  Effect.gen(function* () {
    const { api, it, id } = yield* booked
    const w = yield* worker(api, id)
    yield* w.take
    yield* TestClock.adjust("290 seconds")
    const status = (wanted: string) =>
      Effect.map(it.beat, () => assert.strictEqual([...api.state.v1.workers.values()][0]?.status, wanted))
    yield* status("Building")
    yield* TestClock.adjust("10 seconds")
    yield* status("Disabled")
    assert.strictEqual((yield* api.job(id))?.status, "Building")
    yield* TestClock.adjust("10 seconds")
    assert.strictEqual(api.state.v1.workers.size, 0)
    assert.strictEqual((yield* w.refresh).status, 401)
    const job = yield* api.job(id)
    assert.strictEqual(job?.status, "Fail")
    assert.strictEqual(job?.infos.at(-1)?.id, "MsgSpawnInfoJobFailedCauseByWorkerLost")
  })
)

it.effect("A disabled worker is seen until it has been silent for 300 seconds; its ended job is not", () =>
  Effect.gen(function* () {
    const { api, it, id } = yield* booked
    const w = yield* worker(api, id)
    yield* w.take
    yield* w.result("Fail")
    yield* w.signout
    assert.deepInclude((yield* it.read(id)).body, { status: "Fail" })
    yield* TestClock.adjust("5 seconds")
    assert.strictEqual((yield* it.read(id)).status, 403)
    yield* TestClock.adjust("165 seconds")
    assert.deepInclude((yield* it.call("GET", "/worker")).body[0], { status: "Disabled" })
    yield* it.beat
    yield* TestClock.adjust("140 seconds")
    assert.strictEqual((yield* it.call("GET", "/worker")).text, "[]")
  })
)

it.effect("A signout in the middle of a job fails it, and a result after a stop changes nothing", () =>
  Effect.gen(function* () {
    const { api, it, id } = yield* booked
    const w = yield* worker(api, id)
    yield* w.take
    yield* w.signout
    assert.strictEqual((yield* api.job(id))?.status, "Fail")
    const stopped = yield* oneJob(api)
    yield* it.book(stopped)
    const late = yield* worker(api, stopped, { name: "late" })
    yield* late.take
    yield* api.stop(stopped)
    assert.strictEqual((yield* late.result("Success")).status, 204)
    assert.strictEqual((yield* api.job(stopped))?.status, "Stopped")
  })
)
