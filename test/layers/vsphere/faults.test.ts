import { assert, describe, it } from "@effect/vitest"
import { callFailed, retold, taskFailed } from "../../../src/layers/vsphere/faults.ts"
import { VimFault, VimMalformed, VimUnreachable } from "../../../src/schema/Errors.ts"

const unreachable = (operation: string, sent: boolean) => new VimUnreachable({ operation, sent, reason: "cut" })

const kind = (fault: string) => callFailed("CloneVM_Task")(new VimFault({ operation: "x", fault, message: "m" })).kind

describe("a failed call", () => {
  it("that changes something is unknown once it was sent, and unreachable before", () => {
    assert.strictEqual(callFailed("CloneVM_Task")(unreachable("CloneVM_Task", true)).kind, "unknown")
    assert.strictEqual(callFailed("CloneVM_Task")(unreachable("CloneVM_Task", false)).kind, "unreachable")
    const malformed = new VimMalformed({ operation: "CloneVM_Task", reason: "no reference" })
    assert.strictEqual(callFailed("CloneVM_Task")(malformed).kind, "unknown")
  })

  it("that stopped at the login on its way was not sent", () => {
    assert.strictEqual(callFailed("CloneVM_Task")(unreachable("Login", true)).kind, "unreachable")
  })

  it("that only reads is unreachable, sent or not", () => {
    assert.strictEqual(
      callFailed("RetrievePropertiesEx")(unreachable("RetrievePropertiesEx", true)).kind,
      "unreachable"
    )
  })

  it("with a fault has the fault's kind; one that the table does not know is invalid", () => {
    assert.deepStrictEqual(
      ["DuplicateName", "ManagedObjectNotFound", "NoDiskSpace", "NoPermission", "NicSettingMismatch"].map(kind),
      ["duplicate", "gone", "busy", "denied", "invalid"]
    )
  })
})

describe("a failed task", () => {
  it("keeps fault and message, also when it is retold of another operation", () => {
    const error = taskFailed("task", { fault: { _type: "TaskInProgress" }, localizedMessage: "busy with it" })
    const { operation, kind, fault, message } = retold(error, { operation: "Destroy_Task" })
    assert.deepStrictEqual(
      [operation, kind, fault, message],
      ["Destroy_Task", "busy", "TaskInProgress", "busy with it"]
    )
  })
})
