import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Fiber, Redacted } from "effect"
import { TestClock } from "effect/testing"
import type { VmEvent } from "../../../src/actors/vm/Event.ts"
import { claimOf, type Vm } from "../../../src/actors/vm/State.ts"
import { alone, outdone } from "../../../src/actors/vm/works/giveWay.ts"
import { defaults } from "../../../src/layers/simulated/vcenter/Options.ts"
import { parse, print } from "../../../src/schema/Annotation.ts"
import { faults, jobOn, makeScene, ours, takes, watch, type Scene } from "../scene.ts"
import { claim, env, facts, machine, on, states } from "./sample.ts"

/** What a work is given, while `other` is on with its job. */
const context = (vm: Vm, other: () => string | undefined, told: Array<VmEvent> = []) => ({
  vm: () => vm,
  env: Effect.succeed(env),
  tell: (event: VmEvent) => Effect.sync(() => void told.push(event)),
  carriedElsewhere: () => false,
  onElsewhere: other
})

const kindOf = (vm: Vm, other: string | undefined) =>
  alone(
    context(vm, () => other),
    claim.jobId
  ).pipe(
    Effect.as("alone"),
    Effect.catch(({ kind, message }) => Effect.succeed(`${kind}: ${message}`))
  )

describe("a machine that is to be powered on for a job", () => {
  it.effect("waits while another one is on with it, and goes if it is on itself", () =>
    Effect.gen(function* () {
      const off = machine(states.powered)
      const reason = "its job is on late-lovelace, which is not off yet"
      assert.strictEqual(yield* kindOf(off, undefined), "alone")
      assert.strictEqual(yield* kindOf(off, "late-lovelace"), `busy: ${reason}`)
      assert.strictEqual(yield* kindOf({ ...off, facts: facts(on) }, "late-lovelace"), `invalid: ${reason}`)
    })
  )

  it.effect("is no longer wanted as soon as another one turns out to be on, while it is cloned", () =>
    Effect.gen(function* () {
      let other: string | undefined
      const told: Array<VmEvent> = []
      const work = context(machine(states.forJob), () => other, told)
      const waiting = yield* Effect.forkChild(outdone(work, claim.jobId))
      yield* TestClock.adjust("10 minutes")
      assert.isUndefined(waiting.pollUnsafe())
      other = "late-lovelace"
      yield* TestClock.adjust("2 seconds")
      assert.isTrue(Exit.isSuccess(yield* Fiber.await(waiting)))
      assert.deepStrictEqual(told, [{ _tag: "Refused", reason: "its job is on late-lovelace, which is not off yet" }])
    })
  )
})

/** Its annotation cannot be written, so that it is not removed. */
const unwritable = (scene: Scene, machine: string) =>
  scene.vcenter.inject({
    _tag: "TaskFails",
    operation: "ReconfigVM_Task",
    fault: "NoPermission",
    machine,
    count: 99
  })

/** Waits, looking a hundred times a second: a claim is written quickly. */
const soon = Effect.fnUntraced(function* (holds: () => boolean) {
  for (let look = 0; look < 10_000 && !holds(); look++) yield* TestClock.adjust("10 millis")
  if (!holds()) return yield* Effect.die("it did not come about")
})

const carriers = (scene: Scene, id: string) => ours(scene).filter((one) => jobOn(one) === id)

/** The names of the machines that are on with the job. */
const onWith = (scene: Scene, id: string): ReadonlyArray<string> =>
  carriers(scene, id).flatMap(({ name, power }) => (power === "poweredOn" ? [name] : []))

describe("a job is on one machine at a time, when another one that names it goes on", () => {
  it.effect("while its machine of the pool is claimed: that one waits, and runs it when the other is off", () =>
    Effect.gen(function* () {
      const scene = yield* makeScene()
      const { others } = scene.vcenter
      const [id = ""] = yield* scene.cds.enqueue()
      yield* scene.cds.holdTakeLock(id)
      yield* soon(() => carriers(scene, id).length === 1)
      const { name: last, ref } = carriers(scene, id)[0]!
      yield* unwritable(scene, last)
      others.powerOn(ref.value)
      yield* TestClock.adjust("2 minutes")
      others.powerOff(ref.value)
      yield* soon(() => carriers(scene, id).length === 2)
      const next = carriers(scene, id).find(({ name }) => name !== last)!
      others.powerOn(ref.value)
      yield* watch(60, () => assert.deepStrictEqual(onWith(scene, id), [last]))
      scene.vcenter.clearFaults()
      yield* watch(600, (second) => assert.isAtMost(onWith(scene, id).length, 1, `after ${second} s`))
      assert.include(yield* scene.said(next.instanceUuid), "Powered → Running")
      assert.strictEqual(yield* takes(scene, id), 1)
      assert.strictEqual((yield* scene.cds.counts).done, 1)
      assert.deepStrictEqual(yield* faults(scene, 2), [])
    })
  )

  it.effect("while a clone is made for it: that one is called back before it is on", () =>
    Effect.gen(function* () {
      const templates = ["debian12", "alma9"].map((name) => ({ ...defaults.templates[0]!, name }))
      const credentials = [{ template: "debian12", username: "worker", password: Redacted.make("worker") }]
      const scene = yield* makeScene({
        settings: { provision: [{ template: "alma9", number: 1 }], credentials },
        vcenter: { templates }
      })
      const { others } = scene.vcenter
      const { name: pooled, ref, annotation } = ours(scene)[0]!
      const [id = ""] = yield* scene.cds.enqueue()
      const clone = () => [...scene.machines.values()].find(({ vm }) => claimOf(vm.state)?.jobId === id)
      yield* soon(() => clone() !== undefined)
      const { id: cloned } = clone()!
      yield* unwritable(scene, pooled)
      others.annotate(ref.value, print({ ...parse(annotation)!, provisioning: false, jobId: id, journal: undefined }))
      others.powerOn(ref.value)
      yield* watch(120, () => assert.deepStrictEqual(onWith(scene, id), [pooled]))
      assert.deepStrictEqual(yield* scene.said(cloned), ["Cloning → Reaping", "Reaping → Reaped"])
      scene.vcenter.clearFaults()
      yield* watch(1_200, (second) => assert.isAtMost(onWith(scene, id).length, 1, `after ${second} s`))
      assert.strictEqual((yield* scene.cds.counts).done, 1)
      assert.deepStrictEqual(yield* faults(scene, 1), [])
    })
  )
})
