/**
 * What the promises rest on, each mechanism at the moment it is there for. The mutations test (`test/mutations`) takes the mechanisms out one by
 * one and sees these fail.
 */
import { assert, describe, it } from "@effect/vitest"
import { type Duration, Effect, Layer } from "effect"
import { TestClock } from "effect/testing"
import { Vim } from "../../src/layers/vsphere/Vim.ts"
import { parse, print } from "../../src/schema/Annotation.ts"
import type { Machine } from "../../src/layers/simulated/vcenter/Machine.ts"
import type { SimFaultInput } from "../../src/layers/simulated/vcenter/FaultBook.ts"
import { enter, faults, jobOn, makeScene, ours, watch } from "../actors/scene.ts"
import { type CrashPoint, makeWorld, seeded, start, type World } from "../support/world.ts"

const debian = (number: number) => ({ provision: [{ template: "debian12", number }] })

/** Holds that nothing was found; says the first thing that was. */
const none = (found: ReadonlyArray<string>): void => assert.deepStrictEqual(found, [], found[0])

/** Which machines are gone, or changed in any way that vCenter counts as a change of theirs. */
const differences = (before: ReadonlyArray<Machine>, after: ReadonlyArray<Machine>): ReadonlyArray<string> =>
  before.flatMap(({ ref, name, power, changeVersion, annotation }) => {
    const now = after.find((machine) => machine.ref.value === ref.value)
    if (now === undefined) return [`${name} is gone`]
    const same = now.name === name && now.annotation === annotation && now.changeVersion === changeVersion
    return same && now.power === power ? [] : [`${name}, ${power}, is ${now.name}, ${now.power}: ${now.annotation}`]
  })

const conflicts = ({ vcenter }: Parameters<typeof ours>[0]): ReadonlyArray<string> =>
  [...vcenter.addresses()].flatMap(([ip, names]) => (names.length > 1 ? [`${ip} is on ${names.join(" and ")}`] : []))

/** The worker whose name a machine was claimed under, "" while it has no job. */
const workerOn = (machine: Machine): string =>
  jobOn(machine) === "" ? "" : (parse(machine.annotation)?.workerName ?? "")

/** The same world for a process whose reconfigures arrive so much later than they were decided upon. */
const late = (world: World, by: Duration.Input): World => ({
  ...world,
  transports: (line) => {
    const whole = world.transports(line)
    const slow = Effect.map(Vim, (vim) =>
      Vim.of({
        ...vim,
        call: (operation, args) =>
          operation === "ReconfigVM_Task" ? Effect.delay(vim.call(operation, args), by) : vim.call(operation, args)
      })
    )
    return Layer.merge(whole, Layer.effect(Vim, slow).pipe(Layer.provide(whole)))
  }
})

describe("the guard of a claim", () => {
  it.effect("refuses the late write of another process of the same name: each machine is claimed once for a job", () =>
    Effect.gen(function* () {
      const scene = yield* makeScene({ settings: debian(3) })
      yield* enter(late(scene.world, "8 seconds"))
      yield* TestClock.adjust("1 minute")
      yield* scene.cds.enqueue({ count: 3 })
      const workers = new Map<string, string>()
      const claimedTwice: Array<string> = []
      for (let step = 0; step < 1_200; step++) {
        yield* TestClock.adjust("100 millis")
        for (const machine of ours(scene)) {
          const [before = "", now] = [workers.get(machine.ref.value), workerOn(machine)]
          if (before !== "" && now !== "" && before !== now) claimedTwice.push(`by ${before}, then by ${now}`)
          workers.set(machine.ref.value, now)
        }
      }
      none(claimedTwice)
      none((yield* scene.cds.violations).map(({ rule, text }) => `${rule}: ${text}`))
    })
  )
})

describe("an intent before a take", () => {
  /** One job, on a ready machine or on a clone of its own, with a process that is killed at a call, and another one after it. */
  const life = Effect.fnUntraced(function* (pool: number, crash: CrashPoint | undefined) {
    const world = yield* makeWorld({ settings: debian(pool) })
    const first = yield* start(world, crash)
    yield* TestClock.adjust("3 minutes")
    yield* world.cds.enqueue()
    yield* TestClock.adjust("1 minute")
    yield* first.kill
    if (crash !== undefined) yield* start(world)
    yield* TestClock.adjust("20 minutes")
    return { calls: first.calls, crashed: yield* first.crashed, faults: yield* faults(world, pool) }
  })
  const lived = (pool: number, crash: CrashPoint | undefined) =>
    Effect.scoped(life(pool, crash)).pipe(seeded("take"), Effect.provide(TestClock.layer()))

  for (const [where, pool] of [
    ["a ready machine", 1],
    ["a clone of its own", 0]
  ] as const)
    it.effect(`is found by the next process when this one is killed while it takes a job for ${where}`, () =>
      Effect.gen(function* () {
        const { calls } = yield* lived(pool, undefined)
        const at = calls.findIndex((call) => call.endsWith("/take")) + 1
        assert.isAbove(at, 0, calls.join("\n"))
        for (const when of ["unanswered", "answered"] as const) {
          const { crashed, faults } = yield* lived(pool, { at, when })
          assert.isTrue(crashed)
          none(faults)
        }
      })
    )
})

describe("a view in doubt", () => {
  const doubts: ReadonlyArray<readonly [string, (machine: string) => SimFaultInput]> = [
    ["that is old", () => ({ _tag: "CallFails", operation: "WaitForUpdatesEx", fault: "SystemError", count: 100_000 })],
    ["that has lost a machine", (machine) => ({ _tag: "ViewShrinks", forMs: 3_600_000, machines: [machine] })]
  ]
  for (const [what, fault] of doubts)
    it.effect(`${what} keeps every machine as it is, whatever is due; with the doubt that is over`, () =>
      Effect.gen(function* () {
        const scene = yield* makeScene({ settings: debian(3) })
        const before = ours(scene)
        yield* scene.vcenter.inject(fault(before[0]?.name ?? ""))
        yield* TestClock.adjust("3 minutes")
        yield* scene.nursery.want("debian12", 0)
        yield* TestClock.adjust("30 minutes")
        none(differences(before, ours(scene)))
        scene.vcenter.clearFaults()
        yield* TestClock.adjust("90 minutes")
        none(yield* faults(scene, 0))
      })
    )
})

describe("an address", () => {
  it.effect("is not given away while the machine that had it cannot be removed", () =>
    Effect.gen(function* () {
      const scene = yield* makeScene({ settings: debian(1) })
      yield* scene.vcenter.inject({
        _tag: "TaskFails",
        operation: "Destroy_Task",
        fault: "SystemError",
        count: 100_000
      })
      const twice: Array<string> = []
      for (let job = 1; job <= 3; job++) {
        yield* scene.cds.enqueue()
        yield* watch(300, () => twice.push(...conflicts(scene)))
        assert.strictEqual((yield* scene.cds.counts).done, job)
      }
      assert.strictEqual(ours(scene).length, 4)
      none(twice)
      scene.vcenter.clearFaults()
      yield* TestClock.adjust("10 minutes")
      none(yield* faults(scene, 1))
    })
  )
})

describe("a machine of another owner", () => {
  it.effect("that says word for word what ours say, but for the name, is left alone", () =>
    Effect.gen(function* () {
      const scene = yield* makeScene()
      yield* scene.cds.enqueue({ durationMs: 3_600_000 })
      yield* TestClock.adjust("2 minutes")
      for (const { annotation, name, power } of ours(scene)) {
        const copied = print({ ...parse(annotation)!, hatcheryName: "rookery2" })
        for (const poweredOn of [power === "poweredOn", power !== "poweredOn"])
          scene.vcenter.addForeign({ count: 1, prefix: name, annotation: copied, poweredOn })
      }
      const theirs = () => scene.vcenter.machines().filter(({ origin }) => origin === "foreign")
      const before = theirs()
      assert.isAbove(before.length, 3)
      yield* TestClock.adjust("10 minutes")
      yield* scene.kill
      const second = yield* enter(scene.world)
      yield* TestClock.adjust("10 minutes")
      yield* second.nursery.want("debian12", 0)
      yield* TestClock.adjust("3 hours")
      none(differences(before, theirs()))
      none(yield* faults(scene, 0))
    })
  )
})
