import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { TestClock } from "effect/testing"
import { cloneArgs, machinePaths, updatesOf, viewSpec, world } from "./client.ts"
import type { Client } from "./client.ts"

/** Reads pages until there is nothing more, and answers the last version. */
const readAll = Effect.fnUntraced(function* (client: Client) {
  let version = ""
  let objects = 0
  for (;;) {
    const page = yield* client.wait(version, { maxWaitSeconds: 0, maxObjectUpdates: 250 })
    if (page === undefined) return { version, objects }
    version = page.version
    objects += updatesOf(page).length
  }
})

describe("The simulated vCenter with 10,000 machines", () => {
  it.effect("reads one object for one change", () =>
    Effect.gen(function* () {
      const { client, vcenter } = yield* world()
      const machines = vcenter.addForeign({ count: 10_000 })
      yield* client.filter(viewSpec(yield* client.view(), machinePaths))
      const { version, objects } = yield* readAll(client)
      assert.strictEqual(objects, 10_001)
      const before = vcenter.traffic.objectsCollected()
      vcenter.others.annotate(machines[5_000]!.value, "changed")
      assert.strictEqual(updatesOf(yield* client.wait(version)).length, 1)
      assert.strictEqual(vcenter.traffic.objectsCollected() - before, 1)
    })
  )

  it.effect("takes as many bytes to follow a clone's life as with none beside it", () =>
    Effect.gen(function* () {
      const bytesWith = Effect.fnUntraced(function* (count: number) {
        const { client, vcenter, template } = yield* world()
        vcenter.addForeign({ count })
        yield* client.filter(viewSpec(yield* client.view(), machinePaths))
        let { version } = yield* readAll(client)
        const before = vcenter.summary().bytes
        yield* client.task("CloneVM_Task", template, cloneArgs("worker-1"))
        for (let second = 0; second < 60; second += 1) {
          yield* TestClock.adjust("1 second")
          version = (yield* client.wait(version))?.version ?? version
        }
        return vcenter.summary().bytes - before
      })
      const few = yield* Effect.scoped(bytesWith(1))
      const many = yield* Effect.scoped(bytesWith(10_000))
      assert.isAbove(few, 1_000)
      assert.closeTo(many, few, few * 0.05)
    })
  )
})
