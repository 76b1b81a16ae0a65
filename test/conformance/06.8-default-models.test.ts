/** Seed 001 section 6.8: V1 jobs that name no model run on a V2 model that the hatchery has chosen by their binaries. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Redacted } from "effect"
import { TestClock } from "effect/testing"
import { parse } from "../../src/schema/Annotation.ts"
import { ours, registered } from "../actors/scene.ts"
import { seeded } from "../support/world.ts"
import { jobOf, orderV1, pool, spawning, toldTo, waitsFor, type Spawning } from "./spawns.ts"

const debian = "PROJ/github/acme/app/debian"
const golang = "PROJ/github/acme/app/golang"

const binaries = (...names: ReadonlyArray<string>) => ({
  requirements: names.map((value) => ({ type: "binary", value }))
})

const template = (name: string) => ({
  name,
  cpus: 2,
  memoryMB: 4096,
  nics: 1,
  snapshot: true,
  guestUser: "worker",
  guestPassword: "worker"
})

const login = (name: string) => ({ template: name, username: "worker", password: Redacted.make("worker") })

/** Two default models on templates of their own, and a V1 model. */
const defaulting = Effect.gen(function* () {
  const scene = yield* spawning({
    models: [{ name: "build-env", ...registered }],
    ready: "10 minutes",
    vcenter: { templates: [template("debian12"), template("golang12")] },
    settings: {
      credentials: [login("debian12"), login("golang12")],
      defaultWorkerModelsV2: [
        { model: `${debian}@main`, binaries: ["git", "curl"] },
        { model: golang, binaries: ["go", "git"] }
      ]
    }
  })
  yield* scene.cds.addModelAsCode({ path: debian, branch: "main" })
  yield* scene.cds.addModelAsCode({ path: golang, image: "golang12" })
  return scene
})

/** What the machine of the job is made from: a template, or a V1 model's path. */
const madeFrom = (scene: Spawning, id: string): string | undefined => {
  const made = ours(scene)
    .map(({ annotation }) => parse(annotation))
    .find((one) => one?.jobId === id)
  return made?.workerModelPath ?? made?.vmwareModelPath
}

describe("6.8 a V1 job without a model", () => {
  it.effect("and without a binary runs on the first default V2 model", () =>
    Effect.gen(function* () {
      const scene = yield* defaulting
      const id = yield* orderV1(scene)
      yield* TestClock.adjust("1 minute")
      assert.strictEqual(madeFrom(scene, id), "debian12")
      yield* TestClock.adjust("6 minutes")
      assert.strictEqual((yield* jobOf(scene, id)).status, "Success")
    }).pipe(seeded("first"))
  )

  it.effect("runs as soon as its model is corrected, if that asked for what is not there", () =>
    Effect.gen(function* () {
      const scene = yield* defaulting
      yield* scene.cds.addModelAsCode({ path: debian, branch: "main", flavor: "enormous" })
      const id = yield* orderV1(scene)
      yield* TestClock.adjust("1 minute")
      assert.include(yield* waitsFor(scene, id), "enormous")
      yield* scene.cds.addModelAsCode({ path: debian, branch: "main" })
      yield* TestClock.adjust("7 minutes")
      assert.strictEqual((yield* jobOf(scene, id)).status, "Success")
    }).pipe(seeded("corrected"))
  )

  it.effect("runs on the first default V2 model that has at least one of its binaries", () =>
    Effect.gen(function* () {
      const scene = yield* defaulting
      const go = yield* orderV1(scene, binaries("go", "upx"))
      const git = yield* orderV1(scene, binaries("git"))
      yield* TestClock.adjust("1 minute")
      assert.strictEqual(madeFrom(scene, go), "golang12")
      assert.strictEqual(madeFrom(scene, git), "debian12")
      yield* TestClock.adjust("6 minutes")
      for (const id of [go, git]) assert.strictEqual((yield* jobOf(scene, id)).status, "Success")
    }).pipe(seeded("binaries"))
  )

  it.effect("runs on a V1 model where no default has one of its binaries", () =>
    Effect.gen(function* () {
      const scene = yield* defaulting
      yield* scene.cds.addModel({ name: "rusty", password: "worker", registered: { binaries: ["cargo"] } })
      yield* TestClock.adjust("10 minutes")
      const id = yield* orderV1(scene, binaries("cargo"))
      yield* TestClock.adjust("1 minute")
      assert.strictEqual(madeFrom(scene, id), "shared.infra/rusty")
    }).pipe(seeded("none"))
  )

  it.effect("runs on a V1 model while CDS does not have the default one", () =>
    Effect.gen(function* () {
      const scene = yield* defaulting
      scene.cds.state.v1.modelsAsCode.clear()
      const id = yield* orderV1(scene)
      yield* TestClock.adjust("1 minute")
      assert.strictEqual(madeFrom(scene, id), "shared.infra/build-env")
    }).pipe(seeded("not had"))
  )

  it.effect("waits where there is neither, and its user is not told: another hatchery may well run it", () =>
    Effect.gen(function* () {
      const scene = yield* defaulting
      const id = yield* orderV1(scene, binaries("cobol"))
      yield* TestClock.adjust("2 minutes")
      assert.match(yield* waitsFor(scene, id), /no worker model fits: build-env has no cobol/)
      assert.isFalse((yield* toldTo(scene, id)).some((message) => message.includes("cobol")))
    }).pipe(seeded("neither"))
  )
})

describe("6.8 a V1 job that names a model", () => {
  it.effect("is left on it, whatever the defaults are", () =>
    Effect.gen(function* () {
      const scene = yield* defaulting
      const v1 = yield* orderV1(scene, { model: "build-env", ...binaries("git") })
      const v2 = yield* orderV1(scene, { model: golang, ...binaries("curl") })
      yield* TestClock.adjust("1 minute")
      assert.strictEqual(madeFrom(scene, v1), "shared.infra/build-env")
      assert.strictEqual(madeFrom(scene, v2), "golang12")
    }).pipe(seeded("named"))
  )
})

describe("6.8 a default model", () => {
  it.effect("whose template has a pool serves V1 jobs from it", () =>
    Effect.gen(function* () {
      const defaultWorkerModelsV2 = [{ model: debian, binaries: [] }]
      const scene = yield* spawning({ settings: { ...pool(1), defaultWorkerModelsV2 } })
      yield* scene.cds.addModelAsCode({ path: debian })
      const [pooled] = ours(scene)
      const id = yield* orderV1(scene)
      yield* TestClock.adjust("10 seconds")
      const machine = ours(scene).find(({ ref }) => ref.value === pooled?.ref.value)
      assert.strictEqual(parse(machine?.annotation ?? "")?.jobId, id)
    }).pipe(seeded("pooled"))
  )
})
