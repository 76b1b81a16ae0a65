import { assert, it } from "@effect/vitest"
import { Clock, Effect, Fiber } from "effect"
import { TestClock } from "effect/testing"
import { httpClient } from "../../../../../src/layers/simulated/cds/InProcess.ts"
import type { SimCds } from "../../../../../src/layers/simulated/cds/SimCds.ts"
import { workerProgram } from "../../../../../src/layers/simulated/cds/SimWorker.ts"
import type { Behaviour } from "../../../../../src/layers/simulated/cds/SimWorker.ts"
import type { JobOrderV1 } from "../../../../../src/layers/simulated/cds/v1/Order.ts"
import { simulated } from "../caller.ts"
import { hatchery, oneJob, rules, workerToken } from "./caller.ts"

/** Lets that many seconds pass one by one: the clock does not wait for a worker that makes several calls at one moment. */
const pass = (seconds: number) => Effect.repeat(TestClock.adjust("1 second"), { times: seconds - 1 })

const preCmd = "curl http://cds.simulated/download/worker/linux/$(uname -m) -o worker && chmod +x worker"

/** Starts the bootstrap of a worker, as a guest would: for the job, or without one to register the model. */
const start = (api: SimCds, id: string, behaviour: Behaviour = {}, modelId?: number) =>
  Effect.gen(function* () {
    const now = yield* Clock.currentTimeMillis
    const config = {
      ...(id === "" ? {} : { booked_job_id: Number(id) }),
      api_token: workerToken(id, now, modelId === undefined ? {} : { modelId }),
      api_endpoint: "http://cds.simulated",
      name: "stoic-heron",
      model: "shared.infra/deb"
    }
    const files = new Map<string, string>()
    const asked: Array<string> = []
    const program = workerProgram(httpClient(api), (jobId) => {
      asked.push(jobId)
      return behaviour
    })({
      arguments: id === "" ? `${preCmd}\nworker register >/tmp/worker.register.log 2>&1` : `${preCmd}\nworker`,
      env: { CDS_CONFIG: Buffer.from(JSON.stringify(config)).toString("base64") },
      write: (path, text) => void files.set(path, text),
      read: (path) => files.get(path)
    })
    const fiber = yield* Effect.forkChild(program)
    yield* Effect.repeat(TestClock.adjust(0), { times: 9 })
    return { files, fiber, asked }
  })

const booked = (order: JobOrderV1 = {}) =>
  Effect.gen(function* () {
    const api = yield* simulated()
    const it = yield* hatchery(api)
    const id = yield* oneJob(api, order)
    yield* it.book(id)
    return { api, it, id }
  })

it.effect("The bootstrap runs a V1 job for its duration, beats meanwhile, and powers the machine off", () =>
  Effect.gen(function* () {
    const { api, id } = yield* booked({ durationMs: 10 * 60_000 })
    const { fiber, files, asked } = yield* start(api, id)
    yield* pass(599)
    assert.strictEqual((yield* api.job(id))?.status, "Building")
    yield* TestClock.adjust("1 second")
    assert.deepStrictEqual(yield* Fiber.join(fiber), { exitCode: 0, powerOffAfterMs: 0 })
    assert.strictEqual((yield* api.job(id))?.status, "Success")
    assert.include(files.get("/tmp/worker.log"), `ran job ${id}`)
    assert.deepStrictEqual(asked, [id])
    assert.strictEqual((yield* api.delays).toFinal.p99, 600_000)
    assert.deepStrictEqual(yield* rules(api), [])
  })
)

it.effect("A V1 job that its user stops ends the worker at its next beat, with exit code 0", () =>
  Effect.gen(function* () {
    const { api, id } = yield* booked({ durationMs: 600_000, cancel: { on: "Building", afterMs: 40_000 } })
    const { fiber } = yield* start(api, id)
    yield* pass(59)
    assert.isUndefined(fiber.pollUnsafe())
    yield* TestClock.adjust("1 second")
    assert.strictEqual((yield* Fiber.join(fiber)).exitCode, 0)
    assert.strictEqual((yield* api.job(id))?.status, "Stopped")
  })
)

it.effect("A worker that comes too late for its V1 job exits with 1 and says why", () =>
  Effect.gen(function* () {
    const { api, it, id } = yield* booked()
    yield* it.fail(id, "no")
    const { fiber, files } = yield* start(api, id)
    yield* TestClock.adjust(0)
    assert.deepStrictEqual(yield* Fiber.join(fiber), { exitCode: 1, powerOffAfterMs: 120_000 })
    assert.include(files.get("/tmp/worker.log"), "take was refused: 410")
  })
)

it.effect("A V1 worker may never register, die, hang, or fail its job, and survives short outages", () =>
  Effect.gen(function* () {
    const silent = yield* booked()
    yield* start(silent.api, silent.id, { neverRegisters: true })
    const dead = yield* booked({ durationMs: 600_000 })
    const killed = yield* start(dead.api, dead.id, { diesAfterMs: 60_000 })
    const hung = yield* booked({ durationMs: 60_000 })
    yield* start(hung.api, hung.id, { hangsAfterMs: 30_000 })
    const sad = yield* booked({ outcome: "Fail" })
    yield* sad.api.fault({ kind: "answer", status: 503, path: "/result", times: 2 })
    yield* sad.api.fault({ kind: "dropped", path: "/take" })
    yield* start(sad.api, sad.id)
    yield* pass(480)
    assert.strictEqual((yield* silent.api.job(silent.id))?.status, "Waiting")
    assert.strictEqual((yield* Fiber.join(killed.fiber)).exitCode, 137)
    assert.strictEqual((yield* dead.api.job(dead.id))?.history.at(-1)?.why, "worker lost")
    assert.strictEqual((yield* hung.api.job(hung.id))?.status, "Fail")
    assert.deepInclude(yield* sad.api.counts, { failed: 1, done: 0 })
  })
)

it.effect("`worker register` registers the model, writes its own log, and powers the machine off", () =>
  Effect.gen(function* () {
    const api = yield* simulated()
    yield* hatchery(api)
    const model = yield* api.addModel({ name: "deb" })
    const { fiber, files, asked } = yield* start(api, "", {}, model.id)
    assert.deepStrictEqual(yield* Fiber.join(fiber), { exitCode: 0, powerOffAfterMs: 0 })
    assert.isFalse(model.needRegistration)
    assert.include(files.get("/tmp/worker.register.log"), "registered its model")
    assert.deepStrictEqual(asked, [""])
  })
)

it.effect("A worker without a job that was not told to register exits with 2", () =>
  Effect.gen(function* () {
    const api = yield* simulated()
    const config = { api_token: "t", api_endpoint: "http://cds.simulated", name: "w" }
    const CDS_CONFIG = Buffer.from(JSON.stringify(config)).toString("base64")
    const run = workerProgram(httpClient(api))
    const end = yield* run({ arguments: "worker", env: { CDS_CONFIG }, write: () => undefined, read: () => undefined })
    assert.deepStrictEqual(end, { exitCode: 2, powerOffAfterMs: 120_000 })
  })
)

it.effect("A text without a worker that turns the machine off does so", () =>
  Effect.gen(function* () {
    const run = workerProgram(httpClient(yield* simulated()))
    const end = yield* run({
      arguments: "-n ;sudo shutdown -h now",
      env: {},
      write: () => undefined,
      read: () => undefined
    })
    assert.deepStrictEqual(end, { exitCode: 0, powerOffAfterMs: 0 })
  })
)
