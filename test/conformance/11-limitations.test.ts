/** Seed 001 section 11: what the hatchery does not do, as far as that still holds. Its first limitation, sizes, is lifted by section 13. */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { TestClock } from "effect/testing"
import { ours, registered, templates } from "../actors/scene.ts"
import { calls, hatched } from "../regressions/support.ts"
import { seeded } from "../support/world.ts"
import { jobOf, orderV1, orderV2, pool, spawning, waitsFor } from "./spawns.ts"

const asCode = "PROJ/github/acme/app/debian"

describe("11 limitations", () => {
  it.effect("1: a machine has its template's CPUs and memory, unless a flavor says otherwise", () =>
    Effect.gen(function* () {
      const scene = yield* spawning({
        settings: { ...pool(0), flavors: [{ name: "large", cpus: 8, memoryMB: 16_384 }] }
      })
      yield* orderV2(scene, { durationMs: 600_000 })
      yield* orderV2(scene, { durationMs: 600_000, flavor: "large" })
      yield* TestClock.adjust("2 minutes")
      assert.sameMembers(
        ours(scene).map(({ cpus, memoryMB }) => `${cpus} ${memoryMB}`),
        ["2 4096", "8 16384"]
      )
    }).pipe(seeded("sizes"))
  )

  it.effect("2: jobs that ask for a service, memory or a host are not run; the others of the queue are", () =>
    Effect.gen(function* () {
      const scene = yield* spawning({ settings: pool(1) })
      yield* scene.cds.addModelAsCode({ path: asCode })
      const asking = yield* Effect.forEach(["service", "memory", "hostname"], (type) =>
        orderV1(scene, { model: asCode, requirements: [{ type, value: "1" }] })
      )
      const plain = yield* orderV1(scene, { model: asCode })
      yield* TestClock.adjust("5 minutes")
      assert.strictEqual((yield* jobOf(scene, plain)).status, "Success")
      for (const id of asking) {
        assert.strictEqual((yield* jobOf(scene, id)).status, "Waiting")
        assert.match(yield* waitsFor(scene, id), /^it asks for/)
      }
    }).pipe(seeded("requirements"))
  )

  it.effect("3: each clone is customized as a Linux guest", () =>
    Effect.gen(function* () {
      const stand = yield* hatched()
      const specs = calls(stand, "CloneVM_Task").map(({ args }) => JSON.stringify(args["spec"]))
      assert.strictEqual(specs.length, 2)
      for (const spec of specs) assert.include(spec, '"_type":"CustomizationLinuxPrep"')
    }).pipe(seeded("linux"))
  )

  it.effect("4: there is one datacenter, in which everything is looked for and made", () =>
    Effect.gen(function* () {
      const stand = yield* hatched()
      const datacenter = { type: "Datacenter", value: "datacenter-2" }
      const views = calls(stand, "CreateContainerView").map(({ args: { type, container } }) => ({ type, container }))
      const below = views.filter(({ type }) => !JSON.stringify(type).includes('"Datacenter"'))
      assert.isAbove(below.length, 1)
      assert.isBelow(below.length, views.length)
      for (const { container } of below) assert.deepStrictEqual(container, datacenter)
      for (const { args } of calls(stand, "CloneVM_Task"))
        assert.deepStrictEqual(args["folder"], { type: "Folder", value: "group-v3" })
    }).pipe(seeded("datacenter"))
  )

  it.effect("5: a V2 model is never registered, and no template is built for it", () =>
    Effect.gen(function* () {
      const scene = yield* spawning({ models: [{ name: "deb", ...registered }], settings: pool(1) })
      yield* scene.cds.addModelAsCode({ path: asCode })
      const [v1, v2] = [yield* orderV1(scene, { model: asCode }), yield* orderV2(scene)]
      yield* TestClock.adjust("15 minutes")
      for (const id of [v1, v2]) assert.strictEqual((yield* scene.cds.job(id))?.status, "Success")
      assert.deepStrictEqual(templates(scene), ["deb", "debian12"])
      assert.isFalse(scene.starts().some((start) => start.arguments.includes("worker register")))
      // The machine of the pool, two that were put in the place of used ones, and the build of the V1 model's template.
      assert.strictEqual(scene.vcenter.summary().created, 4)
    }).pipe(seeded("V2 models"))
  )
})
