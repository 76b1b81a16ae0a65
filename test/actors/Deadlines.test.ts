import { assert, describe, it } from "@effect/vitest"
import { Effect, Queue } from "effect"
import { TestClock } from "effect/testing"
import { makeDeadlines } from "../../src/actors/Deadlines.ts"
import { makeHandle, type VmHandle } from "../../src/actors/Vm.ts"
import type { Vm } from "../../src/actors/vm/State.ts"

const vm = (id: string, deadline: number | undefined): Vm => ({
  id,
  ref: undefined,
  template: "debian12",
  poolName: id,
  ip: undefined,
  generation: 0,
  size: undefined,
  createdAt: 0,
  facts: undefined,
  state: { _tag: "Provisioned" },
  since: 0,
  deadline,
  reason: undefined
})

const makeStand = Effect.gen(function* () {
  const machines = new Map<string, VmHandle>()
  const { arm } = yield* makeDeadlines(machines)
  /** Gives a machine this deadline from now on. */
  const set = Effect.fnUntraced(function* (id: string, deadline: number | undefined) {
    const handle = machines.get(id) ?? (yield* makeHandle(vm(id, undefined)))
    machines.set(id, handle)
    handle.vm = vm(id, deadline)
    yield* arm(handle)
  })
  /** How often each machine was told since it was asked last. */
  const told = Effect.gen(function* () {
    const counts: Record<string, number> = {}
    for (const [id, { mailbox }] of machines) counts[id] = (yield* Queue.clear(mailbox)).length
    return counts
  })
  return { set, told }
})

describe("deadlines", () => {
  it.effect("are told when they come, each to its machine, once", () =>
    Effect.gen(function* () {
      const { set, told } = yield* makeStand
      yield* set("late", 60_000)
      yield* set("never", undefined)
      yield* set("soon", 1_000)
      yield* TestClock.adjust(999)
      assert.deepStrictEqual(yield* told, { late: 0, never: 0, soon: 0 })
      yield* TestClock.adjust(1)
      assert.deepStrictEqual(yield* told, { late: 0, never: 0, soon: 1 })
      yield* TestClock.adjust("10 minutes")
      assert.deepStrictEqual(yield* told, { late: 1, never: 0, soon: 0 })
    })
  )

  it.effect("that are set anew are told anew; ones that moved are told at their new time alone", () =>
    Effect.gen(function* () {
      const { set, told } = yield* makeStand
      yield* set("a", 10_000)
      yield* TestClock.adjust(5_000)
      yield* set("a", 20_000)
      yield* TestClock.adjust(14_999)
      assert.deepStrictEqual(yield* told, { a: 0 })
      yield* TestClock.adjust(1)
      assert.deepStrictEqual(yield* told, { a: 1 })
      yield* set("a", 30_000)
      yield* set("a", 25_000)
      yield* TestClock.adjust(5_000)
      assert.deepStrictEqual(yield* told, { a: 1 })
    })
  )

  it.effect("that have passed already are told at once", () =>
    Effect.gen(function* () {
      const { set, told } = yield* makeStand
      yield* set("waiting", 3_600_000)
      yield* TestClock.adjust("1 minute")
      yield* set("adopted", 0)
      yield* TestClock.adjust(0)
      assert.deepStrictEqual(yield* told, { waiting: 0, adopted: 1 })
    })
  )
})
