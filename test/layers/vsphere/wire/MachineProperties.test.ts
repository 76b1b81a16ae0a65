import { assert, describe, it } from "@effect/vitest"
import { changeMachine, readMachine } from "../../../../src/layers/vsphere/wire/MachineProperties.ts"

const text = (value: string) => ({ _type: "xsd:string", _value: value })
const config = [
  { name: "config.instanceUuid", val: text("52AB0000-0000-4000-8000-000000000000") },
  { name: "config.annotation", val: text("{}") },
  { name: "config.changeVersion", val: text("v1") }
]
const nics = (...cards: ReadonlyArray<unknown>) => ({ _type: "ArrayOfGuestNicInfo", GuestNicInfo: cards })

describe("a machine's properties", () => {
  it("give its addresses by card, what is no card of its own last", () => {
    const facts = readMachine(
      "vm-1",
      [
        {
          name: "guest.net",
          val: nics(
            { network: "docker0", ipAddress: "172.17.0.1", deviceConfigId: "-1" },
            { network: "b", ipAddress: ["10.0.1.2", "fe80::1"], deviceConfigId: "4001" },
            { network: "a", ipAddress: ["10.0.0.2"], deviceConfigId: "4000" },
            { network: "c", deviceConfigId: "4002" }
          )
        }
      ],
      undefined
    )
    assert.deepStrictEqual(facts.guest.addresses, [["10.0.0.2"], ["10.0.1.2", "fe80::1"], [], ["172.17.0.1"]])
  })

  it("give a lower case id and a name without vCenter's escapes", () => {
    const facts = readMachine("vm-1", [...config, { name: "name", val: text("a%2fb%2520") }], undefined)
    assert.deepStrictEqual([facts.id, facts.name], ["52ab0000-0000-4000-8000-000000000000", "a/b%20"])
  })

  it("leave the configuration as known while it cannot be read", () => {
    const known = readMachine("vm-1", config, undefined)
    const reread = readMachine("vm-1", [{ name: "runtime.connectionState", val: "disconnected" }], known)
    assert.deepInclude(reread, { id: known.id, annotation: "{}", changeVersion: "v1", connection: "disconnected" })
    const lost = changeMachine(known, [{ name: "config.annotation", op: "indirectRemove" }])
    assert.strictEqual(lost.annotation, "{}")
    const emptied = changeMachine(known, [{ name: "config.annotation", op: "assign" }])
    assert.strictEqual(emptied.annotation, "")
  })

  it("name what cannot be read of whose it is and what it does, until it can", () => {
    const fault = { fault: { _type: "NoPermission" } }
    const whole = [
      ...config.filter(({ name }) => name !== "config.annotation"),
      { name: "name", val: text("a") },
      { name: "config.template", val: false },
      { name: "runtime.powerState", val: "poweredOn" },
      { name: "runtime.connectionState", val: "connected" }
    ]
    const unnoted = readMachine("vm-1", whole, undefined)
    assert.deepStrictEqual(unnoted.unreadable, [])
    const denied = readMachine("vm-1", whole, undefined, [
      { path: "config.annotation", fault },
      { path: "guest.net", fault }
    ])
    assert.deepStrictEqual(denied.unreadable, ["config.annotation"])
    const told = changeMachine(denied, [{ name: "config.annotation", op: "assign", val: text("{}") }])
    assert.deepStrictEqual([told.annotation, told.unreadable], ["{}", []])
    const lost = changeMachine(told, [{ name: "config.annotation", op: "indirectRemove" }])
    assert.deepStrictEqual([lost.annotation, lost.unreadable], ["{}", ["config.annotation"]])
    const emptied = changeMachine(lost, [{ name: "config.annotation", op: "assign" }])
    assert.deepStrictEqual([emptied.annotation, emptied.unreadable], ["", []])
    const unknown = changeMachine(told, [{ name: "runtime.powerState", op: "assign", val: "hovering" }])
    assert.deepStrictEqual(unknown.unreadable, ["runtime.powerState"])
    assert.includeMembers([...readMachine("vm-1", [], undefined).unreadable], ["name", "config.changeVersion"])
  })

  it("forget what has no value any more", () => {
    const asking = readMachine(
      "vm-1",
      [{ name: "runtime.question", val: { id: "1", text: "moved or copied?" } }],
      undefined
    )
    assert.strictEqual(asking.question, "moved or copied?")
    assert.isUndefined(changeMachine(asking, [{ name: "runtime.question", op: "remove" }]).question)
  })

  it("of an unknown shape change nothing", () => {
    const known = readMachine("vm-1", [{ name: "runtime.powerState", val: "poweredOn" }], undefined)
    assert.strictEqual(
      changeMachine(known, [{ name: "runtime.powerState", op: "assign", val: "hovering" }]).power,
      "poweredOn"
    )
  })
})
