import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Stream } from "effect"
import { TestClock } from "effect/testing"
import { SimVCenter } from "../../../src/layers/simulated/vcenter/SimVCenter.ts"
import type { MachineFacts } from "../../../src/schema/Machine.ts"
import type { InventoryChange } from "../../../src/services/Inventory.ts"
import { Inventory } from "../../../src/services/Inventory.ts"
import { VSphere } from "../../../src/services/VSphere.ts"
import { Calls, oursText, plan, stand } from "./stand.ts"

/** What a subscriber hears from now on. The template, alone in the first update set of a shrink, is told gone at once. */
const listen = Effect.gen(function* () {
  const inventory = yield* Inventory
  const heard: Array<InventoryChange> = []
  yield* Effect.forkScoped(Stream.runForEach(inventory.changes, (change) => Effect.sync(() => heard.push(change))))
  yield* TestClock.adjust(0)
  return heard
})

const gone = (heard: ReadonlyArray<InventoryChange>) =>
  heard.filter((change) => change._tag === "Gone").map(({ facts }) => facts.name)

const ours = (machines: Iterable<MachineFacts>) => [...machines].filter(({ name }) => name.startsWith("ours")).length

const owned = (count: number) =>
  Effect.gen(function* () {
    const vcenter = yield* SimVCenter
    return vcenter.addForeign({ count, prefix: "ours", annotation: oursText("w") })
  })

const told = (heard: ReadonlyArray<InventoryChange>) => heard.map(({ _tag }) => _tag)

describe("the first read", () => {
  it.effect("brings every machine of the datacenter with its facts, page by page", () =>
    Effect.gen(function* () {
      const vcenter = yield* SimVCenter
      vcenter.addForeign({ count: 600, prefix: "alien", ip: "10.1.2.3" })
      const inventory = yield* Inventory
      yield* TestClock.adjust("1 second")
      const { machines, complete, epoch, goodAt } = yield* inventory.view
      assert.deepStrictEqual([machines.size, complete, epoch], [601, true, 1])
      assert.isAbove(goodAt, 0)
      assert.isAbove((yield* Calls).of("WaitForUpdatesEx").length, 601 / 100)
      const alien = [...machines.values()].find(({ name }) => name.startsWith("alien"))
      assert.deepInclude(alien, {
        power: "poweredOn",
        connection: "connected",
        numCpu: 2,
        memoryMB: 4096,
        template: false
      })
      assert.deepStrictEqual(alien?.guest.addresses, [["10.1.2.3"]])
      assert.match(alien?.id ?? "", /^[0-9a-f-]{36}$/)
      assert.isTrue([...machines.values()].some(({ name, template }) => name === "debian12" && template))
    }).pipe(Effect.provide(stand({ vcenter: { pageSize: 100 } })))
  )

  it.effect("is told to a subscriber machine by machine, then Complete, whether he comes before or after", () =>
    Effect.gen(function* () {
      yield* owned(3)
      const early = yield* listen
      yield* TestClock.adjust("1 second")
      const late = yield* listen
      assert.deepStrictEqual(told(early), ["Seen", "Seen", "Seen", "Seen", "Complete"])
      assert.deepStrictEqual(told(late), told(early))
      ;(yield* SimVCenter).others.powerOff((yield* owned(1))[0]!.value)
      yield* TestClock.adjust("1 second")
      assert.deepStrictEqual(told(late), told(early))
      assert.include(told(late).slice(5), "Seen")
    }).pipe(Effect.provide(stand({ vcenter: { pageSize: 2 } })))
  )

  it.effect("does not take a machine whose configuration cannot be read for an error", () =>
    Effect.gen(function* () {
      const vcenter = yield* SimVCenter
      yield* owned(2)
      yield* vcenter.inject({ _tag: "Unreadable", path: "config.annotation", forMs: 60_000 })
      yield* TestClock.adjust("1 second")
      const { machines, complete } = yield* (yield* Inventory).view
      assert.deepStrictEqual([machines.size, complete], [3, true])
    }).pipe(Effect.provide(stand()))
  )
})

describe("clones under way", () => {
  it.effect("are waited for, queued ones and other people's included, and those that are asked for later are not", () =>
    Effect.gen(function* () {
      const vsphere = yield* VSphere
      const inventory = yield* Inventory
      yield* TestClock.adjust("1 second")
      yield* Effect.forEach(["one", "two"], (name, at) =>
        Effect.forkScoped(vsphere.clone(plan({ name, id: `1111111${at}-1111-4111-8111-111111111111` })))
      )
      yield* TestClock.adjust("1 second")
      const waiting = yield* Effect.forkScoped(inventory.clonesEnded)
      yield* TestClock.adjust("1 second")
      yield* Effect.forkScoped(vsphere.clone(plan({ name: "three", id: "11111113-1111-4111-8111-111111111111" })))
      const names = Effect.map(inventory.view, ({ machines }) => [...machines.values()].map(({ name }) => name))
      while (waiting.pollUnsafe() === undefined) yield* TestClock.adjust("1 second")
      assert.includeMembers(yield* names, ["one", "two"])
      const [third] = (yield* SimVCenter).machines().filter(({ name }) => name === "three")
      assert.isFalse(third?.configured)
      yield* TestClock.adjust("5 minutes")
      assert.includeMembers(yield* names, ["three"])
    }).pipe(Effect.provide(stand({ vcenter: { concurrency: 1 } })))
  )
})

describe("a clone that has ended", () => {
  it.effect("is lacking while vCenter knows what came of it and does not show it; not when it shows, or is gone", () =>
    Effect.gen(function* () {
      const vcenter = yield* SimVCenter
      const vsphere = yield* VSphere
      const inventory = yield* Inventory
      yield* TestClock.adjust("1 second")
      const shown = Effect.gen(function* () {
        const lacks = yield* Effect.forkChild(inventory.lacksClone)
        yield* TestClock.adjust("1 second")
        return [(yield* inventory.view).named("one").length, yield* Fiber.join(lacks)]
      })
      yield* vcenter.inject({ _tag: "AnswerLost", operation: "CloneVM_Task" })
      yield* Effect.forkScoped(Effect.ignore(vsphere.clone(plan({ name: "one" }))))
      while (vcenter.machines().every(({ name }) => name !== "one")) yield* TestClock.adjust("1 second")
      yield* vcenter.inject({ _tag: "ViewShrinks", forMs: 300_000, machines: ["one"] })
      yield* TestClock.adjust("4 minutes")
      assert.deepStrictEqual(yield* shown, [0, true])
      yield* TestClock.adjust("2 minutes")
      assert.deepStrictEqual(yield* shown, [1, false])
      const [one] = (yield* inventory.view).named("one")
      vcenter.others.destroy(one!.ref)
      yield* TestClock.adjust("1 minute")
      assert.deepStrictEqual(yield* shown, [0, false])
    }).pipe(Effect.provide(stand()))
  )
})

describe("a lost subscription", () => {
  for (const fault of ["CollectorLost", "SessionEnds"] as const)
    it.effect(`is opened again after ${fault}, and what went meanwhile is told by the re-read`, () =>
      Effect.gen(function* () {
        const vcenter = yield* SimVCenter
        const [ref] = yield* owned(2)
        const inventory = yield* Inventory
        yield* TestClock.adjust("1 second")
        const heard = yield* listen
        yield* vcenter.inject({ _tag: fault })
        vcenter.others.destroy(ref!.value)
        yield* TestClock.adjust("40 seconds")
        const { epoch, machines, complete } = yield* inventory.view
        assert.deepStrictEqual([epoch, complete, machines.has(ref!.value)], [2, true, false])
        const going = heard.findIndex(({ _tag }) => _tag === "Gone")
        assert.deepInclude(heard[going], { by: "reread" })
        assert.deepStrictEqual(heard.slice(going + 1), [{ _tag: "Complete", epoch: 2 }])
      }).pipe(Effect.provide(stand()))
    )

  it.effect("keeps what is known, and doubts it, while vCenter is away", () =>
    Effect.gen(function* () {
      const vcenter = yield* SimVCenter
      yield* owned(20)
      const inventory = yield* Inventory
      yield* TestClock.adjust("1 second")
      const heard = yield* listen
      assert.isUndefined(yield* inventory.doubt)
      yield* vcenter.inject({ _tag: "Restart", downMs: 600_000 })
      yield* TestClock.adjust("5 minutes")
      const doubt = yield* inventory.doubt
      assert.isDefined(doubt)
      assert.strictEqual((yield* inventory.view).machines.size, 21)
      const certain = yield* Effect.forkScoped(inventory.certain)
      yield* TestClock.adjust("6 minutes")
      assert.isUndefined(yield* inventory.doubt)
      yield* Fiber.join(certain)
      assert.deepStrictEqual(gone(heard), [])
    }).pipe(Effect.provide(stand()))
  )
})

describe("doubt", () => {
  it.effect("comes with the age of the view, and ends with the next answer", () =>
    Effect.gen(function* () {
      const vcenter = yield* SimVCenter
      const inventory = yield* Inventory
      yield* TestClock.adjust("1 second")
      yield* vcenter.inject({ _tag: "CallDropped", operation: "WaitForUpdatesEx", count: 10 })
      yield* TestClock.adjust("100 seconds")
      assert.isUndefined(yield* inventory.doubt)
      yield* TestClock.adjust("25 seconds")
      assert.match((yield* inventory.doubt)?.reason ?? "", /more than 90 s/)
      const { epoch } = yield* inventory.view
      vcenter.clearFaults()
      yield* TestClock.adjust("2 minutes")
      assert.isUndefined(yield* inventory.doubt)
      assert.strictEqual((yield* inventory.view).epoch, epoch)
    }).pipe(Effect.provide(stand()))
  )

  it.effect("keeps machines that vanish at once until they are back: none is told gone", () =>
    Effect.gen(function* () {
      const vcenter = yield* SimVCenter
      yield* owned(20)
      const inventory = yield* Inventory
      yield* TestClock.adjust("1 second")
      const heard = yield* listen
      yield* vcenter.inject({ _tag: "ViewShrinks", forMs: 3_000, share: 1 })
      yield* TestClock.adjust("1 second")
      assert.match((yield* inventory.doubt)?.reason ?? "", /21 machines left/)
      assert.strictEqual(ours((yield* inventory.view).machines.values()), 20)
      yield* TestClock.adjust("10 seconds")
      assert.isUndefined(yield* inventory.doubt)
      assert.deepStrictEqual(gone(heard), [])
    }).pipe(Effect.provide(stand()))
  )

  it.effect("ends with a second complete read that agrees, and only then the machines are told gone", () =>
    Effect.gen(function* () {
      const vcenter = yield* SimVCenter
      const refs = yield* owned(20)
      const inventory = yield* Inventory
      yield* TestClock.adjust("1 second")
      const heard = yield* listen
      for (const { value } of refs) vcenter.others.destroy(value)
      yield* TestClock.adjust("4 seconds")
      assert.deepStrictEqual(gone(heard), [])
      yield* TestClock.adjust("4 seconds")
      assert.strictEqual(gone(heard).length, 20)
      assert.isUndefined(yield* inventory.doubt)
    }).pipe(Effect.provide(stand()))
  )

  it.effect("lasts as long as vCenter still knows a machine that the view has lost, be it a single one", () =>
    Effect.gen(function* () {
      const vcenter = yield* SimVCenter
      const [one] = yield* owned(3)
      const inventory = yield* Inventory
      yield* TestClock.adjust("1 second")
      const heard = yield* listen
      const machines = vcenter.machines().flatMap(({ ref, name }) => (ref.value === one?.value ? [name] : []))
      yield* vcenter.inject({ _tag: "ViewShrinks", forMs: 600_000, machines })
      yield* TestClock.adjust("9 minutes")
      assert.match((yield* inventory.doubt)?.reason ?? "", /1 machines left/)
      assert.deepStrictEqual(gone(heard), [])
      yield* TestClock.adjust("2 minutes")
      assert.isUndefined(yield* inventory.doubt)
      assert.deepStrictEqual(gone(heard), [])
    }).pipe(Effect.provide(stand()))
  )

  it.effect("does the same when a re-read shows the shrink", () =>
    Effect.gen(function* () {
      const vcenter = yield* SimVCenter
      yield* owned(20)
      const inventory = yield* Inventory
      yield* TestClock.adjust("1 second")
      const heard = yield* listen
      yield* vcenter.inject({ _tag: "CollectorLost" })
      yield* vcenter.inject({ _tag: "ViewShrinks", forMs: 4_000, share: 1 })
      yield* TestClock.adjust("3 seconds")
      assert.isDefined(yield* inventory.doubt)
      assert.isFalse((yield* inventory.view).complete)
      yield* TestClock.adjust("20 seconds")
      assert.isUndefined(yield* inventory.doubt)
      assert.deepStrictEqual(gone(heard), [])
      assert.strictEqual((yield* inventory.view).machines.size, 21)
    }).pipe(Effect.provide(stand()))
  )

  it.effect("does not come from our own destroys, however many at once", () =>
    Effect.gen(function* () {
      const refs = yield* owned(20)
      const inventory = yield* Inventory
      const vsphere = yield* VSphere
      yield* TestClock.adjust("1 second")
      const heard = yield* listen
      const destroys = yield* Effect.forkScoped(
        Effect.forEach(refs, ({ value }) => vsphere.destroy(value), { concurrency: "unbounded" })
      )
      yield* TestClock.adjust("30 seconds")
      yield* Fiber.join(destroys)
      assert.strictEqual(gone(heard).length, 20)
      assert.isUndefined(yield* inventory.doubt)
      assert.strictEqual((yield* inventory.view).epoch, 1)
    }).pipe(Effect.provide(stand()))
  )

  it.effect("leaves a few that somebody else destroyed alone", () =>
    Effect.gen(function* () {
      const vcenter = yield* SimVCenter
      const refs = yield* owned(5)
      const inventory = yield* Inventory
      yield* TestClock.adjust("1 second")
      const heard = yield* listen
      for (const { value } of refs) vcenter.others.destroy(value)
      yield* TestClock.adjust("1 second")
      assert.strictEqual(gone(heard).length, 5)
      assert.isUndefined(yield* inventory.doubt)
    }).pipe(Effect.provide(stand()))
  )
})

describe("until", () => {
  it.effect("ends with the change that makes it true, and fails when the machine goes", () =>
    Effect.gen(function* () {
      const vcenter = yield* SimVCenter
      const [one, two] = yield* owned(2)
      const inventory = yield* Inventory
      yield* TestClock.adjust("1 second")
      const off = yield* Effect.forkScoped(inventory.until(one!.value, ({ power }) => power === "poweredOff"))
      const never = yield* Effect.forkScoped(Effect.flip(inventory.until(two!.value, () => false)))
      yield* TestClock.adjust("1 minute")
      vcenter.others.powerOff(one!.value)
      vcenter.others.destroy(two!.value)
      yield* TestClock.adjust("1 second")
      assert.strictEqual((yield* Fiber.join(off)).power, "poweredOff")
      assert.strictEqual((yield* Fiber.join(never)).kind, "gone")
      assert.strictEqual((yield* Effect.flip(inventory.until("vm-unheard-of", () => true))).kind, "gone")
    }).pipe(Effect.provide(stand()))
  )
})

describe("the subscription", () => {
  it.effect("does without the properties that an older vCenter does not know", () =>
    Effect.gen(function* () {
      yield* (yield* SimVCenter).inject({ _tag: "CallFails", operation: "CreateFilter", fault: "InvalidProperty" })
      yield* TestClock.adjust("1 second")
      assert.isTrue((yield* (yield* Inventory).view).complete)
      const [all, fewer] = (yield* Calls).of("CreateFilter").map(({ args }) => JSON.stringify(args))
      assert.include(all, "customizationInfo")
      assert.notInclude(fewer, "customizationInfo")
    }).pipe(Effect.provide(stand()))
  )

  it.effect("is unmoved by updates that are told twice", () =>
    Effect.gen(function* () {
      const vcenter = yield* SimVCenter
      yield* TestClock.adjust("1 second")
      const heard = yield* listen
      yield* vcenter.inject({ _tag: "UpdatesDuplicate", count: 3 })
      const [ref] = yield* owned(1)
      yield* TestClock.adjust("1 second")
      vcenter.others.powerOff(ref!.value)
      yield* TestClock.adjust("1 second")
      const seen = heard.filter((change) => change._tag === "Seen").filter(({ facts }) => facts.ref === ref!.value)
      assert.strictEqual(seen.at(-1)?.facts.power, "poweredOff")
      for (const { facts, previous } of seen) assert.notDeepEqual(facts, previous)
    }).pipe(Effect.provide(stand()))
  )

  it.effect("leaves no view or collector behind when it is opened again", () =>
    Effect.gen(function* () {
      const vcenter = yield* SimVCenter
      yield* TestClock.adjust("1 second")
      for (let loss = 0; loss < 5; loss++) {
        yield* vcenter.inject({ _tag: "CollectorLost" })
        yield* TestClock.adjust("1 minute")
      }
      assert.strictEqual((yield* (yield* Inventory).view).epoch, 6)
      assert.strictEqual(vcenter.summary().views, 1)
    }).pipe(Effect.provide(stand()))
  )

  it.effect("costs the same calls for a change whatever the number of machines", () =>
    Effect.gen(function* () {
      const vcenter = yield* SimVCenter
      vcenter.addForeign({ count: 2000, prefix: "alien" })
      const [ref] = yield* owned(1)
      yield* TestClock.adjust("1 second")
      const before = (yield* Calls).all.length
      vcenter.others.powerOff(ref!.value)
      yield* TestClock.adjust("1 second")
      assert.isAtMost((yield* Calls).all.length - before, 2)
      assert.strictEqual((yield* (yield* Inventory).view).machines.get(ref!.value)?.power, "poweredOff")
    }).pipe(Effect.provide(stand()))
  )
})

describe("reread", () => {
  it.effect("puts what it finds into the mirror, before the subscription tells it", () =>
    Effect.gen(function* () {
      const vcenter = yield* SimVCenter
      const [ref] = yield* owned(1)
      const inventory = yield* Inventory
      yield* TestClock.adjust("1 second")
      yield* vcenter.inject({ _tag: "UpdatesLate", count: 1, delayMs: 20_000 })
      vcenter.others.powerOff(ref!.value)
      const fiber = yield* Effect.forkScoped(inventory.reread(ref!.value))
      yield* TestClock.adjust("1 second")
      assert.strictEqual((yield* Fiber.join(fiber)).power, "poweredOff")
      assert.strictEqual((yield* inventory.view).machines.get(ref!.value)?.power, "poweredOff")
    }).pipe(Effect.provide(stand()))
  )

  it.effect("does not bring back a machine that left while it was read", () =>
    Effect.gen(function* () {
      const vcenter = yield* SimVCenter
      const [ref] = yield* owned(1)
      const inventory = yield* Inventory
      yield* TestClock.adjust("1 second")
      const fiber = yield* Effect.forkScoped(inventory.reread(ref!.value))
      yield* TestClock.adjust(2)
      vcenter.others.destroy(ref!.value)
      yield* TestClock.adjust("1 second")
      yield* Fiber.await(fiber)
      assert.isFalse((yield* inventory.view).machines.has(ref!.value))
    }).pipe(Effect.provide(stand()))
  )
})
