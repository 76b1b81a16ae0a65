import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Layer } from "effect"
import { TestClock } from "effect/testing"
import { WorkerModels } from "../../../src/actors/models/WorkerModels.ts"
import { makeReaping } from "../../../src/actors/vm/works/reap.ts"
import { defaults } from "../../../src/schema/Config.ts"
import { VSphereError } from "../../../src/schema/Errors.ts"
import { Cds } from "../../../src/services/Cds.ts"
import { Guest } from "../../../src/services/Guest.ts"
import { Inventory } from "../../../src/services/Inventory.ts"
import { Settings } from "../../../src/services/Settings.ts"
import { VSphere } from "../../../src/services/VSphere.ts"
import { env, facts, machine, states } from "./sample.ts"

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
      carriedElsewhere: () => false,
      onElsewhere: () => undefined
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

/** All but the inventory. */
const withoutInventory = Layer.mergeAll(
  Layer.mock(Guest)({}),
  Layer.mock(WorkerModels)({}),
  Layer.mock(VSphere)({}),
  Layer.mock(Cds)({}),
  Layer.succeed(Settings, defaults)
)

describe("a clone whose answer was lost, and that does not show", () => {
  it.effect("is looked for as long as the view lacks what came of some clone: its address is not free until then", () =>
    Effect.gen(function* () {
      let lacksClone = true
      const view = { epoch: 1, complete: true, current: true, goodAt: 0, machines: new Map(), named: () => [] }
      const inventory = Layer.mock(Inventory)({
        certain: Effect.void,
        clonesEnded: Effect.void,
        lacksClone: Effect.sync(() => lacksClone),
        view: Effect.succeed(view)
      })
      const { seek } = yield* makeReaping.pipe(Effect.provide(inventory))
      const sought = yield* Effect.forkChild(
        seek({
          vm: () => machine(states.cloning),
          env: Effect.succeed(env),
          tell: () => Effect.void,
          carriedElsewhere: () => false,
          onElsewhere: () => undefined
        })
      )
      yield* TestClock.adjust("5 minutes")
      assert.isUndefined(sought.pollUnsafe())
      lacksClone = false
      yield* TestClock.adjust("1 minute")
      assert.deepInclude(yield* Fiber.join(sought), { _tag: "Failed", unknown: false })
    }).pipe(Effect.provide(withoutInventory))
  )
})
