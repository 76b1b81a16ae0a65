import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { TestClock } from "effect/testing"
import type { Machine } from "../../../src/layers/simulated/vcenter/Machine.ts"
import { parse } from "../../../src/schema/Annotation.ts"
import { name, seeded, type World } from "../../support/world.ts"
import { enter, makeV1, named, ours, registered, standing } from "../scene.ts"

const path = "shared.infra/build-env"
const keep = (number: number) => ({ modelProvision: [{ modelPath: path, number }], poolSize: 2 })

const stampsOf = (machines: ReadonlyArray<Machine>) =>
  machines.map(({ annotation }) => parse(annotation)?.workerModelLastModified)

const current = (world: World) => parse(named(world, "build-env")?.annotation ?? "")?.workerModelLastModified

const oldest = (machines: ReadonlyArray<Machine>) => machines.toSorted((a, b) => a.createdAt - b.createdAt)[0]

/** A ready machine of the pool as state A of the Go hatchery leaves it. */
const goProvision = (lastModified: string) =>
  JSON.stringify({
    hatchery_name: name,
    worker_name: "provision-v1-calm-turing",
    provisioning: true,
    worker_model_path: path,
    worker_model_last_modified: lastModified,
    created: "2026-04-15T10:00:00.123456789+02:00"
  })

describe("the pool of a V1 model", () => {
  it.effect("is hatched from the model's template once that is there, under the Go hatchery's names and keys", () =>
    Effect.gen(function* () {
      const world = yield* makeV1([{ name: "build-env", ...registered }], { settings: keep(2) })
      const process = yield* enter(world)
      yield* TestClock.adjust("10 minutes")
      assert.strictEqual(standing(process), "Provisioned Provisioned")
      for (const machine of ours(world)) {
        assert.match(machine.name, /^provision-v1-[a-z]/)
        assert.strictEqual(machine.power, "poweredOff")
        assert.deepInclude(parse(machine.annotation), {
          provisioning: true,
          workerName: machine.name,
          workerModelPath: path,
          vmwareModelPath: "build-env",
          workerModelLastModified: current(world),
          model: false
        })
      }
      assert.strictEqual((yield* process.ips.count).leased, 2)
    }).pipe(seeded("pool"))
  )

  it.effect("stays empty while the model needs its registration", () =>
    Effect.gen(function* () {
      const settings = { ...keep(2), maxConcurrentRegistering: -1 }
      const world = yield* makeV1([{ name: "build-env" }], { settings })
      const process = yield* enter(world)
      yield* TestClock.adjust("10 minutes")
      assert.strictEqual(standing(process), "")
      assert.strictEqual(world.vcenter.summary().created, 0)
    }).pipe(seeded("unregistered"))
  )

  it.effect("takes turns with the pools of templates", () =>
    Effect.gen(function* () {
      const settings = { ...keep(1), provision: [{ template: "debian12", number: 1 }] }
      const world = yield* makeV1([{ name: "build-env", ...registered }], { settings })
      const process = yield* enter(world)
      yield* TestClock.adjust("10 minutes")
      assert.strictEqual(standing(process), "Provisioned Provisioned")
      const prefixes = ours(world).map((machine) => machine.name.slice(0, 12))
      assert.sameMembers(prefixes, ["provision-v1", "provision-v2"])
    }).pipe(seeded("turns"))
  )

  it.effect("is replaced when the model was changed: no machine of the old stamp is left", () =>
    Effect.gen(function* () {
      const world = yield* makeV1([{ name: "build-env", ...registered }], { settings: keep(2) })
      const process = yield* enter(world)
      yield* TestClock.adjust("10 minutes")
      const before = current(world)
      yield* world.cds.addModel({ name: "build-env", password: "worker", preCmd: "true", ...registered })
      yield* TestClock.adjust("15 minutes")
      assert.strictEqual(standing(process), "Provisioned Provisioned")
      assert.notStrictEqual(current(world), before)
      assert.deepStrictEqual(stampsOf(ours(world)), [current(world), current(world)])
    }).pipe(seeded("replaced"))
  )

  it.effect("waits no longer for the pause of machines that did not hatch when its model has a new template", () =>
    Effect.gen(function* () {
      const world = yield* makeV1([{ name: "build-env", ...registered }], { settings: keep(1) })
      const process = yield* enter(world)
      yield* TestClock.adjust("10 minutes")
      const fault = "GenericVmConfigFault"
      yield* world.vcenter.inject({ _tag: "TaskFails", operation: "CloneVM_Task", fault, count: 9 })
      yield* process.nursery.want(path, 2)
      const failures = Effect.map(process.said(path), (texts) => texts.filter((text) => text.includes("failed")).length)
      while ((yield* failures) < 9) yield* TestClock.adjust("1 second")
      yield* world.cds.addModel({ name: "build-env", password: "worker", preCmd: "true", ...registered })
      yield* TestClock.adjust("8 minutes")
      assert.strictEqual(standing(process), "Provisioned Provisioned")
    }).pipe(seeded("pause"))
  )

  it.effect("shrinks by the machines that are not ready, then by the oldest", () =>
    Effect.gen(function* () {
      const world = yield* makeV1([{ name: "build-env", ...registered }], { settings: { ...keep(2), poolSize: 1 } })
      const process = yield* enter(world)
      yield* TestClock.adjust("10 minutes")
      const first = oldest(ours(world))?.ref.value
      yield* process.nursery.want(path, 3)
      yield* TestClock.adjust("35 seconds")
      assert.strictEqual(standing(process), "Booting Provisioned Provisioned")
      yield* process.nursery.want(path, 2)
      yield* TestClock.adjust("2 minutes")
      assert.include(
        ours(world).map(({ ref }) => ref.value),
        first
      )
      yield* process.nursery.want(path, 1)
      yield* TestClock.adjust("2 minutes")
      assert.strictEqual(ours(world).length, 1)
      assert.notStrictEqual(ours(world)[0]?.ref.value, first)
    }).pipe(seeded("shrinks"))
  )
})

describe("the pool of a V1 model that CDS does not list", () => {
  const scene = Effect.gen(function* () {
    const world = yield* makeV1([{ name: "build-env", ...registered }], { settings: keep(2) })
    const { nursery } = yield* enter(world)
    yield* TestClock.adjust("10 minutes")
    const before = ours(world).map(({ ref }) => ref.value)
    assert.lengthOf(before, 2)
    /** The models are listed once more, and the pools are looked at. */
    const listed = Effect.andThen(
      TestClock.adjust("10 seconds"),
      Effect.andThen(nursery.want(path, 2), TestClock.adjust("1 second"))
    )
    const change = (changes: object) => Effect.sync(() => Object.assign(world.model ?? {}, changes))
    const enable = (enabled: boolean) => change({ draft: { ...world.model?.draft, disabled: !enabled } })
    return { world, before, listed, change, enable }
  })

  it.effect("stays when one list lacks the model, and goes when the next one lacks it too", () =>
    Effect.gen(function* () {
      const { world, before, listed, enable } = yield* scene
      const there = () => ours(world).map(({ ref }) => ref.value)
      for (let i = 0; i < 3; i++) {
        yield* enable(false)
        yield* listed
        yield* enable(true)
        yield* listed
      }
      yield* TestClock.adjust("5 minutes")
      assert.deepStrictEqual(there(), before)
      yield* enable(false)
      yield* listed
      yield* listed
      yield* TestClock.adjust("5 minutes")
      assert.deepStrictEqual(there(), [])
    }).pipe(seeded("one list"))
  )

  it.effect("in a way that can be read stays, however long that takes", () =>
    Effect.gen(function* () {
      const { world, before, listed, change } = yield* scene
      for (const broken of [{ checkRegistration: "?" }, { draft: { ...world.model?.draft, group: "" } }]) {
        const { checkRegistration, draft } = world.model ?? {}
        yield* change(broken)
        for (let i = 0; i < 3; i++) yield* listed
        yield* TestClock.adjust("5 minutes")
        assert.deepStrictEqual(
          ours(world).map(({ ref }) => ref.value),
          before
        )
        yield* change({ checkRegistration, draft })
      }
    }).pipe(seeded("broken entry"))
  )
})

describe("machines of a V1 pool that the Go hatchery left", () => {
  it.effect("are taken over where their stamp is the model's, and replaced where it is not", () =>
    Effect.gen(function* () {
      const world = yield* makeV1([{ name: "build-env", ...registered }], { settings: keep(2) })
      const first = yield* enter(world)
      yield* TestClock.adjust("10 minutes")
      yield* first.kill
      const [kept, stale] = ours(world)
      for (const [machine, stamp] of [
        [kept, current(world)],
        [stale, "1"]
      ] as const) {
        world.vcenter.others.rename(machine?.ref.value ?? "", `provision-v1-go-${stamp}`)
        world.vcenter.others.annotate(machine?.ref.value ?? "", goProvision(stamp ?? ""))
      }
      const second = yield* enter(world)
      yield* TestClock.adjust("10 minutes")
      assert.strictEqual(standing(second), "Provisioned Provisioned")
      const left = ours(world).map(({ ref }) => ref.value)
      assert.include(left, kept?.ref.value)
      assert.notInclude(left, stale?.ref.value)
    }).pipe(seeded("adopted"))
  )

  it.effect("are reaped where no pool of that model is wanted (defect 55)", () =>
    Effect.gen(function* () {
      const world = yield* makeV1([])
      world.vcenter.addForeign({ count: 2, prefix: "provision-v1", annotation: goProvision("1"), poweredOn: false })
      const { ips } = yield* enter(world)
      yield* TestClock.adjust("5 minutes")
      assert.deepStrictEqual(ours(world), [])
      assert.strictEqual((yield* ips.count).leased, 0)
    }).pipe(seeded("unwanted"))
  )
})
