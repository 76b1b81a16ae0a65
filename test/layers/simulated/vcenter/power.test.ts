import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { TestClock } from "effect/testing"
import type { Ref } from "../../../../src/layers/simulated/vcenter/Wire.ts"
import type { Client } from "./client.ts"
import { cloneArgs, exact, faultOf, updatesOf, viewSpec, world } from "./client.ts"

const powerOf = (client: Client, machine: Ref) =>
  Effect.map(client.read(machine, ["runtime.powerState"]), (read) => read["runtime.powerState"])

/** A machine of a clone, on and ready. */
const readyMachine = (options = exact) =>
  Effect.gen(function* () {
    const made = yield* world(options)
    const task = yield* made.client.task("CloneVM_Task", made.template, cloneArgs("worker-1"))
    yield* TestClock.adjust("1 minute")
    return { ...made, machine: (yield* made.client.taskInfo(task))["info.result"] as Ref }
  })

describe("Power of a simulated machine", () => {
  it.effect("fails with InvalidPowerState when the machine is on, or off, already", () =>
    Effect.gen(function* () {
      const { client, machine } = yield* readyMachine()
      const on = yield* client.task("PowerOnVM_Task", machine)
      yield* TestClock.adjust("3 seconds")
      assert.strictEqual(yield* client.taskFault(on), "InvalidPowerState")
      yield* client.task("PowerOffVM_Task", machine)
      yield* TestClock.adjust("2 seconds")
      const off = yield* client.task("PowerOffVM_Task", machine)
      yield* TestClock.adjust("2 seconds")
      assert.strictEqual(yield* client.taskFault(off), "InvalidPowerState")
    })
  )

  it.effect("moves changeVersion at power on, and sets and clears the boot time", () =>
    Effect.gen(function* () {
      const { client, machine } = yield* readyMachine()
      yield* client.task("PowerOffVM_Task", machine)
      yield* TestClock.adjust("2 seconds")
      const before = yield* client.read(machine, ["config.changeVersion", "runtime.bootTime"])
      yield* client.task("PowerOnVM_Task", machine)
      yield* TestClock.adjust("3 seconds")
      const after = yield* client.read(machine, ["config.changeVersion", "runtime.bootTime"])
      assert.notStrictEqual(after["config.changeVersion"], before["config.changeVersion"])
      assert.isUndefined(before["runtime.bootTime"])
      assert.strictEqual(after["runtime.bootTime"], "1970-01-01T00:01:04.000Z")
    })
  )

  it.effect("takes the guest's address and readiness along when it goes, and brings the fixed address back", () =>
    Effect.gen(function* () {
      const { client, template } = yield* world()
      const task = yield* client.task("CloneVM_Task", template, cloneArgs("worker-1", { ip: "10.0.0.7" }))
      yield* TestClock.adjust("1 minute")
      const machine = (yield* client.taskInfo(task))["info.result"] as Ref
      const guest = client.read(machine, ["guest.ipAddress", "guest.guestOperationsReady", "guest.net"])
      yield* client.task("PowerOffVM_Task", machine)
      yield* TestClock.adjust("2 seconds")
      assert.deepStrictEqual(yield* guest, { "guest.guestOperationsReady": false })
      yield* client.task("PowerOnVM_Task", machine)
      yield* TestClock.adjust("20 seconds")
      assert.strictEqual((yield* guest)["guest.ipAddress"], "10.0.0.7")
    })
  )

  it.effect("shuts down some time after ShutdownGuest, which needs running Tools", () =>
    Effect.gen(function* () {
      const { client, machine } = yield* readyMachine()
      yield* client.call("ShutdownGuest", { _this: machine })
      assert.strictEqual(yield* powerOf(client, machine), "poweredOn")
      yield* TestClock.adjust("5 seconds")
      assert.strictEqual(yield* powerOf(client, machine), "poweredOff")
      yield* client.task("PowerOnVM_Task", machine)
      yield* TestClock.adjust("3 seconds")
      const refused = yield* Effect.flip(client.call("ShutdownGuest", { _this: machine }))
      assert.strictEqual(faultOf(refused), "ToolsUnavailable")
    })
  )

  it.effect("is destroyed only when it is off, and leaves the view and every task of its own with it", () =>
    Effect.gen(function* () {
      const { client, machine, vcenter } = yield* readyMachine()
      yield* client.filter(viewSpec(yield* client.view(), ["name"]))
      const refused = yield* client.task("Destroy_Task", machine)
      yield* TestClock.adjust("3 seconds")
      assert.strictEqual(yield* client.taskFault(refused), "InvalidPowerState")
      yield* client.task("PowerOffVM_Task", machine)
      yield* TestClock.adjust("2 seconds")
      const before = yield* client.wait("")
      yield* client.task("Destroy_Task", machine)
      yield* TestClock.adjust("3 seconds")
      const left = updatesOf(yield* client.wait(before!.version)).map(({ kind, obj }) => `${kind} ${obj.type}`)
      assert.deepStrictEqual(left.toSorted(), ["leave Task", "leave Task", "leave VirtualMachine"])
      assert.strictEqual(vcenter.summary().machines, 0)
    })
  )

  it.effect("fails with InsufficientResourcesFault when the pool has no memory left", () =>
    Effect.gen(function* () {
      const pool = { cpuMHz: 1000, memoryMB: 6000, unreservedMB: 6000 }
      const { client, template } = yield* readyMachine({ ...exact, pool } as typeof exact)
      const second = yield* client.task("CloneVM_Task", template, cloneArgs("worker-2"))
      yield* TestClock.adjust("1 minute")
      assert.strictEqual(yield* client.taskFault(second), "InsufficientResourcesFault")
    })
  )

  it.effect("is refused with InvalidState while its host does not answer or it asks a question", () =>
    Effect.gen(function* () {
      const { client, machine, vcenter } = yield* readyMachine()
      yield* vcenter.inject({ _tag: "Asks", machine: "worker-1", text: "msg.uuid.altered", forMs: 10_000 })
      const asked = yield* client.task("PowerOffVM_Task", machine)
      yield* TestClock.adjust("2 seconds")
      assert.strictEqual(yield* client.taskFault(asked), "InvalidState")
      yield* TestClock.adjust("10 seconds")
      yield* vcenter.inject({ _tag: "Disconnects", host: "*", state: "disconnected", forMs: 10_000 })
      const cut = yield* client.task("PowerOffVM_Task", machine)
      yield* TestClock.adjust("2 seconds")
      assert.strictEqual(yield* client.taskFault(cut), "InvalidState")
    })
  )
})
