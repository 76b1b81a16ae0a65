/** Runs with a V1 side: its models, jobs, pools and registrations, and what goes wrong with them. */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { many } from "./many.ts"
import { allTroubles, draw, troubles } from "./plan.ts"
import { Summary } from "./summary.ts"

/** Of the first runs with V1. */
const kept = [
  100_001, 100_003, 100_013, 100_014, 100_019, 100_030, 100_039, 100_041, 100_043, 100_051, 100_053, 100_057
]

describe("a simulated hatchery with a V1 token", () => {
  it.live(
    "keeps its promises: jobs, templates, registrations and pools of V1 models converge as those of V2 do",
    () =>
      Effect.gen(function* () {
        const summary = new Summary()
        for (const outcome of yield* many(kept)) summary.add(outcome)
        assert.deepStrictEqual(summary.failures, [])
        const built = ["Preparing × Done → Converting", "Converting × Done → Templated"]
        assert.deepStrictEqual(summary.coverage.missing(built), [])
      }),
    600_000
  )

  it("is in a share of the runs, from the seed on that no kept run of V2 has", () => {
    const share = Array.from({ length: 400 }, (_, n) => draw(100_000 + n)).filter(({ v1 }) => v1 !== undefined).length
    assert.isAbove(share, 80)
    assert.isBelow(share, 160)
    assert.isTrue(kept.every((seed) => draw(seed).v1 !== undefined))
    assert.isTrue(Array.from({ length: 400 }, (_, n) => draw(n)).every(({ v1 }) => v1 === undefined))
  })

  it("does not change what else happens in a run", () => {
    const without = Object.keys(troubles)
    for (const seed of kept) {
      const told = (choice: ReadonlyArray<string>) =>
        draw(seed, choice)
          .happenings.filter(({ kind }) => !kind.includes("V1") && kind !== "registration worker dies")
          .map(({ at, kind, text }) => `${at} ${kind} ${text}`)
      assert.deepStrictEqual(told(Object.keys(allTroubles)), told(without))
    }
  })
})
