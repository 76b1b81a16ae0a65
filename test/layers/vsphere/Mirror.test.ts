import { assert, describe, it } from "@effect/vitest"
import { Mirror } from "../../../src/layers/vsphere/Mirror.ts"
import type { ObjectUpdate } from "../../../src/layers/vsphere/wire/Updates.ts"
import type { InventoryChange } from "../../../src/services/Inventory.ts"

const update = (kind: ObjectUpdate["kind"], ref: string, power = "poweredOn"): ObjectUpdate => ({
  kind,
  obj: { type: "VirtualMachine", value: ref },
  changeSet: kind === "leave" ? [] : [{ name: "runtime.powerState", op: "assign", val: power }],
  missingSet: []
})

const refs = (count: number) => Array.from({ length: count }, (_, index) => `vm-${index}`)

/** A complete mirror of machines that are all ours, of which two may go unexplained. */
const mirrored = (machines: ReadonlyArray<string>) => {
  const told: Array<InventoryChange> = []
  const mirror = new Mirror({ maxUnexplainedGone: 2, owned: () => true, emit: (change) => told.push(change) })
  mirror.begin()
  for (const ref of machines) mirror.apply(update("enter", ref))
  mirror.settle(0)
  const gone = () => told.flatMap((change) => (change._tag === "Gone" ? [`${change.facts.ref} by ${change.by}`] : []))
  const leave = (now: number, ...going: ReadonlyArray<string>) => {
    for (const ref of going) mirror.apply(update("leave", ref))
    mirror.settle(now)
  }
  const reread = (now: number, ...found: ReadonlyArray<string>) => {
    mirror.begin()
    for (const ref of found) mirror.apply(update("enter", ref))
    mirror.settle(now)
  }
  return { mirror, told, gone, leave, reread }
}

const naming = (ref: string, name: string): ObjectUpdate => ({
  kind: "modify",
  obj: { type: "VirtualMachine", value: ref },
  changeSet: [{ name: "name", op: "assign", val: name }],
  missingSet: []
})

describe("the mirror", () => {
  it("finds machines by their present names, several of one name, and none that is gone", () => {
    const { mirror, leave } = mirrored(refs(3))
    const named = (name: string) => mirror.named(name).map(({ ref }) => ref)
    for (const ref of ["vm-0", "vm-1", "vm-2"]) mirror.apply(naming(ref, "debian"))
    mirror.apply(naming("vm-1", "worker"))
    mirror.settle(1_000)
    assert.deepStrictEqual([named("debian"), named("worker"), named("")], [["vm-0", "vm-2"], ["vm-1"], []])
    leave(2_000, "vm-0", "vm-1")
    assert.deepStrictEqual([named("debian"), named("worker")], [["vm-2"], []])
  })

  it("counts a shrink that comes in pieces as one", () => {
    const { mirror, gone, leave } = mirrored(refs(9))
    leave(1_000, "vm-0", "vm-1")
    leave(20_000, "vm-2")
    assert.deepStrictEqual(gone(), ["vm-0 by update", "vm-1 by update"])
    assert.deepStrictEqual([...mirror.suspects], ["vm-2"])
    assert.isTrue(mirror.machines.has("vm-2"))
  })

  it("does not count machines that went long ago", () => {
    const { mirror, gone, leave } = mirrored(refs(9))
    leave(0, "vm-0", "vm-1")
    leave(60_000, "vm-2", "vm-3")
    assert.strictEqual(gone().length, 4)
    assert.strictEqual(mirror.suspects.size, 0)
  })

  it("believes of a suspicious shrink only what a re-read confirms", () => {
    const { mirror, gone, leave, reread } = mirrored(refs(4))
    leave(0, "vm-0", "vm-1", "vm-2")
    assert.deepStrictEqual(gone(), [])
    reread(10_000, "vm-1", "vm-3")
    assert.deepStrictEqual(gone(), ["vm-0 by reread", "vm-2 by reread"])
    assert.deepStrictEqual([...mirror.machines.keys()], ["vm-1", "vm-3"])
    assert.isTrue(mirror.complete)
  })

  it("wants another re-read when the one that should confirm shows a new shrink", () => {
    const { mirror, gone, leave, reread } = mirrored(refs(9))
    leave(0, "vm-0", "vm-1", "vm-2")
    reread(10_000, "vm-6", "vm-7", "vm-8")
    assert.deepStrictEqual(gone(), ["vm-0 by reread", "vm-1 by reread", "vm-2 by reread"])
    assert.deepStrictEqual([...mirror.suspects], ["vm-3", "vm-4", "vm-5"])
    assert.isFalse(mirror.complete)
    reread(20_000, ...refs(9).slice(3))
    assert.strictEqual(gone().length, 3)
    assert.isTrue(mirror.complete)
  })

  it("is not surprised by a machine that it was told to expect gone, until that ends", () => {
    const { mirror, gone, leave } = mirrored(refs(9))
    const ends = refs(3).map((ref) => mirror.expectGone(ref))
    leave(0, ...refs(3))
    assert.strictEqual(gone().length, 3)
    for (const end of ends) end()
    leave(1, "vm-3", "vm-4", "vm-5")
    assert.strictEqual(gone().length, 3)
  })

  it("keeps a machine that left and came back within one update set", () => {
    const { mirror, gone } = mirrored(refs(1))
    mirror.apply(update("leave", "vm-0"))
    mirror.apply(update("enter", "vm-0", "poweredOff"))
    mirror.settle(0)
    assert.deepStrictEqual(gone(), [])
    assert.strictEqual(mirror.machines.get("vm-0")?.power, "poweredOff")
  })

  it("does not let a direct read that was overtaken by an update turn it back", () => {
    const { mirror, leave } = mirrored(refs(2))
    const values = { propSet: [{ name: "runtime.powerState", val: "poweredOn" }], missingSet: [] }
    const [first, second] = refs(2).map((ref) => mirror.beginDirectRead(ref))
    leave(0, "vm-0")
    mirror.apply(update("modify", "vm-1", "poweredOff"))
    for (const read of [first!, second!]) assert.strictEqual(mirror.found(read, values).power, "poweredOn")
    assert.isFalse(mirror.machines.has("vm-0"))
    assert.strictEqual(mirror.machines.get("vm-1")?.power, "poweredOff")
  })

  it("keeps a machine that a direct read did not find until a re-read agrees, and asks for one when nobody tells of its leaving", () => {
    const { mirror, gone, reread } = mirrored(refs(3))
    for (const ref of ["vm-0", "vm-1", "vm-9"]) mirror.notFound(ref, 1_000)
    assert.isFalse(mirror.isContradicted(5_999))
    assert.isTrue(mirror.isContradicted(6_000))
    assert.deepStrictEqual(gone(), [])
    reread(7_000, "vm-1", "vm-2")
    assert.deepStrictEqual(gone(), ["vm-0 by reread"])
    assert.isFalse(mirror.isContradicted(60_000))
  })

  it("asks for no re-read when the leaving of a machine that a direct read did not find is told after all", () => {
    const { mirror, leave } = mirrored(refs(2))
    mirror.notFound("vm-0", 1_000)
    leave(2_000, "vm-0")
    assert.isFalse(mirror.isContradicted(60_000))
  })

  it("tells nothing when nothing changed", () => {
    const { mirror, told } = mirrored(refs(1))
    const before = told.length
    mirror.apply(update("modify", "vm-0", "poweredOn"))
    mirror.settle(0)
    assert.strictEqual(told.length, before)
  })
})
