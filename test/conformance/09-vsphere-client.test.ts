/** Seed 001 section 9: how vCenter is spoken to: deadlines, readiness in stages, and which machines are seen. */
import { assert, describe, it } from "@effect/vitest"
import { Clock, Effect } from "effect"
import { parse, print } from "../../src/schema/Annotation.ts"
import { seeded } from "../support/world.ts"
import {
  calls,
  callsDuring,
  hatched,
  job,
  machine,
  order,
  owned,
  pass,
  rows,
  started,
  until,
  working
} from "../regressions/support.ts"

describe("9 a request to vCenter", () => {
  it.effect("is given up after 15 seconds, and what it was for is done all the same", () =>
    Effect.gen(function* () {
      const stand = yield* hatched()
      yield* stand.vcenter.inject({ _tag: "SlowCall", operation: "PowerOnVM_Task", count: 1, delayMs: 60_000 })
      const id = yield* order(stand)
      yield* until("it is sent", () => calls(stand, "PowerOnVM_Task").length === 1)
      const sentAt = yield* Clock.currentTimeMillis
      yield* pass("14 seconds")
      assert.strictEqual(calls(stand, "PowerOnVM_Task").length, 1)
      yield* until("it is looked for, and sent again", () => calls(stand, "PowerOnVM_Task").length === 2)
      assert.isBelow((yield* Clock.currentTimeMillis) - sentAt, 45_000)
      yield* until("the job has run", () => job(stand, id).status === "Success")
      assert.strictEqual(job(stand, id).history.filter(({ why }) => why === "worker take").length, 1)
    }).pipe(seeded("15 seconds"))
  )

  it.effect("waits for what is done in vCenter, however long it takes within its task's time", () =>
    Effect.gen(function* () {
      const stand = yield* started({ timings: { cloneMs: 9 * 60_000, jitter: 0 } })
      yield* pass("14 minutes")
      assert.strictEqual(owned(stand).length, 2)
      assert.strictEqual(calls(stand, "CloneVM_Task").length, 2)
    }).pipe(seeded("long task"))
  )
})

describe("9.1 readiness", () => {
  it.effect("ends with a probe of the guest login; only then the worker is started", () =>
    Effect.gen(function* () {
      const stand = yield* hatched()
      yield* working(stand, yield* order(stand))
      const [probe, script, ...more] = stand.programs
      assert.match(`${probe?.programPath} ${probe?.arguments}`, /\benv\b/)
      assert.isUndefined(probe?.env["CDS_CONFIG"])
      assert.isDefined(script?.env["CDS_CONFIG"])
      assert.deepStrictEqual(more, [])
    }).pipe(seeded("stages"))
  )

  const stages = [
    ["guest operations never come up", "ToolsNever"],
    ["the guest has another address than its own", "WrongAddress"],
    ["it is not customized", "CustomizationFails"]
  ] as const
  for (const [what, how] of stages)
    it.effect(`that fails because ${what} ends with the machine, and the pool has another one`, () =>
      Effect.gen(function* () {
        const stand = yield* started()
        yield* stand.vcenter.inject({ _tag: "GuestFails", how })
        yield* pass("12 minutes")
        assert.strictEqual(stand.vcenter.summary().created, 3)
        assert.deepStrictEqual(
          (yield* rows(stand)).map(({ state }) => state),
          ["provisioned", "provisioned"]
        )
      }).pipe(seeded(what))
    )
})

describe("9.2 the machines", () => {
  it.effect("are followed through one view of the datacenter, and are not listed again", () =>
    Effect.gen(function* () {
      const stand = yield* hatched()
      const [view, ...more] = calls(stand, "CreateContainerView").filter(({ args }) =>
        JSON.stringify(args["type"]).includes("VirtualMachine")
      )
      assert.deepStrictEqual(view?.args["container"], { type: "Datacenter", value: "datacenter-2" })
      assert.deepStrictEqual(more, [])
      assert.deepStrictEqual(yield* callsDuring(stand, pass("30 minutes")), [])
    }).pipe(seeded("one view"))
  )

  it.effect("are told from templates, and from those of others", () =>
    Effect.gen(function* () {
      const stand = yield* hatched()
      // The address of a machine of ours that is on another one too has it replaced.
      const like = { ...parse(owned(stand)[0]?.annotation ?? "")!, ipAddress: undefined }
      const names = owned(stand).map((machine) => machine.name)
      stand.vcenter.addForeign({ count: 5 })
      stand.vcenter.addForeign({ count: 1, annotation: print({ ...like, hatcheryName: "magpie" }) })
      stand.vcenter.addForeign({ count: 1, prefix: "template", annotation: print(like), poweredOn: false })
      const template = stand.vcenter.machines().find((one) => one.name.startsWith("template-"))
      stand.vcenter.others.markAsTemplate(template?.ref.value ?? "")
      const others = stand.vcenter.machines().filter(({ origin }) => origin === "foreign")
      yield* pass("2 minutes")
      assert.sameMembers(
        (yield* rows(stand)).map((row) => row.name),
        names
      )
      assert.lengthOf(others, 7)
      for (const { ref, name } of others) assert.strictEqual(machine(stand, ref)?.name, name)
      assert.strictEqual(names.length, 2)
    }).pipe(seeded("told apart"))
  )
})
