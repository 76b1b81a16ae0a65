import { assert, describe, it } from "@effect/vitest"
import type { VmEvent } from "../../../src/actors/vm/Event.ts"
import { claimOf, isEnd } from "../../../src/actors/vm/State.ts"
import { workOf } from "../../../src/actors/vm/transition.ts"
import * as sample from "./sample.ts"
import {
  after,
  asks,
  claim,
  deadline,
  env,
  failed,
  later,
  machine,
  minute,
  now,
  reaping,
  seen,
  states
} from "./sample.ts"

const { times } = env

const claimed = ["reserved", "renamed", "powered", "running", "working"] as const

describe("a machine that cannot be reached", () => {
  it("is held wherever something is to be done to it, and not before it exists or while a guarded write runs", () => {
    for (const [name, state] of Object.entries(states)) {
      if (name === "lost" || name === "lostForJob") continue
      const held = after(machine(state), seen(sample.disconnected)).vm.state._tag
      const stays = /cloning|unwanted|forjob|reserved|renamed|building|converting|templated|reaped|ceded/i.test(name)
      assert.strictEqual(held, stays ? state._tag : "Held", name)
    }
  })

  it("is held while it cannot be read, whatever it seems to be: neither ceded, nor taken for off", () => {
    const unread = {
      unreadable: ["config.annotation", "runtime.powerState"],
      annotation: "",
      power: "poweredOff"
    } as const
    for (const [name, state] of Object.entries(states)) {
      const held = after(machine(state), seen(unread)).vm
      const stays = /cloning|^lost|unwanted|forjob|reserved|renamed|building|converting|templated|reaped|ceded/i.test(
        name
      )
      assert.strictEqual(held.state._tag, stays ? state._tag : "Held", name)
      if (stays) continue
      assert.match(held.reason ?? "", /does not tell config.annotation, runtime.powerState/)
    }
    const awake = after(after(machine(states.working), seen(unread)).vm, seen(sample.on))
    assert.deepStrictEqual(awake.vm.state, { ...states.working, resumed: true })
  })

  it("keeps the job of a claim that somebody wrote away until it is off, where it has to go for that", () => {
    const rewritten = { ...sample.on, annotation: sample.written("provisioned") }
    const lost = after(machine(states.poweredOn), sample.conceded(rewritten))
    assert.deepStrictEqual(reaping(lost), { _tag: "Reaping", claim, settlement: "release" })
    assert.notInclude(asks(lost), "ReturnJob")
  })

  it("is held for a question too, and says which", () => {
    const held = after(machine(states.booting), seen({ question: "Moved or copied?" }))
    assert.strictEqual(held.vm.state._tag, "Held")
    assert.strictEqual(held.vm.reason, "vCenter asks: Moved or copied?")
  })

  it("goes on where it was, with the time that it had left, when it can be reached again", () => {
    const held = after(machine(states.booting), seen(sample.disconnected), later(2 * minute)).vm
    const awake = after(held, seen(sample.on), later(50 * minute))
    assert.deepStrictEqual(awake.vm.state, { _tag: "Booting" })
    const left = (machine(states.booting).deadline ?? 0) - (now + 2 * minute)
    assert.strictEqual(awake.vm.deadline, now + 50 * minute + left)
    assert.isTrue(awake.entered)
    assert.strictEqual(awake.vm.reason, undefined)
  })

  it("does not start its worker a second time when it can be reached again", () => {
    const held = after(machine(states.running), seen({ ...sample.on, ...sample.disconnected })).vm
    const awake = after(held, seen(sample.on))
    assert.deepStrictEqual(awake.vm.state, states.resumed)
  })

  it("is judged by what it shows when it can be reached again", () => {
    const off = after(machine(states.heldRunning), seen())
    assert.strictEqual(reaping(off).claim, claim)
    const still = after(machine(states.heldRunning), seen(sample.disconnected))
    assert.strictEqual(still.vm.state._tag, "Held")
    assert.isFalse(still.entered)
  })

  it("raises an alarm after an hour, and goes on being held", () => {
    const still = after(machine(states.heldRunning), deadline, later(60 * minute))
    assert.deepStrictEqual(still.vm.state, states.heldRunning)
    assert.deepStrictEqual(asks(still), ["Alarm"])
    assert.strictEqual(still.vm.deadline, now + 120 * minute)
  })

  it("is reaped later when that is asked meanwhile", () => {
    const asked = after(machine(states.heldProvisioned), { _tag: "Reap", reason: "too many", settlement: "none" })
    assert.strictEqual(asked.vm.state._tag, "Held")
    assert.deepStrictEqual(reaping(after(asked.vm, seen())), states.reaping)
  })

  it("is what somebody made of it meanwhile, once it can be acted upon", () => {
    const annotation = sample.goAnnotation({ provisioning: false, workerName: "go-worker", jobId: "job-5" })
    const written = { name: "go-worker", annotation }
    const held = after(machine(states.provisioned), seen({ ...written, ...sample.disconnected })).vm
    const still = after(held, seen({ ...written, ...sample.disconnected })).vm
    assert.strictEqual(still.state._tag, "Held")
    assert.strictEqual(after(still, seen({ ...written, ...sample.on })).vm.state._tag, "Running")
    assert.strictEqual(after(still, seen(written)).vm.state._tag, "Reaping")
  })

  it("that leaves the inventory is missed by the pool it stood in", () => {
    const end = after(machine(states.heldProvisioned), { _tag: "Gone" })
    assert.deepStrictEqual(asks(end), ["FreeIp", "FreeCapacity", "PoolShrank"])
  })
})

describe("a machine of another owner", () => {
  it("is ceded from every state in which it is watched; its place is free, its address is not", () => {
    for (const [name, state] of Object.entries(states)) {
      if (isEnd(state)) continue
      const ceded = after(machine(state), seen(sample.foreign))
      assert.deepStrictEqual(ceded.vm.state, { _tag: "Ceded" }, name)
      assert.strictEqual(ceded.vm.deadline, undefined)
      assert.include(asks(ceded), "FreeCapacity")
      assert.notInclude(asks(ceded), "FreeIp")
      assert.strictEqual(workOf(ceded.vm.state), undefined)
    }
  })

  it("gives our job back", () => {
    const ceded = after(machine(states.powered), seen(sample.foreign))
    assert.includeMembers([...asks(ceded)], ["SettleJob", "ReturnJob"])
  })

  it("is let go when the removal of it loses against its new owner", () => {
    const ceded = after(machine(states.reaping), sample.conceded(sample.foreign))
    assert.deepStrictEqual(ceded.vm.state, { _tag: "Ceded" })
  })

  it("stays ours when the removal of it loses against a writer of our own name, and is what it proves to be", () => {
    const kept = after(machine(states.reaping), sample.conceded({ annotation: sample.written("provisioned") }))
    assert.deepStrictEqual(kept.vm.state, { _tag: "Provisioned" })
  })

  it("that is given back while others have it running is not removed by what is seen: our write is lost to theirs", () => {
    const others = sample
      .written("running")
      .replace(env.instance, "another process")
      .replace('"generation":3', '"generation":9')
    const found = { name: claim.workerName, annotation: others, ...sample.on }
    const still = after(machine(states.returning), seen(found))
    assert.deepStrictEqual(still.vm.state, states.returning)
    assert.strictEqual(after(still.vm, sample.conceded(found)).vm.state._tag, "Running")
  })

  it("goes when others wrote what it cannot have become: no machine boots for the first time again, or is a template by a word", () => {
    const booting = { annotation: sample.written("booting"), ...sample.on }
    const built = { name: "build-env-tmp", annotation: sample.goAnnotation({ model: true, provisioning: false }) }
    for (const name of ["settling", "reserved", "renamed", "powered", "returning"] as const)
      for (const found of [booting, built]) {
        const end = after(machine(states[name]), sample.conceded(found))
        assert.deepStrictEqual(reaping(end).claim, claimOf(states[name]), name)
        assert.notInclude(asks(end), "ReturnJob", name)
      }
    assert.deepStrictEqual(reaping(after(machine(states.provisioned), seen(built))), states.reaping)
    const pooled = after(machine(states.converting), sample.conceded({ annotation: sample.written("provisioned") }))
    assert.deepStrictEqual(reaping(pooled), states.reaping)
  })

  it("that stands as ours by now is not let go for what was known of it before the loss", () => {
    const was = sample.facts({ annotation: sample.goAnnotation({ model: true }) })
    const kept = after(machine(states.renamed, { facts: was }), sample.conceded())
    assert.deepStrictEqual(kept.vm.state, { _tag: "Provisioned" })
    assert.deepStrictEqual(kept.vm.facts, sample.facts())
  })
})

describe("reaping", () => {
  it("is tried again at its deadline, with an alarm, for as long as it takes", () => {
    let vm = machine(states.unsettled)
    for (let round = 1; round <= 3; round++) {
      const again = after(vm, deadline, later(round * 40 * minute))
      assert.deepStrictEqual(reaping(again), states.unsettled)
      assert.deepStrictEqual(asks(again), ["Alarm"])
      assert.isTrue(again.entered)
      assert.strictEqual(workOf(again.vm.state), "reap")
      assert.strictEqual(again.vm.deadline, now + round * 40 * minute + 4 * times.taskMs)
      vm = again.vm
    }
  })

  it("that fails raises an alarm and waits for its deadline", () => {
    const stuck = after(machine(states.unsettled), failed)
    assert.deepStrictEqual(reaping(stuck), states.unsettled)
    assert.deepStrictEqual(asks(stuck), ["Alarm"])
    assert.isFalse(stuck.entered)
  })

  it("can be asked of every machine of the pool, and is no failure of its template; asked again it changes nothing", () => {
    const ask: VmEvent = { _tag: "Reap", reason: "asked", settlement: "none" }
    for (const state of ["booting", "settling", "provisioned", "returning"] as const) {
      const end = after(machine(states[state]), ask)
      assert.deepStrictEqual(reaping(end), states.reaping, state)
      assert.notInclude(asks(end), "HatchFailed", state)
    }
    assert.deepStrictEqual(after(machine(states.unsettled), ask).vm.state, states.unsettled)
  })

  it("is asked in vain of a machine that has a job by now, held or not, and of one that becomes a template", () => {
    const ask: VmEvent = { _tag: "Reap", reason: "the pool has more machines than are wanted", settlement: "none" }
    for (const state of [...claimed, "heldRunning", "preparing", "heldPreparing", "converting"] as const)
      assert.deepStrictEqual(after(machine(states[state]), ask).vm.state, states[state], state)
  })

  it("carries the job it has to settle, and nothing to settle without one", () => {
    const cancel: VmEvent = { _tag: "Cancel", reason: "its job went back to the queue" }
    assert.deepStrictEqual(reaping(after(machine(states.powered), cancel)), states.unsettled)
    assert.strictEqual(reaping(after(machine(states.provisioned), seen(sample.on))).settlement, "none")
  })
})
