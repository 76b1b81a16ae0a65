import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Layer } from "effect"
import { TestClock } from "effect/testing"
import { WorkerModels } from "../../../src/actors/models/WorkerModels.ts"
import { makeSettling } from "../../../src/actors/vm/works/settle.ts"
import { defaults } from "../../../src/schema/Config.ts"
import { CdsError } from "../../../src/schema/Errors.ts"
import type { JobWithModel } from "../../../src/schema/Job.ts"
import { Cds } from "../../../src/services/Cds.ts"
import { Guest } from "../../../src/services/Guest.ts"
import { Settings } from "../../../src/services/Settings.ts"
import { claim, env, machine, states } from "./sample.ts"

/** All but CDS. */
const withoutCds = Layer.mergeAll(
  Layer.mock(Guest)({}),
  Layer.mock(WorkerModels)({}),
  Layer.succeed(Settings, { ...defaults, cds: { ...defaults.cds, name: env.hatchery } })
)

/** What is asked of CDS, and given back, when a worker's time to sign in is over and CDS does not know it. */
const inquired = (elsewhere: boolean) =>
  Effect.gen(function* () {
    const released: Array<string> = []
    const job = { status: "Scheduling", hatcheryName: env.hatchery }
    const cds = Layer.mock(Cds)({
      workers: Effect.succeed([]),
      job: () => Effect.succeed({ job } as unknown as JobWithModel),
      release: (_, id) => Effect.sync(() => void released.push(id))
    })
    const { inquire } = yield* makeSettling.pipe(Effect.provide(cds))
    const end = yield* inquire({
      vm: () => machine(states.overdue),
      env: Effect.succeed(env),
      tell: () => Effect.void,
      carriedElsewhere: () => elsewhere,
      onElsewhere: () => undefined
    })
    return { end, released }
  }).pipe(Effect.provide(withoutCds))

describe("a worker that CDS does not know when its time to sign in is over", () => {
  it.effect("is shut out: its job is given back at once, unless another machine carries it by now", () =>
    Effect.gen(function* () {
      const { end, released } = yield* inquired(false)
      assert.strictEqual(end?._tag, "Refused")
      assert.deepStrictEqual(released, [claim.jobId])
      assert.deepStrictEqual(yield* inquired(true), { end, released: [] })
    })
  )
})

/** How often a job of a machine that went is given back, when CDS does as told and the first answer is lost. */
const givenBack = (elsewhereThen: boolean) =>
  Effect.gen(function* () {
    let releases = 0
    const job = { status: "Scheduling", hatcheryName: env.hatchery }
    const lost = new CdsError({ call: "release", kind: "unreachable", message: "read ECONNRESET" })
    const cds = Layer.mock(Cds)({
      job: () => Effect.succeed({ job } as unknown as JobWithModel),
      release: () => Effect.suspend(() => (++releases === 1 ? Effect.fail(lost) : Effect.void))
    })
    const { settleJob } = yield* makeSettling.pipe(Effect.provide(cds))
    const carriedElsewhere = () => elsewhereThen && releases > 0
    const settled = yield* Effect.forkChild(settleJob({ carriedElsewhere }, claim, "release", "its machine is gone"))
    yield* TestClock.adjust("1 minute")
    return { waits: yield* Fiber.join(settled), releases }
  }).pipe(Effect.provide(withoutCds))

describe("a job that is given back, of which the answer is lost", () => {
  it.effect("is given back again while it is ours, unless another machine carries it by now", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(yield* givenBack(false), { waits: true, releases: 2 })
      assert.deepStrictEqual(yield* givenBack(true), { waits: false, releases: 1 })
    })
  )
})
