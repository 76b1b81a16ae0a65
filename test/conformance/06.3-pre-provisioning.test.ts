/** Seed 001 section 6.3: pools of templates (V2) and of V1 models. How a pool is hatched in detail is in test/actors/pool/Nursery*.test.ts. */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { TestClock } from "effect/testing"
import type { Machine } from "../../src/layers/simulated/vcenter/Machine.ts"
import { parse } from "../../src/schema/Annotation.ts"
import { seeded, type WorldOptions } from "../support/world.ts"
import { enter, jobOn, makeV1, ours, registered, standing } from "../actors/scene.ts"

const path = "shared.infra/build-env"

/** A pool of either kind, what it is called, and a job that runs on it. */
const kinds = [
  {
    kind: "6.3.1 V2",
    prefix: "provision-v2",
    settings: (number: number) => ({ provision: [{ template: "debian12", number }], poolSize: 2 }),
    pool: "debian12"
  },
  {
    kind: "6.3.2 V1",
    prefix: "provision-v1",
    settings: (number: number) => ({ modelProvision: [{ modelPath: path, number }], poolSize: 2 }),
    pool: path
  }
] as const

const refs = (machines: ReadonlyArray<Machine>) => machines.map(({ ref }) => ref.value).toSorted()

for (const { kind, prefix, settings, pool } of kinds) {
  const begin = Effect.fnUntraced(function* (number: number, more: WorldOptions["settings"] = {}) {
    const world = yield* makeV1([{ name: "build-env", ...registered }], { settings: { ...settings(number), ...more } })
    const process = yield* enter(world)
    yield* TestClock.adjust("10 minutes")
    return { ...world, ...process }
  })
  const enqueue = ({ cds }: Effect.Success<ReturnType<typeof begin>>) =>
    prefix === "provision-v1" ? cds.enqueueV1({ model: path }) : cds.enqueue()

  describe(`a pool (${kind})`, () => {
    it.effect("gets as many machines as it lacks, each under the prefix, flagged, off", () =>
      Effect.gen(function* () {
        const scene = yield* begin(3)
        assert.strictEqual(standing(scene), "Provisioned Provisioned Provisioned")
        for (const machine of ours(scene)) {
          assert.isTrue(machine.name.startsWith(`${prefix}-`))
          assert.isTrue(parse(machine.annotation)?.provisioning)
          assert.strictEqual(machine.power, "poweredOff")
        }
      }).pipe(seeded("deficit"))
    )

    it.effect("gives its oldest machine to a job, under the worker's name, and is filled again (6.3.3, 6.3.4)", () =>
      Effect.gen(function* () {
        const scene = yield* begin(2)
        const before = refs(ours(scene))
        const [oldest] = ours(scene).toSorted((a, b) => a.createdAt - b.createdAt)
        const [id = ""] = yield* enqueue(scene)
        yield* TestClock.adjust("20 seconds")
        const claimed = ours(scene).find((machine) => jobOn(machine) === id)
        assert.strictEqual(claimed?.ref.value, oldest?.ref.value)
        assert.isFalse(claimed?.name.startsWith("provision-"))
        assert.isFalse(parse(claimed?.annotation ?? "")?.provisioning)
        yield* TestClock.adjust("10 minutes")
        assert.strictEqual((yield* scene.cds.job(id))?.status, "Success")
        assert.strictEqual(standing(scene), "Provisioned Provisioned")
        assert.notDeepEqual(refs(ours(scene)), before)
        assert.deepStrictEqual(yield* scene.cds.violations, [])
      }).pipe(seeded("job"))
    )

    it.effect("takes no machine of another hatchery, and counts none", () =>
      Effect.gen(function* () {
        const annotation = JSON.stringify({
          hatchery_name: "other",
          worker_name: `${prefix}-x`,
          provisioning: true,
          vmware_model_path: "debian12",
          worker_model_path: path
        })
        const world = yield* makeV1([{ name: "build-env", ...registered }], { settings: settings(1) })
        world.vcenter.addForeign({ count: 3, prefix, annotation, poweredOn: false })
        const process = yield* enter(world)
        yield* TestClock.adjust("10 minutes")
        assert.strictEqual(standing(process), "Provisioned")
        assert.strictEqual(world.vcenter.owned("other").length, 3)
      }).pipe(seeded("foreign"))
    )

    it.effect("loses what is on its way before what is ready, and what is leased never", () =>
      Effect.gen(function* () {
        const scene = yield* begin(2)
        const ready = refs(ours(scene))
        yield* scene.nursery.want(pool, 4)
        yield* TestClock.adjust("35 seconds")
        yield* scene.nursery.want(pool, 2)
        yield* TestClock.adjust("2 minutes")
        assert.deepStrictEqual(refs(ours(scene)), ready)
        const [id = ""] = yield* enqueue(scene)
        yield* TestClock.adjust("100 millis")
        yield* scene.nursery.want(pool, 0)
        yield* TestClock.adjust("10 minutes")
        assert.strictEqual((yield* scene.cds.job(id))?.status, "Success")
        assert.deepStrictEqual(ours(scene), [])
      }).pipe(seeded("shrinks"))
    )

    it.effect("whose clones fail backs off, and recovers", () =>
      Effect.gen(function* () {
        const scene = yield* begin(0)
        yield* scene.vcenter.inject({ _tag: "CallFails", operation: "CloneVM_Task", fault: "NoDiskSpace", count: 3 })
        yield* scene.nursery.want(pool, 1)
        yield* TestClock.adjust("4 seconds")
        yield* scene.nursery.want(pool, 1)
        yield* TestClock.adjust("3 minutes")
        assert.strictEqual((yield* scene.said(pool)).filter((text) => text.startsWith("hatching failed")).length, 3)
        assert.strictEqual(standing(scene), "Provisioned")
      }).pipe(seeded("fails"))
    )
  })
}

describe("a job on a V1 model that was changed", () => {
  it.effect("gets no machine of the old stamp, though one is still ready", () =>
    Effect.gen(function* () {
      const settings = { modelProvision: [{ modelPath: path, number: 1 }] }
      const world = yield* makeV1([{ name: "build-env", ...registered }], { settings })
      const first = yield* enter(world)
      yield* TestClock.adjust("10 minutes")
      yield* first.kill
      const times = { ...world.settings.times, provisioningIntervalMs: 60 * 60_000 }
      const process = yield* enter({ ...world, settings: { ...world.settings, times } })
      yield* TestClock.adjust("1 minute")
      const [old] = ours(world)
      yield* world.cds.addModel({ name: "build-env", password: "worker", preCmd: "true", ...registered })
      yield* TestClock.adjust("15 seconds")
      assert.strictEqual(standing(process), "Cloning Provisioned", "the new template is being built")
      const [id = ""] = yield* world.cds.enqueueV1({ model: path })
      for (let seconds = 0; seconds < 10 * 60; seconds += 5) {
        yield* TestClock.adjust("5 seconds")
        assert.notInclude(refs(ours(world).filter((machine) => jobOn(machine) === id)), old?.ref.value)
      }
      assert.strictEqual((yield* world.cds.job(id))?.status, "Success")
    }).pipe(seeded("stale"))
  )
})
