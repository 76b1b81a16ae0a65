import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer } from "effect"
import { WorkerModels } from "../../../src/actors/models/WorkerModels.ts"
import { makeReaping } from "../../../src/actors/vm/works/reap.ts"
import { defaults } from "../../../src/schema/Config.ts"
import type { JobWithModel } from "../../../src/schema/Job.ts"
import { VSphereError } from "../../../src/schema/Errors.ts"
import { Cds } from "../../../src/services/Cds.ts"
import { Guest } from "../../../src/services/Guest.ts"
import { Inventory } from "../../../src/services/Inventory.ts"
import { Settings } from "../../../src/services/Settings.ts"
import { VSphere } from "../../../src/services/VSphere.ts"
import { claim, env, facts, machine, states } from "./sample.ts"

const unknown = new VSphereError({ operation: "ReconfigVM_Task", kind: "gone", message: "no such machine" })

/** What comes of the removal of a machine that vCenter does not know, while the inventory shows it or not. */
const removed = (shown: boolean) =>
  Effect.gen(function* () {
    const { reap } = yield* makeReaping
    const vm = { ...machine(states.reaping), ref: "vm-7" }
    return yield* reap({
      vm: () => vm,
      env: Effect.succeed(env),
      tell: () => Effect.void,
      carriedElsewhere: () => false
    })
  }).pipe(
    Effect.provide(
      Layer.mergeAll(
        Layer.mock(Cds)({}),
        Layer.mock(Guest)({}),
        Layer.mock(WorkerModels)({}),
        Layer.mock(VSphere)({ reconfigure: () => Effect.fail(unknown) }),
        Layer.mock(Inventory)({
          certain: Effect.void,
          view: Effect.succeed({
            epoch: 1,
            complete: true,
            current: true,
            goodAt: 0,
            machines: new Map(shown ? [["vm-7", facts()]] : []),
            named: () => []
          })
        }),
        Layer.succeed(Settings, defaults)
      )
    )
  )

describe("the removal of a machine that vCenter does not know", () => {
  it.effect("is done when the inventory does not show it either; else the inventory tells when it has gone", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(yield* removed(false), { _tag: "Gone" })
      assert.isUndefined(yield* removed(true))
    })
  )
})

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
    const { inquire } = yield* makeReaping.pipe(Effect.provide(cds))
    const end = yield* inquire({
      vm: () => machine(states.overdue),
      env: Effect.succeed(env),
      tell: () => Effect.void,
      carriedElsewhere: () => elsewhere
    })
    return { end, released }
  }).pipe(
    Effect.provide(
      Layer.mergeAll(
        Layer.mock(Guest)({}),
        Layer.mock(WorkerModels)({}),
        Layer.mock(VSphere)({}),
        Layer.mock(Inventory)({}),
        Layer.succeed(Settings, { ...defaults, cds: { ...defaults.cds, name: env.hatchery } })
      )
    )
  )

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
