import { assert, it } from "@effect/vitest"
import { Effect, Fiber, Option } from "effect"
import { TestClock } from "effect/testing"
import { hatchery, oneJob, signin, simulated } from "./caller.ts"

it.effect("An answer fault meets so many matching calls and no others", () =>
  Effect.gen(function* () {
    const api = yield* simulated()
    const it = yield* hatchery(api)
    yield* api.fault({ kind: "answer", status: 503, path: "/v2/worker", times: 2 })
    assert.strictEqual((yield* it.call("GET", "/v2/config/cdn")).status, 200)
    assert.deepInclude((yield* it.call("GET", "/v2/worker")).body, { id: 60 })
    assert.strictEqual((yield* it.call("GET", "/v2/worker")).status, 503)
    assert.strictEqual((yield* it.call("GET", "/v2/worker")).status, 200)
  })
)

it.effect("Faults of one kind are met in the order in which they were set", () =>
  Effect.gen(function* () {
    const api = yield* simulated()
    const it = yield* hatchery(api)
    yield* api.fault({ kind: "answer", status: 409 })
    yield* api.fault({ kind: "answer", status: 500 })
    const ids = []
    for (let round = 0; round < 2; round++) ids.push((yield* it.call("GET", "/v2/config/cdn")).body.id)
    assert.deepStrictEqual(ids, [147, 1])
  })
)

it.effect("A dropped call does no work, and a lost answer does it", () =>
  Effect.gen(function* () {
    const api = yield* simulated()
    const it = yield* hatchery(api)
    const id = yield* oneJob(api)
    const url = `/v2/queue/default/job/${id}/info`
    const info = it.call("POST", url, { level: "info", message: "m" })
    yield* api.fault({ kind: "dropped", path: "/info" })
    assert.deepInclude(yield* Effect.flip(info), { done: false })
    assert.strictEqual((yield* api.job(id))?.infos.length, 0)
    yield* api.fault({ kind: "lost", path: "/info" })
    assert.deepInclude(yield* Effect.flip(info), { done: true })
    assert.strictEqual((yield* api.job(id))?.infos.length, 1)
  })
)

it.effect("A slow call does its work even when the caller has given up", () =>
  Effect.gen(function* () {
    const api = yield* simulated()
    const it = yield* hatchery(api)
    const id = yield* oneJob(api)
    yield* api.fault({ kind: "slow", ms: 20_000, path: "/take" })
    const fiber = yield* Effect.forkChild(Effect.timeoutOption(it.take(id), "10 seconds"))
    yield* TestClock.adjust("10 seconds")
    assert.isTrue(Option.isNone(yield* Fiber.join(fiber)))
    assert.strictEqual((yield* api.job(id))?.status, "Waiting")
    yield* TestClock.adjust("11 seconds")
    assert.strictEqual((yield* api.job(id))?.status, "Scheduling")
    assert.strictEqual((yield* it.take(id)).status, 404)
    assert.deepStrictEqual(yield* api.violations, [])
  })
)

it.effect("A headerless signin lacks the signing key, and a malformed answer is no JSON", () =>
  Effect.gen(function* () {
    const api = yield* simulated()
    yield* api.fault({ kind: "headerless", header: "x-api-pub-signing-key" })
    assert.notProperty((yield* signin(api)).headers, "X-Api-Pub-Signing-Key")
    assert.property((yield* signin(api)).headers, "X-Api-Pub-Signing-Key")
    yield* api.fault({ kind: "malformed" })
    const { name, token } = api.identities[0] ?? { name: "", token: "" }
    const body = JSON.stringify({ token, name, type: "vsphere", public_key: "" })
    const url = "/v2/auth/consumer/hatchery/signin"
    assert.strictEqual((yield* api.handle({ method: "POST", url, headers: {}, body })).body, "<html></html>")
  })
)

it.effect("Cleared faults meet nobody", () =>
  Effect.gen(function* () {
    const api = yield* simulated()
    yield* api.fault({ kind: "answer", status: 500, times: 9 })
    yield* api.clearFaults
    assert.strictEqual((yield* signin(api)).status, 200)
  })
)
