import { createPublicKey } from "node:crypto"
import { assert, it } from "@effect/vitest"
import { Effect } from "effect"
import { TestClock } from "effect/testing"
import { signConsumerToken } from "../../../../../src/layers/simulated/cds/Keys.ts"
import * as V2 from "../caller.ts"
import { apiKeys, call, hatcheryKey, publicKey, simulated } from "../caller.ts"
import { hatchery, oneJob, rules, signin, worker } from "./caller.ts"

const beat = { now: "1970-01-01T00:00:00Z", lines: [{ status: "OK", component: "Version", value: "0.57.0" }] }

it.effect("A builtin signin answers a session, the service with its id, and the API's public key", () =>
  Effect.gen(function* () {
    const api = yield* simulated()
    const { status, body, headers } = yield* signin(api)
    assert.strictEqual(status, 200)
    assert.deepInclude(body.service, { id: 1, name: "rookery", region: null, public_key: publicKey })
    const pem = Buffer.from(headers["X-Api-Pub-Signing-Key"] ?? "", "base64").toString()
    assert.match(pem, /^-----BEGIN RSA PUBLIC KEY-----/)
    assert.strictEqual((yield* signin(api)).body.service.id, 1)
    assert.deepStrictEqual(yield* api.violations, [])
  })
)

it.effect("A builtin signin is 403 for another token, name or type, and 400 without a name", () =>
  Effect.gen(function* () {
    const api = yield* simulated()
    assert.deepInclude((yield* signin(api, {}, "a.b.c")).body, { id: 11 })
    assert.strictEqual((yield* signin(api, { name: "other" })).status, 403)
    assert.strictEqual((yield* signin(api, { type: "api" })).status, 403)
    assert.deepInclude((yield* signin(api, { name: "" })).body, { id: 74 })
    const alone = yield* call(api, "POST", "/auth/consumer/builtin/signin", undefined, {
      token: api.identities[0]?.tokenV1
    })
    assert.strictEqual(alone.status, 403)
  })
)

it.effect("A consumer made for a region and a flag refuses a signin that says otherwise", () =>
  Effect.gen(function* () {
    const identity = { name: "rookery", region: "default", regionV1: "west", ignoreJobWithNoRegion: true }
    const api = yield* simulated({ hatcheries: [identity] })
    const good = { region: "west", ignore_job_with_no_region: true }
    assert.include((yield* signin(api, { ...good, region: "default" })).body.from, "region")
    assert.strictEqual((yield* signin(api, { ...good, region: null })).status, 403)
    assert.include((yield* signin(api, { region: "west" })).body.from, "ignore job")
    assert.strictEqual((yield* signin(api, good)).status, 200)
  })
)

it.effect("The region and the flag of the first signin stay", () =>
  Effect.gen(function* () {
    const api = yield* simulated()
    yield* signin(api, { region: "west" })
    const { body } = yield* signin(api, { region: "east", ignore_job_with_no_region: true })
    assert.deepInclude(body.service, { region: "west", ignore_job_with_no_region: null })
  })
)

it.effect("The tokens of the two sides are not taken for one another, and a V1 token expires", () =>
  Effect.gen(function* () {
    const claims = { type: "signinBuiltinConsumerToken" as const, consumerId: "c", iat: 0, expire: 60 }
    const tokenV1 = signConsumerToken(apiKeys, claims)
    const api = yield* simulated({ hatcheries: [{ name: "rookery", region: "default", token: tokenV1, tokenV1 }] })
    assert.include((yield* V2.signin(api)).body.from, "signinBuiltinConsumerToken")
    assert.strictEqual((yield* signin(api)).status, 200)
    yield* TestClock.adjust("1 minute")
    assert.include((yield* signin(api)).body.from, "expired")
  })
)

it.effect("A key that is no PKCS#1 PEM and an Authorization header on a builtin signin are violations", () =>
  Effect.gen(function* () {
    const api = yield* simulated()
    const spki = createPublicKey(hatcheryKey).export({ type: "spki", format: "pem" })
    yield* signin(api, { public_key: Buffer.from(spki).toString("base64") })
    const service = { name: "rookery", type: "hatchery", public_key: publicKey }
    yield* call(api, "POST", "/auth/consumer/builtin/signin", "old", { token: "", service })
    assert.deepStrictEqual(yield* rules(api), ["public-key", "authorization-on-signin"])
  })
)

it.effect("Each side's session is 403 on the other's routes", () =>
  Effect.gen(function* () {
    const api = yield* simulated()
    const v1 = yield* hatchery(api)
    const v2 = yield* V2.hatchery(api)
    assert.strictEqual((yield* v1.call("GET", "/v2/worker")).status, 403)
    assert.strictEqual((yield* v2.call("GET", "/worker")).status, 403)
  })
)

it.effect("A V1 session ends after an hour, at signout, and when it is revoked", () =>
  Effect.gen(function* () {
    const api = yield* simulated()
    const status = (it: { readonly token: string }) =>
      Effect.map(call(api, "GET", "/config/cdn", it.token), (answer) => answer.status)
    const old = yield* hatchery(api)
    yield* TestClock.adjust("59 minutes")
    assert.strictEqual(yield* status(old), 200)
    yield* TestClock.adjust("1 minute")
    assert.strictEqual(yield* status(old), 401)
    const left = yield* hatchery(api)
    const other = yield* hatchery(api)
    const answer = yield* left.call("POST", "/auth/consumer/signout")
    assert.deepStrictEqual([answer.status, answer.text], [200, "null"])
    assert.deepStrictEqual([yield* status(left), yield* status(other)], [401, 200])
    yield* api.revokeSessions
    assert.strictEqual(yield* status(other), 401)
  })
)

it.effect("A heartbeat is 204 and keeps the service, whose lines are kept", () =>
  Effect.gen(function* () {
    const api = yield* simulated()
    const it = yield* hatchery(api)
    for (let round = 0; round < 10; round++) {
      yield* TestClock.adjust("30 seconds")
      assert.strictEqual((yield* it.call("POST", "/services/heartbeat", beat)).status, 204)
    }
    const service = [...api.state.v1.services.values()][0]
    assert.deepInclude(service, { id: 1, lastHeartbeatAt: 300_000 })
    assert.strictEqual(service?.statusLines.length, 1)
    assert.strictEqual((yield* it.call("POST", "/services/heartbeat", { now: "", lines: [{}] })).status, 400)
  })
)

it.effect(
  "Three minutes without a heartbeat delete the service: heartbeat 403, hatchery routes 401, the queue stays",
  () =>
    Effect.gen(function* () {
      const api = yield* simulated()
      const it = yield* hatchery(api)
      yield* TestClock.adjust("179 seconds")
      assert.strictEqual((yield* it.call("GET", "/worker")).status, 200)
      yield* TestClock.adjust("1 second")
      assert.strictEqual((yield* it.call("GET", "/worker")).status, 401)
      assert.deepInclude((yield* it.call("POST", "/services/heartbeat", beat)).body, { id: 11 })
      assert.strictEqual((yield* it.call("GET", "/queue/workflows")).status, 200)
    })
)

it.effect("A signin after the deletion makes a new service, and its workers come back to it", () =>
  Effect.gen(function* () {
    const api = yield* simulated()
    const old = yield* hatchery(api)
    const id = yield* oneJob(api)
    yield* worker(api, id)
    assert.deepInclude((yield* old.call("GET", "/worker")).body[0], { hatchery_id: 1, job_run_id: Number(id) })
    yield* api.deleteService("rookery")
    assert.deepInclude([...api.state.v1.workers.values()][0], { hatcheryId: undefined, hatcheryName: "rookery" })
    const it = yield* hatchery(api)
    assert.deepInclude((yield* it.call("GET", "/worker")).body[0], { hatchery_id: 2 })
  })
)

it.effect("The CDN address is 404 on the V1 side too while no cdn is registered", () =>
  Effect.gen(function* () {
    const api = yield* simulated()
    const it = yield* hatchery(api)
    assert.strictEqual((yield* it.call("GET", "/config/cdn")).body.http_url, "http://cdn.simulated")
    yield* api.set({ cdn: false })
    assert.strictEqual((yield* it.call("GET", "/config/cdn")).status, 404)
  })
)

it.effect("A V1 call without the headers of the protocol works and is a violation", () =>
  Effect.gen(function* () {
    const api = yield* simulated()
    const { token } = yield* hatchery(api)
    const headers = { authorization: `Bearer ${token}` }
    const answer = yield* api.handle({ method: "GET", url: "/worker", headers, body: undefined })
    assert.strictEqual(answer.status, 200)
    assert.deepStrictEqual(yield* rules(api), ["headers"])
  })
)

it.effect("Faults meet V1 calls as well", () =>
  Effect.gen(function* () {
    const api = yield* simulated()
    const it = yield* hatchery(api)
    yield* api.fault({ kind: "answer", status: 403, path: "/services/heartbeat" })
    assert.strictEqual((yield* it.call("POST", "/services/heartbeat", beat)).status, 403)
    assert.strictEqual((yield* it.call("POST", "/services/heartbeat", beat)).status, 204)
    yield* api.fault({ kind: "headerless", header: "X-Api-Pub-Signing-Key" })
    assert.notProperty((yield* signin(api)).headers, "X-Api-Pub-Signing-Key")
  })
)
