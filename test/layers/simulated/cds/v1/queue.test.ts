import { assert, it } from "@effect/vitest"
import { Effect, Fiber } from "effect"
import { TestClock } from "effect/testing"
import { simulated } from "../caller.ts"
import { hatchery, jobUrl, oneJob, rules, statuses, worker } from "./caller.ts"

const two = { hatcheries: ["rookery", "eyrie"].map((name) => ({ name, region: "default" })) }

it.effect("The queue lists what waits, is not booked, and shares a group, oldest first; ids count up", () =>
  Effect.gen(function* () {
    const api = yield* simulated()
    const it = yield* hatchery(api)
    assert.strictEqual((yield* it.call("GET", "/queue/workflows")).text, "[]")
    const ids = yield* api.enqueueV1({ count: 3 })
    assert.deepStrictEqual(ids, ["1", "2", "3"])
    yield* oneJob(api, { groups: ["others"] })
    yield* it.book("2")
    assert.deepStrictEqual(yield* it.queue, ["1", "3"])
    yield* api.set({ nullLists: true })
    yield* api.stop("1")
    yield* api.stop("3")
    assert.strictEqual((yield* it.call("GET", "/queue/workflows")).text, "null")
  })
)

it.effect("The queue keeps the regions asked for, an empty one for jobs without region, and the model type", () =>
  Effect.gen(function* () {
    const api = yield* simulated()
    const it = yield* hatchery(api)
    yield* oneJob(api)
    yield* oneJob(api, { region: "west", modelType: "vsphere" })
    yield* oneJob(api, { region: "east", modelType: "docker" })
    const asked = (search: string) =>
      Effect.map(it.call("GET", `/queue/workflows?${search}`), ({ body }) => body.map(({ id }: any) => id))
    assert.deepStrictEqual(yield* asked(""), [1, 2, 3])
    assert.deepStrictEqual(yield* asked("region=west&region="), [1, 2])
    assert.deepStrictEqual(yield* asked("region=west"), [2])
    assert.deepStrictEqual(yield* asked("modelType=vsphere"), [1, 2])
    assert.deepInclude((yield* it.call("GET", "/queue/workflows?modelType=zeppelin")).body, { id: 74 })
  })
)

it.effect("A job read has its requirements, groups, header, and an empty booking while it is free", () =>
  Effect.gen(function* () {
    const api = yield* simulated()
    const it = yield* hatchery(api)
    const requirements = [{ type: "binary", value: "git" }]
    const id = yield* oneJob(api, { region: "west", model: "deb", project: "PRJ", requirements })
    const { body } = yield* it.read(id)
    assert.deepInclude(body, { id: 1, status: "Waiting", region: "west", bookedby: {} })
    assert.deepStrictEqual(body.exec_groups, [{ id: 1, name: "shared.infra" }])
    assert.deepInclude(body.header, { "X-Project-Key": "PRJ", "X-Workflow": "build", "X-Workflow-Run": "1" })
    assert.deepStrictEqual(
      body.job.action.requirements.map(({ type, value }: any) => [type, value]),
      [
        ["region", "west"],
        ["model", "deb"],
        ["binary", "git"]
      ]
    )
    const other = (yield* it.read(yield* oneJob(api, { groups: ["team", "shared.infra"] }))).body
    assert.notProperty(other, "region")
    assert.deepStrictEqual([body.project_id, other.project_id], [1, 2])
    assert.deepStrictEqual(other.exec_groups[0], { id: 2, name: "team" })
  })
)

it.effect("A job that is not there is 403 and not 404, and so is the booking of one of another group", () =>
  Effect.gen(function* () {
    const api = yield* simulated()
    const it = yield* hatchery(api)
    assert.deepInclude((yield* it.read("77")).body, { id: 11 })
    assert.strictEqual((yield* it.read("x")).status, 403)
    const foreign = yield* oneJob(api, { groups: ["others"] })
    assert.strictEqual((yield* it.read(foreign)).status, 200)
    assert.strictEqual((yield* it.book(foreign)).status, 403)
  })
)

it.effect(
  "A booking answers what it booked, shows on the job, which still waits, and refuses the next with id 89",
  () =>
    Effect.gen(function* () {
      const api = yield* simulated(two)
      const it = yield* hatchery(api)
      const other = yield* hatchery(api, 1)
      const id = yield* oneJob(api)
      assert.deepInclude((yield* it.book(id)).body, { project_key: "PROJ", job_name: "compile" })
      assert.deepInclude((yield* other.read(id)).body, { status: "Waiting", bookedby: { name: "rookery", id: 1 } })
      const refused = yield* other.book(id)
      assert.deepStrictEqual([refused.status, refused.body.id], [403, 89])
      assert.deepStrictEqual(yield* rules(api), [])
      assert.deepInclude(yield* api.job(id), { status: "Scheduling", hatchery: "rookery" })
      assert.deepInclude(yield* api.counts, { waiting: 0, running: 1 })
    })
)

it.effect("A second booking by the same hatchery is a double take, unless the first answer was lost", () =>
  Effect.gen(function* () {
    const api = yield* simulated()
    const it = yield* hatchery(api)
    const lost = yield* oneJob(api)
    yield* api.fault({ kind: "lost", path: "/book" })
    assert.deepInclude(yield* Effect.flip(it.book(lost)), { done: true })
    assert.strictEqual((yield* it.book(lost)).body.id, 89)
    assert.deepStrictEqual(yield* rules(api), [])
    yield* it.release(lost)
    yield* it.book(lost)
    yield* it.book(lost)
    assert.deepStrictEqual(yield* rules(api), ["double-take"])
  })
)

it.effect(
  "A booking that comes late, when its caller waits no more and has released the job, is none that it knows of",
  () =>
    Effect.gen(function* () {
      const api = yield* simulated()
      const it = yield* hatchery(api)
      const id = yield* oneJob(api)
      yield* api.fault({ kind: "slow", ms: 30_000, path: "/book" })
      const waiting = yield* Effect.forkChild(it.book(id))
      yield* TestClock.adjust("10 seconds")
      yield* Fiber.interrupt(waiting)
      yield* it.book(id)
      yield* it.release(id)
      yield* TestClock.adjust("20 seconds")
      assert.deepInclude(yield* api.job(id), { status: "Scheduling", hatchery: "rookery" })
      assert.strictEqual((yield* it.book(id)).body.id, 89)
      assert.deepStrictEqual(yield* rules(api), [])
    })
)

it.effect("A booking ends after 120 seconds, or after its delay; that it was not used is a violation", () =>
  Effect.gen(function* () {
    const api = yield* simulated()
    const it = yield* hatchery(api)
    const id = yield* oneJob(api)
    yield* it.book(id)
    yield* TestClock.adjust("119 seconds")
    assert.deepStrictEqual(yield* it.queue, [])
    yield* TestClock.adjust("1 second")
    assert.deepStrictEqual(yield* it.queue, [id])
    assert.deepStrictEqual(yield* statuses(api, id), ["Waiting", "Scheduling", "Waiting"])
    assert.deepStrictEqual(yield* rules(api), ["abandoned-take"])
    yield* it.beat
    yield* it.book(id, 160)
    yield* TestClock.adjust("159 seconds")
    assert.strictEqual((yield* api.job(id))?.status, "Scheduling")
    yield* TestClock.adjust("1 second")
    assert.strictEqual((yield* it.book(id)).status, 200)
  })
)

it.effect("A release puts the job back without an event; without a booking it is 400 id 135", () =>
  Effect.gen(function* () {
    const api = yield* simulated()
    const it = yield* hatchery(api)
    const id = yield* oneJob(api)
    yield* it.book(id)
    const released = yield* it.release(id)
    assert.deepStrictEqual([released.status, released.text], [200, "null"])
    assert.deepInclude(yield* api.job(id), { status: "Waiting", hatchery: "", releases: 1 })
    const again = yield* it.release(id)
    assert.deepStrictEqual([again.status, again.body.id], [400, 135])
  })
)

it.effect("Any hatchery may release a booking, and one that is not its own is a violation", () =>
  Effect.gen(function* () {
    const api = yield* simulated(two)
    const it = yield* hatchery(api)
    const other = yield* hatchery(api, 1)
    const id = yield* oneJob(api)
    yield* it.book(id)
    assert.strictEqual((yield* other.release(id)).status, 200)
    assert.strictEqual((yield* api.job(id))?.status, "Waiting")
    assert.deepStrictEqual(yield* rules(api), ["foreign-release"])
  })
)

it.effect("A job held by another hatchery is refused until that booking ends", () =>
  Effect.gen(function* () {
    const api = yield* simulated()
    const it = yield* hatchery(api)
    const id = yield* oneJob(api)
    yield* api.holdTakeLock(id)
    assert.strictEqual((yield* it.book(id)).body.id, 89)
    yield* TestClock.adjust("2 minutes")
    assert.strictEqual((yield* it.book(id)).status, 200)
  })
)

it.effect("A spawn info is put into words; one that is unknown or lacks arguments is a violation", () =>
  Effect.gen(function* () {
    const api = yield* simulated()
    const it = yield* hatchery(api)
    const id = yield* oneJob(api)
    const told = yield* it.tell(id, "MsgSpawnInfoHatcheryErrorSpawn", ["rookery", "deb", "12s", "no address"])
    assert.strictEqual(told.status, 204)
    const last = Effect.map(api.job(id), (job) => job?.infos.at(-1))
    assert.deepInclude(yield* last, { level: "error", id: "MsgSpawnInfoHatcheryErrorSpawn" })
    assert.match((yield* last)?.message ?? "", /rookery.*deb.*12s.*no address/)
    assert.deepStrictEqual(yield* rules(api), [])
    yield* it.tell(id, "MsgSpawnInfoHatcheryStarts", ["rookery"])
    assert.include((yield* last)?.message, "MISSING")
    yield* it.tell(id, "MsgNobodyKnows", [])
    assert.deepStrictEqual(yield* rules(api), ["spawn-info", "spawn-info"])
    assert.strictEqual((yield* it.call("POST", `${jobUrl(id)}/spawn/infos`, { message: "hello" })).status, 400)
  })
)

it.effect("A hatchery fails a job that waits, booked or not, with its reason, and 403 one that a worker runs", () =>
  Effect.gen(function* () {
    const api = yield* simulated()
    const it = yield* hatchery(api)
    const [free = "", booked = "", running = ""] = yield* api.enqueueV1({ count: 3 })
    yield* it.book(booked)
    yield* it.book(running)
    yield* (yield* worker(api, running)).take
    assert.strictEqual((yield* it.fail(free, "tried 5 times")).status, 204)
    assert.strictEqual((yield* it.fail(booked, "no")).status, 204)
    assert.strictEqual((yield* it.fail(running, "no")).status, 403)
    const job = yield* api.job(free)
    assert.strictEqual(job?.status, "Fail")
    assert.match(job?.infos.at(-1)?.message ?? "", /rookery.*tried 5 times/)
    assert.deepInclude(yield* api.counts, { failed: 2, running: 1 })
  })
)

it.effect("The row of an ended job without a worker goes away in the next pass", () =>
  Effect.gen(function* () {
    const api = yield* simulated()
    const it = yield* hatchery(api)
    const id = yield* oneJob(api)
    yield* api.stop(id)
    assert.deepInclude((yield* it.read(id)).body, { status: "Stopped" })
    yield* TestClock.adjust("10 seconds")
    assert.strictEqual((yield* it.read(id)).status, 403)
    assert.strictEqual((yield* api.job(id))?.status, "Stopped")
  })
)

it.effect("Jobs of both sides are judged together", () =>
  Effect.gen(function* () {
    const api = yield* simulated()
    const [v2 = ""] = yield* api.enqueue()
    const v1 = yield* oneJob(api, { cancel: { on: "Waiting", afterMs: 3_000 } })
    assert.deepStrictEqual(
      (yield* api.jobs).map(({ id, image }) => [id, image]),
      [
        [v2, "debian12"],
        [v1, ""]
      ]
    )
    const final = yield* Effect.forkChild(api.whenFinal(2), { startImmediately: true })
    yield* api.stop(v2)
    assert.isUndefined(final.pollUnsafe())
    yield* TestClock.adjust("3 seconds")
    assert.isDefined(final.pollUnsafe())
    assert.deepInclude(yield* api.counts, { stopped: 2, waiting: 0 })
  })
)
