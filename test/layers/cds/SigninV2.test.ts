import { assert, describe, it } from "@effect/vitest"
import { createPublicKey } from "node:crypto"
import { Effect, Fiber, Redacted } from "effect"
import { TestClock } from "effect/testing"
import { Cds } from "../../../src/services/Cds.ts"
import { api, consumerToken, forbidden, hatcheryKeys, notFound, ok, signedIn, signinPath } from "./api.ts"
import type { Reply } from "./api.ts"

const signin = Cds.use((cds) => cds.signin)

/** The problem that ends the signin. */
const refusal = (world: ReturnType<typeof api>) =>
  signin.pipe(
    Effect.flip,
    Effect.map(({ problems }) => problems[0]!),
    Effect.provide(world.layer)
  )

const secret = "do-not-tell"

describe("signin", () => {
  it.effect("sends the registration of a vSphere hatchery and keeps the region of the answer", () => {
    const world = api((seen) => signedIn(seen.at))
    return Effect.gen(function* () {
      assert.deepStrictEqual(yield* signin, { region: "r1" })
      assert.strictEqual(yield* Cds.use((cds) => cds.region), "r1")
      const call = world.seen[0]!
      assert.strictEqual(call.method, "POST")
      assert.strictEqual(call.path, signinPath)
      assert.deepStrictEqual(Object.keys(call.body), [
        "token",
        "name",
        "type",
        "http_url",
        "config",
        "public_key",
        "version"
      ])
      const { public_key, ...rest } = call.body
      assert.deepStrictEqual(rest, {
        token: Redacted.value(consumerToken()),
        name: "my-hatch",
        type: "vsphere",
        http_url: "http://my-hatch:8086",
        config: { commonConfiguration: { name: "my-hatch" }, workerTTL: 120 },
        version: "1.2.3"
      })
      const pem = Buffer.from(public_key, "base64").toString()
      assert.match(pem, /^-----BEGIN RSA PUBLIC KEY-----\n/)
      assert.isTrue(createPublicKey(pem).equals(hatcheryKeys.publicKey))
    }).pipe(Effect.provide(world.layer))
  })

  it.effect("carries the headers of every call, but no session", () => {
    const world = api((seen) => signedIn(seen.at))
    return Effect.gen(function* () {
      yield* TestClock.setTime(Date.UTC(2026, 0, 2, 3, 4, 5))
      yield* signin
      const headers = world.seen[0]?.headers
      assert.strictEqual(headers?.["content-type"], "application/json")
      assert.strictEqual(headers?.["date"], "2 Jan 2026 03:04:05 +0000")
      assert.strictEqual(headers?.["x-cds-remotetime"], "2 Jan 2026 03:04:05 +0000")
      assert.isUndefined(headers?.["authorization"])
    }).pipe(Effect.provide(world.layer))
  })

  it.effect("takes a key in PKCS#8 form as well", () => {
    const pkcs8 = hatcheryKeys.privateKey.export({ type: "pkcs8", format: "pem" }).toString()
    const world = api((seen) => signedIn(seen.at), { cds: { rsaPrivateKey: Redacted.make(pkcs8) } })
    return Effect.gen(function* () {
      yield* signin
      assert.match(Buffer.from(world.seen[0]?.body.public_key, "base64").toString(), /BEGIN RSA PUBLIC KEY/)
    }).pipe(Effect.provide(world.layer))
  })

  it.effect("names rsaPrivateKey when it is no RSA key", () =>
    Effect.gen(function* () {
      const world = api((seen) => signedIn(seen.at), { cds: { rsaPrivateKey: Redacted.make(secret) } })
      const error = yield* Effect.flip(signin.pipe(Effect.provide(world.layer)))
      assert.strictEqual(error.problems[0]?.path, "hatchery.vsphere.commonConfiguration.rsaPrivateKey")
      assert.notInclude(error.message, secret)
    })
  )

  const path = "hatchery.vsphere.commonConfiguration.api.tokenV2"

  it.effect("tells that the token has expired without sending it", () => {
    const world = api(() => notFound, { cds: { tokenV2: consumerToken(undefined, 1_000) } })
    return Effect.gen(function* () {
      yield* TestClock.setTime(1_000_000)
      const problem = yield* refusal(world)
      assert.strictEqual(problem.path, path)
      assert.match(problem.rule, /expired on 1970-01-01T00:16:40/)
      assert.lengthOf(world.seen, 0)
    })
  })

  it.effect("tells that there is no token, that it is none, or one of another kind, without sending it", () =>
    Effect.gen(function* () {
      const told = Effect.fnUntraced(function* (tokenV2: Redacted.Redacted<string> | undefined) {
        const world = api(() => notFound, { cds: { tokenV2 } })
        const problem = yield* refusal(world)
        assert.strictEqual(problem.path, path)
        assert.lengthOf(world.seen, 0)
        assert.notInclude(JSON.stringify(problem), secret)
        return problem.rule
      })
      assert.match(yield* told(undefined), /is needed/)
      assert.match(yield* told(Redacted.make(secret)), /not a CDS consumer token/)
      assert.match(yield* told(Redacted.make(`a.${secret}.c`)), /not a CDS consumer token/)
      assert.match(yield* told(consumerToken("signinBuiltinConsumerToken")), /signinBuiltinConsumerToken/)
    })
  )

  it.effect("names the token when CDS refuses it, and tries it once", () => {
    const world = api(() => forbidden())
    return Effect.gen(function* () {
      const problem = yield* refusal(world)
      assert.strictEqual(problem.path, path)
      assert.include(problem.rule, "forbidden")
      assert.lengthOf(world.seen, 1)
      assert.notInclude(JSON.stringify(problem), Redacted.value(consumerToken()))
    })
  })

  it.effect("names the name when CDS says that it is the name", () =>
    Effect.gen(function* () {
      const problem = yield* refusal(api(() => forbidden("wrong token. name x != name y")))
      assert.strictEqual(problem.path, "hatchery.vsphere.commonConfiguration.name")
      assert.strictEqual(problem.value, "my-hatch")
    })
  )

  it.effect("names the token when its hatchery is not there any more", () =>
    Effect.map(refusal(api(() => notFound)), (problem) => assert.strictEqual(problem.path, path))
  )

  it.effect("goes on every ten seconds while CDS cannot be reached, with the reason as trouble", () => {
    let down = true
    const world = api((seen) => (down ? "cut" : signedIn(seen.at)))
    return Effect.gen(function* () {
      const cds = yield* Cds
      const fiber = yield* Effect.forkChild(cds.signin)
      yield* TestClock.adjust("9 seconds")
      assert.lengthOf(world.seen, 3)
      assert.match((yield* cds.trouble) ?? "", /ECONNRESET/)
      yield* TestClock.adjust("2 seconds")
      assert.lengthOf(world.seen, 6)
      down = false
      yield* TestClock.adjust("10 seconds")
      assert.deepStrictEqual(yield* Fiber.join(fiber), { region: "r1" })
      assert.isUndefined(yield* cds.trouble)
    }).pipe(Effect.provide(world.layer))
  })

  it.effect("does not take an answer without the API's signing key, and says which header is missing", () => {
    let headerless = true
    const world = api((seen) => {
      const reply = signedIn(seen.at) as Exclude<Reply, string>
      return headerless ? { ...reply, headers: {} } : reply
    })
    return Effect.gen(function* () {
      const cds = yield* Cds
      const fiber = yield* Effect.forkChild(cds.signin)
      yield* TestClock.adjust("1 second")
      assert.match((yield* cds.trouble) ?? "", /X-Api-Pub-Signing-Key/)
      headerless = false
      yield* TestClock.adjust("10 seconds")
      assert.deepStrictEqual(yield* Fiber.join(fiber), { region: "r1" })
    }).pipe(Effect.provide(world.layer))
  })

  it.effect("never tells what an answer holds, only where it is wrong", () => {
    const world = api((seen) => {
      const reply = signedIn(seen.at) as Exclude<Reply, string>
      return { ...reply, body: { token: { [secret]: secret }, region: 7 } }
    })
    return Effect.gen(function* () {
      const cds = yield* Cds
      yield* Effect.forkChild(cds.signin)
      yield* TestClock.adjust("1 second")
      const trouble = (yield* cds.trouble) ?? ""
      assert.match(trouble, /token, region/)
      assert.notInclude(trouble, secret)
    }).pipe(Effect.provide(world.layer))
  })

  it.effect("waits with the region until a signin has told it", () => {
    const world = api((seen) => signedIn(seen.at))
    return Effect.gen(function* () {
      const cds = yield* Cds
      const region = yield* Effect.forkChild(cds.region)
      yield* TestClock.adjust("1 hour")
      assert.isUndefined(region.pollUnsafe())
      yield* cds.signin
      assert.strictEqual(yield* Fiber.join(region), "r1")
    }).pipe(Effect.provide(world.layer))
  })

  it.effect("keeps no cookie", () => {
    const world = api((seen) => {
      const reply = signedIn(seen.at) as Exclude<Reply, string>
      if (seen.path !== signinPath) return ok(null)
      return { ...reply, headers: { ...reply.headers, "set-cookie": "jwt_token=x; Path=/" } }
    })
    return Effect.gen(function* () {
      yield* Cds.use((cds) => cds.workers)
      assert.isUndefined(world.seen[1]?.headers["cookie"])
      assert.match(world.seen[1]?.headers["authorization"] ?? "", /^Bearer /)
    }).pipe(Effect.provide(world.layer))
  })
})
