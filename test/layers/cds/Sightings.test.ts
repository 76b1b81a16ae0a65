import { assert, describe, it } from "@effect/vitest"
import { Effect, Stream } from "effect"
import { TestClock } from "effect/testing"
import type { JobSighting } from "../../../src/schema/Job.ts"
import { Cds } from "../../../src/services/Cds.ts"
import { api, ok, sessionToken, signedIn, signinPath, socketRefusal, withSignin } from "./api.ts"
import type { Reply } from "./api.ts"

const pollPath = "/v2/queue/r1?osarch=linux/amd64"

const frame = (id: string) =>
  `${JSON.stringify({ job_run_id: id, region: "r1", model_type: "vsphere", model_osarch: "linux/amd64", project_key: "PRJ", workflow_name: "wf", job_id: "build", run_number: 1 })}\n`

/** Watches the sightings from the start; the list grows. */
const watch = Effect.gen(function* () {
  const cds = yield* Cds
  const found: Array<JobSighting> = []
  const collect = Stream.runForEach(cds.sightings, (sighting) => Effect.sync(() => found.push(sighting)))
  const fiber = yield* Effect.forkChild(collect)
  yield* TestClock.adjust(0)
  return { cds, found, fiber, ids: () => found.map(({ id }) => id) }
})

const times = (all: ReadonlyArray<{ readonly at: number }>) => all.map(({ at }) => at)

describe("the socket", () => {
  it.effect("is opened with the session, and its events are sightings", () => {
    const world = api(withSignin(() => ok([])))
    return Effect.gen(function* () {
      const { found } = yield* watch
      const connection = world.connections[0]!
      assert.strictEqual(connection.url, "ws://cds.test/v2/hatchery/ws")
      assert.strictEqual(connection.headers["authorization"], `Bearer ${sessionToken(0)}`)
      assert.strictEqual(connection.headers["x-cds-remotetime"], "1 Jan 1970 00:00:00 +0000")
      yield* connection.send(frame("a"))
      yield* TestClock.adjust(0)
      assert.deepStrictEqual(found, [{ id: "a", region: "r1", projectKey: "PRJ", source: "event" }])
    }).pipe(Effect.provide(world.layer))
  })

  it.effect("leaves out frames that are not understood", () => {
    const world = api(withSignin(() => ok([])))
    return Effect.gen(function* () {
      const { ids } = yield* watch
      for (const text of ["", "{", "[]", '{"job_run_id":7}', frame("a")]) yield* world.connections[0]!.send(text)
      yield* TestClock.adjust(0)
      assert.deepStrictEqual(ids(), ["a"])
      assert.lengthOf(world.connections, 1)
    }).pipe(Effect.provide(world.layer))
  })

  it.effect("is opened again a second after any close, and goes on", () =>
    Effect.forEach([1000, 1001, 1006, 1011], (code) => {
      const world = api(withSignin(() => ok([])))
      return Effect.gen(function* () {
        const { cds, ids } = yield* watch
        yield* TestClock.adjust("40 seconds")
        yield* world.connections[0]!.close(code)
        yield* TestClock.adjust("999 millis")
        assert.lengthOf(world.connections, 1)
        assert.strictEqual(yield* cds.trouble, `V2 events: closed with code ${code}`)
        yield* TestClock.adjust("1 millis")
        assert.lengthOf(world.connections, 2)
        assert.isUndefined(yield* cds.trouble)
        yield* world.connections[1]!.send(frame("b"))
        yield* TestClock.adjust(0)
        assert.deepStrictEqual(ids(), ["b"])
      }).pipe(Effect.provide(world.layer))
    })
  )

  it.effect(
    "is tried ever more slowly, up to half a minute, and quickly again after a connection that has lasted",
    () => {
      const world = api(
        withSignin(() => ok([])),
        { refuse: (nth) => (nth < 8 ? socketRefusal("connect ECONNREFUSED") : undefined) }
      )
      return Effect.gen(function* () {
        yield* watch
        yield* TestClock.adjust("150 seconds")
        const pauses = times(world.connections).map((at, nth, all) => (at - (all[nth - 1] ?? 0)) / 1000)
        assert.deepStrictEqual(pauses, [0, 1, 2, 4, 8, 16, 30, 30, 30])
        yield* TestClock.adjust("30 seconds")
        yield* world.connections[8]!.close(1001)
        yield* TestClock.adjust("1 second")
        assert.lengthOf(world.connections, 10)
      }).pipe(Effect.provide(world.layer))
    }
  )

  it.effect("renews a session that is refused at the upgrade", () => {
    const world = api(
      withSignin(() => ok([])),
      { refuse: (nth) => (nth === 0 ? socketRefusal("HTTP 401", "unauthenticated") : undefined) }
    )
    return Effect.gen(function* () {
      yield* watch
      yield* TestClock.adjust("1 second")
      assert.lengthOf(world.connections, 2)
      assert.lengthOf(world.signins(), 2)
    }).pipe(Effect.provide(world.layer))
  })
})

const queue = (): Reply =>
  ok([{ id: "a", region: "r1", project_key: "PRJ" }, { id: 7 }, { id: "b", project_key: null }])

describe("the poll", () => {
  it.effect("reads the queue at once, and then every twenty seconds", () => {
    const world = api(withSignin(queue))
    return Effect.gen(function* () {
      const { found } = yield* watch
      assert.deepStrictEqual(found.slice(0, 2), [
        { id: "a", region: "r1", projectKey: "PRJ", source: "poll" },
        { id: "b", region: "r1", projectKey: "", source: "poll" }
      ])
      yield* TestClock.adjust("1 minute")
      assert.deepStrictEqual([...new Set(times(world.calls(pollPath)))], [0, 20_000, 40_000, 60_000])
    }).pipe(Effect.provide(world.layer))
  })

  it.effect("reads the queue as soon as the socket is there again", () => {
    const world = api(withSignin(() => ok(null)))
    return Effect.gen(function* () {
      yield* watch
      yield* TestClock.adjust("45 seconds")
      yield* world.connections[0]!.close(1001)
      yield* TestClock.adjust("1 second")
      assert.strictEqual(times(world.calls(pollPath)).at(-1), 46_000)
    }).pipe(Effect.provide(world.layer))
  })

  it.effect("asks for each os and architecture, slashes as they are", () => {
    const osArch = ["linux/amd64", "linux/arm64"]
    const world = api(
      withSignin(() => ok([])),
      { cds: { osArch } }
    )
    return Effect.gen(function* () {
      yield* watch
      assert.isNotEmpty(world.calls("/v2/queue/r1?osarch=linux/amd64&osarch=linux/arm64"))
    }).pipe(Effect.provide(world.layer))
  })

  it.effect("goes on after a failure, with the reason as trouble, and so do the events", () => {
    let broken = true
    const world = api(withSignin(() => (broken ? { status: 403, body: { id: 11, message: "forbidden" } } : queue())))
    return Effect.gen(function* () {
      const { cds, ids } = yield* watch
      assert.strictEqual(yield* cds.trouble, "V2 queue: HTTP 403: forbidden")
      yield* world.connections[0]!.send(frame("e"))
      yield* TestClock.adjust("19 seconds")
      assert.deepStrictEqual(ids(), ["e"])
      broken = false
      yield* TestClock.adjust("1 second")
      assert.deepStrictEqual(ids(), ["e", "a", "b"])
      assert.isUndefined(yield* cds.trouble)
    }).pipe(Effect.provide(world.layer))
  })

  it.effect("is off when the configuration says so", () => {
    const world = api(withSignin(queue), { cds: { disableV2QueuePolling: true } })
    return Effect.gen(function* () {
      const { ids, fiber } = yield* watch
      yield* TestClock.adjust("5 minutes")
      assert.lengthOf(world.calls(pollPath), 0)
      yield* world.connections[0]!.send(frame("e"))
      yield* TestClock.adjust(0)
      assert.deepStrictEqual(ids(), ["e"])
      assert.isUndefined(fiber.pollUnsafe())
    }).pipe(Effect.provide(world.layer))
  })

  it.effect("asks in the region of the latest signin", () => {
    const world = api((seen, all) => {
      if (seen.path !== signinPath) return ok([])
      const reply = signedIn(seen.at) as Exclude<Reply, string>
      const first = all.filter(({ path }) => path === signinPath).length === 1
      return { ...reply, body: { ...(reply.body as object), region: first ? "r1" : "r2" } }
    })
    return Effect.gen(function* () {
      yield* watch
      yield* TestClock.adjust("58 minutes")
      assert.lengthOf(world.calls("/v2/queue/r2?osarch=linux/amd64"), 0)
      yield* TestClock.adjust("2 minutes")
      assert.isNotEmpty(world.calls("/v2/queue/r2?osarch=linux/amd64"))
    }).pipe(Effect.provide(world.layer))
  })
})
