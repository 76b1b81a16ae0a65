import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { TestClock } from "effect/testing"
import { SimVCenter } from "../../../src/layers/simulated/vcenter/SimVCenter.ts"
import { Inventory } from "../../../src/services/Inventory.ts"
import { Calls, stand } from "./stand.ts"

const read = Effect.flatMap(Inventory, ({ resources }) => resources)
const MB = 2 ** 20

const pool = { cpuMHz: 9_000, memoryMB: 65_536, unreservedMB: 30_000 }

describe("resource pool and datastore", () => {
  it.effect("are known in their units once the inventory is read, by the subscription alone", () =>
    Effect.gen(function* () {
      yield* TestClock.adjust("5 seconds")
      const resources = yield* read
      assert.deepStrictEqual(resources.cpu, { max: 9_000, used: 0, unreserved: 9_000 })
      assert.deepStrictEqual(resources.memory, { max: 65_536 * MB, used: 0, unreserved: 30_000 * MB })
      assert.isAbove(resources.freeSpace ?? 0, 0)
      const before = (yield* Calls).all.length
      const vcenter = yield* SimVCenter
      yield* vcenter.inject({ _tag: "DatastoreFull", forMs: 60_000 })
      yield* TestClock.adjust("10 seconds")
      assert.strictEqual((yield* read).freeSpace, 0)
      yield* TestClock.adjust("60 seconds")
      assert.isAbove((yield* read).freeSpace ?? 0, 0)
      const sent = (yield* Calls).all.slice(before).map(({ operation }) => operation)
      assert.deepStrictEqual(new Set(sent), new Set(["WaitForUpdatesEx"]))
    }).pipe(Effect.provide(stand({ vcenter: { pool } })))
  )

  it.effect("what of them cannot be read is not known, and the machines are all the same", () =>
    Effect.gen(function* () {
      const vcenter = yield* SimVCenter
      yield* vcenter.inject({ _tag: "Unreadable", path: "runtime.memory.unreservedForVm", forMs: 10 * 60_000 })
      yield* TestClock.adjust("5 seconds")
      const resources = yield* read
      assert.isUndefined(resources.memory)
      assert.strictEqual(resources.cpu?.max, 9_000)
      assert.isTrue((yield* (yield* Inventory).view).complete)
    }).pipe(Effect.provide(stand({ vcenter: { pool } })))
  )
})
