import { assert, it } from "@effect/vitest"
import { Effect, Exit, Fiber, Predicate, Queue, Scope, Stream } from "effect"
import { HttpClientRequest } from "effect/http"
import { TestClock } from "effect/testing"
import { httpClient, socket } from "../../../../src/layers/simulated/cds/InProcess.ts"
import type { SimCds } from "../../../../src/layers/simulated/cds/SimCds.ts"
import { hatchery, oneJob, publicKey, simulated, takeAtOnce } from "./caller.ts"

const url = "ws://cds.simulated/v2/hatchery/ws"

const headers = (token: string) => ({
  Authorization: `Bearer ${token}`,
  Date: "1 Jan 1970 00:00:00 +0000",
  "X-CDS-RemoteTime": "1 Jan 1970 00:00:00 +0000"
})

/** The frames that arrive on one websocket, as they come. */
const listen = (api: SimCds, token: string) =>
  Effect.gen(function* () {
    const frames = yield* Queue.unbounded<string>()
    const stream = yield* socket(api).connect(url, headers(token))
    const fiber = yield* Effect.forkScoped(Effect.flip(Stream.runForEach(stream, (text) => Queue.offer(frames, text))))
    yield* TestClock.adjust(0)
    return { frames, closed: Fiber.join(fiber) }
  })

it.effect(
  "An event comes for each queueing of a job that fits: first, after a release, after the scheduling timeout",
  () =>
    Effect.gen(function* () {
      const api = yield* simulated()
      const it = yield* hatchery(api)
      const { frames } = yield* listen(api, it.token)
      yield* api.enqueue({ modelType: "openstack" })
      yield* api.enqueue({ osArch: "linux/arm64" })
      yield* api.enqueue({ region: "west" })
      const id = yield* oneJob(api)
      const first = yield* Queue.take(frames)
      assert.isTrue(first.endsWith("\n"))
      assert.deepStrictEqual(JSON.parse(first), {
        job_run_id: id,
        region: "default",
        model_type: "vsphere",
        model_osarch: "linux/amd64",
        project_key: "PROJ",
        workflow_name: "build",
        job_id: "compile",
        run_number: 4
      })
      yield* takeAtOnce(it.take(id))
      yield* it.release(id)
      assert.include(yield* Queue.take(frames), id)
      yield* takeAtOnce(it.take(id))
      yield* TestClock.adjust("11 minutes")
      assert.include(yield* Queue.take(frames), id)
      assert.strictEqual(yield* Queue.size(frames), 0)
      assert.deepStrictEqual(
        (yield* api.violations).map(({ rule }) => rule),
        ["abandoned-take"]
      )
    })
)

it.effect("Events may be duplicated, lost, and stale", () =>
  Effect.gen(function* () {
    const api = yield* simulated()
    const it = yield* hatchery(api)
    const { frames } = yield* listen(api, it.token)
    yield* api.set({ eventCopies: 3 })
    const id = yield* oneJob(api)
    yield* TestClock.adjust(0)
    assert.strictEqual((yield* Queue.takeAll(frames)).length, 3)
    yield* api.set({ eventCopies: 0 })
    yield* api.enqueue()
    yield* TestClock.adjust(0)
    assert.strictEqual(yield* Queue.size(frames), 0)
    yield* api.stop(id)
    yield* api.resendEvent(id)
    assert.include(yield* Queue.take(frames), id)
  })
)

it.effect("The stream fails with the code when the API closes, and with 1006 when the connection drops", () =>
  Effect.gen(function* () {
    const api = yield* simulated()
    const it = yield* hatchery(api)
    const ends: ReadonlyArray<readonly [number | "drop", string]> = [
      [1000, "1000"],
      [1001, "1001"],
      ["drop", "1006"]
    ]
    for (const [how, code] of ends) {
      const { closed } = yield* listen(api, it.token)
      yield* api.endSockets(how)
      const error = yield* closed
      assert.strictEqual(error.kind, "unreachable")
      assert.include(error.message, code)
    }
  })
)

it.effect("An upgrade is refused as the API refuses: 401 without a session, and faults", () =>
  Effect.gen(function* () {
    const api = yield* simulated()
    const it = yield* hatchery(api)
    const refusal = (token: string) => Effect.map(Effect.flip(socket(api).connect(url, headers(token))), (e) => e.kind)
    assert.strictEqual(yield* refusal("old"), "unauthenticated")
    yield* api.fault({ kind: "answer", status: 403 })
    assert.strictEqual(yield* refusal(it.token), "refused")
    yield* api.fault({ kind: "dropped" })
    assert.strictEqual(yield* refusal(it.token), "unreachable")
    assert.strictEqual((yield* it.call("GET", "/v2/hatchery/ws")).status, 426)
  })
)

it.effect("A client leaves with its scope", () =>
  Effect.gen(function* () {
    const api = yield* simulated()
    const it = yield* hatchery(api)
    const scope = yield* Scope.make()
    yield* Effect.asVoid(socket(api).connect(url, headers(it.token))).pipe(Scope.provide(scope))
    assert.strictEqual(api.state.sockets.count, 1)
    yield* Scope.close(scope, Exit.void)
    assert.strictEqual(api.state.sockets.count, 0)
  })
)

it.effect("The HTTP client carries body, headers and status, and reads the answer without real time", () =>
  Effect.gen(function* () {
    const api = yield* simulated()
    const client = httpClient(api)
    const body = { ...api.identities[0], type: "vsphere", public_key: publicKey }
    const request = HttpClientRequest.post("http://anywhere/v2/auth/consumer/hatchery/signin").pipe(
      HttpClientRequest.bodyText(JSON.stringify(body), "application/json")
    )
    const answer = yield* client.execute(request)
    assert.strictEqual(answer.status, 200)
    assert.isDefined(answer.headers["x-api-pub-signing-key"])
    assert.strictEqual(JSON.parse(yield* answer.text).region, "default")
    yield* api.fault({ kind: "lost" })
    const error = yield* Effect.flip(client.execute(request))
    assert.isTrue(Predicate.isTagged(error.reason, "TransportError"))
  })
)
