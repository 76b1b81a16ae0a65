import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { TestClock } from "effect/testing"
import { SimVCenter } from "../../../src/layers/simulated/vcenter/SimVCenter.ts"
import { VSphere } from "../../../src/services/VSphere.ts"
import { cloned, factsOf, play, sent, stand } from "./stand.ts"

/** A clone of ours that is off. */
const off = Effect.gen(function* () {
  const ref = yield* play(cloned(), "60 seconds")
  yield* play((yield* VSphere).powerOff(ref), "10 seconds")
  return ref
})

/** Whether vCenter shows a snapshot of the machine, from which its clones descend. */
const linked = (ref: string) =>
  Effect.gen(function* () {
    const name = (yield* factsOf(ref))?.name ?? ""
    return (yield* play((yield* VSphere).template(name), "5 seconds")).linked
  })

describe("the snapshot of a machine", () => {
  it.effect("is taken once: it is the one that clones share the disks of", () =>
    Effect.gen(function* () {
      const vsphere = yield* VSphere
      const ref = yield* off
      yield* play(vsphere.snapshot(ref), "20 seconds")
      yield* play(vsphere.snapshot(ref), "20 seconds")
      assert.isTrue(yield* linked(ref))
      assert.strictEqual(yield* sent("CreateSnapshot_Task"), 1)
    }).pipe(Effect.provide(stand()))
  )

  it.effect("whose answer is lost is looked for", () =>
    Effect.gen(function* () {
      const ref = yield* off
      yield* (yield* SimVCenter).inject({ _tag: "AnswerLost", operation: "CreateSnapshot_Task" })
      yield* play((yield* VSphere).snapshot(ref), "60 seconds")
      assert.isTrue(yield* linked(ref))
      assert.strictEqual(yield* sent("CreateSnapshot_Task"), 1)
    }).pipe(Effect.provide(stand()))
  )

  it.effect("is never taken of a machine that is not ours", () =>
    Effect.gen(function* () {
      const [foreign] = (yield* SimVCenter).addForeign({ count: 1, poweredOn: false })
      yield* TestClock.adjust("2 seconds")
      const error = yield* play(Effect.flip((yield* VSphere).snapshot(foreign?.value ?? "")), "5 seconds")
      assert.match(error.message, /belongs to no hatchery/)
      assert.strictEqual(yield* sent("CreateSnapshot_Task"), 0)
    }).pipe(Effect.provide(stand()))
  )
})

describe("marking a machine as a template", () => {
  it.effect("makes it one, which the mirror shows, and is not sent again for one that is", () =>
    Effect.gen(function* () {
      const vsphere = yield* VSphere
      const ref = yield* off
      yield* play(vsphere.markAsTemplate(ref), "5 seconds")
      assert.deepInclude(yield* factsOf(ref), { template: true, power: "poweredOff" })
      yield* play(vsphere.markAsTemplate(ref), "5 seconds")
      assert.strictEqual(yield* sent("MarkAsTemplate"), 1)
    }).pipe(Effect.provide(stand()))
  )

  it.effect("whose answer is lost is looked up", () =>
    Effect.gen(function* () {
      const ref = yield* off
      yield* (yield* SimVCenter).inject({ _tag: "AnswerLost", operation: "MarkAsTemplate" })
      yield* play((yield* VSphere).markAsTemplate(ref), "20 seconds")
      assert.isTrue((yield* factsOf(ref))?.template)
      assert.strictEqual(yield* sent("MarkAsTemplate"), 1)
    }).pipe(Effect.provide(stand()))
  )

  it.effect("fails while it is on, and changes nothing", () =>
    Effect.gen(function* () {
      const ref = yield* play(cloned(), "60 seconds")
      const error = yield* play(Effect.flip((yield* VSphere).markAsTemplate(ref)), "20 seconds")
      assert.strictEqual(error.fault, "InvalidPowerState")
      assert.isFalse((yield* factsOf(ref))?.template)
    }).pipe(Effect.provide(stand()))
  )

  it.effect("is never asked for a machine that is not ours", () =>
    Effect.gen(function* () {
      const [foreign] = (yield* SimVCenter).addForeign({ count: 1, poweredOn: false })
      yield* TestClock.adjust("2 seconds")
      const error = yield* play(Effect.flip((yield* VSphere).markAsTemplate(foreign?.value ?? "")), "5 seconds")
      assert.match(error.message, /belongs to no hatchery/)
      assert.strictEqual(yield* sent("MarkAsTemplate"), 0)
    }).pipe(Effect.provide(stand()))
  )
})

describe("renaming", () => {
  it.effect("gives a template another name, once", () =>
    Effect.gen(function* () {
      const vsphere = yield* VSphere
      const ref = yield* off
      yield* play(vsphere.markAsTemplate(ref), "5 seconds")
      yield* play(vsphere.rename(ref, "debian-old-1"), "5 seconds")
      assert.strictEqual((yield* factsOf(ref))?.name, "debian-old-1")
      yield* play(vsphere.rename(ref, "debian-old-1"), "5 seconds")
      assert.strictEqual(yield* sent("Rename_Task"), 1)
    }).pipe(Effect.provide(stand()))
  )

  it.effect("whose answer is lost is looked up", () =>
    Effect.gen(function* () {
      const ref = yield* off
      yield* (yield* SimVCenter).inject({ _tag: "AnswerLost", operation: "Rename_Task" })
      yield* play((yield* VSphere).rename(ref, "other"), "20 seconds")
      assert.strictEqual((yield* factsOf(ref))?.name, "other")
      assert.strictEqual(yield* sent("Rename_Task"), 1)
    }).pipe(Effect.provide(stand()))
  )

  it.effect("to a name that is taken fails as duplicate", () =>
    Effect.gen(function* () {
      const ref = yield* off
      const error = yield* play(Effect.flip((yield* VSphere).rename(ref, "debian12")), "20 seconds")
      assert.strictEqual(error.kind, "duplicate")
    }).pipe(Effect.provide(stand()))
  )
})
