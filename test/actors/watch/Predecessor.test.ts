import { assert, describe, it } from "@effect/vitest"
import { Context, Effect } from "effect"
import { TestClock } from "effect/testing"
import { Predecessor } from "../../../src/actors/watch/Predecessor.ts"
import { defaults } from "../../../src/schema/Config.ts"
import { makeWorld, seeded, start } from "../../support/world.ts"
import { enter, faults, jobOn, makeScene, ours, standing, takes, type Scene } from "../scene.ts"

const minutes = 60_000

const unreadable = (scene: Pick<Scene, "vcenter">, path: string, forMs: number) =>
  scene.vcenter.inject({ _tag: "Unreadable", path, forMs })

/** Fails when two machines have one address or carry one job. */
const unshared = ({ vcenter }: Pick<Scene, "vcenter">) => {
  for (const [ip, names] of vcenter.addresses()) assert.isAtMost(names.length, 1, `${ip} is on ${names.join()}`)
  const jobs = ours({ vcenter })
    .map(jobOn)
    .filter((job) => job !== "")
  assert.strictEqual(new Set(jobs).size, jobs.length, jobs.join())
}

describe("a start", () => {
  for (const path of ["config.annotation", "runtime.powerState", "config.instanceUuid"])
    it.effect(`that cannot read the ${path} of its machines leaves them alone, and takes them up when it can`, () =>
      Effect.gen(function* () {
        const scene = yield* makeScene()
        const [working = ""] = yield* scene.cds.enqueue({ durationMs: 30 * minutes })
        yield* TestClock.adjust("2 minutes")
        const before = ours(scene).map(({ ref, annotation, power }) => `${ref.value} ${annotation} ${power}`)
        yield* scene.kill
        yield* unreadable(scene, path, 8 * minutes)
        const second = yield* enter(scene.world)
        const [waiting = ""] = yield* scene.cds.enqueue()
        yield* TestClock.adjust("7 minutes")
        assert.strictEqual(second.machines.size, 0)
        assert.deepStrictEqual(
          ours(scene).map(({ ref, annotation, power }) => `${ref.value} ${annotation} ${power}`),
          before
        )
        assert.strictEqual(yield* takes(scene, waiting), 0)
        assert.match((yield* second.dispatcher.waiting)[0]?.reason ?? "", /cannot be read yet: [a-z]/)
        yield* TestClock.adjust("10 minutes")
        assert.strictEqual((yield* scene.cds.job(waiting))?.status, "Success")
        assert.strictEqual((yield* scene.cds.job(working))?.status, "Building")
        yield* TestClock.adjust("30 minutes")
        assert.strictEqual((yield* scene.cds.job(working))?.status, "Success")
        assert.strictEqual(yield* takes(scene, working), 1)
        assert.deepStrictEqual(yield* faults(scene, 2), [])
      })
    )

  it.effect("goes on after the time of a clone without machines that it cannot read, whose jobs it leaves alone", () =>
    Effect.gen(function* () {
      const scene = yield* makeScene()
      const [working = ""] = yield* scene.cds.enqueue({ durationMs: 3_000 * minutes })
      yield* TestClock.adjust("2 minutes")
      yield* scene.kill
      yield* unreadable(scene, "runtime.powerState", 60 * minutes)
      const second = yield* enter(scene.world)
      yield* TestClock.adjust("12 minutes")
      const [waiting = ""] = yield* scene.cds.enqueue()
      yield* TestClock.adjust("1 minute")
      assert.strictEqual(yield* takes(scene, waiting), 1)
      const { objection } = Context.get(second.context, Predecessor)
      assert.match((yield* objection(working)) ?? "", /^its machine [a-z-]+ cannot be read$/)
      assert.isUndefined(yield* objection(waiting))
      unshared(scene)
    })
  )

  it.effect(
    "waits for the clones of the process before it, and gives neither their addresses nor their jobs away",
    () =>
      Effect.gen(function* () {
        const world = yield* makeWorld({
          settings: {
            provision: [{ template: "debian12", number: 2 }],
            times: { ...defaults.times, cloneMs: 9 * minutes }
          },
          vcenter: { concurrency: 1, timings: { jitter: 0, cloneMs: 2 * minutes } }
        })
        const first = yield* enter(world)
        const [id = ""] = yield* world.cds.enqueue({ image: "debian12" })
        yield* TestClock.adjust("20 seconds")
        assert.include(standing(first), "Cloning Cloning")
        yield* first.kill
        yield* start(world)
        for (let second = 0; second < 40; second++) {
          yield* TestClock.adjust("30 seconds")
          unshared(world)
        }
        assert.strictEqual((yield* world.cds.job(id))?.status, "Success")
        assert.strictEqual(yield* takes(world, id), 1)
        assert.deepStrictEqual(yield* faults(world, 2), [])
      }).pipe(seeded("predecessor"))
  )
})
