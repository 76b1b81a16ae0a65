import { assert, it } from "@effect/vitest"
import { Effect, Fiber } from "effect"
import { TestClock } from "effect/testing"
import { hatchery, oneJob, signin, simulated, takeAtOnce, worker } from "./caller.ts"

const ids = (body: ReadonlyArray<{ id: string }>) => body.map(({ id }) => id)

const statuses = (history: ReadonlyArray<{ readonly status: string }> | undefined) =>
  (history ?? []).map(({ status }) => status)

it.effect(
  "The queue lists waiting jobs of the region, type and architecture, oldest first, [] when there is none",
  () =>
    Effect.gen(function* () {
      const api = yield* simulated()
      const it = yield* hatchery(api)
      assert.strictEqual((yield* it.call("GET", "/v2/queue/default")).text, "[]")
      const first = yield* oneJob(api)
      yield* TestClock.adjust("1 second")
      const second = yield* oneJob(api)
      yield* api.enqueue({ region: "west" })
      yield* api.enqueue({ modelType: "openstack" })
      const arm = yield* oneJob(api, { osArch: "linux/arm64" })
      assert.deepStrictEqual(ids((yield* it.call("GET", "/v2/queue/default")).body), [first, second])
      assert.deepStrictEqual(ids((yield* it.call("GET", "/v2/queue/default?osarch=linux/arm64")).body), [arm])
      const both = yield* it.call("GET", "/v2/queue/default?osarch=linux/amd64&osarch=linux/arm64")
      assert.strictEqual(both.body.length, 3)
      assert.strictEqual((yield* it.call("GET", "/v2/queue/west")).status, 403)
      assert.strictEqual((yield* it.call("GET", "/v2/queue/nowhere")).status, 404)
      yield* api.set({ nullLists: true })
      assert.strictEqual((yield* it.call("GET", "/v2/queue/default?osarch=none")).text, "null")
    })
)

it.effect("A job read has its model; runs-on is a string, or an object where a flavor is asked", () =>
  Effect.gen(function* () {
    const api = yield* simulated()
    const it = yield* hatchery(api)
    const plain = (yield* it.read(yield* oneJob(api))).body
    assert.strictEqual(plain.runjob.job["runs-on"], "PROJ/github/acme/app/debian")
    assert.strictEqual(plain.model.spec.image, "debian12")
    const id = yield* oneJob(api, { flavor: "big" })
    assert.deepInclude((yield* it.read(id)).body.runjob.job["runs-on"], { flavor: "big", memory: "" })
    yield* api.set({ runsOn: "string" })
    assert.isString((yield* it.read(id)).body.runjob.job["runs-on"])
    assert.strictEqual((yield* it.read("unknown")).body.id, 38)
  })
)

it.effect("A take makes the job Scheduling under the hatchery's name", () =>
  Effect.gen(function* () {
    const api = yield* simulated()
    const it = yield* hatchery(api)
    const id = yield* oneJob(api)
    const taken = yield* takeAtOnce(it.take(id))
    assert.strictEqual(taken.status, 200)
    assert.deepInclude(taken.body, { status: "Scheduling", hatchery_name: "rookery" })
    assert.deepStrictEqual((yield* api.job(id))?.history.at(-1), {
      at: 5,
      status: "Scheduling",
      hatchery: "rookery",
      worker: "",
      why: "hatchery take"
    })
  })
)

it.effect("Two takes at once: one gets the job and the other 404", () =>
  Effect.gen(function* () {
    const api = yield* simulated()
    const it = yield* hatchery(api)
    const id = yield* oneJob(api)
    const both = yield* Effect.forkChild(Effect.all([it.take(id), it.take(id)], { concurrency: 2 }))
    yield* TestClock.adjust("5 millis")
    assert.deepStrictEqual(
      (yield* Fiber.join(both)).map(({ status }) => status),
      [200, 404]
    )
  })
)

it.effect("A held take lock answers 404 for 30 seconds", () =>
  Effect.gen(function* () {
    const api = yield* simulated()
    const it = yield* hatchery(api)
    const id = yield* oneJob(api)
    yield* api.holdTakeLock(id)
    assert.strictEqual((yield* it.take(id)).status, 404)
    yield* TestClock.adjust("30 seconds")
    assert.strictEqual((yield* takeAtOnce(it.take(id))).status, 200)
  })
)

it.effect("A take of a job that one holds is 404 and a double take, unless the first answer was lost", () =>
  Effect.gen(function* () {
    const api = yield* simulated()
    const it = yield* hatchery(api)
    const lost = yield* oneJob(api)
    yield* api.fault({ kind: "lost", path: "/hatchery/take" })
    const cut = yield* takeAtOnce(Effect.flip(it.take(lost)))
    assert.deepInclude(cut, { done: true })
    assert.strictEqual((yield* it.take(lost)).status, 404)
    assert.deepStrictEqual(yield* api.violations, [])
    yield* it.release(lost)
    yield* takeAtOnce(it.take(lost))
    yield* it.take(lost)
    assert.deepInclude((yield* api.violations)[0], { rule: "double-take", subject: lost })
  })
)

it.effect("A terminated job cannot be taken: 400 id 74", () =>
  Effect.gen(function* () {
    const api = yield* simulated()
    const it = yield* hatchery(api)
    const id = yield* oneJob(api)
    yield* api.stop(id)
    assert.deepInclude((yield* it.take(id)).body, { id: 74 })
  })
)

it.effect("A release puts the job back with a warning, and the fifth one fails it", () =>
  Effect.gen(function* () {
    const api = yield* simulated()
    const it = yield* hatchery(api)
    const id = yield* oneJob(api)
    for (let round = 1; round <= 5; round++) {
      yield* takeAtOnce(it.take(id))
      assert.strictEqual((yield* it.release(id)).status, 204)
    }
    const job = yield* api.job(id)
    assert.strictEqual(job?.status, "Fail")
    assert.strictEqual(job?.releases, 5)
    assert.strictEqual(job?.infos.filter(({ level }) => level === "warning").length, 5)
    assert.deepStrictEqual(yield* api.violations, [])
  })
)

it.effect("A release by a hatchery that does not hold the job is 400 id 149", () =>
  Effect.gen(function* () {
    const api = yield* simulated()
    const it = yield* hatchery(api)
    assert.deepInclude((yield* it.release(yield* oneJob(api))).body, { id: 149 })
  })
)

it.effect("A release forces even a building or ended job back to Waiting, which is a violation", () =>
  Effect.gen(function* () {
    const api = yield* simulated()
    const it = yield* hatchery(api)
    const id = yield* oneJob(api)
    yield* takeAtOnce(it.take(id))
    const first = yield* worker(api, id)
    yield* first.take
    yield* it.release(id)
    assert.strictEqual((yield* api.job(id))?.status, "Waiting")
    yield* takeAtOnce(it.take(id))
    yield* api.stop(id)
    yield* it.release(id)
    assert.deepStrictEqual(
      (yield* api.violations).map(({ rule }) => rule),
      ["release-while-building", "release-after-end"]
    )
    assert.deepInclude(yield* api.counts, { waiting: 1, stopped: 0 })
  })
)

it.effect("A release that is held up is judged by what its sender could know: the job as it was when it was sent", () =>
  Effect.gen(function* () {
    const api = yield* simulated()
    const it = yield* hatchery(api)
    const heldUp = Effect.fnUntraced(function* (id: string, meanwhile: Effect.Effect<unknown, unknown>) {
      yield* api.fault({ kind: "slow", ms: 5_000, method: "DELETE" })
      const released = yield* Effect.forkChild(it.release(id))
      yield* TestClock.adjust("2 seconds")
      yield* meanwhile
      yield* TestClock.adjust("3 seconds")
      assert.strictEqual((yield* Fiber.join(released)).status, 204)
      assert.strictEqual((yield* api.job(id))?.status, "Waiting")
      return (yield* api.violations).map(({ rule }) => rule)
    })
    const id = yield* oneJob(api)
    yield* takeAtOnce(it.take(id))
    const first = yield* worker(api, id)
    assert.deepStrictEqual(yield* heldUp(id, first.take), [])
    yield* takeAtOnce(it.take(id))
    assert.deepStrictEqual(yield* heldUp(id, api.stop(id)), [])
    yield* takeAtOnce(it.take(id))
    const second = yield* worker(api, id, "sober-heron")
    yield* second.take
    assert.deepStrictEqual(yield* heldUp(id, api.stop(id)), ["release-while-building"])
  })
)

it.effect("An info line is 204 and shows on the job; an unknown level is 400", () =>
  Effect.gen(function* () {
    const api = yield* simulated()
    const it = yield* hatchery(api)
    const id = yield* oneJob(api)
    const url = `/v2/queue/default/job/${id}/info`
    const line = { level: "info", message: "hello", time: "2026-01-01T00:00:00Z" }
    assert.strictEqual((yield* it.call("POST", url, line)).status, 204)
    assert.deepStrictEqual((yield* api.job(id))?.infos, [{ at: 0, level: "info", message: "hello" }])
    assert.strictEqual((yield* it.call("POST", url, { ...line, level: "loud" })).status, 400)
  })
)

it.effect("A hatchery fails a job of its own, and no other", () =>
  Effect.gen(function* () {
    const api = yield* simulated()
    const it = yield* hatchery(api)
    const id = yield* oneJob(api)
    const result = (job: string) =>
      it.call("POST", `/v2/queue/default/job/${job}/result`, { status: "Fail", error: "no" })
    yield* takeAtOnce(it.take(id))
    assert.strictEqual((yield* result(id)).status, 204)
    assert.strictEqual((yield* api.job(id))?.status, "Fail")
    assert.strictEqual((yield* result(id)).status, 400)
    assert.strictEqual((yield* result(yield* oneJob(api))).status, 403)
  })
)

it.effect("600 seconds in Scheduling put the job back, tell it again, and are a violation", () =>
  Effect.gen(function* () {
    const api = yield* simulated()
    const it = yield* hatchery(api)
    const id = yield* oneJob(api)
    yield* takeAtOnce(it.take(id))
    yield* TestClock.adjust("599 seconds")
    assert.strictEqual((yield* api.job(id))?.status, "Scheduling")
    yield* TestClock.adjust("61 seconds")
    const job = yield* api.job(id)
    assert.deepStrictEqual(statuses(job?.history), ["Waiting", "Scheduling", "Waiting"])
    assert.strictEqual(job?.hatchery, "")
    assert.deepInclude((yield* api.violations)[0], { rule: "abandoned-take", subject: id })
  })
)

it.effect("An hour of waiting fails a job", () =>
  Effect.gen(function* () {
    const api = yield* simulated()
    const id = yield* oneJob(api)
    yield* TestClock.adjust("59 minutes")
    assert.strictEqual((yield* api.job(id))?.status, "Waiting")
    yield* TestClock.adjust("1 minute")
    assert.strictEqual((yield* api.job(id))?.status, "Fail")
  })
)

it.effect("One factor scales every timer of the API", () =>
  Effect.gen(function* () {
    const api = yield* simulated({ timeScale: 0.01 })
    const it = yield* hatchery(api)
    const id = yield* oneJob(api)
    const fiber = yield* Effect.forkChild(it.take(id))
    yield* TestClock.adjust("1 second")
    yield* Fiber.join(fiber)
    yield* TestClock.adjust("6 seconds")
    assert.strictEqual((yield* api.job(id))?.status, "Waiting")
    assert.strictEqual((yield* signin(api)).status, 200)
  })
)

it.effect("A user's stop counts from the first time that the job got the status", () =>
  Effect.gen(function* () {
    const api = yield* simulated()
    const it = yield* hatchery(api)
    const id = yield* oneJob(api, { cancel: { on: "Scheduling", afterMs: 7_000 } })
    yield* takeAtOnce(it.take(id))
    yield* it.release(id)
    yield* TestClock.adjust("5 seconds")
    yield* takeAtOnce(it.take(id))
    yield* TestClock.adjust("1995 millis")
    assert.strictEqual((yield* api.job(id))?.status, "Stopped")
  })
)

it.effect("A user's stop comes at the moment that the order names", () =>
  Effect.gen(function* () {
    const api = yield* simulated()
    const it = yield* hatchery(api)
    const id = yield* oneJob(api, { cancel: { on: "Scheduling", afterMs: 7_000 } })
    yield* TestClock.adjust("1 minute")
    yield* takeAtOnce(it.take(id))
    yield* TestClock.adjust("6999 millis")
    assert.strictEqual((yield* api.job(id))?.status, "Scheduling")
    yield* TestClock.adjust("1 millis")
    assert.strictEqual((yield* api.job(id))?.status, "Stopped")
  })
)
