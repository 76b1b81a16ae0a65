/** The client against the simulated API, which checks what it is sent and tells as violations what the protocol does not allow. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Layer, Redacted, Stream } from "effect"
import { TestClock } from "effect/testing"
import { defaults } from "../../../src/schema/config/defaults.ts"
import type { JobSighting } from "../../../src/schema/Job.ts"
import { workerConfig } from "../../../src/schema/WorkerConfig.ts"
import { Cds } from "../../../src/services/Cds.ts"
import { Ids } from "../../../src/services/Ids.ts"
import { Settings } from "../../../src/services/Settings.ts"
import * as CdsLive from "../../../src/layers/cds/CdsLive.ts"
import { httpClient, layer as inProcess } from "../../../src/layers/simulated/cds/InProcess.ts"
import { makeKeys } from "../../../src/layers/simulated/cds/Keys.ts"
import * as SimCds from "../../../src/layers/simulated/cds/SimCds.ts"
import { workerProgram } from "../../../src/layers/simulated/cds/SimWorker.ts"
import { hatcheryKeys } from "./api.ts"

const keys = makeKeys()
const pem = hatcheryKeys.privateKey.export({ type: "pkcs8", format: "pem" }).toString()

/** A simulated API with our client in front; both end with the test. */
const world = Effect.gen(function* () {
  const api = yield* SimCds.make({ keys, seed: 1 })
  const identity = api.identities[0]!
  const cds = {
    ...defaults.cds,
    name: identity.name,
    apiUrl: "http://cds.simulated",
    tokenV2: Redacted.make(identity.token),
    rsaPrivateKey: Redacted.make(pem)
  }
  const layer = CdsLive.layer({ version: "1.2.3", hostname: "host1" }).pipe(
    Layer.provide(
      Layer.mergeAll(
        inProcess(api),
        Layer.succeed(Settings, { ...defaults, cds }),
        Layer.mock(Ids)({ uuid: Effect.succeed("6d3c1b9e-0000-4000-8000-000000000001") })
      )
    )
  )
  const client = yield* Layer.build(layer)
  const sightings: Array<JobSighting> = []
  const service = yield* Cds.pipe(Effect.provide(client))
  const { region } = yield* service.signin
  const watch = Stream.runForEach(service.sightings, (sighting) => Effect.sync(() => sightings.push(sighting)))
  yield* Effect.forkChild(watch)
  yield* TestClock.adjust("1 second")
  return { api, cds: service, region, sightings, ids: () => [...new Set(sightings.map(({ id }) => id))] }
})

/** Runs while the clock moves. */
const moving = <A, E>(self: Effect.Effect<A, E>) =>
  Effect.gen(function* () {
    const fiber = yield* Effect.forkChild(self)
    yield* TestClock.adjust("1 minute")
    return yield* Fiber.join(fiber)
  })

describe("the client and the simulated API", () => {
  it.effect("carry a job from the event to a worker that has run it", () =>
    Effect.gen(function* () {
      const { api, cds, region, sightings } = yield* world
      const [id = ""] = yield* api.enqueue({ image: "debian12", flavor: "big" })
      yield* TestClock.adjust("1 second")
      assert.deepInclude(sightings, { id, region, projectKey: "PROJ", source: "event" })
      const { job, model } = yield* cds.job(region, id)
      assert.strictEqual(job.runsOn.flavor, "big")
      assert.strictEqual(model?.image, "debian12")
      assert.strictEqual((yield* moving(cds.take(region, id))).status, "Scheduling")
      yield* cds.tell(region, id, { _tag: "Starts", workerName: "w", modelName: "deb" })

      const claim = { workerName: "stoic-keldysh", modelName: model?.name ?? "", jobId: id, region }
      const settings = { ...defaults.worker, apiUrl: "http://cds.simulated" }
      const token = yield* cds.workerToken(claim)
      const config = workerConfig({ settings, hatchery: job.hatcheryName, claim, cdn: yield* cds.cdn, token })
      const program = workerProgram(httpClient(api))({
        arguments: "",
        env: { CDS_CONFIG: Redacted.value(config) },
        write: () => undefined
      })
      const worker = yield* Effect.forkChild(program)
      yield* TestClock.adjust("10 seconds")
      assert.deepInclude((yield* cds.workers)[0], { name: "stoic-keldysh", status: "Building", jobId: id })
      yield* TestClock.adjust("1 minute")
      assert.strictEqual((yield* Fiber.join(worker)).exitCode, 0)
      assert.strictEqual((yield* cds.job(region, id)).job.status, "Success")
      assert.deepStrictEqual(yield* api.violations, [])
    })
  )

  it.effect("lose no job when the answer to a take is lost, cut short or late", () =>
    Effect.gen(function* () {
      const { api, cds, region } = yield* world
      const path = "/hatchery/take"
      const faults = [
        { kind: "lost", path },
        { kind: "dropped", path },
        { kind: "malformed", path },
        { kind: "answer", status: 500, path, times: 2 },
        { kind: "slow", ms: 15_000, path }
      ] as const
      for (const fault of faults) {
        const [id = ""] = yield* api.enqueue()
        yield* api.fault(fault)
        assert.strictEqual((yield* moving(cds.take(region, id))).status, "Scheduling")
        yield* cds.release(region, id)
      }
      assert.deepStrictEqual(yield* api.violations, [])
    })
  )

  it.effect("know a release and a failure as done although their answers are lost", () =>
    Effect.gen(function* () {
      const { api, cds, region } = yield* world
      const [id = ""] = yield* api.enqueue()
      yield* moving(cds.take(region, id))
      yield* api.fault({ kind: "lost", method: "DELETE" })
      yield* moving(cds.release(region, id))
      assert.deepInclude(yield* api.job(id), { status: "Waiting", releases: 1 })
      yield* moving(cds.take(region, id))
      yield* api.fault({ kind: "lost", path: "/result" })
      yield* moving(cds.fail(region, id, "no machine"))
      assert.strictEqual((yield* api.job(id))?.status, "Fail")
      assert.deepStrictEqual(yield* api.violations, [])
    })
  )

  it.effect("see the jobs that came while the socket was away", () =>
    Effect.gen(function* () {
      const { api, ids } = yield* world
      for (const how of [1000, 1001, "drop"] as const) {
        yield* TestClock.adjust("40 seconds")
        yield* api.endSockets(how)
        const [id = ""] = yield* api.enqueue()
        yield* TestClock.adjust("1 second")
        assert.include(ids(), id)
      }
    })
  )

  it.effect("go on when all sessions are revoked and the region has changed", () =>
    Effect.gen(function* () {
      const { api, cds, ids } = yield* world
      yield* api.moveHatchery("rookery", "elsewhere")
      yield* api.revokeSessions
      assert.deepStrictEqual(yield* cds.workers, [])
      assert.strictEqual(yield* cds.region, "elsewhere")
      const [id = ""] = yield* api.enqueue({ region: "elsewhere" })
      yield* TestClock.adjust("20 seconds")
      assert.include(ids(), id)
      assert.deepStrictEqual(yield* api.violations, [])
    })
  )
})
