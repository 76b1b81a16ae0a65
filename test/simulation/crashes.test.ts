/**
 * The crash grid: a process is stopped at each outgoing call of a job's life, before sending, after sending without the answer, and after the
 * answer; then another one is started. The calls are counted in a run without a crash, so that none can be forgotten.
 */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { TestClock } from "effect/testing"
import { type CrashPoint, makeWorld, name, seeded, start, type World } from "../support/world.ts"

const wanted = 2

/** One job on a pool that is ready. Answers the calls that were sent. */
const scenario = Effect.fnUntraced(function* (crash: CrashPoint | undefined) {
  const world = yield* makeWorld({ seed: "grid" })
  const first = yield* start(world, crash)
  const faults: Array<string> = []
  yield* watch(world, faults, 36)
  yield* world.cds.enqueue({ count: 1 })
  yield* watch(world, faults, crash === undefined ? 60 : 66)
  const calls = [...first.calls]
  if (crash !== undefined) {
    if (!(yield* first.crashed)) return { calls, faults: ["it never crashed"] }
    yield* first.kill
    yield* start(world)
    yield* watch(world, faults, 360)
  }
  yield* converged(world, faults)
  return { calls, faults }
})

/** Lets 5 s pass so many times, looking after each for what must never be. */
const watch = Effect.fnUntraced(function* (world: World, faults: Array<string>, steps: number) {
  for (let i = 0; i < steps; i++) {
    yield* TestClock.adjust("5 seconds")
    for (const [ip, names] of world.vcenter.addresses())
      if (names.length > 1) faults.push(`${ip} is on ${names.join(" and ")}`)
  }
})

const converged = Effect.fnUntraced(function* (world: World, faults: Array<string>) {
  const owned = world.vcenter.owned(name)
  if (owned.length !== wanted || owned.some(({ power }) => power !== "poweredOff"))
    faults.push(`the pool is ${owned.map((one) => `${one.name} ${one.power}`).join(", ")}`)
  const counts = yield* world.cds.counts
  if (counts.done !== 1) faults.push(`the job: ${JSON.stringify(counts)}`)
  for (const violation of yield* world.cds.violations) faults.push(JSON.stringify(violation))
})

const run = (crash: CrashPoint | undefined) =>
  Effect.scoped(Effect.provide(seeded("grid")(scenario(crash)), TestClock.layer()))

describe("the crash grid", () => {
  it.effect(
    "a process stopped at any call leaves nothing behind once another is started",
    () =>
      Effect.gen(function* () {
        const whole = yield* run(undefined)
        assert.deepStrictEqual(whole.faults, [])
        const only = process.env["CELL"]
        const failed: Array<string> = []
        let cells = 0
        for (let at = 1; at <= whole.calls.length; at++)
          for (const when of ["before", "unanswered", "answered"] as const) {
            if (only !== undefined && only !== `${at}:${when}`) continue
            if (process.env["STEP"] !== undefined && at % Number(process.env["STEP"]) !== 0) continue
            cells++
            const { faults } = yield* run({ at, when })
            if (faults.length > 0)
              failed.push(`${at}:${when} ${whole.calls[at - 1]}: ${[...new Set(faults)].join("; ")}`)
          }
        console.log(`crash grid: ${cells} cells over ${whole.calls.length} calls`)
        assert.deepStrictEqual(failed, [])
      }),
    600_000
  )
})
