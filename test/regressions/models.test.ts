/** Defects 26, 77 and 78: the templates and registrations of V1 models. */
import { assert, describe } from "@effect/vitest"
import { Effect } from "effect"
import { calls, owned, pass, regression, started, until, type Stand } from "./support.ts"

const v1 = { v1: true, settings: { provision: [] } }

const template = ({ vcenter }: Stand) => vcenter.machines().find(({ name }) => name === "build-env")

const order = { name: "build-env", password: "worker" }

describe("V1 models", () => {
  regression(
    "26",
    "ten registrations that fail before they start leave room for workers",
    Effect.gen(function* () {
      const stand = yield* started({ ...v1, settings: { ...v1.settings, maxWorker: 1, maxConcurrentProvisioning: 1 } })
      const model = yield* stand.cds.addModel(order)
      yield* stand.cds.fault({ kind: "answer", status: 403, method: "PUT", path: "/book", times: 10 })
      yield* until("it is registered", () => !model.needRegistration)
    })
  )

  regression(
    "77",
    "a build that fails leaves no machine and no address taken, and the template of the model is there all the while",
    Effect.gen(function* () {
      const stand = yield* started(v1)
      yield* stand.cds.addModel({ ...order, registered: { binaries: [] } })
      yield* until("it is built", () => template(stand)?.template === true)
      const first = template(stand)?.ref.value
      yield* stand.vcenter.inject({ _tag: "GuestFails", how: "NeverBoots", count: 1 })
      yield* stand.cds.addModel({ ...order, preCmd: "true", registered: { binaries: [] } })
      yield* until("it is built anew", () => owned(stand).length === 1)
      assert.strictEqual(template(stand)?.ref.value, first)
      yield* until("that fails, and nothing is left of it", () => owned(stand).length === 0)
      assert.strictEqual(template(stand)?.ref.value, first, "the old one is there until the new one is")
      yield* until("the next try is the template", () => template(stand)?.ref.value !== first)
      yield* pass("5 minutes")
      assert.deepStrictEqual(owned(stand), [])
      assert.strictEqual(stand.vcenter.summary().templates, 2)
    })
  )

  regression(
    "78",
    "a model is registered by one worker at a time, however long that takes",
    Effect.gen(function* () {
      const stand = yield* started({ ...v1, worker: { startMs: 8 * 60_000 } })
      const model = yield* stand.cds.addModel(order)
      yield* until("it is registered", () => !model.needRegistration)
      yield* pass("5 minutes")
      assert.strictEqual(calls(stand, "CloneVM_Task").length, 2, "one for the template, one for the worker")
    })
  )
})
