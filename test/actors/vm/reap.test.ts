import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Layer } from "effect"
import { TestClock } from "effect/testing"
import { WorkerModels } from "../../../src/actors/models/WorkerModels.ts"
import { makeReaping } from "../../../src/actors/vm/works/reap.ts"
import { defaults } from "../../../src/schema/Config.ts"
import type { JobWithModel } from "../../../src/schema/Job.ts"
import { CdsError, VSphereError } from "../../../src/schema/Errors.ts"
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

/** All but CDS, for works that ask nobody else. */
const withoutMachines = Layer.mergeAll(
  Layer.mock(Guest)({}),
  Layer.mock(WorkerModels)({}),
  Layer.mock(VSphere)({}),
  Layer.mock(Inventory)({}),
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
    const { inquire } = yield* makeReaping.pipe(Effect.provide(cds))
    const end = yield* inquire({
      vm: () => machine(states.overdue),
      env: Effect.succeed(env),
      tell: () => Effect.void,
      carriedElsewhere: () => elsewhere,
      onElsewhere: () => undefined
    })
    return { end, released }
  }).pipe(Effect.provide(withoutMachines))

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
    const { settleJob } = yield* makeReaping.pipe(Effect.provide(cds))
    const carriedElsewhere = () => elsewhereThen && releases > 0
    const settled = yield* Effect.forkChild(settleJob({ carriedElsewhere }, claim, "release", "its machine is gone"))
    yield* TestClock.adjust("1 minute")
    return { waits: yield* Fiber.join(settled), releases }
  }).pipe(Effect.provide(withoutMachines))

describe("a job that is given back, of which the answer is lost", () => {
  it.effect("is given back again while it is ours, unless another machine carries it by now", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(yield* givenBack(false), { waits: true, releases: 2 })
      assert.deepStrictEqual(yield* givenBack(true), { waits: false, releases: 1 })
    })
  )
})

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
      const { seek } = yield* makeReaping.pipe(Effect.provide([inventory, Layer.mock(Cds)({})]))
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
    }).pipe(Effect.provide(withoutMachines))
  )
})
