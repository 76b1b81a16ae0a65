/** Seed 001 section 6.5: which jobs a worker is spawned for. Where the answer is no, its reason can be asked for (promise 7). */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Redacted } from "effect"
import { TestClock } from "effect/testing"
import { parse } from "../../src/schema/Annotation.ts"
import { ours, registered } from "../actors/scene.ts"
import { seeded, type WorldOptions } from "../support/world.ts"
import {
  jobOf,
  leases,
  leftOver,
  orderV1,
  orderV2,
  pool,
  spawning,
  toldTo,
  waitsFor,
  type SpawnOptions,
  type Spawning
} from "./spawns.ts"

const asCode = "PROJ/github/acme/app/debian"
const deb = { name: "deb", ...registered }

/** A V1 job that this hatchery could run, and one requirement more. */
const asking = (type: string, value: string) => ({ model: asCode, requirements: [{ type, value }] })

interface Refusal {
  readonly why: string
  readonly order: (scene: Spawning) => Effect.Effect<string>
  readonly reason: RegExp
  /** Other hatcheries may run it: then its user is not bothered. */
  readonly untold?: true
  readonly settings?: WorldOptions["settings"]
  readonly vsphere?: SpawnOptions["vsphere"]
  readonly model?: Partial<typeof deb> & { readonly [key: string]: unknown }
}

const refusals: ReadonlyArray<Refusal> = [
  {
    why: "a V1 job that asks for a service",
    order: (scene) => orderV1(scene, asking("service", "postgres:16")),
    reason: /it asks for a service container, which a vSphere worker does not have/
  },
  {
    why: "a V1 job that asks for memory",
    order: (scene) => orderV1(scene, asking("memory", "4096")),
    reason: /it asks for memory, which vSphere workers get by flavor only/
  },
  {
    why: "a V1 job that asks for a host by its name",
    order: (scene) => orderV1(scene, asking("hostname", "builder-7")),
    reason: /it asks for one host by its name/
  },
  {
    why: "a V2 job that asks for memory",
    order: (scene) => orderV2(scene, { memory: "4096" }),
    reason: /it asks for memory \(runs-on\.memory\)/
  },
  {
    why: "a V2 job that asks for a flavor that nobody defined",
    order: (scene) => orderV2(scene, { flavor: "huge" }),
    reason: /its flavor "huge" is not in hatchery\.vsphere\.flavors/
  },
  {
    why: "a V1 job that asks for a flavor that nobody defined",
    order: (scene) => orderV1(scene, { model: asCode, flavor: "huge" }),
    reason: /its flavor "huge" is not in hatchery\.vsphere\.flavors/
  },
  {
    why: "a V2 job whose model names a template that vCenter does not have",
    order: (scene) => orderV2(scene, { image: "nowhere" }),
    settings: { credentials: [{ template: "nowhere", username: "worker", password: Redacted.make("worker") }] },
    reason: /vCenter shows no template nowhere/
  },
  {
    why: "a V2 job without a guest login in configuration and model",
    order: (scene) => orderV2(scene, { image: "nowhere" }),
    reason: /there is no guest login for "nowhere"/
  },
  {
    why: "a V1 job that names a V2 model of another type",
    order: (scene) =>
      Effect.andThen(scene.cds.addModelAsCode({ path: asCode, type: "docker" }), orderV1(scene, { model: asCode })),
    reason: /its model "debian" is of type docker, not vsphere/
  },
  {
    why: "a V1 job that names a V1 model of another type",
    order: (scene) => orderV1(scene, { model: "deb" }),
    model: { type: "docker" },
    reason: /deb is of type docker, not vsphere/,
    untold: true
  },
  {
    why: "a V1 job that names a model that nobody has",
    order: (scene) => orderV1(scene, { model: "PROJ/github/acme/app/nothing" }),
    reason: /its model "PROJ\/github\/acme\/app\/nothing" cannot be had/
  },
  {
    why: "a job whose V1 model has an empty command",
    order: (scene) => orderV1(scene, { model: "deb" }),
    model: { cmd: "" },
    reason: /deb has no command \(cmd\)/
  },
  {
    why: "a job whose V1 model is for another group's jobs",
    order: (scene) => orderV1(scene, { model: "deb", groups: ["team-b"] }),
    reason: /deb belongs to group shared\.infra, and the job is for team-b/,
    // CDS does not list it for this hatchery: it is seen once, by its event.
    untold: true
  },
  {
    why: "a job of another region",
    order: (scene) => orderV1(scene, { model: asCode, region: "north" }),
    reason: /it asks for region "north", and this hatchery's is "" \(provision\.region\)/,
    untold: true
  },
  {
    why: "a job on a V1 model of another region",
    order: (scene) => orderV1(scene, { model: "deb", region: "north" }),
    reason: /it asks for region "north"/,
    untold: true
  },
  {
    why: "a job without a region, where such jobs are left to others",
    order: (scene) => orderV1(scene, { model: asCode }),
    reason: /it asks for no region \(provision\.ignoreJobWithNoRegion\)/,
    settings: { ignoreJobWithNoRegion: true },
    untold: true
  },
  {
    why: "a job when every address is in use",
    order: (scene) => Effect.andThen(orderV2(scene, { durationMs: 3_600_000 }), orderV2(scene)),
    reason: /all 1 addresses of hatchery\.vsphere\.iprange are in use/,
    vsphere: { networks: [{ ipRange: "10.0.0.2/32", gateway: undefined, subnetMask: "255.255.255.0" }] }
  }
]

describe("6.5 no worker is spawned for", () => {
  for (const { why, order, reason, untold, settings = {}, vsphere = {}, model = {} } of refusals)
    it.effect(`${why}, and the reason can be asked for`, () =>
      Effect.gen(function* () {
        const scene = yield* spawning({
          settings,
          vsphere,
          models: [{ ...deb, ...model } as typeof deb],
          ready: "10 minutes"
        })
        yield* scene.cds.addModelAsCode({ path: asCode })
        const id = yield* order(scene)
        yield* TestClock.adjust("3 minutes")
        assert.match(yield* waitsFor(scene, id), reason)
        const told = (yield* toldTo(scene, id)).filter((message) => reason.test(message))
        assert.strictEqual(told.length > 0, untold === undefined, "told to its user")
        assert.strictEqual((yield* jobOf(scene, id)).status, "Waiting")
        assert.isFalse(ours(scene).some(({ annotation }) => parse(annotation)?.jobId === id))
      }).pipe(seeded(why))
    )
})

describe("6.5 a worker is spawned for", () => {
  const south = { region: "south", ignoreJobWithNoRegion: false }

  it.effect("a job of the hatchery's region and one of none, on models of every kind", () =>
    Effect.gen(function* () {
      const scene = yield* spawning({ settings: south, models: [deb], ready: "10 minutes" })
      yield* scene.cds.addModelAsCode({ path: asCode })
      const ids = [
        yield* orderV1(scene, { model: "deb", region: "south" }),
        yield* orderV1(scene, { model: asCode, region: "south" }),
        yield* orderV1(scene, { model: "deb" }),
        yield* orderV1(scene, { model: asCode })
      ]
      yield* TestClock.adjust("10 minutes")
      for (const id of ids) assert.strictEqual((yield* jobOf(scene, id)).status, "Success")
    }).pipe(seeded("south"))
  )

  it.effect("a job that names a deprecated V1 model; one that names none gets another model", () =>
    Effect.gen(function* () {
      const models = [{ ...deb, name: "aged", deprecated: true }, deb]
      const scene = yield* spawning({ models, ready: "10 minutes" })
      const named = yield* orderV1(scene, { model: "aged" })
      const any = yield* orderV1(scene)
      yield* TestClock.adjust("1 minute")
      const pathOf = (id: string) =>
        ours(scene)
          .map(({ annotation }) => parse(annotation))
          .find((one) => one?.jobId === id)?.workerModelPath
      assert.strictEqual(pathOf(named), "shared.infra/aged")
      assert.strictEqual(pathOf(any), "shared.infra/deb")
    }).pipe(seeded("deprecated"))
  )

  it.effect("a job whose first model does not fit: by the first that has all its binaries", () =>
    Effect.gen(function* () {
      const models = [deb, { name: "golang", registered: { binaries: ["git", "go"] } }]
      const scene = yield* spawning({ models, ready: "10 minutes" })
      const id = yield* orderV1(scene, {
        requirements: [
          { type: "binary", value: "go" },
          { type: "binary", value: "git" }
        ]
      })
      yield* TestClock.adjust("1 minute")
      assert.deepInclude(parse(ours(scene)[0]?.annotation ?? ""), { jobId: id, workerModelPath: "shared.infra/golang" })
    }).pipe(seeded("binaries"))
  )
})

describe("6.5 one job has one machine:", () => {
  it.effect(
    "a job that a machine carries gets no second one, seen again by event or poll, before and after a restart",
    () =>
      Effect.gen(function* () {
        const scene = yield* spawning({ settings: pool(1) })
        yield* scene.cds.addModelAsCode({ path: asCode })
        const ids = [
          yield* orderV2(scene, { durationMs: 600_000 }),
          yield* orderV1(scene, { model: asCode, durationMs: 600_000 })
        ]
        const carriers = (id: string) => ours(scene).filter(({ annotation }) => parse(annotation)?.jobId === id).length
        for (let second = 0; second < 120; second += 2) {
          for (const id of ids) yield* scene.cds.resendEvent(id)
          yield* TestClock.adjust("2 seconds")
          for (const id of ids) assert.isAtMost(carriers(id), 1)
        }
        for (const id of ids) assert.strictEqual(carriers(id), 1)
        assert.strictEqual(scene.starts().length, 2)
      }).pipe(seeded("duplicates"))
  )

  it.effect("while another hatchery has booked a V1 job nothing is made for it", () =>
    Effect.gen(function* () {
      const scene = yield* spawning({ settings: pool(1) })
      yield* scene.cds.addModelAsCode({ path: asCode })
      const id = yield* orderV1(scene, { model: asCode })
      yield* scene.cds.holdTakeLock(id)
      yield* TestClock.adjust("30 seconds")
      assert.strictEqual((yield* jobOf(scene, id)).hatchery, "other-hatchery")
      assert.isFalse(ours(scene).some(({ power }) => power === "poweredOn"))
      yield* TestClock.adjust("15 minutes")
      assert.strictEqual((yield* jobOf(scene, id)).status, "Success")
    }).pipe(seeded("booked"))
  )
})

/** Nobody can log in to its guests. */
const failing = (maxAttempts: number) => ({
  settings: {
    ...pool(1),
    maxAttempts,
    credentials: [{ template: "debian12", username: "worker", password: Redacted.make("wrong") }]
  }
})

describe("6.5 attempts before failure:", () => {
  it.effect("a V1 job fails at the limit, with a reason that names the hatchery and the setting", () =>
    Effect.gen(function* () {
      const scene = yield* spawning(failing(2))
      yield* scene.cds.addModelAsCode({ path: asCode })
      const id = yield* orderV1(scene, { model: asCode })
      yield* TestClock.adjust("40 minutes")
      assert.strictEqual(yield* leases(scene, id), 2)
      assert.strictEqual((yield* jobOf(scene, id)).status, "Fail")
      assert.isTrue(
        (yield* toldTo(scene, id)).some((message) =>
          /Hatchery "rookery" gives up: it failed 2 times \(provision\.maxAttemptsNumberBeforeFailure\)/.test(message)
        )
      )
      assert.deepInclude(yield* leftOver(scene), { on: 0, machines: 1, workers: 0, leased: 1, violations: [] })
    }).pipe(seeded("V1 attempts"))
  )

  it.effect("a V2 job is left to CDS, which fails it by itself, and its user is told", () =>
    Effect.gen(function* () {
      const scene = yield* spawning(failing(2))
      const id = yield* orderV2(scene)
      yield* TestClock.adjust("40 minutes")
      assert.strictEqual(yield* leases(scene, id), 2)
      assert.strictEqual((yield* jobOf(scene, id)).status, "Waiting")
      assert.match(yield* waitsFor(scene, id), /it failed 2 times \(provision\.maxAttemptsNumberBeforeFailure\)/)
      assert.isTrue((yield* toldTo(scene, id)).some((message) => message.includes("it failed 2 times")))
    }).pipe(seeded("V2 attempts"))
  )

  it.effect("-1 means that there is no limit", () =>
    Effect.gen(function* () {
      const scene = yield* spawning(failing(-1))
      yield* scene.cds.addModelAsCode({ path: asCode })
      const id = yield* orderV1(scene, { model: asCode })
      yield* TestClock.adjust("60 minutes")
      assert.isAbove(yield* leases(scene, id), 7)
      assert.notStrictEqual((yield* jobOf(scene, id)).status, "Fail")
    }).pipe(seeded("no limit"))
  )
})
