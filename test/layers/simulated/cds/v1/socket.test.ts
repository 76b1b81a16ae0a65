import { assert, it } from "@effect/vitest"
import { Effect, Fiber, Queue, Stream } from "effect"
import { TestClock } from "effect/testing"
import { socket } from "../../../../../src/layers/simulated/cds/InProcess.ts"
import type { SimCds } from "../../../../../src/layers/simulated/cds/SimCds.ts"
import { simulated } from "../caller.ts"
import { hatchery, oneJob } from "./caller.ts"

const date = "1 Jan 1970 00:00:00 +0000"

const filters = (type = "vsphere") => JSON.stringify([{ type: "queue", project_key: "", hatchery_type: type }])

/** The frames that arrive on one `/ws`, as they come. */
const listen = (api: SimCds, token: string, greeting?: string) =>
  Effect.gen(function* () {
    const frames = yield* Queue.unbounded<string>()
    const headers = { Authorization: `Bearer ${token}`, Date: date, "X-CDS-RemoteTime": date }
    const stream = yield* socket(api).connect("ws://cds.simulated/ws", headers, greeting)
    const fiber = yield* Effect.forkScoped(Effect.flip(Stream.runForEach(stream, (text) => Queue.offer(frames, text))))
    yield* TestClock.adjust(0)
    return { frames, closed: Fiber.join(fiber) }
  })

/** Ids of the jobs that were told since the last look. */
const heard = ({ frames }: { readonly frames: Queue.Dequeue<string> }) =>
  Effect.gen(function* () {
    yield* TestClock.adjust(0)
    const told = yield* Queue.size(frames)
    return told === 0 ? [] : (yield* Queue.takeAll(frames)).map((text) => JSON.parse(text).event.payload?.id)
  })

it.effect("A client hears of jobs once it has sent its filters, with what the event says", () =>
  Effect.gen(function* () {
    const api = yield* simulated()
    const { token } = yield* hatchery(api)
    const deaf = yield* listen(api, token)
    const it = yield* listen(api, token, filters())
    yield* oneJob(api, { modelType: "vsphere" })
    const text = yield* Queue.take(it.frames)
    assert.isTrue(text.endsWith("\n"))
    const { status, error, event } = JSON.parse(text)
    assert.deepStrictEqual([status, error], ["OK", ""])
    assert.deepInclude(event, {
      type_event: "sdk.EventRunWorkflowJob",
      status: "Waiting",
      project_key: "PROJ",
      model_type: "vsphere"
    })
    assert.deepStrictEqual(event.payload, { id: 1, status: "Waiting", start: -62_135_596_800 })
    assert.notProperty(event, "region")
    assert.deepStrictEqual(yield* heard(deaf), [])
  })
)

it.effect("A job of another type is not told; one without a type is", () =>
  Effect.gen(function* () {
    const api = yield* simulated()
    const { token } = yield* hatchery(api)
    const it = yield* listen(api, token, filters())
    yield* oneJob(api, { modelType: "docker" })
    const id = yield* oneJob(api)
    assert.deepStrictEqual(yield* heard(it), [Number(id)])
  })
)

/** The jobs that a hatchery of the west hears of: one without region, one of the west, one of the east. */
const toldInTheWest = (ignore: boolean | null) =>
  Effect.gen(function* () {
    const api = yield* simulated()
    const { token } = yield* hatchery(api, 0, { region: "west", ignore_job_with_no_region: ignore })
    const it = yield* listen(api, token, filters())
    yield* oneJob(api)
    yield* oneJob(api, { region: "west" })
    yield* oneJob(api, { region: "east" })
    return yield* heard(it)
  })

it.effect("Jobs of the service's region are told, and those without one unless the service ignores them", () =>
  Effect.gen(function* () {
    assert.deepStrictEqual(yield* toldInTheWest(null), [1, 2])
    assert.deepStrictEqual(yield* toldInTheWest(true), [2])
  })
)

it.effect("A hatchery of some group hears of that group's jobs, one of shared.infra alone of all", () =>
  Effect.gen(function* () {
    const hatcheries = [
      { name: "rookery", region: "default" },
      { name: "eyrie", region: "default", groups: ["team"] }
    ]
    const api = yield* simulated({ hatcheries })
    const shared = yield* listen(api, (yield* hatchery(api)).token, filters())
    const team = yield* listen(api, (yield* hatchery(api, 1)).token, filters())
    yield* oneJob(api, { groups: ["others"] })
    yield* oneJob(api, { groups: ["team"] })
    assert.deepStrictEqual(yield* heard(shared), [1, 2])
    assert.deepStrictEqual(yield* heard(team), [2])
  })
)

it.effect("Filters that cannot be read are answered KO, and so are good ones when the test says so", () =>
  Effect.gen(function* () {
    const api = yield* simulated()
    const { token } = yield* hatchery(api)
    for (const greeting of ["nonsense", `[{"type":"weather"}]`]) {
      const bad = yield* listen(api, token, greeting)
      assert.strictEqual(JSON.parse(yield* Queue.take(bad.frames)).status, "KO")
    }
    const single = yield* listen(api, token, `{"type":"queue"}`)
    assert.strictEqual(yield* Queue.size(single.frames), 0)
    yield* api.set({ koFilters: true })
    const refused = yield* listen(api, token, filters())
    assert.strictEqual(JSON.parse(yield* Queue.take(refused.frames)).status, "KO")
  })
)

it.effect("Each message replaces the filters, and one that cannot be read leaves them as they were", () =>
  Effect.gen(function* () {
    const api = yield* simulated()
    const { token } = yield* hatchery(api)
    const headers = { authorization: `Bearer ${token}`, date, "x-cds-remotetime": date, upgrade: "websocket" }
    const { frames, receive } = yield* api.upgrade({ method: "GET", url: "/ws", headers, body: undefined })
    const told = Effect.gen(function* () {
      yield* oneJob(api, { modelType: "docker" })
      return yield* Queue.size(frames)
    })
    receive(filters("docker"))
    assert.strictEqual(yield* told, 1)
    receive("nonsense")
    assert.strictEqual(yield* told, 3)
    receive(filters("vsphere"))
    assert.strictEqual(yield* told, 3)
  })
)

it.effect("No event tells of a released booking; events are copied, lost and sent again on demand", () =>
  Effect.gen(function* () {
    const api = yield* simulated()
    const it = yield* hatchery(api)
    const client = yield* listen(api, it.token, filters())
    yield* api.set({ eventCopies: 2 })
    const id = yield* oneJob(api)
    assert.deepStrictEqual(yield* heard(client), [1, 1])
    yield* it.book(id)
    yield* it.release(id)
    assert.deepStrictEqual(yield* heard(client), [])
    yield* api.resendEvent(id)
    assert.deepStrictEqual(yield* heard(client), [1])
  })
)

it.effect("Ending the sockets ends those of both sides; an upgrade without a service is 401", () =>
  Effect.gen(function* () {
    const api = yield* simulated()
    const { token, call } = yield* hatchery(api)
    const it = yield* listen(api, token, filters())
    assert.strictEqual(api.state.v1.sockets.count, 1)
    yield* api.endSockets(1001)
    assert.include((yield* it.closed).message, "1001")
    assert.strictEqual((yield* call("GET", "/ws")).status, 426)
    yield* api.deleteService("rookery")
    assert.strictEqual((yield* Effect.flip(listen(api, token))).kind, "unauthenticated")
  })
)

it.effect("A path without a socket refuses the upgrade and lets nobody in", () =>
  Effect.gen(function* () {
    const api = yield* simulated()
    const { token } = yield* hatchery(api)
    const headers = { Authorization: `Bearer ${token}`, Date: date, "X-CDS-RemoteTime": date }
    const error = yield* Effect.flip(socket(api).connect("ws://cds.simulated/worker", headers))
    assert.strictEqual(error.kind, "refused")
    assert.strictEqual(api.state.sockets.count + api.state.v1.sockets.count, 0)
  })
)
