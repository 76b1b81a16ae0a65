/** Seed 001 section 2: the hatchery towards the V1 side of the CDS API, as the CDS contract has it (sections 2 to 7 there). */
import { assert, describe, it } from "@effect/vitest"
import { Context, Effect, Redacted } from "effect"
import { TestClock } from "effect/testing"
import { defaultTimes } from "../../src/schema/config/defaults.ts"
import { Monitor } from "../../src/services/Monitor.ts"
import { name, seeded } from "../support/world.ts"
import { ours, registered, standing, until, watch } from "../actors/scene.ts"
import { jobOf, orderV1, orderV2, pool, spawning, toldTo, waitsFor, type Spawning } from "./spawns.ts"

const asCode = "PROJ/github/acme/app/debian"
const deb = { name: "deb", ...registered }

/** A hatchery that has a ready machine for V1 jobs on a V2 model. */
const ready = Effect.fnUntraced(function* (options: Parameters<typeof spawning>[0] = {}) {
  const scene = yield* spawning({ ...options, settings: { ...pool(1), ...options.settings } })
  yield* scene.cds.addModelAsCode({ path: asCode })
  return scene
})

const service = ({ cds }: Spawning) => [...cds.state.v1.services.values()][0]!

/** The hatchery's own calls about that job, as `METHOD what`. */
const callsAbout = ({ calls }: Spawning, id: string): ReadonlyArray<string> =>
  calls
    .filter((call) => call.includes(`/workflows/${id}/`))
    .map((call) => call.replace(/\/queue\/workflows\/\d+\//, ""))

const polls = ({ calls }: Spawning): number => calls.filter((call) => call === "GET /queue/workflows").length

const statuses = (scene: Spawning, id: string) =>
  Effect.map(jobOf(scene, id), ({ history }) => history.map(({ status }) => status))

describe("2 the V1 session", () => {
  it.effect("is that of a service with its name, region and public key, made once", () =>
    Effect.gen(function* () {
      const scene = yield* ready({ settings: { region: "south", ignoreJobWithNoRegion: true } })
      const { consumer, region, ignoreJobWithNoRegion, publicKey, signins } = service(scene)
      assert.deepStrictEqual([consumer.name, region, ignoreJobWithNoRegion, signins], [name, "south", true, 1])
      assert.match(Buffer.from(publicKey, "base64").toString(), /^-----BEGIN RSA PUBLIC KEY-----/)
    }).pipe(seeded("service"))
  )

  it.effect("lives by a heartbeat every 30 seconds that carries the monitoring status", () =>
    Effect.gen(function* () {
      const scene = yield* ready()
      for (let n = 0; n < 10; n++) {
        const { lastHeartbeatAt } = service(scene)
        yield* TestClock.adjust("31 seconds")
        assert.isAbove(service(scene).lastHeartbeatAt, lastHeartbeatAt)
      }
      const { lines } = yield* Context.get(scene.context, Monitor).status
      assert.deepStrictEqual(
        service(scene).statusLines.map((line) => (line as { readonly component: string }).component),
        lines.map(({ component }) => component)
      )
    }).pipe(seeded("heartbeat"))
  )

  it.effect("comes back when CDS has deleted the service, and with it the jobs", () =>
    Effect.gen(function* () {
      const scene = yield* ready()
      yield* scene.cds.deleteService(name)
      assert.strictEqual(scene.cds.state.v1.services.size, 0)
      yield* TestClock.adjust("31 seconds")
      assert.strictEqual(scene.cds.state.v1.services.size, 1)
      const id = yield* orderV1(scene, { model: asCode })
      yield* TestClock.adjust("5 minutes")
      assert.strictEqual((yield* jobOf(scene, id)).status, "Success")
      assert.deepStrictEqual(yield* scene.cds.violations, [])
    }).pipe(seeded("deleted"))
  )

  it.effect("ends with the process", () =>
    Effect.gen(function* () {
      const scene = yield* ready()
      yield* scene.stop
      assert.strictEqual(scene.calls.at(-1), "POST /auth/consumer/signout")
    }).pipe(seeded("signout"))
  )
})

describe("2 V1 jobs are seen", () => {
  it.effect("by their events, long before the next poll; those for hatcheries of another type are not", () =>
    Effect.gen(function* () {
      const scene = yield* ready()
      const before = polls(scene)
      yield* until(() => polls(scene) > before)
      const id = yield* orderV1(scene, { model: asCode })
      const other = yield* orderV1(scene, { model: asCode, modelType: "openstack" })
      yield* watch(5, () => undefined)
      assert.strictEqual((yield* jobOf(scene, id)).status, "Scheduling")
      assert.strictEqual(polls(scene), before + 1)
      yield* TestClock.adjust("1 minute")
      assert.deepStrictEqual(callsAbout(scene, other), [])
    }).pipe(seeded("events"))
  )

  for (const how of [1000, 1001, "drop"] as const)
    it.effect(`by their events again after the socket was closed (${how}), with the filter sent anew`, () =>
      Effect.gen(function* () {
        const scene = yield* ready()
        yield* scene.cds.endSockets(how)
        yield* watch(3, () => undefined)
        const id = yield* orderV1(scene, { model: asCode })
        yield* watch(5, () => undefined)
        assert.strictEqual((yield* jobOf(scene, id)).status, "Scheduling")
      }).pipe(seeded(`closed ${how}`))
    )

  it.effect("by the poll, every 20 seconds, when their events are lost", () =>
    Effect.gen(function* () {
      const scene = yield* ready()
      yield* scene.cds.set({ eventCopies: 0 })
      const id = yield* orderV1(scene, { model: asCode })
      yield* TestClock.adjust("25 seconds")
      assert.include(yield* statuses(scene, id), "Scheduling")
      const before = polls(scene)
      yield* TestClock.adjust("2 minutes")
      assert.strictEqual(polls(scene), before + 6)
    }).pipe(seeded("poll"))
  )
})

describe("2 a V1 job", () => {
  it.effect("is booked before its machine is started, for as long as that may take, and booked once", () =>
    Effect.gen(function* () {
      const scene = yield* ready()
      const id = yield* orderV1(scene, { model: asCode })
      yield* TestClock.adjust("10 seconds")
      const at = (yield* jobOf(scene, id)).history.find(({ status }) => status === "Scheduling")?.at ?? 0
      const { cloneMs, taskMs, guestOperationsMs, guestAddressMs, guestProbeMs, workerRegistrationTtlMs } = defaultTimes
      const lasts = cloneMs + 2 * taskMs + guestOperationsMs + guestAddressMs + guestProbeMs + workerRegistrationTtlMs
      assert.strictEqual((scene.cds.state.v1.jobs.get(id)?.booking?.until ?? 0) - at, lasts)
      const book = scene.calls.findIndex((call) => call.endsWith(`/${id}/book`))
      assert.isAbove(scene.calls.indexOf("PowerOnVM_Task"), book)
      yield* TestClock.adjust("5 minutes")
      assert.strictEqual(callsAbout(scene, id).filter((call) => call === "POST book").length, 1)
      assert.notInclude(callsAbout(scene, id), "DELETE book")
    }).pipe(seeded("booked"))
  )

  it.effect("is released, after a line with the reason, when its machine came to nothing; then it is run", () =>
    Effect.gen(function* () {
      const scene = yield* ready()
      yield* scene.vcenter.inject({ _tag: "GuestFails", how: "ToolsNever" })
      const id = yield* orderV1(scene, { model: asCode })
      yield* TestClock.adjust("20 minutes")
      const about = callsAbout(scene, id)
      const failed = about.lastIndexOf("POST spawn/infos", about.indexOf("DELETE book"))
      assert.isAbove(failed, about.indexOf("POST book"))
      assert.deepStrictEqual(
        (yield* statuses(scene, id)).filter((status) => status !== "Building"),
        ["Waiting", "Scheduling", "Waiting", "Scheduling", "Success"]
      )
      assert.match(
        (yield* toldTo(scene, id)).join("\n"),
        /rookery could not start a worker with model debian after \d+m?\d*s: /
      )
    }).pipe(seeded("released"))
  )

  it.effect("is released once more when CDS carries its booking out after that was given up, and is run then", () =>
    Effect.gen(function* () {
      const scene = yield* ready({ settings: { maxWorker: 1 } })
      yield* scene.cds.fault({ kind: "slow", ms: 21 * 60_000, method: "POST", path: "/book" })
      yield* scene.cds.fault({ kind: "answer", status: 503, method: "POST", path: "/book", times: 10_000 })
      const id = yield* orderV1(scene, { model: asCode })
      yield* orderV2(scene, { durationMs: 20 * 60_000 })
      yield* until(() => standing(scene).includes("Running"))
      yield* scene.cds.clearFaults
      assert.deepStrictEqual(yield* statuses(scene, id), ["Waiting"])
      yield* TestClock.adjust("90 seconds")
      assert.deepStrictEqual(yield* statuses(scene, id), ["Waiting", "Scheduling"])
      yield* TestClock.adjust("3 minutes")
      assert.deepStrictEqual(yield* statuses(scene, id), ["Waiting", "Scheduling", "Waiting"])
      yield* TestClock.adjust("30 minutes")
      assert.deepStrictEqual((yield* statuses(scene, id)).slice(3), ["Scheduling", "Building", "Success"])
      assert.deepStrictEqual(yield* scene.cds.violations, [])
    }).pipe(seeded("late booking"))
  )

  it.effect("is left alone when it is looked at once more and another machine is being made ready for it", () =>
    Effect.gen(function* () {
      const scene = yield* ready({ behaviour: () => ({ startMs: 8 * 60_000 }) })
      yield* scene.vcenter.inject({ _tag: "GuestFails", how: "ToolsNever" })
      const id = yield* orderV1(scene, { model: asCode })
      yield* TestClock.adjust("30 minutes")
      const about = callsAbout(scene, id)
      assert.strictEqual(about.filter((call) => call === "DELETE book").length, 1)
      assert.strictEqual((yield* jobOf(scene, id)).status, "Success")
    }).pipe(seeded("looked at once more"))
  )

  it.effect("that CDS does not find while its machine boots loses that, and is released when it is found again", () =>
    Effect.gen(function* () {
      const scene = yield* ready({ settings: { times: { ...defaultTimes, reaperIntervalMs: 5_000 } } })
      const id = yield* orderV1(scene, { model: asCode })
      yield* until(() => standing(scene).includes("Powered"))
      yield* scene.cds.fault({ kind: "answer", status: 404, method: "GET", path: `/${id}/infos` })
      yield* TestClock.adjust("10 minutes")
      assert.deepStrictEqual(yield* statuses(scene, id), [
        "Waiting",
        "Scheduling",
        "Waiting",
        "Scheduling",
        "Building",
        "Success"
      ])
    }).pipe(seeded("not found once"))
  )

  it.effect("has CDS's own messages on it, by their ids and with as many arguments as they have places", () =>
    Effect.gen(function* () {
      const flavors = [{ name: "small", cpus: 1, memoryMB: 1024 }]
      const scene = yield* spawning({
        models: [{ ...deb, flavor: "small", deprecated: true }],
        settings: { flavors },
        ready: "10 minutes"
      })
      const id = yield* orderV1(scene, { model: "deb" })
      yield* TestClock.adjust("5 minutes")
      const told = yield* toldTo(scene, id)
      for (const line of [
        /^rookery starts worker [a-z-]+ with model shared\.infra\/deb$/,
        /^worker [a-z-]+ has flavor small \(1 CPUs, 1024 MB\)$/,
        /^model shared\.infra\/deb is deprecated$/
      ])
        assert.strictEqual(told.filter((one) => line.test(one)).length, 1, `${line} in ${told.join("\n")}`)
      assert.deepStrictEqual(yield* scene.cds.violations, [])
    }).pipe(seeded("messages"))
  )

  it.effect("whose tries are spent gets one result, with the reason, and is asked about no more", () =>
    Effect.gen(function* () {
      const wrong = [{ template: "debian12", username: "worker", password: Redacted.make("wrong") }]
      const scene = yield* ready({ settings: { maxAttempts: 1, credentials: wrong } })
      const id = yield* orderV1(scene, { model: asCode })
      yield* TestClock.adjust("30 minutes")
      assert.strictEqual((yield* jobOf(scene, id)).status, "Fail")
      assert.strictEqual(callsAbout(scene, id).filter((call) => call === "POST result").length, 1)
      assert.match((yield* toldTo(scene, id)).join("\n"), /rookery ended the job: .*it failed 1 times/)
      assert.strictEqual(yield* waitsFor(scene, id), "")
    }).pipe(seeded("spent"))
  )

  it.effect("whose worker is at work when its time is over fails by that worker's being disabled", () =>
    Effect.gen(function* () {
      const scene = yield* ready({ settings: { times: { ...defaultTimes, workerTtlMs: 10 * 60_000 } } })
      const id = yield* orderV1(scene, { model: asCode, durationMs: 60 * 60_000 })
      yield* TestClock.adjust("15 minutes")
      assert.strictEqual((yield* jobOf(scene, id)).status, "Fail")
      assert.match((yield* toldTo(scene, id)).join("\n"), /the worker's time \(workerTTL\) is over/)
      const disables = scene.calls.flatMap((call, at) => (/^POST \/worker\/.*\/disable$/.test(call) ? [at] : []))
      assert.lengthOf(disables, 1)
      assert.isBelow(disables[0] ?? Infinity, scene.calls.lastIndexOf("Destroy_Task"))
      assert.isFalse(ours(scene).some(({ power }) => power === "poweredOn"))
    }).pipe(seeded("disabled"))
  )
})

describe("2 V1 models", () => {
  it.effect("are listed every ten seconds: one that is disabled in CDS gets no job any more", () =>
    Effect.gen(function* () {
      const scene = yield* spawning({ models: [deb], ready: "10 minutes" })
      const before = scene.calls.length
      yield* TestClock.adjust("1 minute")
      const listed = scene.calls.slice(before).filter((call) => call === "GET /worker/model/enabled")
      assert.strictEqual(listed.length, 6)
      const record = [...scene.cds.state.v1.models.values()][0]!
      record.draft = { ...record.draft, disabled: true }
      yield* TestClock.adjust("11 seconds")
      const id = yield* orderV1(scene, { model: "deb" })
      yield* TestClock.adjust("1 minute")
      assert.match(yield* waitsFor(scene, id), /there is no enabled worker model "deb"/)
    }).pipe(seeded("models"))
  )

  it.effect("have their password asked for with the secrets of CDS, where it is kept as one", () =>
    Effect.gen(function* () {
      const scene = yield* spawning({ models: [deb], settings: { credentials: [] }, ready: "10 minutes" })
      const id = yield* orderV1(scene, { model: "deb" })
      yield* TestClock.adjust("6 minutes")
      assert.strictEqual((yield* jobOf(scene, id)).status, "Success")
      assert.isTrue(scene.calls.some((call) => /^GET \/worker\/model\/.*secret/.test(call)))
    }).pipe(seeded("secrets"))
  )
})
