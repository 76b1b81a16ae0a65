import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { SimVCenter } from "../../../src/layers/simulated/vcenter/SimVCenter.ts"
import { defaultTimes } from "../../../src/schema/config/defaults.ts"
import { Inventory } from "../../../src/services/Inventory.ts"
import { VSphere } from "../../../src/services/VSphere.ts"
import { cloned, factsOf, play, sent, stand } from "./stand.ts"

describe("power", () => {
  it.effect("on and off are done when the machine is so already", () =>
    Effect.gen(function* () {
      const vsphere = yield* VSphere
      const ref = yield* play(cloned(), "60 seconds")
      yield* play(vsphere.powerOn(ref), "10 seconds")
      assert.strictEqual(yield* sent("PowerOnVM_Task"), 0)
      yield* play(vsphere.powerOff(ref), "10 seconds")
      yield* play(vsphere.powerOff(ref), "10 seconds")
      assert.strictEqual(yield* sent("PowerOffVM_Task"), 1)
      assert.strictEqual((yield* factsOf(ref)).power, "poweredOff")
    }).pipe(Effect.provide(stand()))
  )

  it.effect("off is done when somebody else was faster", () =>
    Effect.gen(function* () {
      const vcenter = yield* SimVCenter
      const ref = yield* play(cloned(), "60 seconds")
      yield* vcenter.inject({ _tag: "UpdatesLate", count: 1, delayMs: 3_000 })
      vcenter.others.powerOff(ref)
      yield* play((yield* VSphere).powerOff(ref), "10 seconds")
      assert.strictEqual(yield* sent("PowerOffVM_Task"), 1)
    }).pipe(Effect.provide(stand()))
  )

  it.effect("whose answer is lost is looked up", () =>
    Effect.gen(function* () {
      const ref = yield* play(cloned(), "60 seconds")
      yield* (yield* SimVCenter).inject({ _tag: "AnswerLost", operation: "PowerOffVM_Task" })
      yield* play((yield* VSphere).powerOff(ref), "15 seconds")
      assert.strictEqual(yield* sent("PowerOffVM_Task"), 1)
    }).pipe(Effect.provide(stand()))
  )

  it.effect("is shut down by the guest where it can", () =>
    Effect.gen(function* () {
      const ref = yield* play(cloned(), "120 seconds")
      yield* play((yield* VSphere).shutdown(ref), "30 seconds")
      assert.strictEqual((yield* factsOf(ref)).power, "poweredOff")
      assert.strictEqual(yield* sent("PowerOffVM_Task"), 0)
    }).pipe(Effect.provide(stand()))
  )

  it.effect("is cut when the guest does not shut down in its time, or has no Tools", () =>
    Effect.gen(function* () {
      const vsphere = yield* VSphere
      const ref = yield* play(cloned(), "120 seconds")
      yield* (yield* SimVCenter).inject({ _tag: "AnswerLost", operation: "ShutdownGuest" })
      yield* play(vsphere.shutdown(ref), "30 seconds")
      assert.strictEqual(yield* sent("PowerOffVM_Task"), 1)
      yield* play(vsphere.powerOn(ref), "5 seconds")
      yield* play(vsphere.shutdown(ref), "10 seconds")
      assert.strictEqual(yield* sent("PowerOffVM_Task"), 2)
      assert.strictEqual(yield* sent("ShutdownGuest"), 1)
    }).pipe(
      Effect.provide(
        stand({
          vcenter: { timings: { shutdownMs: 1_000_000 } },
          settings: { times: { ...defaultTimes, shutdownMs: 20_000 } }
        })
      )
    )
  )
})

describe("destroy", () => {
  it.effect("ends when the machine has left the mirror, powered off first; gone already counts as done", () =>
    Effect.gen(function* () {
      const vsphere = yield* VSphere
      const ref = yield* play(cloned(), "60 seconds")
      yield* play(vsphere.destroy(ref), "10 seconds")
      assert.isUndefined(yield* factsOf(ref))
      assert.strictEqual(yield* sent("PowerOffVM_Task"), 1)
      yield* play(vsphere.destroy(ref), "10 seconds")
      assert.strictEqual(yield* sent("Destroy_Task"), 1)
      assert.isUndefined(yield* (yield* Inventory).doubt)
    }).pipe(Effect.provide(stand({ settings: { maxUnexplainedGone: 0 } })))
  )

  it.effect("whose answer is lost is done when the machine turns out to be gone", () =>
    Effect.gen(function* () {
      const ref = yield* play(cloned(), "60 seconds")
      yield* (yield* SimVCenter).inject({ _tag: "AnswerLost", operation: "Destroy_Task" })
      yield* play((yield* VSphere).destroy(ref), "30 seconds")
      assert.strictEqual(yield* sent("Destroy_Task"), 1)
    }).pipe(Effect.provide(stand()))
  )

  it.effect("powers off what went on in the last moment, and goes on", () =>
    Effect.gen(function* () {
      const ref = yield* play(cloned(), "60 seconds")
      yield* (yield* SimVCenter).inject({ _tag: "CallFails", operation: "Destroy_Task", fault: "InvalidPowerState" })
      yield* play((yield* VSphere).destroy(ref), "30 seconds")
      assert.isUndefined(yield* factsOf(ref))
      assert.strictEqual(yield* sent("Destroy_Task"), 2)
    }).pipe(Effect.provide(stand()))
  )

  it.effect("is refused for now while another task has the machine", () =>
    Effect.gen(function* () {
      const ref = yield* play(cloned(), "60 seconds")
      yield* (yield* SimVCenter).inject({ _tag: "CallFails", operation: "Destroy_Task", fault: "TaskInProgress" })
      const error = yield* play(Effect.flip((yield* VSphere).destroy(ref)), "30 seconds")
      assert.strictEqual(error.kind, "busy")
    }).pipe(Effect.provide(stand()))
  )
})
