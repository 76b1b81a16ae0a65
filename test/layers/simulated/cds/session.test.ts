import { createPublicKey } from "node:crypto"
import { assert, it } from "@effect/vitest"
import { Effect } from "effect"
import { TestClock } from "effect/testing"
import { signConsumerToken } from "../../../../src/layers/simulated/cds/Keys.ts"
import { apiKeys, call, hatchery, hatcheryKey, publicKey, signin, simulated } from "./caller.ts"

it.effect("A signin with the right token answers a session, the region and the API's public key", () =>
  Effect.gen(function* () {
    const api = yield* simulated()
    const { status, body, headers } = yield* signin(api)
    assert.strictEqual(status, 200)
    assert.strictEqual(body.region, "default")
    assert.strictEqual(body.up_to_date, true)
    assert.strictEqual(body.hatchery.name, "rookery")
    assert.strictEqual(body.hatchery.public_key, publicKey)
    const pem = Buffer.from(headers["X-Api-Pub-Signing-Key"] ?? "", "base64").toString()
    assert.match(pem, /^-----BEGIN RSA PUBLIC KEY-----/)
    assert.match(headers["Request-Id"] ?? "", /^[0-9a-f-]{36}$/)
    assert.deepStrictEqual(yield* api.violations, [])
  })
)

it.effect("A signin is refused with 403 for an unknown token, another name, and a hatchery without a region", () =>
  Effect.gen(function* () {
    const api = yield* simulated()
    assert.deepInclude((yield* signin(api, { token: "a.b.c" })).body, { id: 11, message: "forbidden" })
    assert.strictEqual((yield* signin(api, { name: "other" })).status, 403)
    yield* api.moveHatchery("rookery", "")
    assert.strictEqual((yield* signin(api)).status, 403)
  })
)

it.effect("A consumer token is refused once it has expired", () =>
  Effect.gen(function* () {
    const token = signConsumerToken(apiKeys, { consumerId: "c", iat: 0, expire: 60 })
    const api = yield* simulated({ hatcheries: [{ name: "rookery", region: "default", token }] })
    assert.strictEqual((yield* signin(api)).status, 200)
    yield* TestClock.adjust("1 minute")
    assert.include((yield* signin(api)).body.from, "expired")
  })
)

it.effect("A fixed token that was given at start is accepted", () =>
  Effect.gen(function* () {
    const token = "eyJhbGciOiJQUzUxMiJ9.e30.c2ln"
    const api = yield* simulated({ hatcheries: [{ name: "fixed", region: "west", token }] })
    assert.strictEqual((yield* signin(api)).body.region, "west")
  })
)

it.effect("A body that is not the protocol's is 400 id 74", () =>
  Effect.gen(function* () {
    const api = yield* simulated()
    const answer = yield* signin(api, { public_key: 7 })
    assert.deepStrictEqual([answer.status, answer.body.id], [400, 74])
  })
)

it.effect("A public key that is no PKCS#1 PEM and an Authorization header on signin are violations", () =>
  Effect.gen(function* () {
    const api = yield* simulated()
    const spki = createPublicKey(hatcheryKey).export({ type: "spki", format: "pem" })
    const { status } = yield* signin(api, { public_key: Buffer.from(spki).toString("base64") })
    assert.strictEqual(status, 200)
    yield* call(api, "POST", "/v2/auth/consumer/hatchery/signin", "old", {
      token: "",
      name: "",
      type: "vsphere",
      public_key: publicKey
    })
    const rules = (yield* api.violations).map(({ rule }) => rule)
    assert.deepStrictEqual(rules, ["public-key", "authorization-on-signin"])
  })
)

it.effect("A session ends after an hour with 401 id 10", () =>
  Effect.gen(function* () {
    const api = yield* simulated()
    const it = yield* hatchery(api)
    yield* TestClock.adjust("59 minutes")
    assert.strictEqual((yield* it.call("GET", "/v2/worker")).status, 200)
    yield* TestClock.adjust("1 minute")
    const late = yield* it.call("GET", "/v2/worker")
    assert.deepInclude(late.body, { id: 10, message: "not authenticated" })
    assert.strictEqual(late.status, 401)
  })
)

it.effect("A revoked session and a call without one are 401", () =>
  Effect.gen(function* () {
    const api = yield* simulated()
    const it = yield* hatchery(api)
    yield* api.revokeSessions
    assert.strictEqual((yield* it.call("GET", "/v2/worker")).status, 401)
    assert.strictEqual((yield* call(api, "GET", "/v2/worker", undefined)).status, 401)
  })
)

it.effect("The region of a signin is the one granted at that moment", () =>
  Effect.gen(function* () {
    const api = yield* simulated()
    const it = yield* hatchery(api)
    yield* api.moveHatchery("rookery", "west")
    assert.strictEqual((yield* it.call("GET", "/v2/queue/west")).status, 200)
    assert.strictEqual((yield* signin(api)).body.region, "west")
  })
)

it.effect("A heartbeat is 204 without a body and is kept with its lines", () =>
  Effect.gen(function* () {
    const api = yield* simulated()
    const it = yield* hatchery(api)
    yield* TestClock.adjust("30 seconds")
    const lines = [{ status: "OK", component: "Version", value: "0.57.0", type: "hatchery", service: "rookery" }]
    const answer = yield* it.call("POST", "/v2/hatchery/heartbeat", { now: "1970-01-01T00:00:30Z", lines })
    assert.deepStrictEqual([answer.status, answer.text], [204, undefined])
    const row = api.state.hatcheries.get("rookery")
    assert.strictEqual(row?.lastHeartbeatAt, 30_000)
    assert.strictEqual(row?.statusLines.length, 1)
    const bad = yield* it.call("POST", "/v2/hatchery/heartbeat", { now: "", lines: [{ status: "GOOD" }] })
    assert.strictEqual(bad.status, 400)
  })
)

it.effect("The CDN address is 404 while no cdn is registered", () =>
  Effect.gen(function* () {
    const api = yield* simulated()
    const it = yield* hatchery(api)
    yield* api.set({ cdn: false })
    assert.strictEqual((yield* it.call("GET", "/v2/config/cdn")).body.id, 38)
    yield* api.set({ cdn: true })
    assert.deepStrictEqual((yield* it.call("GET", "/v2/config/cdn")).body, {
      tcp_url: "cdn.simulated:8090",
      tcp_url_enable_tls: false,
      http_url: "http://cdn.simulated"
    })
  })
)

it.effect("An unknown route is 404 id 38, and the worker list is null while it is empty", () =>
  Effect.gen(function* () {
    const api = yield* simulated()
    const it = yield* hatchery(api)
    assert.deepInclude((yield* it.call("GET", "/v2/nowhere")).body, { id: 38, message: "resource not found" })
    assert.strictEqual((yield* it.call("PUT", "/v2/worker")).status, 404)
    assert.strictEqual((yield* it.call("GET", "/v2/worker")).text, "null")
  })
)

it.effect("A hatchery's call without the headers of the protocol works and is a violation", () =>
  Effect.gen(function* () {
    const api = yield* simulated()
    const { token } = yield* hatchery(api)
    const headers = { authorization: `Bearer ${token}`, cookie: "jwt_token=x" }
    const answer = yield* api.handle({ method: "GET", url: "/v2/worker", headers, body: undefined })
    assert.strictEqual(answer.status, 200)
    assert.deepStrictEqual(
      (yield* api.violations).map(({ rule }) => rule),
      ["cookie-kept", "headers"]
    )
  })
)
