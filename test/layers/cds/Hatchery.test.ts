import { assert, describe, it } from "@effect/vitest"
import { Effect, Redacted, Tracer } from "effect"
import { TestClock } from "effect/testing"
import { jwtVerify } from "jose"
import { Cds } from "../../../src/services/Cds.ts"
import type { WorkerClaims } from "../../../src/services/Cds.ts"
import * as Api from "./api.ts"
import { api, apiV1, consumerTokenV1, hatcheryKeys, noContent, notFound, ok, withSignin } from "./api.ts"

const now = Date.UTC(2026, 0, 1)

const idle = { id: "w-1", name: "bold-gould", status: "Waiting", jobId: "" } as const

/** The answer is lost, and the worker is not found when it is asked for again. */
const disabling = (listed: unknown) => {
  const replies = Api.inTurn("cut", notFound)
  const { layer } = apiV1(withSignin(({ method }) => (method === "POST" ? replies() : ok(listed))))
  return Cds.use((cds) => Api.moving(cds.disable({ ...idle, api: "v1" }))).pipe(Effect.provide(layer))
}

describe("the hatchery", () => {
  it.effect("lists its workers, whatever their status; null is none", () => {
    let answer: unknown = null
    const world = api(withSignin(() => ok(answer)))
    return Effect.gen(function* () {
      const { workers } = yield* Cds
      assert.deepStrictEqual(yield* workers, [])
      answer = [
        { id: "1", name: "stoic-keldysh", last_beat: "2026-01-01T00:00:00Z", run_job_id: "j", status: "Building" },
        { id: "2", name: "idle-hopper", run_job_id: null, status: "Disabled" }
      ]
      assert.deepStrictEqual(yield* workers, [
        { api: "v2", id: "1", name: "stoic-keldysh", status: "Building", jobId: "j" },
        { api: "v2", id: "2", name: "idle-hopper", status: "Disabled", jobId: "" }
      ])
    }).pipe(Effect.provide(world.layer))
  })

  it.effect("lists the workers of both APIs together, and none when either list cannot be had", () => {
    let broken = false
    const v1 = [
      { id: "3", name: "bold-gould", lastbeat: "2026-01-01T00:00:00Z", job_run_id: 777, status: "Building" },
      { id: "4", name: "calm-gould", job_run_id: null, status: "Waiting" }
    ]
    const v2 = [{ id: "1", name: "stoic-keldysh", run_job_id: "j", status: "Waiting" }]
    const world = api(
      withSignin(({ path }) => (path === "/worker" ? ok(v1) : broken ? { status: 403, body: { id: 11 } } : ok(v2))),
      { cds: { token: consumerTokenV1() } }
    )
    return Effect.gen(function* () {
      const { workers } = yield* Cds
      assert.deepStrictEqual(yield* workers, [
        { api: "v1", id: "3", name: "bold-gould", status: "Building", jobId: "777" },
        { api: "v1", id: "4", name: "calm-gould", status: "Waiting", jobId: "" },
        { api: "v2", id: "1", name: "stoic-keldysh", status: "Waiting", jobId: "j" }
      ])
      broken = true
      assert.strictEqual((yield* Effect.flip(workers)).kind, "refused")
    }).pipe(Effect.provide(world.layer))
  })

  it.effect("disables a V1 worker, and leaves a V2 worker alone", () => {
    const world = apiV1(withSignin(() => noContent))
    return Effect.gen(function* () {
      const { disable } = yield* Cds
      yield* disable({ ...idle, api: "v2" })
      assert.lengthOf(world.seen, 0)
      yield* disable({ ...idle, api: "v1" })
      assert.strictEqual(`${world.seen[1]?.method} ${world.seen[1]?.path}`, "POST /worker/w-1/disable")
    }).pipe(Effect.provide(world.layer))
  })

  it.effect("has disabled a worker when the answer was lost and it shows as disabled, or not at all", () =>
    Effect.gen(function* () {
      yield* disabling([{ ...idle, status: "Disabled" }])
      yield* disabling([])
      const error = yield* Effect.flip(disabling([idle]))
      assert.propertyVal(error, "kind", "notFound")
    })
  )

  it.effect("sends its status as heartbeat, each line with where it comes from", () => {
    const world = api(withSignin(() => noContent))
    return Effect.gen(function* () {
      const { heartbeat } = yield* Cds
      yield* heartbeat({ now, lines: [{ status: "WARN", component: "Version", value: "1.2.3" }] })
      const call = world.seen[1]!
      assert.strictEqual(`${call.method} ${call.path}`, "POST /v2/hatchery/heartbeat")
      assert.deepStrictEqual(call.body, {
        now: "2026-01-01T00:00:00.000Z",
        lines: [
          {
            status: "WARN",
            component: "Version",
            value: "1.2.3",
            type: "hatchery",
            service: "my-hatch",
            hostname: "host1"
          }
        ]
      })
    }).pipe(Effect.provide(world.layer))
  })

  const registered = { http_url: "http://cdn", tcp_url: "cdn:8090", tcp_url_enable_tls: true }
  const cdn = Cds.use((cds) => cds.cdn)

  it.effect("asks for the CDN, which may not be registered yet", () => {
    let there = false
    const world = api(withSignin(({ path }) => (path === "/v2/config/cdn" && there ? ok(registered) : notFound)))
    return Effect.gen(function* () {
      const { cdn } = yield* Cds
      assert.strictEqual((yield* Effect.flip(cdn)).kind, "notFound")
      there = true
      assert.deepStrictEqual(yield* cdn, { httpUrl: "http://cdn", tcpUrl: "cdn:8090", tcpTls: true })
    }).pipe(Effect.provide(world.layer))
  })

  it.effect("does not ask for a CDN that is configured, and asks only for what is missing of it", () =>
    Effect.gen(function* () {
      const whole = { httpUrl: "http://own", tcpUrl: "own:1", tcpTls: false }
      const configured = api(
        withSignin(() => notFound),
        { cds: { cdn: whole } }
      )
      assert.deepStrictEqual(yield* Effect.provide(cdn, configured.layer), whole)
      assert.lengthOf(configured.seen, 0)
      const half = { httpUrl: "http://own", tcpUrl: "", tcpTls: false }
      const { layer } = api(
        withSignin(() => ok(registered)),
        { cds: { cdn: half } }
      )
      assert.deepStrictEqual(yield* Effect.provide(cdn, layer), {
        httpUrl: "http://own",
        tcpUrl: "cdn:8090",
        tcpTls: true
      })
    })
  )

  it.effect("signs a token for one worker and one job, valid one hour, that the public key verifies", () => {
    const world = api(withSignin(() => notFound))
    return Effect.gen(function* () {
      yield* TestClock.setTime(now)
      const { workerToken } = yield* Cds
      const token = yield* workerToken({ workerName: "stoic-keldysh", modelName: "deb", jobId: "job-1" })
      assert.notInclude(String(token), "ey")
      const { payload, protectedHeader } = yield* Effect.promise(() =>
        jwtVerify(Redacted.value(token), hatcheryKeys.publicKey, { currentDate: new Date(now) })
      )
      assert.deepStrictEqual<unknown>(protectedHeader, { alg: "RS512", typ: "JWT" })
      assert.deepStrictEqual<unknown>(payload, {
        iss: "my-hatch",
        sub: "stoic-keldysh",
        jti: "uuid-1",
        iat: now / 1000,
        exp: now / 1000 + 3600,
        Worker: {
          worker_model: "stoic-keldysh",
          model_name: "deb",
          run_job_id: "job-1",
          hatchery_name: "my-hatch"
        }
      })
      assert.lengthOf(world.seen, 0)
    }).pipe(Effect.provide(world.layer))
  })

  it.effect("signs a V1 worker's token for its job and model, or to register the model alone", () => {
    const world = apiV1(withSignin(() => notFound))
    const model = { id: 9, name: "deb" }
    const names = { workerName: "stoic-keldysh", modelName: "shared.infra/deb" }
    const common = { worker_model: "stoic-keldysh", hatchery_name: "my-hatch" }
    return Effect.gen(function* () {
      const { workerToken } = yield* Cds
      const claimsOf = Effect.fnUntraced(function* (claims: WorkerClaims) {
        const [, payload = ""] = Redacted.value(yield* workerToken(claims)).split(".")
        return JSON.parse(Buffer.from(payload, "base64url").toString()).Worker
      })
      assert.deepStrictEqual(yield* claimsOf({ ...names, jobId: "777", model }), {
        ...common,
        model,
        job_id: 777,
        register_only: false
      })
      assert.deepStrictEqual((yield* claimsOf({ ...names, jobId: "777" })).model, {})
      const registering = yield* claimsOf({ ...names, jobId: "", model })
      assert.deepStrictEqual(registering, { ...common, model, register_only: true })
    }).pipe(Effect.provide(world.layer))
  })

  it.effect("asks the V1 API for the CDN where there is no other", () => {
    const world = apiV1(withSignin(({ path }) => (path === "/config/cdn" ? ok(registered) : notFound)))
    return Effect.map(cdn, ({ httpUrl }) => assert.strictEqual(httpUrl, "http://cdn")).pipe(Effect.provide(world.layer))
  })

  it.effect("makes each call in a span that names the job, and puts no secret into one", () => {
    const spans: Array<Tracer.NativeSpan> = []
    const tracer = Tracer.make({
      span: (options) => {
        const span = new Tracer.NativeSpan(options)
        spans.push(span)
        return span
      }
    })
    const world = api(withSignin(() => notFound))
    return Effect.gen(function* () {
      const cds = yield* Cds
      yield* Effect.ignore(cds.take("r1", "job-1"))
      yield* Effect.ignore(cds.workers)
      yield* cds.workerToken({ workerName: "w", modelName: "deb", jobId: "job-1" })
      const named = (name: string) => spans.filter((span) => span.name === name)
      assert.strictEqual(named("Cds.take")[0]?.attributes.get("job.id"), "job-1")
      assert.strictEqual(named("Cds.workerToken")[0]?.attributes.get("worker.name"), "w")
      assert.lengthOf(named("Cds.workers"), 1)
      assert.lengthOf(named("Cds.signin"), 1)
      const told = JSON.stringify(spans.map((span) => [...span.attributes]))
      const bearer = world.seen[1]?.headers["authorization"]?.replace("Bearer ", "")
      assert.isDefined(bearer)
      assert.notInclude(told, bearer!)
      assert.notInclude(told, world.signins()[0]?.body.token)
    }).pipe(Effect.provide(world.layer), Effect.withTracer(tracer))
  })
})
