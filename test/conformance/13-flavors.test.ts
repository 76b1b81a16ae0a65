/** Seed 001 section 13: flavors, from the file to the machine. The reserve for smaller ones (13.5) is in 12-capacity. */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { TestClock } from "effect/testing"
import { parse } from "../../src/schema/Annotation.ts"
import { ours, registered } from "../actors/scene.ts"
import { seeded } from "../support/world.ts"
import { jobOf, leftOver, logging, orderV1, orderV2, pool, spawning, template, toldTo, waitsFor } from "./spawns.ts"
import type { Spawning, SpawnOptions } from "./spawns.ts"

const asCode = "PROJ/github/acme/app/debian"

/** CPUs tell which flavor a machine has; the template has 2. */
const flavors = [
  { name: "Small", cpus: 1, memoryMB: 1024 },
  { name: "medium", cpus: 4, memoryMB: 8192 },
  { name: "large", cpus: 8, memoryMB: 16_384 },
  { name: "roomy", cpus: 2, memoryMB: 4096, diskSizeGB: 60 }
]
const templateCpus = 2

const machineOf = (scene: Spawning, id: string) => ours(scene).find(({ annotation }) => parse(annotation)?.jobId === id)

interface Choice {
  readonly why: string
  readonly order: (scene: Spawning) => Effect.Effect<string>
  readonly defaultFlavor?: string
  /** Of the V2 model as code, or of the V1 model. */
  readonly modelFlavor?: string
  readonly cpus: number
}

/** Long enough to be looked at. */
const durationMs = 180_000

const plain = (scene: Spawning) => orderV2(scene, { durationMs })
const v1OnV2 = (scene: Spawning, flavor: string) => orderV1(scene, { model: asCode, flavor, durationMs })
const v1OnV1 = (scene: Spawning, flavor: string) => orderV1(scene, { model: "build-env", flavor, durationMs })

const choices: ReadonlyArray<Choice> = [
  {
    why: "a V2 job: what it asks for (runs-on), before its model's and the default",
    order: (scene) => orderV2(scene, { durationMs, flavor: "large", modelFlavor: "medium" }),
    defaultFlavor: "small",
    cpus: 8
  },
  {
    why: "a V2 job: its model's, before the default",
    order: (scene) => orderV2(scene, { durationMs, modelFlavor: "medium" }),
    defaultFlavor: "small",
    cpus: 4
  },
  { why: "a V2 job: the default", order: plain, defaultFlavor: "small", cpus: 1 },
  { why: "a V2 job: none, which leaves the template's resources", order: plain, cpus: templateCpus },
  {
    why: "a V1 job on a V2 model: the model's, before its own requirement and the default",
    order: (scene) => v1OnV2(scene, "large"),
    modelFlavor: "medium",
    defaultFlavor: "small",
    cpus: 4
  },
  {
    why: "a V1 job on a V2 model: its requirement, before the default",
    order: (scene) => v1OnV2(scene, "large"),
    defaultFlavor: "small",
    cpus: 8
  },
  { why: "a V1 job on a V2 model: the default", order: (scene) => v1OnV2(scene, ""), defaultFlavor: "small", cpus: 1 },
  { why: "a V1 job on a V2 model: none", order: (scene) => v1OnV2(scene, ""), cpus: templateCpus },
  {
    why: "a V1 job on a V1 model: the model's, whatever the job asks for",
    order: (scene) => v1OnV1(scene, "large"),
    modelFlavor: "medium",
    defaultFlavor: "small",
    cpus: 4
  },
  {
    why: "a V1 job on a V1 model: the default, whatever the job asks for",
    order: (scene) => v1OnV1(scene, "large"),
    defaultFlavor: "small",
    cpus: 1
  },
  { why: "a V1 job on a V1 model: none", order: (scene) => v1OnV1(scene, ""), cpus: templateCpus }
]

/** By a machine of the pool, whichever pool the job takes it from, and by a clone. */
const ways: Readonly<Record<string, SpawnOptions["settings"]>> = {
  "a machine of the pool": { ...pool(1), modelProvision: [{ modelPath: "shared.infra/build-env", number: 1 }] },
  "a fresh clone": {}
}

describe("13.3 the flavor of", () => {
  for (const { why, order, defaultFlavor = "", modelFlavor = "", cpus } of choices)
    for (const [way, settings] of Object.entries(ways))
      it.effect(`${why} (${way})`, () =>
        Effect.gen(function* () {
          const scene = yield* spawning({
            models: [{ name: "build-env", flavor: modelFlavor, ...registered }],
            settings: { ...settings, flavors, defaultFlavor },
            ready: "15 minutes"
          })
          yield* scene.cds.addModelAsCode({ path: asCode, flavor: modelFlavor })
          const before = ours(scene)
          assert.deepStrictEqual(
            before.map((machine) => machine.cpus),
            before.map(() => templateCpus)
          )
          const id = yield* order(scene)
          yield* TestClock.adjust("1 minute")
          const machine = machineOf(scene, id)
          const memoryMB = [...flavors, { cpus: templateCpus, memoryMB: 4096 }].find(
            (one) => one.cpus === cpus
          )?.memoryMB
          assert.deepStrictEqual([machine?.cpus, machine?.memoryMB], [cpus, memoryMB])
          assert.strictEqual(
            before.some(({ ref }) => ref.value === machine?.ref.value),
            before.length > 0
          )
          yield* TestClock.adjust("10 minutes")
          assert.strictEqual((yield* jobOf(scene, id)).status, "Success")
        }).pipe(seeded(why))
      )
})

describe("13.2 a flavor's name", () => {
  it.effect("is the same in small and capital letters", () =>
    Effect.gen(function* () {
      const scene = yield* spawning({ settings: { flavors } })
      const id = yield* orderV2(scene, { durationMs, flavor: "SMALL" })
      yield* TestClock.adjust("1 minute")
      assert.strictEqual(machineOf(scene, id)?.cpus, 1)
    }).pipe(seeded("case"))
  )

  it.effect(
    "that nobody has defined keeps the job waiting, with nothing leased and its user told, whoever wrote it",
    () =>
      Effect.gen(function* () {
        const models = [{ name: "build-env", flavor: "huge", ...registered }]
        const scene = yield* spawning({ models, settings: { ...pool(1), flavors }, ready: "10 minutes" })
        yield* scene.cds.addModelAsCode({ path: asCode })
        const ids = [
          yield* orderV2(scene, { durationMs, flavor: "huge" }),
          yield* orderV2(scene, { durationMs, modelFlavor: "huge" }),
          yield* v1OnV2(scene, "huge"),
          yield* v1OnV1(scene, "")
        ]
        yield* TestClock.adjust("2 minutes")
        for (const id of ids) {
          assert.match(yield* waitsFor(scene, id), /flavor "huge".* is not in hatchery\.vsphere\.flavors/)
          assert.isTrue((yield* toldTo(scene, id)).some((message) => message.includes('flavor "huge"')))
          assert.isUndefined(machineOf(scene, id))
        }
        assert.strictEqual((yield* scene.capacity.used).workers, 0)
      }).pipe(seeded("unknown"))
  )
})

describe("13.3 the user of a job", () => {
  it.effect("reads which flavor its worker has and how large that is, or that it has the template's resources", () =>
    Effect.gen(function* () {
      const scene = yield* spawning({ settings: { ...pool(1), flavors } })
      yield* scene.cds.addModelAsCode({ path: asCode })
      const large = yield* orderV2(scene, { durationMs, flavor: "large" })
      const v1 = yield* v1OnV2(scene, "medium")
      yield* TestClock.adjust("2 minutes")
      const without = yield* plain(scene)
      yield* TestClock.adjust("3 minutes")
      const told = (id: string) => Effect.map(toldTo(scene, id), (messages) => messages.join("\n"))
      assert.match(yield* told(large), /Worker "[^"]+" will use flavor "large" \(8 CPUs, 16384 MB\)/)
      assert.match(yield* told(v1), /worker [\w-]+ has flavor medium \(4 CPUs, 8192 MB\)/)
      assert.match(yield* told(without), /Worker "[^"]+" will use the template's resources \(2 CPUs, 4096 MB\)/)
    }).pipe(seeded("told"))
  )
})

describe("13.4 the limits", () => {
  it.effect(
    "count the flavor that a job asks for, not the template's size; pool machines that are off count nothing",
    () =>
      Effect.gen(function* () {
        const scene = yield* spawning({ settings: { ...pool(2), flavors, maxCpus: 9 } })
        const first = yield* orderV2(scene, { flavor: "large", durationMs: 300_000 })
        yield* TestClock.adjust("20 seconds")
        const second = yield* orderV2(scene, { durationMs, flavor: "medium" })
        const third = yield* orderV2(scene, { flavor: "small", durationMs: 300_000 })
        yield* TestClock.adjust("1 minute")
        assert.strictEqual(machineOf(scene, first)?.cpus, 8)
        assert.match(
          yield* waitsFor(scene, second),
          /4 CPUs more than the 9 in use would pass hatchery\.vsphere\.maxCpus = 9/
        )
        assert.strictEqual(machineOf(scene, third)?.cpus, 1)
        yield* TestClock.adjust("15 minutes")
        for (const id of [first, second, third]) assert.strictEqual((yield* jobOf(scene, id)).status, "Success")
        assert.deepInclude(yield* leftOver(scene), { on: 0, machines: 2, workers: 0, violations: [] })
      }).pipe(seeded("limits"))
  )
})

describe("13.6 machines of the pool", () => {
  it.effect("have the template's size until a job has one of them, and again when it comes back", () =>
    Effect.gen(function* () {
      const scene = yield* spawning({ settings: { ...pool(1), flavors } })
      const id = yield* orderV2(scene, { durationMs, flavor: "large" })
      yield* scene.cds.holdTakeLock(id)
      const sizes: Array<number | undefined> = []
      for (let tenth = 0; tenth < 50; tenth++) {
        const cpus = ours(scene)[0]?.cpus
        if (sizes.at(-1) !== cpus) sizes.push(cpus)
        yield* TestClock.adjust("100 millis")
      }
      assert.deepStrictEqual(sizes.slice(0, 3), [2, 8, 2])
    }).pipe(seeded("back"))
  )
})

/** The disk of the job's machine. */
const gigabytes = (scene: Spawning, id: string) => (machineOf(scene, id)?.diskKB ?? 0) / 1_048_576

describe("13 a flavor's diskSizeGB", () => {
  for (const [way, number] of [
    ["of the pool", 1],
    ["cloned for the job", 0]
  ] as const) {
    it.effect(`grows the first disk of a machine ${way}`, () =>
      Effect.gen(function* () {
        const scene = yield* spawning({
          settings: { ...pool(number), flavors },
          vcenter: template({ snapshot: false })
        })
        const id = yield* orderV2(scene, { durationMs, flavor: "roomy" })
        yield* TestClock.adjust("1 minute")
        assert.strictEqual(gigabytes(scene, id), 60)
        yield* TestClock.adjust("10 minutes")
        assert.strictEqual((yield* jobOf(scene, id)).status, "Success")
      }).pipe(seeded("disk"))
    )

    it.effect(`leaves the disk of a linked machine ${way}, whose job runs all the same, and says so once`, () =>
      logging((lines) =>
        Effect.gen(function* () {
          const scene = yield* spawning({ settings: { ...pool(number), flavors } })
          const ids = [
            yield* orderV2(scene, { durationMs, flavor: "roomy" }),
            yield* orderV2(scene, { durationMs, flavor: "roomy" })
          ]
          yield* TestClock.adjust("1 minute")
          assert.strictEqual(gigabytes(scene, ids[0]!), 20)
          yield* TestClock.adjust("15 minutes")
          for (const id of ids) assert.strictEqual((yield* jobOf(scene, id)).status, "Success")
          assert.strictEqual(lines.filter((line) => line.includes("machines of debian12 share its disk")).length, 1)
        })
      ).pipe(seeded("linked disk"))
    )
  }

  it.effect("that is smaller than the disk changes nothing", () =>
    Effect.gen(function* () {
      const tight = { name: "tight", cpus: 1, memoryMB: 1024, diskSizeGB: 5 }
      const scene = yield* spawning({
        settings: { ...pool(1), flavors: [tight] },
        vcenter: template({ snapshot: false })
      })
      const id = yield* orderV2(scene, { durationMs, flavor: "tight" })
      yield* TestClock.adjust("1 minute")
      assert.strictEqual(gigabytes(scene, id), 20)
      assert.strictEqual(machineOf(scene, id)?.cpus, 1)
    }).pipe(seeded("smaller"))
  )
})

describe("13.7 without any flavor", () => {
  it.effect("nothing is resized", () =>
    Effect.gen(function* () {
      const scene = yield* spawning({ settings: pool(1) })
      const id = yield* plain(scene)
      yield* TestClock.adjust("1 minute")
      const machine = machineOf(scene, id)
      assert.deepStrictEqual([machine?.cpus, machine?.memoryMB], [2, 4096])
    }).pipe(seeded("none"))
  )
})
