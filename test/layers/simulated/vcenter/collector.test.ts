import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber } from "effect"
import { TestClock } from "effect/testing"
import { changesOf, collector, faultOf, updatesOf, viewSpec, world } from "./client.ts"
import type { ObjectUpdate, UpdateSet } from "./client.ts"

const names = (updates: ReadonlyArray<ObjectUpdate>) => updates.map(({ kind, obj }) => `${kind} ${obj.value}`)

describe("The property collector of the simulated vCenter", () => {
  it.effect("tells the first read in pages, each but the last marked as truncated", () =>
    Effect.gen(function* () {
      const { client, vcenter } = yield* world()
      vcenter.addForeign({ count: 24 })
      yield* client.filter(viewSpec(yield* client.view(), ["name"]))
      const pages: Array<UpdateSet> = []
      let version = ""
      do {
        const page = yield* client.wait(version, { maxWaitSeconds: 0, maxObjectUpdates: 10 })
        pages.push(page!)
        version = page!.version
      } while (pages.at(-1)?.truncated === true)
      assert.deepStrictEqual(
        pages.map((page) => [updatesOf(page).length, page.truncated]),
        [
          [10, true],
          [10, true],
          [5, undefined]
        ]
      )
      assert.isUndefined(yield* client.wait(version))
    })
  )

  it.effect("gives the same updates again to a caller who did not get the answer", () =>
    Effect.gen(function* () {
      const { client, vcenter } = yield* world()
      const [machine] = vcenter.addForeign({ count: 1 })
      yield* client.filter(viewSpec(yield* client.view(), ["name"]))
      const first = yield* client.wait("")
      vcenter.others.rename(machine!.value, "theirs")
      const lost = yield* client.wait(first!.version)
      const again = yield* client.wait(first!.version)
      assert.deepStrictEqual(changesOf(again, machine!), { name: "theirs" })
      assert.deepStrictEqual(updatesOf(again), updatesOf(lost))
      assert.notStrictEqual(again!.version, lost!.version)
      assert.isUndefined(yield* client.wait(again!.version))
    })
  )

  it.effect("starts over for an empty version and refuses one that it never gave", () =>
    Effect.gen(function* () {
      const { client, template } = yield* world()
      yield* client.filter(viewSpec(yield* client.view(), ["name"]))
      yield* client.wait("")
      const over = yield* client.wait("")
      assert.deepStrictEqual(names(updatesOf(over)), [`enter ${template.value}`])
      assert.strictEqual(faultOf(yield* Effect.flip(client.wait("99"))), "InvalidCollectorVersion")
    })
  )

  it.effect("waits for a change up to the time limit, then answers nothing", () =>
    Effect.gen(function* () {
      const { client, vcenter } = yield* world()
      yield* client.filter(viewSpec(yield* client.view(), ["name"]))
      const first = yield* client.wait("")
      const nothing = yield* Effect.forkChild(client.wait(first!.version, { maxWaitSeconds: 30 }))
      yield* TestClock.adjust("30 seconds")
      assert.isUndefined(yield* Fiber.join(nothing))
      const something = yield* Effect.forkChild(client.wait(first!.version, { maxWaitSeconds: 30 }))
      yield* TestClock.adjust("10 seconds")
      const [machine] = vcenter.addForeign({ count: 1 })
      yield* TestClock.adjust("1 millis")
      assert.deepStrictEqual(names(updatesOf(yield* Fiber.join(something))), [`enter ${machine!.value}`])
    })
  )

  it.effect("never mentions an object that came and went between two answers", () =>
    Effect.gen(function* () {
      const { client, vcenter } = yield* world()
      yield* client.filter(viewSpec(yield* client.view(), ["name"]))
      const first = yield* client.wait("")
      const [machine] = vcenter.addForeign({ count: 1 })
      vcenter.others.destroy(machine!.value)
      assert.isUndefined(yield* client.wait(first!.version))
    })
  )

  it.effect("follows the tasks of a machine in the same stream", () =>
    Effect.gen(function* () {
      const { client, vcenter } = yield* world()
      const [machine] = vcenter.addForeign({ count: 1 })
      yield* client.filter(viewSpec(yield* client.view(), ["name"]))
      const first = yield* client.wait("")
      const task = yield* client.task("PowerOffVM_Task", machine!)
      const begun = yield* client.wait(first!.version)
      assert.deepStrictEqual(names(updatesOf(begun)), [`enter ${task.value}`])
      yield* TestClock.adjust("1 second")
      const ended = yield* client.wait(begun!.version)
      assert.deepStrictEqual(updatesOf(ended), [
        {
          kind: "modify",
          obj: task,
          changeSet: [{ name: "info.state", op: "assign", val: { _type: "TaskInfoState", _value: "success" } }]
        }
      ])
      yield* TestClock.adjust("11 minutes")
      assert.deepStrictEqual(names(updatesOf(yield* client.wait(ended!.version))), [`leave ${task.value}`])
    })
  )

  it.effect("follows folders to any depth by a selection that names itself", () =>
    Effect.gen(function* () {
      const { client, vcenter, template } = yield* world()
      const select = [{ name: "folders" }, { name: "datacenters" }]
      yield* client.filter({
        propSet: [{ type: "ManagedEntity", pathSet: ["name"] }],
        objectSet: [
          {
            obj: { type: "Folder", value: "group-d1" },
            skip: false,
            selectSet: [
              {
                _type: "TraversalSpec",
                name: "folders",
                type: "Folder",
                path: "childEntity",
                skip: false,
                selectSet: select
              },
              {
                _type: "TraversalSpec",
                name: "datacenters",
                type: "Datacenter",
                path: "vmFolder",
                skip: true,
                selectSet: select
              }
            ]
          }
        ]
      })
      const first = yield* client.wait("")
      assert.deepStrictEqual(names(updatesOf(first)), [
        "enter group-d1",
        "enter datacenter-2",
        `enter ${template.value}`
      ])
      const [machine] = vcenter.addForeign({ count: 1 })
      assert.deepStrictEqual(names(updatesOf(yield* client.wait(first!.version))), [`enter ${machine!.value}`])
    })
  )

  it.effect("assigns nothing to a property that became unset, and removes one whose parent is gone indirectly", () =>
    Effect.gen(function* () {
      const { client, vcenter } = yield* world()
      const [machine] = vcenter.addForeign({ count: 1 })
      yield* vcenter.inject({ _tag: "Asks", machine: machine!.value, text: "why?", forMs: 1_000 })
      yield* client.filter(viewSpec(yield* client.view(), ["guest.ipAddress", "runtime.question"]))
      const first = yield* client.wait("")
      vcenter.others.powerOff(machine!.value)
      yield* TestClock.adjust("1 second")
      const [update] = updatesOf(yield* client.wait(first!.version))
      assert.deepStrictEqual(
        update!.changeSet?.toSorted((a, b) => a.name.localeCompare(b.name)),
        [
          { name: "guest.ipAddress", op: "assign" },
          { name: "runtime.question", op: "assign" }
        ]
      )
    })
  )

  it.effect("names a property that may not be read in missingSet", () =>
    Effect.gen(function* () {
      const { client, vcenter, template } = yield* world()
      yield* vcenter.inject({ _tag: "Unreadable", path: "config.annotation", forMs: 1_000 })
      const spec = {
        propSet: [{ type: "VirtualMachine", pathSet: ["name", "config.annotation"] }],
        objectSet: [{ obj: template }]
      }
      const answer = yield* client.call("RetrievePropertiesEx", { _this: collector, specSet: [spec], options: {} })
      const [object] = (answer as { objects: ReadonlyArray<{ missingSet: ReadonlyArray<{ path: string }> }> }).objects
      assert.deepStrictEqual(
        object!.missingSet.map(({ path }) => path),
        ["config.annotation"]
      )
    })
  )

  it.effect("tells a property as soon as it may be read again, however that came", () =>
    Effect.gen(function* () {
      const { client, vcenter, template } = yield* world()
      yield* client.filter(viewSpec(yield* client.view(), ["config.annotation"]))
      let { version } = (yield* client.wait(""))!
      for (const ends of [TestClock.adjust("1 minute"), Effect.sync(() => vcenter.clearFaults())]) {
        yield* vcenter.inject({ _tag: "Unreadable", path: "config.annotation", forMs: 60_000 })
        vcenter.others.annotate(template.value, `at ${version}`)
        const denied = (yield* client.wait(version))!
        assert.deepStrictEqual(changesOf(denied, template), {})
        yield* ends
        const told = (yield* client.wait(denied.version))!
        assert.deepStrictEqual(changesOf(told, template), { "config.annotation": `at ${version}` })
        version = told.version
      }
    })
  )

  it.effect("refuses a filter for a property that does not exist", () =>
    Effect.gen(function* () {
      const { client } = yield* world()
      const refused = yield* Effect.flip(client.filter(viewSpec(yield* client.view(), ["config.nonsense"])))
      assert.strictEqual(faultOf(refused), "InvalidProperty")
    })
  )

  it.effect("puts a data object together from the leaves below it", () =>
    Effect.gen(function* () {
      const { client, template } = yield* world()
      const { "config.hardware": hardware } = yield* client.read(template, ["config.hardware"])
      const { device, ...rest } = hardware as { device: ReadonlyArray<{ _type: string }> }
      assert.deepStrictEqual(rest as unknown, {
        _type: "VirtualHardware",
        numCPU: 2,
        numCoresPerSocket: 1,
        memoryMB: 4096
      })
      assert.deepStrictEqual(
        device.map(({ _type }) => _type),
        ["VirtualDisk", "VirtualVmxnet3"]
      )
    })
  )

  it.effect("retrieves in pages that are continued by a token", () =>
    Effect.gen(function* () {
      const { client, vcenter } = yield* world()
      vcenter.addForeign({ count: 4 })
      const view = yield* client.view()
      const first = (yield* client.call("RetrievePropertiesEx", {
        _this: collector,
        specSet: [viewSpec(view, ["name"])],
        options: { maxObjects: 3 }
      })) as { token: string; objects: ReadonlyArray<unknown> }
      const rest = (yield* client.call("ContinueRetrievePropertiesEx", { _this: collector, token: first.token })) as {
        token?: string
        objects: ReadonlyArray<unknown>
      }
      assert.deepStrictEqual([first.objects.length, rest.objects.length, rest.token], [3, 2, undefined])
    })
  )

  it.effect("ends a wait with RequestCanceled when it is cancelled or another one begins", () =>
    Effect.gen(function* () {
      const { client } = yield* world()
      yield* client.filter(viewSpec(yield* client.view(), ["name"]))
      const { version } = (yield* client.wait(""))!
      const first = yield* Effect.forkChild(Effect.flip(client.wait(version, {})))
      yield* TestClock.adjust("1 second")
      const second = yield* Effect.forkChild(Effect.flip(client.wait(version, {})))
      yield* TestClock.adjust("1 second")
      assert.strictEqual(faultOf(yield* Fiber.join(first)), "RequestCanceled")
      yield* client.call("CancelWaitForUpdates", { _this: collector })
      assert.strictEqual(faultOf(yield* Fiber.join(second)), "RequestCanceled")
    })
  )
})
