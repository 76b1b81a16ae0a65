import { assert, describe, it } from "@effect/vitest"
import { Cause, Effect, Logger } from "effect"
import { TestClock } from "effect/testing"
import { isFinal } from "../../../src/schema/Job.ts"
import { makeWorld, name, seeded, start } from "../../support/world.ts"
import { cases } from "./cases.ts"
import { Chance } from "./Chance.ts"
import { withNonsense, type Nonsense } from "./nonsense.ts"
import { makeXml } from "./xml.ts"

/** What a hatchery logs with a defect in it: a bug that somebody caught. */
const defects = (found: Array<string>) =>
  Logger.make<unknown, void>(({ cause, message }) => {
    if (Cause.hasDies(cause)) found.push(`${String(message)} ${Cause.pretty(cause)}`)
  })

/**
 * Nonsense for twenty minutes in which jobs come, then peace for as long as it takes. What vCenter has told wrongly in good form (a machine
 * that left, another name) stays believed until the mirror is read again, so the collector is lost once.
 */
const run = Effect.fnUntraced(function* (seed: number) {
  const xml = yield* makeXml
  const found: Array<string> = []
  const nonsense: Nonsense = { chance: new Chance(seed), share: 0, sent: [] }
  yield* Effect.gen(function* () {
    const world = withNonsense(yield* makeWorld({ seed: `nonsense ${seed}` }), nonsense, xml)
    const hatchery = yield* start(world)
    yield* TestClock.adjust("2 minutes")
    nonsense.share = 0.15
    for (let job = 0; job < 4; job++) {
      yield* world.cds.enqueue({ count: 1 })
      yield* TestClock.adjust("5 minutes")
    }
    nonsense.share = 0
    yield* world.vcenter.inject({ _tag: "CollectorLost" })
    yield* TestClock.adjust("3 hours")
    const told = () => `${found.join("\n")}\nlast nonsense: ${nonsense.sent.join("\n")}`
    assert.deepStrictEqual(found, [], told())
    assert.isUndefined(hatchery.running.pollUnsafe(), told())
    const jobs = yield* world.cds.jobs
    assert.isTrue(jobs.length === 4 && jobs.every(({ status }) => isFinal(status)), told())
    assert.deepStrictEqual(
      world.vcenter.owned(name).map(({ power }) => power),
      ["poweredOff", "poweredOff"],
      told()
    )
  }).pipe(
    seeded(`nonsense ${seed}`),
    Effect.provide(Logger.layer([defects(found)])),
    Effect.scoped,
    Effect.provide(TestClock.layer())
  )
})

describe("a hatchery whose vCenter and CDS answer nonsense now and then", () => {
  it.effect("has no defect, and once they answer well again ends each job and leaves nothing", () =>
    cases(
      6,
      () => undefined,
      (_, seed) => run(seed)
    )
  )
})
