import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { TestClock } from "effect/testing"
import { defaults } from "../../src/schema/Config.ts"
import { makeWorld, seeded } from "../support/world.ts"
import { enter, faults, ours, standing } from "./scene.ts"

const minutes = 60_000

/** The next clones are asked for with an answer that does not come. */
const deaf = { _tag: "AnswerLost", operation: "CloneVM_Task" } as const

describe("a clone whose answer is lost", () => {
  it.effect(
    "and that vCenter never heard of is given up within minutes; address and slot are free for the next one",
    () =>
      Effect.gen(function* () {
        const world = yield* makeWorld({ settings: { provision: [{ template: "debian12", number: 1 }], poolSize: 1 } })
        yield* world.vcenter.inject({ _tag: "CallDropped", operation: "CloneVM_Task", sent: true })
        const process = yield* enter(world)
        yield* TestClock.adjust("30 seconds")
        assert.strictEqual(standing(process), "Cloning")
        assert.strictEqual((yield* process.ips.count).leased, 1)
        yield* TestClock.adjust("4 minutes")
        assert.strictEqual(standing(process), "Provisioned")
        assert.strictEqual((yield* process.ips.count).leased, 1)
        assert.deepStrictEqual(yield* faults(world, 1), [])
      }).pipe(seeded("never heard of"))
  )

  it.effect(
    "and that waits in vCenter's queue keeps its address until it has been made and removed, however late",
    () =>
      Effect.gen(function* () {
        const times = { ...defaults.times, cloneMs: 3 * minutes }
        const world = yield* makeWorld({
          settings: { times, provision: [{ template: "debian12", number: 2 }] },
          vcenter: { concurrency: 1, timings: { jitter: 0, cloneMs: 5 * minutes } }
        })
        yield* world.vcenter.inject({ ...deaf, count: 2 })
        const process = yield* enter(world)
        yield* TestClock.adjust("9 minutes")
        assert.include(standing(process), "Reaping")
        const held = [...process.machines.values()].filter(({ vm }) => vm.ip === "10.0.0.3")
        assert.strictEqual(held.length, 1)
        for (let minute = 0; minute < 30; minute++) {
          yield* TestClock.adjust("1 minute")
          for (const [ip, names] of world.vcenter.addresses())
            assert.isAtMost(names.length, 1, `${ip} on ${names.join()}`)
        }
        assert.isAtMost(ours(world).length, 3)
      }).pipe(seeded("in the queue"))
  )
})
