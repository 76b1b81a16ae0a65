import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { SimVCenter } from "../../../src/layers/simulated/vcenter/SimVCenter.ts"
import { defaultTimes } from "../../../src/schema/config/defaults.ts"
import { Inventory } from "../../../src/services/Inventory.ts"
import { VSphere } from "../../../src/services/VSphere.ts"
import { Calls, cloned, factsOf, plan, play, sent, sentSpec, stand, template } from "./stand.ts"

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

  it.effect("that is no longer wanted while it is made is called back, and nothing was done then", () =>
    Effect.gen(function* () {
      const dropped = Effect.gen(function* () {
        yield* (yield* Inventory).certain
        return yield* (yield* VSphere).clone(plan(), Effect.void, Effect.sleep("2 seconds"))
      })
      const error = yield* play(Effect.flip(dropped), "8 seconds")
      assert.deepStrictEqual([error.kind, error.fault], ["busy", "RequestCanceled"])
      assert.strictEqual(yield* sent("CancelTask"), 1)
      assert.strictEqual((yield* SimVCenter).summary().created, 0)
    }).pipe(Effect.provide(stand()))
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
