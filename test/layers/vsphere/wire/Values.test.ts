import { assert, describe, it } from "@effect/vitest"
import { Effect, Schema } from "effect"
import { decodeAnswer, Flag, Instant, list, Num, Text } from "../../../../src/layers/vsphere/wire/Values.ts"
import { guestProcess, ProcessList } from "../../../../src/layers/vsphere/wire/GuestProcess.ts"
import { taskEnd } from "../../../../src/layers/vsphere/wire/Task.ts"
import { UpdateAnswer } from "../../../../src/layers/vsphere/wire/Updates.ts"

const Lists = Schema.Struct({ of: list(Num) })

const read = (of: unknown) => Schema.decodeSync(Lists)(of === undefined ? {} : { of }).of

const task = (entries: Readonly<Record<string, unknown>>) => taskEnd(new Map(Object.entries(entries)))

describe("wire values", () => {
  it("come as text, or wrapped as anyType, or as they are", () => {
    assert.strictEqual(Schema.decodeSync(Num)("4096"), 4096)
    assert.strictEqual(Schema.decodeSync(Num)({ _type: "xsd:int", _value: "2" }), 2)
    assert.strictEqual(Schema.decodeSync(Flag)("true"), true)
    assert.strictEqual(Schema.decodeSync(Flag)({ _type: "xsd:boolean", _value: false }), false)
    assert.strictEqual(Schema.decodeSync(Text)({ _type: "xsd:string" }), "")
    assert.strictEqual(Schema.decodeSync(Instant)("1970-01-01T00:00:01Z"), 1000)
    assert.strictEqual(Schema.decodeSync(Instant)(new Date(7)), 7)
  })

  it("are lists when they come alone, wrapped or not at all", () => {
    assert.deepStrictEqual(read(undefined), [])
    assert.deepStrictEqual(read("3"), [3])
    assert.deepStrictEqual(read([1, "2"]), [1, 2])
    assert.deepStrictEqual(read({ _type: "ArrayOfInt", int: ["1", "2"] }), [1, 2])
    assert.deepStrictEqual(read({ _type: "ArrayOfInt", int: 5 }), [5])
    assert.deepStrictEqual(read({ _type: "ArrayOfInt" }), [])
  })

  it.effect("of another shape are told as malformed, with the operation and where", () =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(decodeAnswer("CreateFilter", Lists)({ of: ["many"] }))
      assert.deepStrictEqual([error._tag, error.operation], ["VimMalformed", "CreateFilter"])
      assert.include(error.reason, "of")
    })
  )

  it("are update sets with one filter, one object and one change, each alone", () => {
    const set = Schema.decodeSync(UpdateAnswer)({
      version: "2",
      truncated: "false",
      filterSet: {
        filter: { type: "PropertyFilter", value: "f" },
        objectSet: {
          kind: "modify",
          obj: { type: "VirtualMachine", value: "vm-1" },
          changeSet: { name: "name", op: "assign", val: { _type: "xsd:string", _value: "a" } }
        }
      }
    })
    assert.deepStrictEqual(
      set?.filterSet[0]?.objectSet[0]?.changeSet.map(({ name }) => name),
      ["name"]
    )
    assert.isUndefined(Schema.decodeSync(UpdateAnswer)(undefined))
  })

  it("of an ended process have an exit code, also one that is left out because it is zero", () => {
    const { processes } = Schema.decodeSync(ProcessList)({
      processes: { pid: "7", cmdLine: "sh", startTime: "1970-01-01T00:00:00Z", endTime: "1970-01-01T00:00:09Z" }
    })
    assert.deepStrictEqual(processes.map(guestProcess), [{ pid: 7, commandLine: "sh", startedAt: 0, exitCode: 0 }])
  })

  it("of a task say how it ended: with a reference, with a fault, or not yet", () => {
    assert.isUndefined(task({ "info.state": "running" }))
    assert.deepStrictEqual(
      task({ "info.state": "success", "info.result": { type: "VirtualMachine", value: "vm-3" } }),
      { _tag: "Success", result: "vm-3" }
    )
    const end = task({ "info.state": "error", "info.error": { fault: { _type: "DuplicateName" } } })
    assert.deepStrictEqual(end, { _tag: "Failure", fault: { fault: { _type: "DuplicateName" } } })
  })
})
