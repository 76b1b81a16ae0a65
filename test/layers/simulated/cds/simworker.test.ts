import { assert, it } from "@effect/vitest"
import { Clock, Effect, Fiber } from "effect"
import { TestClock } from "effect/testing"
import { httpClient } from "../../../../src/layers/simulated/cds/InProcess.ts"
import type { SimCds } from "../../../../src/layers/simulated/cds/SimCds.ts"
import { workerProgram } from "../../../../src/layers/simulated/cds/SimWorker.ts"
import type { Behaviour } from "../../../../src/layers/simulated/cds/SimWorker.ts"
import { hatchery, oneJob, simulated, takeAtOnce, workerToken } from "./caller.ts"

const bootstrap = `-c 'url='\\''http://cds.simulated/download/worker/linux/amd64'\\'' ; shutdown -h now'`

/** Starts the bootstrap of a worker for the job, as a guest would. */
const start = (api: SimCds, id: string, behaviour: Behaviour = {}) =>
  Effect.gen(function* () {
    const config = {
      run_job_id: id,
      api_token: workerToken(id, "stoic-heron", yield* Clock.currentTimeMillis),
      api_endpoint: "http://cds.simulated",
      region: "default",
      name: "stoic-heron",
      log: { Level: "" }
    }
    const files = new Map<string, string>()
    const program = workerProgram(
      httpClient(api),
      () => behaviour
    )({
      arguments: bootstrap,
      env: { CDS_CONFIG: Buffer.from(JSON.stringify(config)).toString("base64") },
      write: (path, text) => void files.set(path, text),
      read: (path) => files.get(path)
    })
    const fiber = yield* Effect.forkChild(program)
    yield* TestClock.adjust(0)
    return { files, fiber }
  })

const scheduled = (order: Parameters<SimCds["enqueue"]>[0] = {}) =>
  Effect.gen(function* () {
    const api = yield* simulated()
    const it = yield* hatchery(api)
    const id = yield* oneJob(api, order)
    yield* takeAtOnce(it.take(id))
    return { api, id }
  })

it.effect("The bootstrap runs the job for its duration, beats meanwhile, and powers the machine off", () =>
  Effect.gen(function* () {
    const { api, id } = yield* scheduled({ durationMs: 10 * 60_000 })
    const { fiber, files } = yield* start(api, id)
    yield* TestClock.adjust("599 seconds")
    assert.strictEqual((yield* api.job(id))?.status, "Building")
    yield* TestClock.adjust("1 second")
    assert.deepStrictEqual(yield* Fiber.join(fiber), { exitCode: 0, powerOffAfterMs: 0 })
    assert.strictEqual((yield* api.job(id))?.status, "Success")
    assert.include(files.get("/tmp/worker.log"), `ran job ${id}`)
    assert.strictEqual((yield* api.delays).toBuilding.p50, 5)
    assert.strictEqual((yield* api.delays).toFinal.p99, 600_005)
    assert.deepStrictEqual(yield* api.violations, [])
  })
)

it.effect("A job that its user stops ends the worker at its next beat, with exit code 0", () =>
  Effect.gen(function* () {
    const { api, id } = yield* scheduled({ durationMs: 600_000, cancel: { on: "Building", afterMs: 40_000 } })
    const { fiber } = yield* start(api, id)
    yield* TestClock.adjust("59 seconds")
    assert.isUndefined(fiber.pollUnsafe())
    yield* TestClock.adjust("1 second")
    assert.strictEqual((yield* Fiber.join(fiber)).exitCode, 0)
    assert.strictEqual((yield* api.job(id))?.status, "Stopped")
  })
)

it.effect("A worker that may not sign in exits with 1, says why, and leaves the machine on for two minutes", () =>
  Effect.gen(function* () {
    const { api, id } = yield* scheduled()
    yield* api.stop(id)
    const { fiber, files } = yield* start(api, id)
    yield* TestClock.adjust(0)
    assert.deepStrictEqual(yield* Fiber.join(fiber), { exitCode: 1, powerOffAfterMs: 120_000 })
    assert.include(files.get("/tmp/worker.log"), "signin was refused: 403")
  })
)

it.effect("A worker that cannot read the answer to its take exits with 1, and says so", () =>
  Effect.gen(function* () {
    const { api, id } = yield* scheduled()
    yield* api.fault({ kind: "malformed", path: "/worker/take", times: 1 })
    const { fiber, files } = yield* start(api, id)
    yield* TestClock.adjust("1 second")
    assert.strictEqual((yield* Fiber.join(fiber)).exitCode, 1)
    assert.include(files.get("/tmp/worker.log"), "the answer to the take cannot be read")
  })
)

it.effect("A worker that cannot be downloaded is not run", () =>
  Effect.gen(function* () {
    const { api, id } = yield* scheduled()
    yield* api.fault({ kind: "answer", status: 404, path: "/download/", times: 3 })
    const { fiber } = yield* start(api, id)
    yield* TestClock.adjust("10 seconds")
    assert.deepStrictEqual(yield* Fiber.join(fiber), { exitCode: 1, powerOffAfterMs: 120_000 })
    assert.strictEqual((yield* api.job(id))?.status, "Scheduling")
  })
)

it.effect("Short outages are survived: a cut connection and a 503 are tried again", () =>
  Effect.gen(function* () {
    const { api, id } = yield* scheduled()
    yield* api.fault({ kind: "dropped", path: "/worker/signin" })
    yield* api.fault({ kind: "answer", status: 503, path: "/result", times: 2 })
    const { fiber } = yield* start(api, id)
    yield* TestClock.adjust("40 seconds")
    assert.strictEqual((yield* Fiber.join(fiber)).exitCode, 0)
    assert.strictEqual((yield* api.job(id))?.status, "Success")
  })
)

it.effect("A worker may never register, die at a minute, hang, or fail its job", () =>
  Effect.gen(function* () {
    const silent = yield* scheduled()
    yield* start(silent.api, silent.id, { neverRegisters: true })
    const dead = yield* scheduled({ durationMs: 600_000 })
    const killed = yield* start(dead.api, dead.id, { diesAfterMs: 60_000 })
    const hung = yield* scheduled({ durationMs: 60_000 })
    yield* start(hung.api, hung.id, { hangsAfterMs: 30_000 })
    const sad = yield* scheduled({ outcome: "Fail" })
    yield* start(sad.api, sad.id)
    yield* TestClock.adjust("8 minutes")
    assert.strictEqual((yield* silent.api.job(silent.id))?.status, "Scheduling")
    assert.strictEqual((yield* Fiber.join(killed.fiber)).exitCode, 137)
    assert.strictEqual((yield* dead.api.job(dead.id))?.status, "Stopped")
    assert.strictEqual((yield* hung.api.job(hung.id))?.history.at(-1)?.why, "worker lost")
    assert.deepInclude(yield* sad.api.counts, { failed: 1, done: 0 })
  })
)

it.effect("A program without CDS_CONFIG, such as the env probe, ends at once with 0", () =>
  Effect.gen(function* () {
    const api = yield* simulated()
    const run = workerProgram(httpClient(api))
    const end = yield* run({ arguments: "-c env", env: {}, write: () => undefined, read: () => undefined })
    assert.deepStrictEqual(end, { exitCode: 0 })
  })
)
