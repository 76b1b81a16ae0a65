import { assert, describe, it } from "@effect/vitest"
import { Effect, Redacted } from "effect"
import { TestClock } from "effect/testing"
import type { SettingsShape } from "../../../src/schema/Settings.ts"
import { Cds } from "../../../src/services/Cds.ts"
import * as Api from "./api.ts"
import { api, apiV1, consumerTokenV1, forbidden, noContent, notFound, ok, signedInV1, signinPathV1 } from "./api.ts"

const signin = Cds.use((cds) => cds.signin)

/** The problem that ends the signin. */
const refusal = (world: ReturnType<typeof api>) =>
  Effect.flip(signin).pipe(
    Effect.map(({ problems }) => problems[0]!),
    Effect.provide(world.layer)
  )

const common = "hatchery.vsphere.commonConfiguration"

const both = { token: consumerTokenV1() }

/** The services of the signins that were sent. */
const services = (world: ReturnType<typeof api>) => world.calls(signinPathV1).map(({ body }) => body.service)

describe("the V1 signin", () => {
  it.effect("registers the hatchery as a service, and is the only one without a V2 token", () => {
    const world = apiV1(Api.withSignin(() => notFound))
    return Effect.gen(function* () {
      yield* signin
      assert.lengthOf(world.seen, 1)
      const call = world.seen[0]!
      assert.strictEqual(`${call.method} ${call.path}`, `POST ${signinPathV1}`)
      assert.isUndefined(call.headers["authorization"])
      assert.strictEqual(call.body.token, Redacted.value(consumerTokenV1()))
      const { public_key, ...service } = call.body.service
      assert.match(Buffer.from(public_key, "base64").toString(), /^-----BEGIN RSA PUBLIC KEY-----\n/)
      assert.deepStrictEqual(service, {
        id: 0,
        name: "my-hatch",
        type: "hatchery",
        http_url: "http://my-hatch:8086",
        config: { commonConfiguration: { name: "my-hatch" }, workerTTL: 120 },
        region: null,
        ignore_job_with_no_region: null,
        last_heartbeat: "0001-01-01T00:00:00Z",
        monitoring_status: { now: "0001-01-01T00:00:00Z", lines: null },
        version: "",
        up_to_date: false
      })
    }).pipe(Effect.provide(world.layer))
  })

  it.effect(
    "tells the configured region and that jobs without one are left to others, which is then the hatchery's region",
    () => {
      const world = apiV1(
        Api.withSignin(() => notFound),
        { region: "north", ignoreJobWithNoRegion: true }
      )
      return Effect.gen(function* () {
        assert.deepStrictEqual(yield* signin, { region: "north" })
        assert.strictEqual(yield* Cds.use((cds) => cds.region), "north")
        assert.deepInclude(services(world)[0], { region: "north", ignore_job_with_no_region: true })
      }).pipe(Effect.provide(world.layer))
    }
  )

  it.effect("goes with the V2 signin, whose region stays out of it at every renewal", () => {
    const world = api(
      Api.withSignin(() => ok(null)),
      { cds: both, settings: { region: "north" } }
    )
    return Effect.gen(function* () {
      const cds = yield* Cds
      assert.deepStrictEqual(yield* cds.signin, { region: "r1" })
      yield* TestClock.adjust("1 hour")
      assert.deepStrictEqual(yield* cds.workers, [])
      assert.deepStrictEqual(
        services(world).map(({ region }) => region),
        ["north", "north"]
      )
      assert.deepStrictEqual(services(world)[1], services(world)[0])
      assert.lengthOf(world.signins(), 2)
    }).pipe(Effect.provide(world.layer))
  })

  it.effect("is made again when the session is revoked, and the call with it", () => {
    const replies = Api.inTurn(Api.unauthorized, ok(null))
    const world = apiV1(Api.withSignin(replies))
    return Effect.gen(function* () {
      assert.deepStrictEqual(yield* Cds.use((cds) => cds.workers), [])
      assert.lengthOf(services(world), 2)
    }).pipe(Effect.provide(world.layer))
  })

  it.effect("is malformed without the service's id", () => {
    const world = apiV1((seen) => ({
      ...(signedInV1(seen.at) as object),
      status: 200,
      body: { token: Api.sessionToken(0) }
    }))
    return Effect.gen(function* () {
      const error = yield* Effect.flip(Cds.use((cds) => cds.workers))
      assert.strictEqual(error.kind, "malformed")
      assert.match(error.message, /service/)
    }).pipe(Effect.provide(world.layer))
  })

  const own: Partial<SettingsShape> = { region: "north", ignoreJobWithNoRegion: true }

  it.effect("names the setting that CDS refuses", () =>
    Effect.gen(function* () {
      const expected = [
        [`service name "my-hatch" doesn't match with consumer "x"`, `${common}.name`, "my-hatch"],
        [`service region "north" doesn't match with consumer "south"`, `${common}.provision.region`, "north"],
        [`unknown service region doesn't match with consumer "south"`, `${common}.provision.region`, "north"],
        [
          `service ignore job with no region flag value 'true' doesn't match with consumer 'false'`,
          `${common}.provision.ignoreJobWithNoRegion`,
          "true"
        ],
        [undefined, `${common}.api.token`, "<redacted>"]
      ] as const
      for (const [from, path, value] of expected) {
        assert.deepInclude(yield* refusal(apiV1(() => forbidden(from), own)), { path, value })
      }
    })
  )

  it.effect("names api.token when it has expired or is a V2 token, without sending it", () =>
    Effect.gen(function* () {
      yield* TestClock.setTime(2_000_000)
      const told = Effect.fnUntraced(function* (token: Redacted.Redacted<string>) {
        const world = api(() => notFound, { cds: { token, tokenV2: undefined } })
        const problem = yield* refusal(world)
        assert.strictEqual(problem.path, `${common}.api.token`)
        assert.lengthOf(world.seen, 0)
        return problem.rule
      })
      assert.match(yield* told(consumerTokenV1(1_000)), /expired/)
      assert.match(yield* told(Api.consumerToken()), /it needs signinBuiltinConsumerToken/)
    })
  )
})

const beat = Cds.use((cds) => cds.heartbeat({ now: 0, lines: [] }))

describe("the V1 service", () => {
  it.effect("lives by its heartbeat, and is signed in again when CDS has deleted it", () => {
    let deleted = true
    const world = apiV1((seen) => {
      if (seen.path !== signinPathV1) return deleted ? forbidden() : noContent
      deleted = world.calls(signinPathV1).length === 1
      return signedInV1(seen.at)
    })
    return Effect.gen(function* () {
      yield* beat
      assert.deepStrictEqual(
        world.seen.map(({ path }) => path),
        [signinPathV1, "/services/heartbeat", signinPathV1, "/services/heartbeat"]
      )
      yield* beat
      assert.lengthOf(services(world), 2)
    }).pipe(Effect.provide(world.layer))
  })

  it.effect("beats on both sides, though one of them fails, and the failure names its side", () => {
    const world = api(
      Api.withSignin(({ path }) => (path === "/services/heartbeat" ? { status: 400, body: { id: 74 } } : noContent)),
      { cds: both }
    )
    return Effect.gen(function* () {
      assert.deepInclude(yield* Effect.flip(beat), { kind: "refused", message: "V1: HTTP 400" })
      assert.lengthOf(world.calls("/v2/hatchery/heartbeat"), 1)
    }).pipe(Effect.provide(world.layer))
  })

  it.effect("names the side that is in trouble", () => {
    const world = api(
      Api.withSignin(({ path }) => (path === "/worker" ? "cut" : ok(null))),
      { cds: both }
    )
    return Effect.gen(function* () {
      const cds = yield* Cds
      const error = yield* Api.moving(Effect.flip(cds.workers))
      assert.strictEqual(error.kind, "unreachable")
      assert.strictEqual(yield* cds.trouble, "V1 api: workers: read ECONNRESET")
    }).pipe(Effect.provide(world.layer))
  })

  it.effect("signs out of the session that it holds, and never signs in to do so", () => {
    const world = apiV1(Api.withSignin(() => ok(null)))
    return Effect.gen(function* () {
      const cds = yield* Cds
      yield* cds.signout
      assert.lengthOf(world.seen, 0)
      yield* cds.signin
      yield* cds.signout
      yield* cds.signout
      const calls = world.calls("/auth/consumer/signout")
      assert.deepStrictEqual(
        calls.map(({ method, headers }) => [method, headers["authorization"]]),
        [["POST", `Bearer ${Api.sessionToken(0)}`]]
      )
    }).pipe(Effect.provide(world.layer))
  })

  it.effect("has signed out whatever CDS answers, within five seconds", () =>
    Effect.forEach(["silence", "cut", Api.unauthorized] as const, (reply) => {
      const world = apiV1(Api.withSignin(() => reply))
      return Effect.gen(function* () {
        const cds = yield* Cds
        yield* cds.signin
        const leaving = yield* Effect.forkChild(cds.signout)
        yield* TestClock.adjust("5 seconds")
        assert.isDefined(leaving.pollUnsafe())
      }).pipe(Effect.provide(world.layer))
    })
  )
})

describe("a side without a token", () => {
  it.effect("is silent, and refuses by the name of the setting what only it can do", () => {
    const world = api(Api.withSignin(() => ok(null)))
    return Effect.gen(function* () {
      const cds = yield* Cds
      assert.deepStrictEqual(yield* cds.models, { models: [], unreadable: [] })
      assert.deepStrictEqual(yield* cds.workers, [])
      yield* cds.signout
      assert.isTrue(world.seen.every(({ path }) => path.startsWith("/v2/")))
      const error = yield* Effect.flip(cds.job("", "777"))
      assert.deepInclude(error, { kind: "refused", call: "job", message: `it needs ${common}.api.token` })
    }).pipe(Effect.provide(world.layer))
  })

  it.effect("takes the V2 jobs and models with it", () => {
    const world = apiV1(Api.withSignin(() => ok(null)))
    return Effect.gen(function* () {
      const cds = yield* Cds
      const uuid = "6d3c1b9e-0000-4000-8000-000000000001"
      for (const refused of [Effect.flip(cds.take("r1", uuid)), Effect.flip(cds.modelAsCode("P/vcs/repo/deb"))]) {
        const { kind, message } = yield* refused
        assert.deepStrictEqual([kind, message], ["refused", `it needs ${common}.api.tokenV2`])
      }
      assert.lengthOf(world.seen, 0)
    }).pipe(Effect.provide(world.layer))
  })
})
