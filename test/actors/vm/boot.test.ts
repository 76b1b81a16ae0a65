import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { TestClock } from "effect/testing"
import { enter, ours } from "../scene.ts"
import { makeWorld, seeded } from "../../support/world.ts"

describe("a machine that somebody removes while it boots", () => {
  it.effect("is no failure of its template: the pool gets another one without a pause", () =>
    Effect.gen(function* () {
      const world = yield* makeWorld({ settings: { provision: [{ template: "debian12", number: 1 }] } })
      const scene = yield* enter(world)
      yield* TestClock.adjust("30 seconds")
      const [handle] = scene.machines.values()
      assert.strictEqual(handle?.vm.state._tag, "Booting")
      world.vcenter.others.destroy(handle?.vm.ref ?? "")
      yield* TestClock.adjust("3 minutes")
      assert.include(yield* scene.said(handle?.id ?? ""), "Booting → Reaped")
      assert.isEmpty(yield* scene.said("debian12"))
      assert.deepStrictEqual(
        ours(world).map(({ power }) => power),
        ["poweredOff"]
      )
    }).pipe(seeded("boot"))
  )
})
