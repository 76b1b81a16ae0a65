import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { TestClock } from "effect/testing"
import type { Ref } from "../../../../src/layers/simulated/vcenter/Wire.ts"
import { changesOf, cloneArgs, faultOf, updatesOf, viewSpec, world } from "./client.ts"

const kinds = (updates: ReturnType<typeof updatesOf>) => updates.map(({ kind }) => kind)

/** The state of a machine a minute after its clone was asked for. */
const cloned = Effect.gen(function* () {
  const made = yield* world()
  const task = yield* made.client.task("CloneVM_Task", made.template, cloneArgs("worker-1", { ip: "10.0.0.7" }))
  const find = (name = "worker-1") => made.vcenter.machines().find((machine) => machine.name === name)
  return { ...made, task, find }
})

describe("Faults of the simulated vCenter", () => {
  it.effect("TaskFails: the task takes its time, fails, and the clone leaves nothing behind", () =>
    Effect.gen(function* () {
      const { client, template, vcenter } = yield* world()
      yield* vcenter.inject({ _tag: "TaskFails", operation: "CloneVM_Task", fault: "HostCommunication" })
      const failing = yield* client.task("CloneVM_Task", template, cloneArgs("a"))
      const passing = yield* client.task("CloneVM_Task", template, cloneArgs("b"))
      assert.strictEqual((yield* client.taskInfo(failing))["info.state"], "running")
      yield* TestClock.adjust("1 minute")
      assert.strictEqual(yield* client.taskFault(failing), "HostCommunication")
      assert.strictEqual((yield* client.taskInfo(passing))["info.state"], "success")
      assert.deepStrictEqual(
        vcenter
          .machines()
          .filter(({ template }) => !template)
          .map(({ name }) => name),
        ["b"]
      )
    })
  )

  it.effect("TaskSlow: the task runs so much longer, and then does what it should", () =>
    Effect.gen(function* () {
      const { client, template, vcenter } = yield* world()
      yield* vcenter.inject({ _tag: "TaskSlow", operation: "CloneVM_Task", delayMs: 600_000 })
      const slow = yield* client.task("CloneVM_Task", template, cloneArgs("a"))
      yield* TestClock.adjust("10 minutes")
      assert.strictEqual((yield* client.taskInfo(slow))["info.state"], "running")
      yield* TestClock.adjust("1 minute")
      assert.strictEqual((yield* client.taskInfo(slow))["info.state"], "success")
      assert.strictEqual(vcenter.summary().created, 1)
    })
  )

  it.effect("AnswerLost: the work is done and the caller hears nothing", () =>
    Effect.gen(function* () {
      const { client, template, vcenter } = yield* world()
      yield* vcenter.inject({ _tag: "AnswerLost", operation: "CloneVM_Task" })
      const lost = yield* Effect.flip(client.task("CloneVM_Task", template, cloneArgs("worker-1")))
      assert.propertyVal(lost, "sent", true)
      yield* TestClock.adjust("1 minute")
      assert.strictEqual(vcenter.summary().created, 1)
    })
  )

  it.effect("CallDropped: the work is not done", () =>
    Effect.gen(function* () {
      const { client, template, vcenter } = yield* world()
      yield* vcenter.inject({ _tag: "CallDropped", operation: "CloneVM_Task", sent: false })
      const dropped = yield* Effect.flip(client.task("CloneVM_Task", template, cloneArgs("worker-1")))
      assert.propertyVal(dropped, "sent", false)
      yield* TestClock.adjust("1 minute")
      assert.strictEqual(vcenter.summary().created, 0)
    })
  )

  it.effect("CallFails: the call is refused with that fault as often as asked", () =>
    Effect.gen(function* () {
      const { client, vcenter } = yield* world()
      yield* vcenter.inject({ _tag: "CallFails", operation: "*", fault: "NoPermission", count: 2 })
      assert.strictEqual(faultOf(yield* Effect.flip(client.view())), "NoPermission")
      assert.strictEqual(faultOf(yield* Effect.flip(client.view())), "NoPermission")
      yield* client.view()
    })
  )

  it.effect("ViewShrinks: machines leave every view and come back", () =>
    Effect.gen(function* () {
      const { client, vcenter } = yield* world()
      vcenter.addForeign({ count: 3 })
      yield* client.filter(viewSpec(yield* client.view(), ["name"]))
      const full = yield* client.wait("")
      yield* vcenter.inject({ _tag: "ViewShrinks", forMs: 60_000 })
      const empty = yield* client.wait(full!.version)
      assert.deepStrictEqual(kinds(updatesOf(empty)), ["leave", "leave", "leave", "leave"])
      assert.isUndefined(
        yield* client.call("RetrievePropertiesEx", {
          _this: { type: "PropertyCollector", value: "propertyCollector" },
          specSet: [viewSpec(yield* client.view(), ["name"])],
          options: {}
        })
      )
      yield* TestClock.adjust("1 minute")
      assert.deepStrictEqual(kinds(updatesOf(yield* client.wait(empty!.version))), ["enter", "enter", "enter", "enter"])
      assert.strictEqual(vcenter.summary().machines, 3)
    })
  )

  it.effect("CollectorLost: the session stays, its own collector is not found any more", () =>
    Effect.gen(function* () {
      const { client, vcenter } = yield* world()
      const own = (yield* client.call("CreatePropertyCollector", {
        _this: { type: "PropertyCollector", value: "propertyCollector" }
      })) as Ref
      yield* client.filter(viewSpec(yield* client.view(), ["name"]), own)
      assert.isDefined(yield* client.wait("", { maxWaitSeconds: 0 }, own))
      yield* vcenter.inject({ _tag: "CollectorLost" })
      assert.strictEqual(
        faultOf(yield* Effect.flip(client.wait("", { maxWaitSeconds: 0 }, own))),
        "ManagedObjectNotFound"
      )
      yield* client.view()
    })
  )

  it.effect("Restart: nothing answers for a while, then every session is gone and every machine is there", () =>
    Effect.gen(function* () {
      const { client, vcenter, find } = yield* cloned
      yield* TestClock.adjust("1 minute")
      yield* vcenter.inject({ _tag: "Restart", downMs: 30_000 })
      const down = yield* Effect.flip(client.view())
      assert.propertyVal(down, "sent", false)
      yield* TestClock.adjust("30 seconds")
      assert.strictEqual(faultOf(yield* Effect.flip(client.view())), "NotAuthenticated")
      assert.strictEqual(find()?.power, "poweredOn")
    })
  )

  it.effect("Restore: what vCenter knows goes back, what runs on the hosts does not", () =>
    Effect.gen(function* () {
      const { client, vcenter, find, template } = yield* cloned
      yield* TestClock.adjust("1 minute")
      const [doomed] = vcenter.addForeign({ count: 1, prefix: "doomed" })
      yield* vcenter.inject({ _tag: "Save" })
      vcenter.others.rename("worker-1", "renamed")
      vcenter.others.powerOff("renamed")
      vcenter.others.destroy(doomed!.value)
      yield* client.task("CloneVM_Task", template, cloneArgs("worker-2"))
      yield* TestClock.adjust("1 minute")
      yield* vcenter.inject({ _tag: "Restore" })
      assert.strictEqual(faultOf(yield* Effect.flip(client.view())), "NotAuthenticated")
      assert.deepStrictEqual(
        [find()?.power, find("renamed"), find("worker-2"), find(`doomed-${doomed!.value.slice(3)}`)?.power],
        ["poweredOff", undefined, undefined, "poweredOff"]
      )
      assert.strictEqual(vcenter.summary().machines, 2)
    })
  )

  it.effect("Disconnects: the machines of a host lose their connection and get it back", () =>
    Effect.gen(function* () {
      const { vcenter, find } = yield* cloned
      yield* TestClock.adjust("1 minute")
      yield* vcenter.inject({ _tag: "Disconnects", machine: "worker-1", state: "inaccessible", forMs: 60_000 })
      assert.strictEqual(find()?.connection, "inaccessible")
      yield* TestClock.adjust("1 minute")
      assert.strictEqual(find()?.connection, "connected")
    })
  )

  it.effect("DatastoreFull: a clone fails with NoDiskSpace until there is space again", () =>
    Effect.gen(function* () {
      const { client, template, vcenter } = yield* world()
      yield* vcenter.inject({ _tag: "DatastoreFull", forMs: 60_000 })
      const full = yield* client.task("CloneVM_Task", template, cloneArgs("a"))
      yield* TestClock.adjust("1 minute")
      assert.strictEqual(yield* client.taskFault(full), "NoDiskSpace")
      const passing = yield* client.task("CloneVM_Task", template, cloneArgs("b"))
      yield* TestClock.adjust("1 minute")
      assert.strictEqual((yield* client.taskInfo(passing))["info.state"], "success")
    })
  )

  it.effect.each([
    { how: "NeverBoots", tools: false, ready: false, ip: undefined, customization: "PENDING" },
    { how: "ToolsNever", tools: false, ready: false, ip: undefined, customization: "PENDING" },
    { how: "CustomizationFails", tools: true, ready: true, ip: "10.99.0.10", customization: "FAILED" },
    { how: "WrongAddress", tools: true, ready: true, ip: "10.99.0.10", customization: "SUCCEEDED" },
    { how: "NoAddress", tools: true, ready: true, ip: undefined, customization: "SUCCEEDED" }
  ] as const)("GuestFails $how: the guest ends up as that name says", ({ how, ...expected }) =>
    Effect.gen(function* () {
      const { vcenter, find } = yield* cloned
      yield* vcenter.inject({ _tag: "GuestFails", how })
      yield* TestClock.adjust("10 minutes")
      const { tools, ready, ipAddress, customization } = find()!.guest
      assert.deepStrictEqual({ tools, ready, ip: ipAddress, customization } as unknown, expected)
    })
  )

  it.effect("GuestFails Dies: the guest powers off some time after it was ready", () =>
    Effect.gen(function* () {
      const { vcenter, find } = yield* cloned
      yield* vcenter.inject({ _tag: "GuestFails", how: "Dies", machine: "worker-1", afterMs: 180_000 })
      yield* TestClock.adjust("1 minute")
      assert.isTrue(find()?.guest.ready)
      yield* TestClock.adjust("3 minutes")
      assert.strictEqual(find()?.power, "poweredOff")
    })
  )

  it.effect("UpdatesDuplicate: the last updates are told once more", () =>
    Effect.gen(function* () {
      const { client, vcenter } = yield* world()
      const [machine] = vcenter.addForeign({ count: 1 })
      yield* client.filter(viewSpec(yield* client.view(), ["name"]))
      const first = yield* client.wait("")
      vcenter.others.rename(machine!.value, "theirs")
      const second = yield* client.wait(first!.version)
      yield* vcenter.inject({ _tag: "UpdatesDuplicate" })
      assert.deepStrictEqual(changesOf(yield* client.wait(second!.version), machine!), { name: "theirs" })
    })
  )

  it.effect("SlowCall and UpdatesLate: the answer comes that much later", () =>
    Effect.gen(function* () {
      const { client, vcenter } = yield* world()
      yield* client.filter(viewSpec(yield* client.view(), ["name"]))
      yield* vcenter.inject({ _tag: "SlowCall", operation: "CurrentTime", delayMs: 5_000 })
      yield* vcenter.inject({ _tag: "UpdatesLate", delayMs: 7_000 })
      const slow = yield* Effect.forkChild(
        client.call("CurrentTime", { _this: { type: "ServiceInstance", value: "ServiceInstance" } })
      )
      const late = yield* Effect.forkChild(client.wait(""))
      yield* TestClock.adjust("6 seconds")
      assert.deepStrictEqual([slow.pollUnsafe() !== undefined, late.pollUnsafe() !== undefined], [true, false])
      yield* TestClock.adjust("1 second")
      assert.isDefined(late.pollUnsafe())
    })
  )
})
