/**
 * The promises through crashes and faults: a kept set of seeds, and a few fresh ones each time, whose failures are printed ready to be kept.
 * `npm run simulate` plays as many as one likes.
 */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { draw } from "./plan.ts"
import { run } from "./run.ts"
import kept from "./seeds.json" with { type: "json" }
import { failure } from "./summary.ts"

const fresh = 6

const play = (seeds: ReadonlyArray<number>) =>
  Effect.map(
    Effect.forEach(seeds, (seed) => run(seed)),
    (reports) => reports.flatMap((report) => failure(report) ?? [])
  )

const told = (seed: number) => draw(seed).happenings.map(({ at, kind, text }) => `${at} ${kind} ${text}`)

describe("a simulated hatchery", () => {
  it.live(
    "keeps its promises with every kept seed",
    () => Effect.map(play(kept), (failures) => assert.deepStrictEqual(failures, [])),
    300_000
  )

  it.live(
    "plays fresh seeds too, and prints those that break a promise, ready to be kept",
    () => {
      const first = 100_000 + (Math.floor(Date.now() / 1000) % 1_000_000_000)
      const seeds = Array.from({ length: fresh }, (_, n) => first + n)
      return Effect.gen(function* () {
        const reports = yield* Effect.forEach(seeds, (seed) => run(seed))
        for (const report of reports) if (report.broken.length > 0) console.log(`fresh ${failure(report)}`)
        assert.isTrue(reports.every(({ steps, log }) => steps > 0 && log.length > 0))
      })
    },
    120_000
  )

  it.live("tells the same story, byte for byte, when its seed comes again", () =>
    Effect.gen(function* () {
      const seed = kept[0]!
      const [once, again] = [yield* run(seed), yield* run(seed)]
      assert.isAbove(once.log.length, 20)
      assert.strictEqual(again.log.join("\n"), once.log.join("\n"))
      assert.strictEqual(again.steps, once.steps)
    })
  )

  it("has another plan for another seed, and the same one for the same", () => {
    assert.deepStrictEqual(told(1), told(1))
    assert.notDeepEqual(told(1), told(2))
  })
})
