import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Layer } from "effect"
import { TestClock } from "effect/testing"
import { SimVCenter } from "../../../src/layers/simulated/vcenter/SimVCenter.ts"
import { VimSimulated } from "../../../src/layers/simulated/vcenter/VimSimulated.ts"
import { Vim } from "../../../src/layers/vsphere/Vim.ts"
import type { UpdateSet } from "../../../src/layers/vsphere/wire/Updates.ts"
import { Inventory } from "../../../src/services/Inventory.ts"
import { VSphere } from "../../../src/services/VSphere.ts"
import { always, Calls, cloned, factsOf, oursText, play, sent, stand } from "./stand.ts"

describe("a task", () => {
  it.effect("that has ended before anybody asks is still answered", () =>
    Effect.gen(function* () {
      const ref = yield* play(cloned(), "60 seconds")
      const task = (yield* SimVCenter).machines().find(({ name }) => name === "debian12")!.recentTasks[0]!
      const inventory = yield* Inventory
      yield* TestClock.adjust("5 minutes")
      assert.deepStrictEqual(yield* inventory.task(task.value, "1 second"), { result: ref })
    }).pipe(Effect.provide(stand()))
  )

  it.effect("is found by looking at it when the subscription lost sight of it", () =>
    Effect.gen(function* () {
      yield* (yield* SimVCenter).inject({ _tag: "CallDropped", operation: "WaitForUpdatesEx", count: 6 })
      const fiber = yield* Effect.forkScoped(cloned())
      yield* TestClock.adjust("3 minutes")
      assert.match(yield* Fiber.join(fiber), /^vm-/)
    }).pipe(Effect.provide(stand()))
  )

  it.effect("that a re-read does not show any more is unknown, long before its time is over", () =>
    Effect.gen(function* () {
      const inventory = yield* Inventory
      yield* TestClock.adjust("1 second")
      const fiber = yield* Effect.forkScoped(Effect.flip(inventory.task("task-of-old", "1 hour")))
      yield* TestClock.adjust("1 minute")
      assert.isUndefined(fiber.pollUnsafe())
      yield* (yield* SimVCenter).inject({ _tag: "CollectorLost" })
      yield* TestClock.adjust("1 minute")
      assert.strictEqual((yield* Fiber.join(fiber)).kind, "unknown")
    }).pipe(Effect.provide(stand()))
  )
})

describe("a machine that is not ours", () => {
  it.effect("is never sent anything that changes it", () =>
    Effect.gen(function* () {
      const vcenter = yield* SimVCenter
      const [alien] = vcenter.addForeign({ count: 1, annotation: JSON.stringify({ hatchery_name: "hatchery-10" }) })
      const vsphere = yield* VSphere
      yield* TestClock.adjust("1 second")
      const ref = alien!.value
      const conceded = yield* play(Effect.flip(vsphere.reconfigure(ref, always, { name: "mine" })), "1 seconds")
      assert.strictEqual(conceded._tag, "Conceded")
      for (const act of [vsphere.powerOn, vsphere.powerOff, vsphere.shutdown, vsphere.destroy])
        assert.strictEqual((yield* play(Effect.flip(act(ref)), "1 seconds")).kind, "invalid")
      const changing = [
        "ReconfigVM_Task",
        "PowerOnVM_Task",
        "PowerOffVM_Task",
        "ShutdownGuest",
        "Destroy_Task"
      ] as const
      for (const operation of changing) assert.strictEqual(yield* sent(operation), 0)
    }).pipe(Effect.provide(stand()))
  )
})

describe("a machine that cannot be read", () => {
  it.effect("is sent nothing, is not taken for off, for gone or for somebody else's, and is as usual when it can", () =>
    Effect.gen(function* () {
      const vcenter = yield* SimVCenter
      const vsphere = yield* VSphere
      for (const path of ["runtime.powerState", "config.annotation"] as const)
        yield* vcenter.inject({ _tag: "Unreadable", path, forMs: 60_000 })
      const [ref] = vcenter.addForeign({ count: 1, prefix: "ours", annotation: oursText("w"), poweredOn: true })
      yield* TestClock.adjust("1 second")
      const sentBefore = (yield* Calls).all.length
      for (const act of [vsphere.powerOff, vsphere.powerOn, vsphere.destroy, vsphere.shutdown])
        assert.deepInclude(yield* play(Effect.flip(act(ref!.value)), "1 second"), {
          _tag: "VSphereError",
          kind: "busy"
        })
      const renaming = vsphere.reconfigure(ref!.value, always, { name: "mine" })
      const refused = yield* play(Effect.flip(renaming), "1 second")
      assert.propertyVal(refused, "kind", "busy")
      const sentNow = (yield* Calls).all.slice(sentBefore).map(({ operation }) => operation)
      assert.deepStrictEqual([...new Set(sentNow)], ["RetrievePropertiesEx"])
      yield* TestClock.adjust("60 seconds")
      yield* play(vsphere.powerOff(ref!.value), "10 seconds")
      assert.propertyVal(yield* factsOf(ref!.value), "power", "poweredOff")
    }).pipe(Effect.provide(stand()))
  )
})

describe("a view that is not kept up", () => {
  it.effect("is not relied upon: a machine that was given away meanwhile is read first, and sent nothing", () =>
    Effect.gen(function* () {
      const vcenter = yield* SimVCenter
      const vsphere = yield* VSphere
      const [ref] = vcenter.addForeign({ count: 1, prefix: "ours", annotation: oursText("w"), poweredOn: false })
      yield* TestClock.adjust("1 second")
      yield* vcenter.inject({ _tag: "Restart", downMs: 20_000 })
      yield* TestClock.adjust("10 seconds")
      vcenter.others.annotate(ref!.value, "not yours any more")
      assert.propertyVal(yield* play(Effect.flip(vsphere.powerOn(ref!.value)), "1 second"), "kind", "unreachable")
      yield* TestClock.adjust("9 seconds")
      assert.propertyVal(yield* play(Effect.flip(vsphere.powerOn(ref!.value)), "1 second"), "kind", "invalid")
      assert.strictEqual(yield* sent("PowerOnVM_Task"), 0)
    }).pipe(Effect.provide(stand()))
  )
})

const withoutLeaving = (set: UpdateSet) => ({
  ...set,
  filterSet: set.filterSet.map((filter) => ({
    ...filter,
    objectSet: filter.objectSet.filter(({ kind, obj }) => kind !== "leave" || obj.type !== "VirtualMachine")
  }))
})

/** A vCenter that tells of no machine's leaving. */
const unleft = Layer.effect(
  Vim,
  Effect.gen(function* () {
    const vim = yield* VimSimulated.make()
    return Vim.of({
      ...vim,
      call: (operation, args) =>
        Effect.map(vim.call(operation, args), (answer) =>
          operation === "WaitForUpdatesEx" && answer !== undefined ? withoutLeaving(answer as never) : answer
        )
    })
  })
)

describe("a machine that went without a word", () => {
  it.effect("leaves the mirror soon after vCenter did not know it, and not on that word alone", () =>
    Effect.gen(function* () {
      const vcenter = yield* SimVCenter
      const inventory = yield* Inventory
      const vsphere = yield* VSphere
      const [ref, other] = vcenter.addForeign({ count: 2, prefix: "ours", annotation: oursText("w") })
      const stands = Effect.map(inventory.view, ({ machines }) => machines.has(ref!.value))
      yield* TestClock.adjust("1 second")
      vcenter.others.destroy(ref!.value)
      yield* TestClock.adjust("5 minutes")
      assert.isTrue(yield* stands)
      const change = { annotation: oursText("x") }
      const refused = yield* play(Effect.flip(vsphere.reconfigure(ref!.value, always, change)), "2 seconds")
      assert.propertyVal(refused, "kind", "gone")
      yield* vcenter.inject({ _tag: "CallFails", operation: "ReconfigVM_Task", fault: "ManagedObjectNotFound" })
      yield* play(Effect.flip(vsphere.reconfigure(other!.value, always, change)), "2 seconds")
      assert.isTrue(yield* stands)
      yield* TestClock.adjust("1 minute")
      assert.isFalse(yield* stands)
      assert.isTrue((yield* inventory.view).machines.has(other!.value))
      assert.isUndefined(yield* inventory.doubt)
    }).pipe(Effect.provide(stand({ vim: unleft })))
  )
})
