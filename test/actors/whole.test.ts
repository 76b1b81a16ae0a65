import { assert, describe, it } from "@effect/vitest"
import { Context, Effect } from "effect"
import { TestClock } from "effect/testing"
import { parse } from "../../src/schema/Annotation.ts"
import { EventLog } from "../../src/services/EventLog.ts"
import { makeWorld, name, seeded, start } from "../support/world.ts"

/** The event log of three jobs in a world of this seed. */
const run = (seed: string) =>
  Effect.scoped(
    Effect.gen(function* () {
      const world = yield* makeWorld({ seed })
      const { context } = yield* start(world)
      yield* TestClock.adjust("3 minutes")
      yield* world.cds.enqueue({ count: 3 })
      yield* TestClock.adjust("15 minutes")
      return JSON.stringify(yield* Context.get(context, EventLog).recent)
    }).pipe(seeded(seed), Effect.provide(TestClock.layer()))
  )

describe("a job on a simulated vCenter and a simulated CDS", () => {
  it.effect("is served from the warm pool, which is refilled; nothing is left of it", () =>
    Effect.gen(function* () {
      const world = yield* makeWorld()
      yield* start(world)
      yield* TestClock.adjust("3 minutes")
      const pool = world.vcenter.owned(name)
      assert.deepStrictEqual(
        pool.map(({ power }) => power),
        ["poweredOff", "poweredOff"]
      )
      yield* world.cds.enqueue({ count: 1 })
      yield* TestClock.adjust("10 minutes")
      assert.strictEqual((yield* world.cds.counts).done, 1)
      assert.deepStrictEqual(yield* world.cds.violations, [])
      const after = world.vcenter.owned(name)
      assert.deepStrictEqual(
        after.map(({ power }) => power),
        ["poweredOff", "poweredOff"]
      )
      assert.strictEqual(world.vcenter.summary().created, 3)
      assert.strictEqual(after.filter(({ ref }) => pool.some((one) => one.ref === ref)).length, 1)
    }).pipe(seeded("one job"))
  )

  it.effect("twice with the same seed gives the same event log, byte for byte; another seed another one", () =>
    Effect.gen(function* () {
      const first = yield* run("a")
      assert.isAbove(first.length, 2_000)
      assert.strictEqual(yield* run("a"), first)
      assert.notStrictEqual(yield* run("b"), first)
    })
  )
})

describe("ready machines whose vCenter is restored from a backup", () => {
  it.effect("from when they first booted are recorded as ready anew", () =>
    Effect.gen(function* () {
      const world = yield* makeWorld()
      yield* start(world)
      const marks = () => world.vcenter.owned(name).map(({ annotation }) => parse(annotation)?.journal?.state)
      while (marks().join() !== "booting,booting") yield* TestClock.adjust("1 second")
      yield* world.vcenter.inject({ _tag: "Save" })
      yield* TestClock.adjust("3 minutes")
      assert.deepStrictEqual(marks(), ["provisioned", "provisioned"])
      yield* world.vcenter.inject({ _tag: "Restore" })
      assert.deepStrictEqual(marks(), ["booting", "booting"])
      yield* TestClock.adjust("1 minute")
      assert.deepStrictEqual(marks(), ["provisioned", "provisioned"])
      assert.strictEqual(world.vcenter.summary().created, 2)
    }).pipe(seeded("restored"))
  )
})
