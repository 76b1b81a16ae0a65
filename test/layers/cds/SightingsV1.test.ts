import { assert, describe, it } from "@effect/vitest"
import { Effect, Stream } from "effect"
import { TestClock } from "effect/testing"
import type { JobSighting } from "../../../src/schema/Job.ts"
import type { SettingsShape } from "../../../src/schema/Settings.ts"
import { Cds } from "../../../src/services/Cds.ts"
import { api, apiV1, consumerTokenV1, ok, sessionToken, withSignin } from "./api.ts"
import type { Respond } from "./api.ts"

const event = (more: object = {}) => ({
  timestamp: "2026-01-01T00:00:00Z",
  type_event: "sdk.EventRunWorkflowJob",
  payload: { id: 777, status: "Waiting", start: 0 },
  project_key: "PRJ",
  workflow_name: "wf",
  status: "Waiting",
  event_integrations_id: null,
  region: "north",
  model_type: "vsphere",
  ...more
})

const frame = (of: object) => `${JSON.stringify({ status: "OK", error: "", event: of })}\n`

/** Watches the sightings from the start; the list grows. */
const watch = Effect.gen(function* () {
  const cds = yield* Cds
  const found: Array<JobSighting> = []
  yield* Effect.forkChild(Stream.runForEach(cds.sightings, (sighting) => Effect.sync(() => found.push(sighting))))
  yield* TestClock.adjust(0)
  return { cds, found, ids: () => found.map(({ id }) => id) }
})

const idle: Respond = withSignin(() => ok(null))

describe("the V1 socket", () => {
  it.effect("is opened with the session and a filter for jobs of this type, again at each connect", () => {
    const world = apiV1(idle)
    return Effect.gen(function* () {
      yield* watch
      yield* TestClock.adjust("40 seconds")
      yield* world.connections[0]!.close(1001)
      yield* TestClock.adjust("1 second")
      assert.lengthOf(world.connections, 2)
      for (const { url, headers, greeting } of world.connections) {
        assert.strictEqual(url, "ws://cds.test/ws")
        assert.strictEqual(headers["authorization"], `Bearer ${sessionToken(0)}`)
        assert.deepStrictEqual(JSON.parse(greeting ?? ""), [
          {
            type: "queue",
            project_key: "",
            application_name: "",
            pipeline_name: "",
            environment_name: "",
            workflow_name: "",
            workflow_run_num: 0,
            workflow_node_run_id: 0,
            operation_uuid: "",
            hatchery_type: "vsphere"
          }
        ])
      }
    }).pipe(Effect.provide(world.layer))
  })

  it.effect("tells jobs that begin to wait, and nothing of other events", () => {
    const world = apiV1(idle)
    return Effect.gen(function* () {
      const { found } = yield* watch
      const { send } = world.connections[0]!
      yield* send(frame(event({ status: "Building" })))
      yield* send(frame(event({ type_event: "sdk.EventRunWorkflow", payload: {} })))
      yield* send(frame(event({ payload: { id: 778 }, region: undefined, project_key: undefined })))
      yield* send(frame(event()))
      yield* TestClock.adjust(0)
      assert.deepStrictEqual(found, [
        { id: "778", region: "", projectKey: "", source: "event" },
        { id: "777", region: "north", projectKey: "PRJ", source: "event" }
      ])
    }).pipe(Effect.provide(world.layer))
  })

  it.effect("leaves out frames that are not understood, and a job whose number is above 2^53", () => {
    const world = apiV1(idle)
    return Effect.gen(function* () {
      const { ids } = yield* watch
      const big = frame(event()).replace("777", "9007199254740993")
      for (const text of ["", "{", "[]", frame(event({ payload: null })), big, frame(event())]) {
        yield* world.connections[0]!.send(text)
      }
      yield* TestClock.adjust(0)
      assert.deepStrictEqual(ids(), ["777"])
      assert.lengthOf(world.connections, 1)
    }).pipe(Effect.provide(world.layer))
  })

  it.effect("tells as trouble that CDS does not take the filter, until the next connect", () => {
    const world = apiV1(idle)
    return Effect.gen(function* () {
      const { cds } = yield* watch
      yield* world.connections[0]!.send(JSON.stringify({ status: "KO", error: "wrong request", event: {} }))
      yield* TestClock.adjust(0)
      assert.strictEqual(yield* cds.trouble, "V1 events: CDS refuses the filter of events: wrong request")
      yield* world.connections[0]!.close(1000)
      yield* TestClock.adjust("1 second")
      assert.isUndefined(yield* cds.trouble)
    }).pipe(Effect.provide(world.layer))
  })
})

/** How the queue is asked for. */
const asked = (own: Partial<SettingsShape>) => {
  const world = apiV1(idle, own)
  return watch.pipe(
    Effect.map(() => world.seen.find(({ path }) => path.startsWith("/queue/"))?.path.replace("/queue/workflows?", "")),
    Effect.provide(world.layer)
  )
}

const waits = (id: number, project: number) => ({
  id,
  project_id: project,
  status: "Waiting",
  header: { "X-Project-Key": `P${project}` }
})

describe("the V1 poll", () => {
  it.effect("asks for the configured region and for jobs without one, unless those are left to others", () =>
    Effect.gen(function* () {
      assert.strictEqual(yield* asked({}), "modelType=vsphere")
      assert.strictEqual(yield* asked({ ignoreJobWithNoRegion: true }), "modelType=vsphere")
      assert.strictEqual(yield* asked({ region: "north&1" }), "modelType=vsphere&region=north%261&region=")
      assert.strictEqual(
        yield* asked({ region: "north", ignoreJobWithNoRegion: true }),
        "modelType=vsphere&region=north"
      )
    })
  )

  it.effect("shows the jobs of projects with few jobs first, those of one project as CDS sends them", () => {
    const jobs = [waits(1, 1), waits(2, 1), waits(3, 1), waits(4, 2), waits(5, 3), waits(6, 2)]
    const world = apiV1(withSignin(() => ok(jobs)))
    return Effect.gen(function* () {
      const { ids, found } = yield* watch
      assert.deepStrictEqual(ids().slice(0, 6), ["5", "4", "6", "1", "2", "3"])
      assert.deepStrictEqual(found[0], { id: "5", region: "", projectKey: "P3", source: "poll" })
    }).pipe(Effect.provide(world.layer))
  })

  it.effect("leaves out what it does not understand of the queue", () => {
    const world = apiV1(withSignin(() => ok([{ id: "x" }, null, waits(9007199254740992, 1), waits(1, 1)])))
    return Effect.gen(function* () {
      const { ids } = yield* watch
      assert.deepStrictEqual([...new Set(ids())], ["1"])
    }).pipe(Effect.provide(world.layer))
  })

  it.effect("goes on when polling of the V2 queue is off, beside the events of both", () => {
    const world = api(idle, { cds: { token: consumerTokenV1(), disableV2QueuePolling: true } })
    return Effect.gen(function* () {
      const { ids } = yield* watch
      yield* TestClock.adjust("1 second")
      assert.sameMembers(
        world.connections.map(({ url }) => url),
        ["ws://cds.test/ws", "ws://cds.test/v2/hatchery/ws"]
      )
      const v2 = world.connections.find(({ url }) => url.includes("/v2/"))
      yield* v2!.send(JSON.stringify({ job_run_id: "uuid", region: "r1", project_key: "PRJ" }))
      yield* TestClock.adjust("1 minute")
      assert.deepStrictEqual(ids(), ["uuid"])
      assert.isAtLeast(world.calls("/queue/workflows?modelType=vsphere").length, 4)
      assert.isEmpty(world.seen.filter(({ path }) => path.startsWith("/v2/queue")))
    }).pipe(Effect.provide(world.layer))
  })
})
