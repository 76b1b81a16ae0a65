import { assert, describe, it } from "@effect/vitest"
import type { VmEvent } from "../../../src/actors/vm/Event.ts"
import type { Action } from "../../../src/actors/vm/Action.ts"
import { isEnd, type StateOf, type Vm, type VmState } from "../../../src/actors/vm/State.ts"
import type { Step } from "../../../src/actors/vm/table.ts"
import { workOf } from "../../../src/actors/vm/transition.ts"
import * as sample from "./sample.ts"
import { after, asks, claim, env, facts, later, machine, minute, now, states } from "./sample.ts"

const { times } = env

/** The state after some events, one after another. */
const through = (vm: Vm, ...events: ReadonlyArray<VmEvent>): Vm =>
  events.reduce((current, event) => after(current, event).vm, vm)

const done: VmEvent = { _tag: "Done" }
const seen = (more: Parameters<typeof facts>[0] = {}): VmEvent => ({ _tag: "Seen", facts: facts(more) })
const failed: VmEvent = { _tag: "Failed", reason: "the disk is full", unknown: false }
const deadline: VmEvent = { _tag: "Deadline" }
const reserve: VmEvent = { _tag: "Reserve", claim }

const reaping = ({ vm }: Step): StateOf<"Reaping"> => {
  assert.strictEqual(vm.state._tag, "Reaping")
  return vm.state as StateOf<"Reaping">
}

const find = <T extends Action["_tag"]>({ actions }: Step, tag: T): Extract<Action, { _tag: T }> | undefined =>
  actions.find((action): action is Extract<Action, { _tag: T }> => action._tag === tag)

const claimed = ["reserved", "renamed", "powered", "running", "working"] as const

describe("the spine of a machine's life", () => {
  it("leads from the clone over the first boot into the pool", () => {
    const booting = after(machine(states.cloning), { _tag: "Cloned", ref: "vm-7" })
    assert.deepStrictEqual(booting.vm.state, { _tag: "Booting" })
    assert.strictEqual(booting.vm.ref, "vm-7")
    assert.strictEqual(booting.vm.generation, 1)
    assert.deepStrictEqual(asks(booting), ["CloneEnded"])
    const settling = after(booting.vm, done)
    assert.deepStrictEqual(settling.vm.state, { _tag: "Settling" })
    const ready = after(settling.vm, done)
    assert.deepStrictEqual(ready.vm.state, { _tag: "Provisioned" })
    assert.strictEqual(ready.vm.generation, 2)
    assert.deepStrictEqual(asks(ready), ["Hatched", "PoolGrew"])
  })

  it("leads from the pool over reserved, renamed and powered to running", () => {
    const reserved = after(machine(states.provisioned), reserve)
    assert.deepStrictEqual(reserved.vm.state, { _tag: "Reserved", claim, cancelled: undefined })
    assert.deepStrictEqual(asks(reserved), ["PoolShrank"])
    const renamed = after(reserved.vm, done)
    assert.deepStrictEqual(renamed.vm.state, states.renamed)
    assert.strictEqual(renamed.vm.generation, 4)
    const powered = after(renamed.vm, done)
    assert.deepStrictEqual(powered.vm.state, { _tag: "Powered", claim, on: false })
    assert.match(find(powered, "Tell")?.text ?? "", /"rookery" is starting the worker "busy-lovelace"/)
    const running = after(powered.vm, done)
    assert.deepStrictEqual(running.vm.state, { _tag: "Running", claim, signedIn: false, resumed: false })
    assert.strictEqual(running.vm.generation, 5)
    assert.deepStrictEqual(asks(running), ["CommitCapacity"])
  })

  it("ends with the machine gone, its job settled before that, and its address and place free after it", () => {
    const off = after(machine(states.working), seen())
    assert.deepStrictEqual(reaping(off), { _tag: "Reaping", claim, settlement: "release" })
    const settled = after(off.vm, { _tag: "Settled" })
    assert.strictEqual(reaping(settled).claim, undefined)
    assert.deepStrictEqual(asks(settled), ["ReturnJob"])
    assert.isFalse(settled.entered)
    const gone = after(settled.vm, { _tag: "Gone" })
    assert.deepStrictEqual(gone.vm.state, { _tag: "Reaped" })
    assert.deepStrictEqual(asks(gone), ["FreeIp", "FreeCapacity"])
  })
})

describe("a clone", () => {
  it("whose answer is lost is looked for and never repeated", () => {
    const lost = after(machine(states.cloning), { _tag: "Failed", reason: "no answer", unknown: true })
    assert.deepStrictEqual(lost.vm.state, states.lost)
    assert.strictEqual(workOf(lost.vm.state), undefined)
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

  it("whose job is not to be had gives the job up at once, and its place, and goes once it exists", () => {
    const refused = after(machine(states.forJob), { _tag: "Refused", reason: "the job is Scheduling at other" })
    assert.deepStrictEqual(asks(refused), ["ReturnJob", "FreeCapacity"])
    assert.strictEqual(find(refused, "ReturnJob")?.failed, false)
    const end = after(refused.vm, { _tag: "Cloned", ref: "vm-7" })
    assert.deepStrictEqual(reaping(end), { _tag: "Reaping", claim: undefined, settlement: "none" })
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

  it("that fails tells its job why", () => {
    const end = after(machine(states.forJob), failed)
    assert.strictEqual(find(end, "Tell")?.text, "cloning failed: the disk is full")
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

describe("a job that is no longer wanted", () => {
  it("while its claim is written gives the machine back once it is", () => {
    for (const event of [
      { _tag: "Cancel", reason: "stopped" },
      { _tag: "JobEnded", status: "Stopped" }
    ] as const) {
      const cancelled = after(machine(states.reserved), event)
      assert.strictEqual(cancelled.vm.state._tag, "Reserved")
      assert.isFalse(cancelled.entered)
      const end = after(cancelled.vm, done)
      assert.deepStrictEqual(end.vm.state, { _tag: "Returning" })
      assert.strictEqual(end.vm.generation, 4)
      assert.deepStrictEqual(asks(end), ["ReturnJob", "FreeCapacity"])
      assert.strictEqual(find(end, "ReturnJob")?.failed, false)
    }
  })

  it("while it is taken reaps the machine, which releases it, once the take is answered", () => {
    const cancelled = through(machine(states.renamed), { _tag: "Cancel", reason: "stopped" })
    assert.strictEqual(cancelled.state._tag, "Renamed")
    assert.deepStrictEqual(reaping(after(cancelled, done)), { _tag: "Reaping", claim, settlement: "release" })
    assert.strictEqual(through(cancelled, { _tag: "Refused", reason: "taken" }).state._tag, "Returning")
  })

  it("while its machine boots or its worker starts reaps the machine", () => {
    for (const state of [states.powered, states.running, states.working]) {
      assert.strictEqual(
        reaping(after(machine(state), { _tag: "Cancel", reason: "stopped" })).settlement,
        "release",
        state._tag
      )
      const final = after(machine(state), { _tag: "JobEnded", status: "Success" })
      assert.strictEqual(reaping(final).settlement, "none")
      assert.match(final.vm.reason ?? "", /its job is Success/)
    }
  })

  it("is still wanted while it is not final", () => {
    for (const state of [states.powered, states.running])
      assert.deepStrictEqual(after(machine(state), { _tag: "JobEnded", status: "Building" }).vm.state, state)
  })
})

describe("a claim", () => {
  it("whose take is refused gives the machine back to the pool, and no try is spent", () => {
    const returning = after(machine(states.renamed), { _tag: "Refused", reason: "the job is Scheduling at other" })
    assert.deepStrictEqual(returning.vm.state, { _tag: "Returning" })
    assert.strictEqual(find(returning, "ReturnJob")?.failed, false)
    assert.deepStrictEqual(asks(returning), ["ReturnJob", "FreeCapacity"])
    const ready = after(returning.vm, done)
    assert.deepStrictEqual(ready.vm.state, { _tag: "Provisioned" })
    assert.deepStrictEqual(asks(ready), ["PoolGrew"])
  })

  it("that cannot be written, or takes too long, is undone, and a try is spent", () => {
    for (const event of [failed, deadline]) {
      const returning = after(machine(states.reserved), event)
      assert.deepStrictEqual(returning.vm.state, { _tag: "Returning" })
      assert.strictEqual(find(returning, "ReturnJob")?.failed, true)
    }
  })

  it("that cannot be undone leaves a machine to reap, without a job", () => {
    for (const event of [failed, deadline, seen(sample.on)]) {
      const end = after(machine(states.returning), event)
      assert.deepStrictEqual(reaping(end), { _tag: "Reaping", claim: undefined, settlement: "none" })
      assert.isTrue(asks(end).includes("PoolShrank"))
    }
  })

  it("that loses against another writer goes back, and the machine becomes what it proves to be", () => {
    const theirs = sample.goAnnotation({ provisioning: false, workerName: "go-worker", jobId: "job-5" })
    const vm = machine(states.reserved, { facts: facts({ name: "go-worker", annotation: theirs, ...sample.on }) })
    const conceded = after(vm, { _tag: "Conceded", reason: "somebody else wrote on it" })
    assert.strictEqual(conceded.vm.state._tag, "Running")
    assert.deepStrictEqual(asks(conceded), ["ReturnJob", "FreeCapacity"])
  })

  it("is leased once: a second reservation is returned without touching the first", () => {
    for (const name of claimed) {
      const second = { ...claim, jobId: "job-2" }
      const step = after(machine(states[name]), { _tag: "Reserve", claim: second })
      assert.deepStrictEqual(step.vm.state, states[name])
      assert.deepStrictEqual(asks(step), ["ReturnJob"])
      assert.strictEqual(find(step, "ReturnJob")?.claim.jobId, "job-2")
    }
  })
})

describe("a machine with a job", () => {
  it("that leaves the inventory gives its job back at CDS: no later state will", () => {
    for (const name of ["renamed", "powered", "running", "working", "unsettled", "heldRunning"] as const) {
      const end = after(machine(states[name]), { _tag: "Gone" })
      assert.deepStrictEqual(end.vm.state, { _tag: "Reaped" }, name)
      assert.deepStrictEqual(asks(end), ["FreeIp", "FreeCapacity", "SettleJob", "ReturnJob"], name)
      assert.strictEqual(find(end, "SettleJob")?.settlement, "release")
      assert.strictEqual(find(end, "ReturnJob")?.failed, true)
    }
    const reserved = after(machine(states.reserved), { _tag: "Gone" })
    assert.deepStrictEqual(asks(reserved), ["FreeIp", "FreeCapacity", "ReturnJob"])
  })

  it("that is removed before its job is settled settles it as it was meant to", () => {
    const end = after(machine({ _tag: "Reaping", claim, settlement: "fail" }), { _tag: "Gone" })
    assert.strictEqual(find(end, "SettleJob")?.settlement, "fail")
    const settled = after(machine(states.reaping), { _tag: "Gone" })
    assert.strictEqual(find(settled, "SettleJob"), undefined)
  })

  it("that goes off while it boots is reaped, but not before it was on", () => {
    const waiting = after(machine(states.powered), seen())
    assert.deepStrictEqual(waiting.vm.state, states.powered)
    const on = after(waiting.vm, seen(sample.on))
    assert.deepStrictEqual(on.vm.state, states.poweredOn)
    const off = after(on.vm, seen())
    assert.strictEqual(reaping(off).settlement, "release")
    assert.strictEqual(find(off, "Tell")?.level, "error")
  })

  it("that cannot be taken, booted or started tells its job why, and is reaped", () => {
    const trouble: ReadonlyArray<readonly [VmState, VmEvent, RegExp]> = [
      [states.renamed, failed, /taking its job failed: the disk is full/],
      [states.renamed, deadline, /taking its job took too long/],
      [states.powered, failed, /its boot failed: the disk is full/],
      [states.powered, deadline, /its boot took too long/],
      [states.running, failed, /starting its worker failed: the disk is full/],
      [states.overdue, { _tag: "Refused", reason: "its worker did not sign in" }, /its worker did not sign in/]
    ]
    for (const [state, event, text] of trouble) {
      const end = after(machine(state), event)
      assert.strictEqual(reaping(end).settlement, "release")
      assert.match(find(end, "Tell")?.text ?? "", text)
      assert.strictEqual(find(end, "Tell")?.level, "error")
    }
  })

  it("whose start script fails tells its job the exit code and the end of the log", () => {
    const end = after(machine(states.running), { _tag: "Exited", exitCode: 3, log: "worker: no space left" })
    assert.strictEqual(reaping(end).settlement, "release")
    assert.match(find(end, "Tell")?.text ?? "", /exit code 3; its log ends with:\nworker: no space left/)
  })

  it("whose start script ends well is given the time to go off", () => {
    const ended = after(machine(states.running), { _tag: "Exited", exitCode: 0, log: "" }, later(minute))
    assert.deepStrictEqual(ended.vm.state, states.running)
    assert.strictEqual(ended.vm.deadline, now + minute + times.finishedWorkerGraceMs)
  })

  it("whose worker CDS has disabled is reaped", () => {
    for (const state of [states.running, states.working])
      assert.strictEqual(reaping(after(machine(state), { _tag: "Disabled" })).settlement, "release")
  })

  it("has until workerRegistrationTTL to sign in, and from its claim until workerTTL when it has", () => {
    const running = after(machine(states.powered), done)
    assert.strictEqual(running.vm.deadline, now + times.workerRegistrationTtlMs)
    const working = after(running.vm, { _tag: "SignedIn" }, later(minute))
    assert.strictEqual(working.vm.deadline, claim.startedAt + times.workerTtlMs)
    assert.strictEqual(workOf(working.vm.state), undefined)
    const again = after(working.vm, { _tag: "SignedIn" }, later(30 * minute))
    assert.strictEqual(again.vm.deadline, working.vm.deadline)
  })

  it("is not reaped when its time to sign in is over, before CDS has said that it has not", () => {
    const overdue = after(machine(states.running), deadline)
    assert.deepStrictEqual(overdue.vm.state, states.overdue)
    assert.strictEqual(workOf(overdue.vm.state), "inquire")
    assert.isTrue(overdue.entered)
    const working = after(overdue.vm, { _tag: "SignedIn" })
    assert.strictEqual(working.vm.deadline, claim.startedAt + times.workerTtlMs)
    assert.strictEqual(workOf(working.vm.state), undefined)
  })

  it("fails its job when the time of a worker that signed in is over", () => {
    const end = after(machine(states.working), deadline)
    assert.deepStrictEqual(reaping(end), { _tag: "Reaping", claim, settlement: "fail" })
    assert.match(end.vm.reason ?? "", /workerTTL/)
  })
})

describe("a machine that cannot be reached", () => {
  it("is held wherever something is to be done to it, and not before it exists or while a guarded write runs", () => {
    for (const [name, state] of Object.entries(states)) {
      if (name === "lost" || name === "lostForJob") continue
      const held = after(machine(state), seen(sample.disconnected)).vm.state._tag
      const stays = /cloning|unwanted|forjob|reserved|renamed|reaped|ceded/i.test(name)
      assert.strictEqual(held, stays ? state._tag : "Held", name)
    }
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
    const asked = after(machine(states.heldRunning), { _tag: "Reap", reason: "too many", settlement: "release" })
    assert.strictEqual(asked.vm.state._tag, "Held")
    assert.deepStrictEqual(reaping(after(asked.vm, seen())), { _tag: "Reaping", claim, settlement: "release" })
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
    const ceded = after(machine(states.reaping), { _tag: "Conceded", reason: "another owner" })
    assert.deepStrictEqual(ceded.vm.state, { _tag: "Ceded" })
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

  it("can be asked of every machine there is, and is no failure of its template; asked again it changes nothing", () => {
    const ask: VmEvent = { _tag: "Reap", reason: "asked", settlement: "release" }
    for (const state of ["booting", "settling", "provisioned", ...claimed, "returning"] as const)
      assert.strictEqual(after(machine(states[state]), ask).vm.state._tag, "Reaping", state)
    for (const state of ["booting", "settling", "provisioned", ...claimed, "returning"] as const)
      assert.isFalse(asks(after(machine(states[state]), ask)).includes("HatchFailed"), state)
    assert.deepStrictEqual(after(machine(states.unsettled), ask).vm.state, states.unsettled)
  })

  it("carries the job it has to settle, and nothing to settle without one", () => {
    const ask: VmEvent = { _tag: "Reap", reason: "asked", settlement: "release" }
    assert.deepStrictEqual(reaping(after(machine(states.powered), ask)), states.unsettled)
    assert.strictEqual(reaping(after(machine(states.provisioned), ask)).settlement, "none")
  })
})

const frozen = <T>(value: T): T => {
  if (typeof value === "object" && value !== null && !Object.isFrozen(value)) {
    Object.freeze(value)
    for (const inner of Object.values(value)) frozen(inner)
  }
  return value
}

describe("the table", () => {
  const all = Object.values<VmState>(states).flatMap((state) => sample.events.map((event) => ({ state, event })))

  it("is total and pure: every state takes every event, changes nothing it is given, and answers the same twice", () => {
    for (const { state, event } of all) {
      const vm = frozen(machine(state))
      const first = after(vm, frozen(event), frozen(env))
      assert.deepStrictEqual(after(vm, event, env), first)
    }
    assert.strictEqual(all.length, 26 * 26)
  })

  it("gives every state but the ends a deadline, wherever it comes from", () => {
    for (const { state, event } of all) {
      const { vm } = after(machine(state), event)
      assert.strictEqual(vm.deadline === undefined, isEnd(vm.state), `${state._tag} on ${event._tag}`)
    }
  })

  it("changes nothing after the end", () => {
    for (const state of [states.reaped, states.ceded])
      for (const event of sample.events) {
        const vm = machine(state)
        assert.deepStrictEqual(after(vm, event), { vm, actions: [], entered: false })
      }
  })

  it("frees the place once on every way to an end, the address of what is gone alone, and a clone's slot once", () => {
    for (const { state, event } of all) {
      if (isEnd(state)) continue
      const step = after(machine(state), event)
      const count = (tag: Action["_tag"]) => asks(step).filter((one) => one === tag).length
      assert.strictEqual(count("FreeIp"), step.vm.state._tag === "Reaped" ? 1 : 0)
      if (isEnd(step.vm.state)) assert.strictEqual(count("FreeCapacity"), 1)
      const cloned = state._tag === "Cloning" && step.vm.state._tag !== "Cloning"
      assert.strictEqual(count("CloneEnded"), cloned ? 1 : 0, `${state._tag} on ${event._tag}`)
    }
  })

  it("never loses a job: a claim is carried on, or settled, or was never taken", () => {
    for (const { state, event } of all) {
      if (!("claim" in state) || state.claim === undefined || state._tag === "Reserved") continue
      const step = after(machine(state), event)
      const kept = "claim" in step.vm.state || (step.vm.state._tag === "Held" && "claim" in step.vm.state.was)
      const settled = event._tag === "Settled" || event._tag === "Refused" || find(step, "SettleJob") !== undefined
      assert.isTrue(kept || settled, `${state._tag} on ${event._tag}`)
    }
  })
})
