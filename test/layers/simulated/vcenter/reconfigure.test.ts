import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { TestClock } from "effect/testing"
import type { Ref } from "../../../../src/layers/simulated/vcenter/Wire.ts"
import { changesOf, exact, faultOf, viewSpec, world } from "./client.ts"

/** A foreign machine that is off, and its reading of some properties. */
const offMachine = Effect.gen(function* () {
  const made = yield* world()
  const machine = made.vcenter.addForeign({ count: 1, poweredOn: false })[0]!
  const version = Effect.map(made.client.read(machine, ["config.changeVersion"]), (read) =>
    String(read["config.changeVersion"])
  )
  const reconfigure = (spec: Record<string, string | number>) =>
    Effect.tap(made.client.task("ReconfigVM_Task", machine, { spec }), TestClock.adjust("1 second"))
  return { ...made, machine, version, reconfigure }
})

describe("ReconfigVM_Task of the simulated vCenter", () => {
  it.effect("changes name, annotation and size in one step and tells all of it in one update", () =>
    Effect.gen(function* () {
      const { client, machine, version, reconfigure } = yield* offMachine
      yield* client.filter(
        viewSpec(yield* client.view(), ["name", "config.annotation", "config.hardware.numCPU", "config.createDate"])
      )
      const first = yield* client.wait("")
      yield* reconfigure({
        changeVersion: yield* version,
        name: "worker-1",
        numCPUs: 4,
        memoryMB: 8192,
        annotation: "mine"
      })
      assert.deepStrictEqual(changesOf(yield* client.wait(first!.version), machine), {
        name: "worker-1",
        "config.annotation": "mine",
        "config.hardware.numCPU": 4
      })
    })
  )

  it.effect("moves changeVersion, so that a second caller with the old one fails with ConcurrentAccess", () =>
    Effect.gen(function* () {
      const { client, version, reconfigure, vcenter, machine } = yield* offMachine
      const seen = yield* version
      yield* reconfigure({ changeVersion: seen, annotation: "first" })
      const late = yield* reconfigure({ changeVersion: seen, annotation: "second" })
      assert.strictEqual(yield* client.taskFault(late), "ConcurrentAccess")
      assert.notStrictEqual(yield* version, seen)
      assert.strictEqual(vcenter.machines().find(({ ref }) => ref.value === machine.value)?.annotation, "first")
    })
  )

  it.effect("compares changeVersion when the task acts, not when it is called", () =>
    Effect.gen(function* () {
      const { client, machine, version, vcenter } = yield* offMachine
      const spec = { changeVersion: yield* version, annotation: "mine" }
      const task = yield* client.task("ReconfigVM_Task", machine, { spec })
      vcenter.others.disturb(machine.value)
      yield* TestClock.adjust("1 second")
      assert.strictEqual(yield* client.taskFault(task), "ConcurrentAccess")
    })
  )

  it.effect("fails with TaskInProgress while another task of the machine runs", () =>
    Effect.gen(function* () {
      const { client, machine } = yield* offMachine
      yield* client.task("PowerOnVM_Task", machine)
      const task = yield* client.task("ReconfigVM_Task", machine, { spec: { annotation: "mine" } })
      assert.strictEqual(yield* client.taskFault(task), "TaskInProgress")
    })
  )

  it.effect("fails with DuplicateName for a name that is taken and changes nothing then", () =>
    Effect.gen(function* () {
      const { client, machine, reconfigure, vcenter } = yield* offMachine
      const task = yield* reconfigure({ name: "debian12", annotation: "mine" })
      assert.strictEqual(yield* client.taskFault(task), "DuplicateName")
      assert.strictEqual(vcenter.machines().find(({ ref }) => ref.value === machine.value)?.annotation, "")
    })
  )

  it.effect(
    "refuses a size that is no multiple of the cores per socket, and any new size while the machine is on",
    () =>
      Effect.gen(function* () {
        const { client, machine, reconfigure, vcenter } = yield* offMachine
        const odd = yield* reconfigure({ numCPUs: 3, numCoresPerSocket: 2 })
        assert.strictEqual(yield* client.taskFault(odd), "InvalidArgument")
        vcenter.others.powerOn(machine.value)
        const hot = yield* reconfigure({ numCPUs: 4 })
        assert.strictEqual(yield* client.taskFault(hot), "InvalidPowerState")
      })
  )

  it.effect("keeps slashes, backslashes and percent signs of a name in escaped form", () =>
    Effect.gen(function* () {
      const { client, machine, reconfigure } = yield* offMachine
      yield* reconfigure({ name: "a/b\\c%d" })
      assert.deepStrictEqual(yield* client.read(machine, ["name"]), { name: "a%2fb%5cc%25d" })
    })
  )

  it.effect("tells a rename by other people like any other change", () =>
    Effect.gen(function* () {
      const { client, machine, vcenter } = yield* offMachine
      yield* client.filter(viewSpec(yield* client.view(), ["name"]))
      const first = yield* client.wait("")
      assert.isTrue(vcenter.others.rename(machine.value, "theirs"))
      assert.deepStrictEqual(changesOf(yield* client.wait(first!.version), machine as Ref), { name: "theirs" })
    })
  )

  it.effect("is refused at once for a machine that is not there", () =>
    Effect.gen(function* () {
      const { client } = yield* world(exact)
      const refused = yield* Effect.flip(
        client.task("ReconfigVM_Task", { type: "VirtualMachine", value: "vm-0" }, { spec: {} })
      )
      assert.strictEqual(faultOf(refused), "ManagedObjectNotFound")
    })
  )
})
