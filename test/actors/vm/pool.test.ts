import { assert, describe, it } from "@effect/vitest"
import * as sample from "./sample.ts"
import type { VmEvent } from "../../../src/actors/vm/Event.ts"
import type { Vm } from "../../../src/actors/vm/State.ts"
import { workOf } from "../../../src/actors/vm/transition.ts"
import {
  after,
  asks,
  claim,
  deadline,
  env,
  facts,
  failed,
  find,
  toldWhy,
  later,
  machine,
  minute,
  now,
  reaping,
  reserve,
  seen,
  states
} from "./sample.ts"

/** The state after some events, one after another. */
const through = (vm: Vm, ...events: ReadonlyArray<VmEvent>): Vm =>
  events.reduce((current, event) => after(current, event).vm, vm)

/** What an earlier process wrote, in the same generation as this one. */
const earlier = (state: "provisioned" | "reaping"): string =>
  sample.written(state).replaceAll(env.instance, "earlier one")

describe("a clone", () => {
  it("whose answer is lost is looked for and never repeated", () => {
    const lost = after(machine(states.cloning), { _tag: "Failed", reason: "no answer", unknown: true })
    assert.deepStrictEqual(lost.vm.state, states.lost)
    assert.strictEqual(workOf(lost.vm.state), "seek")
    const found = after(lost.vm, seen({ annotation: sample.written("booting") }))
    assert.deepStrictEqual(found.vm.state, { _tag: "Booting" })
    assert.strictEqual(found.vm.ref, "vm-7")
    assert.strictEqual(found.vm.generation, 1)
    assert.deepStrictEqual(asks(found), ["CloneEnded"])
  })

  it("whose answer is lost after the machine was seen goes on at once", () => {
    const known = through(machine(states.cloning), seen({ annotation: sample.written("booting") }))
    assert.deepStrictEqual(known.state, states.cloning)
    const lost = after(known, { _tag: "Failed", reason: "no answer", unknown: true })
    assert.deepStrictEqual(lost.vm.state, { _tag: "Booting" })
  })

  it("shows without its annotation while its task runs, and is not taken for somebody else's", () => {
    const cloning = after(machine(states.cloning), seen({ annotation: "" }))
    assert.deepStrictEqual(cloning.vm.state, states.cloning)
    assert.strictEqual(cloning.vm.ref, undefined)
  })

  it("that fails is reaped: its template has failed, and only then is the pool one short and its slot free", () => {
    for (const event of [failed, deadline]) {
      const end = after(machine(states.cloning), event)
      assert.strictEqual(reaping(end).claim, undefined)
      assert.deepStrictEqual(asks(end), ["HatchFailed", "PoolShrank", "CloneEnded"])
    }
  })

  it("that is no longer wanted keeps its address until it exists and can be removed", () => {
    const cloning = after(machine(states.cloning), { _tag: "Reap", reason: "too many", settlement: "none" })
    assert.strictEqual(cloning.vm.state._tag, "Cloning")
    assert.isFalse(cloning.entered)
    const end = after(cloning.vm, { _tag: "Cloned", ref: "vm-7" })
    assert.deepStrictEqual(reaping(end), { _tag: "Reaping", claim: undefined, settlement: "none" })
    assert.strictEqual(end.vm.ref, "vm-7")
    assert.strictEqual(end.vm.reason, "too many")
    assert.deepStrictEqual(asks(end), ["PoolShrank", "CloneEnded"])
  })
})

describe("a clone that is made for a job", () => {
  it("goes on to its worker when it exists, and asks CDS about the job when its answer was lost", () => {
    const made = after(machine(states.forJob), { _tag: "Cloned", ref: "vm-7" })
    assert.deepStrictEqual(made.vm.state, { _tag: "Powered", claim, on: false })
    const seen = after(machine(states.lostForJob), {
      _tag: "Seen",
      facts: facts({ annotation: sample.written("renamed") })
    })
    assert.deepStrictEqual(seen.vm.state, { _tag: "Renamed", claim, cancelled: undefined, resumed: true })
  })

  it("whose job is not to be had keeps the job to itself until it exists and is reaped", () => {
    const refused = after(machine(states.forJob), { _tag: "Refused", reason: "the job is Scheduling at other" })
    assert.deepStrictEqual(asks(refused), [])
    assert.strictEqual(refused.vm.state._tag, "Cloning")
    const end = after(refused.vm, { _tag: "Cloned", ref: "vm-7" })
    assert.deepStrictEqual(reaping(end), { _tag: "Reaping", claim, settlement: "release" })
  })

  it("whose job is stopped is reaped once it exists, which releases what was taken", () => {
    for (const event of [
      { _tag: "Cancel", reason: "stopped" },
      { _tag: "JobEnded", status: "Stopped" }
    ] as const) {
      const waiting = after(machine(states.forJob), event)
      assert.strictEqual(waiting.vm.state._tag, "Cloning")
      assert.strictEqual(reaping(after(waiting.vm, { _tag: "Cloned", ref: "vm-7" })).claim, claim)
    }
  })

  it("that is called back, as it was no longer wanted, is reaped as such: neither its job nor its template has failed", () => {
    const refused = after(machine(states.forJob), { _tag: "Refused", reason: "its job is on another machine" })
    const end = after(refused.vm, failed)
    assert.deepStrictEqual(reaping(end), { _tag: "Reaping", claim, settlement: "release" })
    assert.strictEqual(end.vm.reason, "its job is on another machine")
    assert.deepStrictEqual(asks(end), ["PoolShrank", "CloneEnded"])
  })

  it("that fails tells its job why", () => {
    const end = after(machine(states.forJob), failed)
    assert.strictEqual(toldWhy(find(end, "Tell")), "cloning failed: the disk is full")
    assert.strictEqual(reaping(end).settlement, "release")
  })
})

describe("a machine on its way into the pool", () => {
  it("that does not boot or shut down in time, or at all, is reaped and counts as a failed hatch", () => {
    for (const state of [states.booting, states.settling])
      for (const event of [failed, deadline]) {
        const end = after(machine(state), event)
        assert.strictEqual(reaping(end).settlement, "none")
        assert.deepStrictEqual(asks(end), ["HatchFailed", "PoolShrank"])
      }
  })

  it("is not ready yet: a reservation comes too early, and the job goes back unspent", () => {
    for (const state of [states.booting, states.settling, states.returning, states.reaping, states.heldProvisioned]) {
      const refused = after(machine(state), reserve)
      assert.deepStrictEqual(refused.vm.state, state)
      assert.strictEqual(find(refused, "ReturnJob")?.failed, false)
      assert.isTrue(asks(refused).includes("FreeCapacity"))
    }
  })
})

describe("a machine that somebody powers on", () => {
  it("before it is recorded as ready is reaped, and no job is told of it", () => {
    const settling = machine(states.settling, { facts: facts(sample.on) })
    const end = after(settling, sample.done)
    assert.deepStrictEqual(reaping(end), states.reaping)
    assert.deepStrictEqual(asks(end), ["PoolShrank"])
    assert.strictEqual(end.vm.generation, settling.generation + 1)
  })
})

describe("a ready machine", () => {
  it("that somebody powers on is reaped: what it has seen is not known", () => {
    const end = after(machine(states.provisioned), seen(sample.on))
    assert.strictEqual(reaping(end).settlement, "none")
    assert.match(end.vm.reason ?? "", /somebody powered it on/)
    assert.deepStrictEqual(asks(end), ["PoolShrank"])
  })

  it("that somebody renames stays ready, under our key the claim will rename it anyway", () => {
    const renamed = after(machine(states.provisioned), seen({ name: "mine" }))
    assert.deepStrictEqual(renamed.vm.state, { _tag: "Provisioned" })
    assert.strictEqual(renamed.vm.facts?.name, "mine")
  })

  it("that the Go hatchery claims for itself becomes what it proves to be", () => {
    const rewritten = sample.goAnnotation({ provisioning: false, workerName: "go-worker", jobId: "job-5" })
    const end = after(machine(states.provisioned), seen({ name: "go-worker", annotation: rewritten, ...sample.on }))
    assert.strictEqual(end.vm.state._tag, "Running")
    assert.deepStrictEqual(asks(end), ["PoolShrank"])
    assert.isTrue(end.entered)
  })

  it("that was taken over is reaped when its last owner's mark for that comes late, in the very generation that was taken over", () => {
    const before = machine(states.provisioned, { facts: sample.facts({ annotation: earlier("provisioned") }) })
    const end = after(before, seen({ annotation: earlier("reaping") }))
    assert.deepStrictEqual(reaping(end), { _tag: "Reaping", claim: undefined, settlement: "none" })
    assert.deepStrictEqual(asks(end), ["PoolShrank"])
  })

  it("that shows an older mark of ours, as after a restore of vCenter, is recorded as ready anew and is ready again", () => {
    const before = machine(states.provisioned, { generation: 4 })
    const back = after(before, seen({ annotation: sample.written("booting") }))
    assert.deepStrictEqual(back.vm.state, { _tag: "Returning" })
    assert.strictEqual(workOf(back.vm.state), "unclaim")
    assert.deepStrictEqual(asks(back), ["PoolShrank"])
    const ready = after(back.vm, sample.done)
    assert.deepStrictEqual(ready.vm.state, { _tag: "Provisioned" })
    assert.strictEqual(ready.vm.generation, 5)
    const on = after(before, seen({ annotation: sample.written("booting"), ...sample.on }))
    assert.strictEqual(reaping(on).settlement, "none")
    const current = machine(states.provisioned, { generation: 3 })
    assert.deepStrictEqual(after(current, seen({ annotation: sample.written("booting") })).vm.state, current.state)
  })

  it("is looked at again at its deadline, and is still there", () => {
    const again = after(machine(states.provisioned), deadline, later(60 * minute))
    assert.deepStrictEqual(again.vm.state, { _tag: "Provisioned" })
    assert.strictEqual(again.vm.deadline, now + 120 * minute)
    assert.strictEqual(again.vm.since, now)
  })

  it("that leaves the inventory frees its address and is missed by the pool", () => {
    const end = after(machine(states.provisioned), { _tag: "Gone" })
    assert.deepStrictEqual(end.vm.state, { _tag: "Reaped" })
    assert.deepStrictEqual(asks(end), ["FreeIp", "FreeCapacity", "PoolShrank"])
  })
})
