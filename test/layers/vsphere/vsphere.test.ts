import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Layer, Redacted } from "effect"
import { TestClock } from "effect/testing"
import { SimVCenter } from "../../../src/layers/simulated/vcenter/SimVCenter.ts"
import { VimSimulated } from "../../../src/layers/simulated/vcenter/VimSimulated.ts"
import type { VimOperation } from "../../../src/layers/vsphere/Vim.ts"
import { Vim } from "../../../src/layers/vsphere/Vim.ts"
import { defaultTimes } from "../../../src/schema/config/defaults.ts"
import type { UpdateSet } from "../../../src/layers/vsphere/wire/Updates.ts"
import { VimUnreachable } from "../../../src/schema/Errors.ts"
import type { MachineFacts } from "../../../src/schema/Machine.ts"
import { Inventory } from "../../../src/services/Inventory.ts"
import { VSphere } from "../../../src/services/VSphere.ts"
import { Calls, cloned, oursText, plan, stand } from "./stand.ts"

/** Runs an effect to its end while the clock goes on. */
const play = <A, E, R>(effect: Effect.Effect<A, E, R>, time: string) =>
  Effect.gen(function* () {
    const fiber = yield* Effect.forkScoped(effect)
    yield* TestClock.adjust(time as `${number} seconds`)
    return yield* Fiber.join(fiber)
  })

const template = { name: "debian12", cpus: 2, memoryMB: 4096, guestUser: "worker", guestPassword: "worker" }
const always = () => true

const factsOf = (ref: string) =>
  Effect.flatMap(Inventory, (inventory) => Effect.map(inventory.view, ({ machines }) => machines.get(ref)!))

const sent = (operation: VimOperation) => Effect.map(Calls, (calls) => calls.of(operation).length)

interface CloneSpec {
  readonly location: Readonly<Record<string, unknown>> & {
    readonly deviceChange: ReadonlyArray<{
      readonly operation: string
      readonly device: Readonly<Record<string, unknown>>
    }>
  }
  readonly snapshot: unknown
}

const sentSpec = Effect.map(Calls, (calls) => calls.of("CloneVM_Task")[0]!.args["spec"] as unknown as CloneSpec)

describe("clone", () => {
  it.effect("sends the specification in the order of the schema", () =>
    Effect.gen(function* () {
      const addressing = {
        _tag: "Static",
        ip: "10.0.0.7",
        subnetMask: "255.255.255.0",
        gateway: "10.0.0.1",
        dns: ["10.0.0.2", "10.0.0.3"]
      } as const
      yield* play(cloned({ addressing, flavor: { cpus: 4, memoryMB: 8192 } }), "60 seconds")
      const [call] = (yield* Calls).of("CloneVM_Task")
      const connectable = { startConnected: true, allowGuestControl: true, connected: true }
      const { folder, name, ...rest } = call!.args
      assert.deepStrictEqual(Object.keys(call!.args), ["_this", "folder", "name", "spec"])
      assert.deepInclude(rest["_this"], { type: "VirtualMachine" })
      assert.deepInclude(folder, { type: "Folder" })
      assert.strictEqual(name, "provision-v2-one")
      const spec = yield* sentSpec
      const { datastore, pool, deviceChange } = spec.location
      const cards = deviceChange.map(({ device }) => device)
      assert.deepInclude(cards[1]!["backing"], {
        _type: "VirtualEthernetCardNetworkBackingInfo",
        deviceName: "VM Network"
      })
      assert.strictEqual(
        JSON.stringify(spec, undefined, 1),
        JSON.stringify(
          {
            location: {
              datastore,
              diskMoveType: "createNewChildDiskBacking",
              pool,
              deviceChange: cards.map(({ backing, controllerKey, unitNumber }, card) => ({
                operation: "edit",
                device: { _type: "VirtualVmxnet3", key: 4000 + card, backing, connectable, controllerKey, unitNumber }
              }))
            },
            template: false,
            config: {
              instanceUuid: plan().id,
              annotation: plan().annotation,
              tools: { afterPowerOn: true },
              numCPUs: 4,
              memoryMB: 8192
            },
            customization: {
              identity: {
                _type: "CustomizationLinuxPrep",
                hostName: { _type: "CustomizationVirtualMachineName" },
                domain: ""
              },
              globalIPSettings: { dnsServerList: ["10.0.0.2", "10.0.0.3"] },
              nicSettingMap: [
                {
                  adapter: {
                    ip: { _type: "CustomizationFixedIp", ipAddress: "10.0.0.7" },
                    subnetMask: "255.255.255.0",
                    gateway: ["10.0.0.1"]
                  }
                },
                { adapter: { ip: { _type: "CustomizationDhcpIpGenerator" } } }
              ]
            },
            powerOn: true,
            snapshot: spec.snapshot
          },
          undefined,
          1
        )
      )
      assert.deepInclude(spec.snapshot, { type: "VirtualMachineSnapshot" })
    }).pipe(Effect.provide(stand({ vcenter: { templates: [{ ...template, nics: 2, snapshot: true }] } })))
  )

  it.effect("puts a card of the configured type in the place of each card of another type", () =>
    Effect.gen(function* () {
      yield* play(cloned(), "60 seconds")
      const { location } = yield* sentSpec
      const changes = location.deviceChange.map(({ operation, device }) => [operation, device["_type"], device["key"]])
      assert.deepStrictEqual(changes, [
        ["remove", "VirtualVmxnet3", 4000],
        ["remove", "VirtualVmxnet3", 4001],
        ["add", "VirtualE1000", -1],
        ["add", "VirtualE1000", -2]
      ])
    }).pipe(
      Effect.provide(
        stand({ vcenter: { templates: [{ ...template, nics: 2, snapshot: true }] }, vsphere: { cardName: "e1000" } })
      )
    )
  )

  it.effect("answers the new machine, which is then in the mirror with its annotation", () =>
    Effect.gen(function* () {
      const ref = yield* play(cloned(), "60 seconds")
      assert.deepInclude(yield* factsOf(ref), { id: plan().id, name: plan().name, annotation: plan().annotation })
    }).pipe(Effect.provide(stand()))
  )

  it.effect("copies the disks of a template without a snapshot", () =>
    Effect.gen(function* () {
      yield* play(cloned(), "60 seconds")
      const spec = yield* sentSpec
      assert.deepInclude(spec.location, { diskMoveType: "moveChildMostDiskBacking" })
      assert.notProperty(spec, "snapshot")
      assert.isFalse((yield* (yield* VSphere).template("debian12")).linked)
    }).pipe(Effect.provide(stand({ vcenter: { templates: [{ ...template, nics: 1, snapshot: false }] } })))
  )

  it.effect("looks up the placement and the template's hardware once for many clones", () =>
    Effect.gen(function* () {
      yield* play(cloned(), "60 seconds")
      const before = yield* sent("RetrievePropertiesEx")
      yield* play(cloned({ id: "22222222-1111-4111-8111-111111111111", name: "provision-v2-two" }), "60 seconds")
      assert.strictEqual(yield* sent("RetrievePropertiesEx"), before)
    }).pipe(Effect.provide(stand()))
  )

  it.effect("tells a name that is taken as duplicate, and an unknown template as gone", () =>
    Effect.gen(function* () {
      yield* play(cloned(), "60 seconds")
      const twice = yield* play(Effect.flip(cloned()), "60 seconds")
      assert.deepStrictEqual([twice.kind, twice.fault, twice.operation], ["duplicate", "DuplicateName", "CloneVM_Task"])
      const unknown = yield* play(Effect.flip(cloned({ template: "nowhere" })), "1 seconds")
      assert.strictEqual(unknown.kind, "gone")
    }).pipe(Effect.provide(stand()))
  )

  it.effect("that has not ended in its time is called back, and nothing was done then; it is not sent again", () =>
    Effect.gen(function* () {
      const error = yield* play(Effect.flip(cloned()), "12 seconds")
      assert.deepStrictEqual([error.kind, error.fault], ["busy", "RequestCanceled"])
      assert.strictEqual(yield* sent("CancelTask"), 1)
      assert.strictEqual(yield* sent("CloneVM_Task"), 1)
    }).pipe(Effect.provide(stand({ settings: { times: { ...defaultTimes, cloneMs: 10_000 } } })))
  )

  it.effect("whose answer is lost is unknown, and sent once", () =>
    Effect.gen(function* () {
      yield* (yield* SimVCenter).inject({ _tag: "AnswerLost", operation: "CloneVM_Task" })
      const error = yield* play(Effect.flip(cloned()), "60 seconds")
      assert.strictEqual(error.kind, "unknown")
      assert.strictEqual(yield* sent("CloneVM_Task"), 1)
      assert.strictEqual((yield* SimVCenter).summary().created, 1)
    }).pipe(Effect.provide(stand()))
  )
})

describe("a task", () => {
  it.effect("that has ended before anybody asks is still answered", () =>
    Effect.gen(function* () {
      const ref = yield* play(cloned(), "60 seconds")
      const task = (yield* SimVCenter).machines().find(({ name }) => name === "debian12")!.recentTasks[0]!
      const inventory = yield* Inventory
      yield* TestClock.adjust("5 minutes")
      assert.deepStrictEqual(yield* inventory.task(task.value, "1 second"), { result: ref })
    }).pipe(Effect.provide(stand()))
  )

  it.effect("is found by looking at it when the subscription lost sight of it", () =>
    Effect.gen(function* () {
      yield* (yield* SimVCenter).inject({ _tag: "CallDropped", operation: "WaitForUpdatesEx", count: 6 })
      const fiber = yield* Effect.forkScoped(cloned())
      yield* TestClock.adjust("3 minutes")
      assert.match(yield* Fiber.join(fiber), /^vm-/)
    }).pipe(Effect.provide(stand()))
  )

  it.effect("that a re-read does not show any more is unknown, long before its time is over", () =>
    Effect.gen(function* () {
      const inventory = yield* Inventory
      yield* TestClock.adjust("1 second")
      const fiber = yield* Effect.forkScoped(Effect.flip(inventory.task("task-of-old", "1 hour")))
      yield* TestClock.adjust("1 minute")
      assert.isUndefined(fiber.pollUnsafe())
      yield* (yield* SimVCenter).inject({ _tag: "CollectorLost" })
      yield* TestClock.adjust("1 minute")
      assert.strictEqual((yield* Fiber.join(fiber)).kind, "unknown")
    }).pipe(Effect.provide(stand()))
  )
})

const raced = (
  meanwhile: (ref: string) => Effect.Effect<unknown, never, SimVCenter>,
  still: (facts: MachineFacts) => boolean
) =>
  Effect.gen(function* () {
    const ref = yield* play(cloned(), "60 seconds")
    yield* (yield* SimVCenter).inject({ _tag: "UpdatesLate", count: 1, delayMs: 2_000 })
    yield* meanwhile(ref)
    const exit = yield* play(
      Effect.result((yield* VSphere).reconfigure(ref, still, { annotation: oursText("worker-a") })),
      "10 seconds"
    )
    return { ref, exit, calls: yield* sent("ReconfigVM_Task") }
  })

describe("reconfigure", () => {
  const change = { name: "worker-a", annotation: oursText("worker-a"), size: { cpus: 4, memoryMB: 8192 } }

  it.effect("sets name, annotation and size in one guarded task", () =>
    Effect.gen(function* () {
      const ref = yield* play(cloned(), "60 seconds")
      yield* (yield* VSphere).powerOff(ref).pipe((off) => play(off, "10 seconds"))
      const { changeVersion } = yield* factsOf(ref)
      yield* play((yield* VSphere).reconfigure(ref, always, change), "5 seconds")
      const [call, ...more] = (yield* Calls).of("ReconfigVM_Task")
      assert.deepStrictEqual(more, [])
      assert.strictEqual(
        JSON.stringify(call!.args["spec"]),
        JSON.stringify({
          changeVersion,
          name: change.name,
          annotation: change.annotation,
          numCPUs: 4,
          memoryMB: 8192
        })
      )
      const { name, numCpu, memoryMB } = yield* factsOf(ref)
      assert.deepStrictEqual([name, numCpu, memoryMB], ["worker-a", 4, 8192])
    }).pipe(Effect.provide(stand()))
  )

  it.effect("is tried again when only the version moved", () =>
    Effect.gen(function* () {
      const vcenter = yield* SimVCenter
      const { ref, exit, calls } = yield* raced((machine) => Effect.sync(() => vcenter.others.disturb(machine)), always)
      assert.strictEqual(exit._tag, "Success")
      assert.strictEqual(calls, 2)
      assert.strictEqual((yield* factsOf(ref)).annotation, oursText("worker-a"))
    }).pipe(Effect.provide(stand()))
  )

  it.effect("concedes when what was decided upon is not there any more", () =>
    Effect.gen(function* () {
      const vcenter = yield* SimVCenter
      const { exit, calls } = yield* raced(
        (machine) => Effect.sync(() => vcenter.others.annotate(machine, oursText("somebody-else"))),
        ({ annotation }) => annotation === plan().annotation
      )
      const conceded = exit._tag === "Failure" && exit.failure._tag === "Conceded" ? exit.failure : undefined
      assert.strictEqual(conceded?.facts.annotation, oursText("somebody-else"))
      assert.strictEqual(calls, 1)
    }).pipe(Effect.provide(stand()))
  )

  it.effect("whose answer is lost is looked up: what is there counts as done, and is sent once", () =>
    Effect.gen(function* () {
      const ref = yield* play(cloned(), "60 seconds")
      yield* (yield* SimVCenter).inject({ _tag: "AnswerLost", operation: "ReconfigVM_Task" })
      yield* play((yield* VSphere).reconfigure(ref, always, { annotation: oursText("w") }), "15 seconds")
      assert.strictEqual(yield* sent("ReconfigVM_Task"), 1)
    }).pipe(Effect.provide(stand()))
  )

  it.effect("that never arrived, though it may have, is unknown", () =>
    Effect.gen(function* () {
      const ref = yield* play(cloned(), "60 seconds")
      yield* (yield* SimVCenter).inject({ _tag: "CallDropped", operation: "ReconfigVM_Task" })
      const error = yield* play(
        Effect.flip((yield* VSphere).reconfigure(ref, always, { annotation: oursText("w") })),
        "15 seconds"
      )
      assert.strictEqual(error._tag === "VSphereError" && error.kind, "unknown")
      assert.strictEqual(yield* sent("ReconfigVM_Task"), 1)
    }).pipe(Effect.provide(stand()))
  )
})

describe("a machine that is not ours", () => {
  it.effect("is never sent anything that changes it", () =>
    Effect.gen(function* () {
      const vcenter = yield* SimVCenter
      const [alien] = vcenter.addForeign({ count: 1, annotation: JSON.stringify({ hatchery_name: "hatchery-10" }) })
      const vsphere = yield* VSphere
      yield* TestClock.adjust("1 second")
      const ref = alien!.value
      const conceded = yield* play(Effect.flip(vsphere.reconfigure(ref, always, { name: "mine" })), "1 seconds")
      assert.strictEqual(conceded._tag, "Conceded")
      for (const act of [vsphere.powerOn, vsphere.powerOff, vsphere.shutdown, vsphere.destroy])
        assert.strictEqual((yield* play(Effect.flip(act(ref)), "1 seconds")).kind, "invalid")
      const changing = [
        "ReconfigVM_Task",
        "PowerOnVM_Task",
        "PowerOffVM_Task",
        "ShutdownGuest",
        "Destroy_Task"
      ] as const
      for (const operation of changing) assert.strictEqual(yield* sent(operation), 0)
    }).pipe(Effect.provide(stand()))
  )
})

describe("a machine that cannot be read", () => {
  it.effect("is sent nothing, is not taken for off, for gone or for somebody else's, and is as usual when it can", () =>
    Effect.gen(function* () {
      const vcenter = yield* SimVCenter
      const vsphere = yield* VSphere
      for (const path of ["runtime.powerState", "config.annotation"] as const)
        yield* vcenter.inject({ _tag: "Unreadable", path, forMs: 60_000 })
      const [ref] = vcenter.addForeign({ count: 1, prefix: "ours", annotation: oursText("w"), poweredOn: true })
      yield* TestClock.adjust("1 second")
      const sentBefore = (yield* Calls).all.length
      for (const act of [vsphere.powerOff, vsphere.powerOn, vsphere.destroy, vsphere.shutdown])
        assert.deepInclude(yield* play(Effect.flip(act(ref!.value)), "1 second"), {
          _tag: "VSphereError",
          kind: "busy"
        })
      const renaming = vsphere.reconfigure(ref!.value, always, { name: "mine" })
      const refused = yield* play(Effect.flip(renaming), "1 second")
      assert.propertyVal(refused, "kind", "busy")
      const sentNow = (yield* Calls).all.slice(sentBefore).map(({ operation }) => operation)
      assert.deepStrictEqual([...new Set(sentNow)], ["RetrievePropertiesEx"])
      yield* TestClock.adjust("60 seconds")
      yield* play(vsphere.powerOff(ref!.value), "10 seconds")
      assert.propertyVal(yield* factsOf(ref!.value), "power", "poweredOff")
    }).pipe(Effect.provide(stand()))
  )
})

describe("a view that is not kept up", () => {
  it.effect("is not relied upon: a machine that was given away meanwhile is read first, and sent nothing", () =>
    Effect.gen(function* () {
      const vcenter = yield* SimVCenter
      const vsphere = yield* VSphere
      const [ref] = vcenter.addForeign({ count: 1, prefix: "ours", annotation: oursText("w"), poweredOn: false })
      yield* TestClock.adjust("1 second")
      yield* vcenter.inject({ _tag: "Restart", downMs: 20_000 })
      yield* TestClock.adjust("10 seconds")
      vcenter.others.annotate(ref!.value, "not yours any more")
      assert.propertyVal(yield* play(Effect.flip(vsphere.powerOn(ref!.value)), "1 second"), "kind", "unreachable")
      yield* TestClock.adjust("9 seconds")
      assert.propertyVal(yield* play(Effect.flip(vsphere.powerOn(ref!.value)), "1 second"), "kind", "invalid")
      assert.strictEqual(yield* sent("PowerOnVM_Task"), 0)
    }).pipe(Effect.provide(stand()))
  )
})

const withoutLeaving = (set: UpdateSet) => ({
  ...set,
  filterSet: set.filterSet.map((filter) => ({
    ...filter,
    objectSet: filter.objectSet.filter(({ kind, obj }) => kind !== "leave" || obj.type !== "VirtualMachine")
  }))
})

/** A vCenter that tells of no machine's leaving. */
const unleft = Layer.effect(
  Vim,
  Effect.gen(function* () {
    const vim = yield* VimSimulated.make()
    return Vim.of({
      ...vim,
      call: (operation, args) =>
        Effect.map(vim.call(operation, args), (answer) =>
          operation === "WaitForUpdatesEx" && answer !== undefined ? withoutLeaving(answer as never) : answer
        )
    })
  })
)

describe("a machine that went without a word", () => {
  it.effect("leaves the mirror soon after vCenter did not know it, and not on that word alone", () =>
    Effect.gen(function* () {
      const vcenter = yield* SimVCenter
      const inventory = yield* Inventory
      const vsphere = yield* VSphere
      const [ref, other] = vcenter.addForeign({ count: 2, prefix: "ours", annotation: oursText("w") })
      const stands = Effect.map(inventory.view, ({ machines }) => machines.has(ref!.value))
      yield* TestClock.adjust("1 second")
      vcenter.others.destroy(ref!.value)
      yield* TestClock.adjust("5 minutes")
      assert.isTrue(yield* stands)
      const change = { annotation: oursText("x") }
      const refused = yield* play(Effect.flip(vsphere.reconfigure(ref!.value, always, change)), "2 seconds")
      assert.propertyVal(refused, "kind", "gone")
      yield* vcenter.inject({ _tag: "CallFails", operation: "ReconfigVM_Task", fault: "ManagedObjectNotFound" })
      yield* play(Effect.flip(vsphere.reconfigure(other!.value, always, change)), "2 seconds")
      assert.isTrue(yield* stands)
      yield* TestClock.adjust("1 minute")
      assert.isFalse(yield* stands)
      assert.isTrue((yield* inventory.view).machines.has(other!.value))
      assert.isUndefined(yield* inventory.doubt)
    }).pipe(Effect.provide(stand({ vim: unleft })))
  )
})

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

describe("validate", () => {
  const problems = Effect.gen(function* () {
    const fiber = yield* Effect.forkScoped(Effect.flip((yield* VSphere).validate))
    yield* TestClock.adjust("10 minutes")
    return (yield* Fiber.join(fiber)).problems
  })

  it.effect("is content with a configuration that names what is there", () =>
    Effect.gen(function* () {
      yield* play((yield* VSphere).validate, "5 seconds")
    }).pipe(Effect.provide(stand()))
  )

  it.effect("tells a wrong password once and does not try it again", () =>
    Effect.gen(function* () {
      const [problem] = yield* problems
      assert.match(problem?.path ?? "", /hatchery\.vsphere\.password/)
      assert.notInclude(JSON.stringify(problem), "wrong-one")
      assert.strictEqual((yield* SimVCenter).summary().loginFailures, 1)
    }).pipe(Effect.provide(stand({ vsphere: { password: Redacted.make("wrong-one") } })))
  )

  it.effect("tells a certificate that is not trusted once, and does not wait for another one", () => {
    const setting = "hatchery.vsphere.tls.ca"
    const refused = new VimUnreachable({ operation: "Login", reason: "not trusted", sent: false, setting })
    const vim = Layer.succeed(Vim, { call: () => Effect.fail(refused), download: () => Effect.fail(refused) })
    return Effect.gen(function* () {
      assert.deepStrictEqual(yield* problems, [{ path: setting, value: "(does not fit)", rule: "not trusted" }])
    }).pipe(Effect.provide(stand({ vim })))
  })

  it.effect("names an unknown datacenter with those that there are", () =>
    Effect.gen(function* () {
      const [problem] = yield* problems
      assert.deepInclude(problem, { path: "hatchery.vsphere.datacenterString", value: "DC9" })
      assert.match(problem?.rule ?? "", /it shows DC0$/)
    }).pipe(Effect.provide(stand({ vsphere: { datacenter: "DC9" } })))
  )

  it.effect("tells all that is wrong at once: unknown names, and one missing where there are several", () =>
    Effect.gen(function* () {
      const found = yield* problems
      assert.deepStrictEqual(
        found.map(({ path }) => path),
        [
          "hatchery.vsphere.folder",
          "hatchery.vsphere.resourcePool",
          "hatchery.vsphere.datastoreString",
          "hatchery.vsphere.networkString"
        ]
      )
      assert.match(found[3]?.rule ?? "", /one has to be named: .*VM Network/)
    }).pipe(
      Effect.provide(stand({ vsphere: { folder: "nowhere", resourcePool: "Spare", datastore: "Tape", network: "" } }))
    )
  )

  it.effect("finds pool, datastore and portgroup by name", () =>
    Effect.gen(function* () {
      yield* play(cloned(), "60 seconds")
      assert.include(JSON.stringify(yield* sentSpec), "VirtualEthernetCardDistributedVirtualPortBackingInfo")
    }).pipe(
      Effect.provide(stand({ vsphere: { resourcePool: "DC0_C0", datastore: "LocalDS_0", network: "DC0_DVPG0" } }))
    )
  )

  it.effect("waits for a vCenter that cannot be reached yet", () =>
    Effect.gen(function* () {
      yield* (yield* SimVCenter).inject({ _tag: "Restart", downMs: 120_000 })
      const fiber = yield* Effect.forkScoped((yield* VSphere).validate)
      yield* TestClock.adjust("1 minute")
      assert.isUndefined(fiber.pollUnsafe())
      yield* TestClock.adjust("2 minutes")
      yield* Fiber.join(fiber)
    }).pipe(Effect.provide(stand()))
  )
})

describe("logout", () => {
  it.effect("is the last call: the inventory's wait does not open another session", () =>
    Effect.gen(function* () {
      yield* play((yield* Inventory).certain, "5 seconds")
      yield* play((yield* VSphere).logout, "5 seconds")
      yield* TestClock.adjust("10 minutes")
      assert.strictEqual((yield* Calls).all.at(-1)?.operation, "Logout")
      assert.strictEqual(yield* sent("Login"), 1)
    }).pipe(Effect.provide(stand()))
  )
})
