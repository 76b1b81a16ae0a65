import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { TestClock } from "effect/testing"
import type { Ref } from "../../../../src/layers/simulated/vcenter/Wire.ts"
import { changesOf, cloneArgs, exact, faultOf, updatesOf, viewSpec, world } from "./client.ts"

const uuid = "11111111-2222-4333-8444-555555555555"

describe("CloneVM_Task of the simulated vCenter", () => {
  it.effect("shows the name at once and the configuration only when the copy is done", () =>
    Effect.gen(function* () {
      const { client, template } = yield* world()
      yield* client.filter(viewSpec(yield* client.view()))
      const first = yield* client.wait("")
      yield* client.task("CloneVM_Task", template, cloneArgs("worker-1", { config: { instanceUuid: uuid } }))
      const begun = yield* client.wait(first!.version)
      const entered = updatesOf(begun).find(({ kind, obj }) => kind === "enter" && obj.type === "VirtualMachine")!
      assert.deepStrictEqual(changesOf(begun, entered.obj), {
        name: "worker-1",
        "runtime.powerState": "poweredOff",
        "guest.guestOperationsReady": false
      })
      yield* TestClock.adjust("21 seconds")
      const copied = changesOf(yield* client.wait(begun!.version), entered.obj)
      assert.strictEqual(copied["config.instanceUuid"], uuid)
      assert.strictEqual(copied["config.annotation"], `{"hatchery_name":"rook"}`)
    })
  )

  it.effect("boots the machine and answers its reference in info.result", () =>
    Effect.gen(function* () {
      const { client, template, vcenter } = yield* world()
      const task = yield* client.task("CloneVM_Task", template, cloneArgs("worker-1", { ip: "10.0.0.7" }))
      yield* TestClock.adjust("22 seconds")
      const info = yield* client.taskInfo(task)
      assert.strictEqual(info["info.state"], "success")
      const machine = info["info.result"] as Ref
      assert.strictEqual((yield* client.read(machine, ["runtime.powerState"]))["runtime.powerState"], "poweredOn")
      yield* TestClock.adjust("28 seconds")
      const ready = yield* client.read(machine, [
        "guest.customizationInfo.customizationStatus",
        "guest.ipAddress",
        "guest.guestOperationsReady",
        "guest.hostName"
      ])
      assert.deepStrictEqual(ready, {
        "guest.customizationInfo.customizationStatus": "TOOLSDEPLOYPKG_SUCCEEDED",
        "guest.ipAddress": "10.0.0.7",
        "guest.guestOperationsReady": true,
        "guest.hostName": "worker-1"
      })
      assert.deepStrictEqual([...vcenter.addresses()], [["10.0.0.7", ["worker-1"]]])
      assert.strictEqual(vcenter.owned("rook").length, 1)
    })
  )

  it.effect("goes through PENDING, RUNNING and SUCCEEDED before it has an address", () =>
    Effect.gen(function* () {
      const { client, template } = yield* world()
      const task = yield* client.task("CloneVM_Task", template, cloneArgs("worker-1"))
      const seen: Array<unknown> = []
      yield* TestClock.adjust("22 seconds")
      const machine = (yield* client.taskInfo(task))["info.result"] as Ref
      const look = Effect.map(
        client.read(machine, ["guest.customizationInfo.customizationStatus", "guest.ipAddress"]),
        (read) => seen.push(Object.values(read))
      )
      yield* look
      yield* TestClock.adjust("15 seconds")
      yield* look
      yield* TestClock.adjust("10 seconds")
      yield* look
      yield* TestClock.adjust("3 seconds")
      yield* look
      assert.deepStrictEqual(seen, [
        ["TOOLSDEPLOYPKG_PENDING"],
        ["TOOLSDEPLOYPKG_RUNNING"],
        ["TOOLSDEPLOYPKG_SUCCEEDED"],
        ["TOOLSDEPLOYPKG_SUCCEEDED", "10.99.0.10"]
      ])
    })
  )

  it.effect("fails with DuplicateName when the name is taken, also by a clone that still runs", () =>
    Effect.gen(function* () {
      const { client, template, vcenter } = yield* world()
      yield* client.task("CloneVM_Task", template, cloneArgs("worker-1"))
      const second = yield* client.task("CloneVM_Task", template, cloneArgs("worker-1"))
      assert.strictEqual(yield* client.taskFault(second), "DuplicateName")
      assert.strictEqual(vcenter.machines().filter(({ name }) => name === "worker-1").length, 1)
    })
  )

  it.effect("fails with NicSettingMismatch and leaves the machine behind when the mappings do not fit the cards", () =>
    Effect.gen(function* () {
      const { client, template, vcenter } = yield* world()
      const task = yield* client.task("CloneVM_Task", template, cloneArgs("worker-1", { maps: 2 }))
      yield* TestClock.adjust("1 minute")
      assert.strictEqual(yield* client.taskFault(task), "NicSettingMismatch")
      const left = vcenter.machines().find(({ name }) => name === "worker-1")
      assert.strictEqual(left?.power, "poweredOff")
      assert.strictEqual(left?.annotation, `{"hatchery_name":"rook"}`)
    })
  )

  it.effect("leaves nothing behind when it is cancelled", () =>
    Effect.gen(function* () {
      const { client, template, vcenter } = yield* world()
      const task = yield* client.task("CloneVM_Task", template, cloneArgs("worker-1"))
      yield* TestClock.adjust("5 seconds")
      yield* client.task("CancelTask", task)
      yield* TestClock.adjust("1 minute")
      assert.strictEqual(yield* client.taskFault(task), "RequestCanceled")
      assert.isUndefined(vcenter.machines().find(({ name }) => name === "worker-1"))
    })
  )

  it.effect("needs a snapshot for a child disk", () =>
    Effect.gen(function* () {
      const { client, template } = yield* world()
      const { spec, ...rest } = cloneArgs("worker-1")
      const linked = { ...spec.location, diskMoveType: "createNewChildDiskBacking" }
      const refused = yield* Effect.flip(
        client.task("CloneVM_Task", template, { ...rest, spec: { ...spec, location: linked } })
      )
      assert.strictEqual(faultOf(refused), "InvalidArgument")
      const snapshot = (yield* client.read(template, ["snapshot.currentSnapshot"]))["snapshot.currentSnapshot"] as Ref
      yield* client.task("CloneVM_Task", template, { ...rest, spec: { ...spec, location: linked, snapshot } })
    })
  )

  it.effect("replaces a card by remove and add, and keeps a card's type on an edit with the base type", () =>
    Effect.gen(function* () {
      const templates = [
        { name: "two", cpus: 1, memoryMB: 512, nics: 2, snapshot: false, guestUser: "u", guestPassword: "p" }
      ]
      const { client, template, vcenter } = yield* world({ ...exact, templates })
      const { spec, ...rest } = cloneArgs("worker-1", { maps: 2 })
      const backing = { _type: "VirtualEthernetCardNetworkBackingInfo", deviceName: "other" }
      const deviceChange = [
        { operation: "edit", device: { _type: "VirtualEthernetCard", key: 4000, backing } },
        { operation: "remove", device: { _type: "VirtualVmxnet3", key: 4001 } },
        { operation: "add", device: { _type: "VirtualE1000", key: -1, backing } }
      ]
      const location = { ...spec.location, deviceChange }
      yield* client.task("CloneVM_Task", template, { ...rest, spec: { ...spec, location } })
      yield* TestClock.adjust("1 minute")
      const made = vcenter.machines().find(({ name }) => name === "worker-1")
      assert.deepStrictEqual(
        made?.cards.map(({ type, backing }) => [type, (backing as typeof backing & { deviceName: string }).deviceName]),
        [
          ["VirtualVmxnet3", "other"],
          ["VirtualE1000", "other"]
        ]
      )
    })
  )

  it.effect("gives a card that is added the first free key, also after another one was removed", () =>
    Effect.gen(function* () {
      const templates = [
        { name: "two", cpus: 1, memoryMB: 512, nics: 2, snapshot: false, guestUser: "u", guestPassword: "p" }
      ]
      const { client, template, vcenter } = yield* world({ ...exact, templates })
      const { spec, ...rest } = cloneArgs("worker-1", { maps: 3 })
      const add = { operation: "add", device: { _type: "VirtualVmxnet3", key: -1 } }
      const deviceChange = [{ operation: "remove", device: { _type: "VirtualVmxnet3", key: 4000 } }, add, add]
      yield* client.task("CloneVM_Task", template, {
        ...rest,
        spec: { ...spec, location: { ...spec.location, deviceChange } }
      })
      yield* TestClock.adjust("1 minute")
      const cards = vcenter.machines().find(({ name }) => name === "worker-1")?.cards ?? []
      assert.sameMembers(
        cards.map(({ key }) => key),
        [4000, 4001, 4002]
      )
      assert.strictEqual(new Set(cards.map(({ mac }) => mac)).size, 3)
    })
  )

  it.effect("keeps tasks queued beyond the number that may run at once", () =>
    Effect.gen(function* () {
      const { client, template } = yield* world({ ...exact, concurrency: 2 })
      const tasks = yield* Effect.forEach(["a", "b", "c"], (name) =>
        client.task("CloneVM_Task", template, cloneArgs(name))
      )
      const states = Effect.forEach(tasks, (task) => Effect.map(client.taskInfo(task), (info) => info["info.state"]))
      assert.deepStrictEqual(yield* states, ["running", "running", "queued"])
      yield* TestClock.adjust("22 seconds")
      assert.deepStrictEqual(yield* states, ["success", "success", "running"])
    })
  )

  it.effect("hangs its task on the template for ten minutes after the end, and then it is gone", () =>
    Effect.gen(function* () {
      const { client, template } = yield* world()
      const task = yield* client.task("CloneVM_Task", template, cloneArgs("worker-1"))
      const recent = Effect.map(client.read(template, ["recentTask"]), (read) => read["recentTask"])
      assert.deepStrictEqual(yield* recent, {
        _type: "ArrayOfManagedObjectReference",
        ManagedObjectReference: [task]
      })
      yield* TestClock.adjust("10 minutes")
      yield* client.taskInfo(task)
      yield* TestClock.adjust("1 minute")
      const gone = yield* Effect.flip(client.taskInfo(task))
      assert.strictEqual(faultOf(gone), "ManagedObjectNotFound")
      assert.deepStrictEqual(yield* recent, { _type: "ArrayOfManagedObjectReference", ManagedObjectReference: [] })
    })
  )
})
