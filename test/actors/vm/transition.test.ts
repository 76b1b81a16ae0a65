import { assert, describe, it } from "@effect/vitest"
import type { VmEvent } from "../../../src/actors/vm/Event.ts"
import type { Vm, VmState } from "../../../src/actors/vm/State.ts"
import { workOf } from "../../../src/actors/vm/transition.ts"
import * as sample from "./sample.ts"
import {
  after,
  asks,
  claim,
  deadline,
  done,
  env,
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

const { times } = env

/** The state after some events, one after another. */
const through = (vm: Vm, ...events: ReadonlyArray<VmEvent>): Vm =>
  events.reduce((current, event) => after(current, event).vm, vm)

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
    assert.deepInclude(find(powered, "Tell")?.notice, { _tag: "Starts", workerName: "busy-lovelace" })
    const running = after(powered.vm, done)
    assert.deepStrictEqual(running.vm.state, { _tag: "Running", claim, signedIn: false, resumed: false })
    assert.strictEqual(running.vm.generation, 5)
    assert.deepStrictEqual(asks(running), ["CommitCapacity"])
  })

  it("ends with the machine gone, its job settled before that, and its address and place free after it", () => {
    const off = after(machine(states.working), seen())
    assert.deepStrictEqual(reaping(off), { _tag: "Reaping", claim, settlement: "release" })
    const settled = after(off.vm, { _tag: "Settled", waits: true })
    assert.strictEqual(reaping(settled).claim, undefined)
    assert.deepStrictEqual(asks(settled), ["ReturnJob"])
    assert.isFalse(settled.entered)
    const gone = after(settled.vm, { _tag: "Gone" })
    assert.deepStrictEqual(gone.vm.state, { _tag: "Reaped" })
    assert.deepStrictEqual(asks(gone), ["FreeIp", "FreeCapacity"])
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

  it("whose take is refused has its machine reaped when that was cloned for the job: no pool made it ready", () => {
    const cloned = { ...machine(states.renamed), poolName: claim.workerName }
    const end = after(cloned, { _tag: "Refused", reason: "the job is Scheduling at other" })
    assert.deepStrictEqual(reaping(end), { _tag: "Reaping", claim, settlement: "none" })
  })

  it("that was taken over is in a generation of its own, and is lost when its last owner's write comes after all", () => {
    const resumed = machine({ ...states.renamed, resumed: true })
    assert.strictEqual(after(resumed, done).vm.generation, resumed.generation + 1)
    assert.strictEqual(after(machine(states.renamed), done).vm.generation, resumed.generation)
    const lost = after(resumed, sample.conceded({ annotation: sample.written("provisioned") }))
    assert.deepStrictEqual(lost.vm.state, { _tag: "Provisioned" })
    assert.isTrue(asks(lost).includes("SettleJob"))
  })

  it("that was taken over on has CDS asked before its machine goes, and goes on where its worker is at work", () => {
    const found = { ...states.renamed, resumed: true } as const
    const isOn = { facts: sample.facts(sample.on) }
    for (const event of [failed, deadline]) {
      const asked = after(machine(found, isOn), event)
      assert.deepStrictEqual(asked.vm.state, { ...states.overdue, resumed: true })
      assert.match(asked.vm.reason ?? "", /^taking its job/)
      assert.strictEqual(after(machine(found), event).vm.state._tag, "Reaping")
      assert.strictEqual(after(machine(states.renamed, isOn), event).vm.state._tag, "Reaping")
    }
    const refused = after(machine(found, isOn), { _tag: "Refused", reason: "CDS refused the job" })
    assert.deepStrictEqual(refused.vm.state, { ...states.overdue, resumed: true })
    for (const state of [found, states.poweredOn]) {
      const working = after(machine(state, isOn), { _tag: "SignedIn" })
      assert.deepStrictEqual(working.vm.state, { ...states.working, resumed: true })
      assert.strictEqual(working.vm.deadline, claim.startedAt + times.workerTtlMs)
      assert.deepStrictEqual(asks(working), ["CommitCapacity"])
    }
    assert.strictEqual(reaping(after(machine(found), { _tag: "SignedIn" })).settlement, "release")
    assert.deepStrictEqual(after(machine(states.powered), { _tag: "SignedIn" }).vm.state, states.powered)
  })

  it("that is cancelled, or seems to be, ends no worker of a machine found on before CDS was asked, and none that CDS knows", () => {
    const found = machine({ ...states.unwantedRenamed, resumed: true }, { facts: sample.facts(sample.on) })
    assert.strictEqual(workOf(after(found, done).vm.state), "inquire")
    assert.deepInclude(after(found, { _tag: "SignedIn" }).vm.state, { _tag: "Running", signedIn: true })
    assert.strictEqual(reaping(after(machine(states.unwantedRenamed), done)).settlement, "release")
  })

  it("found on when its take is answered may have its worker at work at once, without another sight of it", () => {
    const on = machine({ ...states.renamed, resumed: true }, { facts: sample.facts(sample.on) })
    const working = after(after(on, done).vm, { _tag: "SignedIn" })
    assert.strictEqual(working.vm.state._tag, "Running")
    const off = machine(states.renamed)
    assert.strictEqual(after(after(off, done).vm, { _tag: "SignedIn" }).vm.state._tag, "Powered")
  })

  it("that somebody wrote away from a machine found on is not reaped before CDS was asked whether its worker is at work", () => {
    const found = sample.conceded({ ...sample.on, annotation: sample.written("provisioned") })
    const resumed = after(machine({ ...states.renamed, resumed: true }), found)
    assert.deepStrictEqual(resumed.vm.state, { _tag: "Running", claim, signedIn: false, resumed: true, overdue: true })
    assert.strictEqual(workOf(resumed.vm.state), "inquire")
    assert.deepStrictEqual(reaping(after(machine(states.renamed), found)).claim, claim)
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
    const found = { name: "go-worker", annotation: theirs, ...sample.on }
    const conceded = after(machine(states.reserved), sample.conceded(found))
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
    assert.isDefined(toldWhy(find(off, "Tell")))
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
      assert.match(toldWhy(find(end, "Tell")) ?? "", text)
    }
  })

  it("that shows an older mark of ours while its worker works is recorded anew, and keeps its time", () => {
    const old = { ...sample.on, annotation: sample.written("provisioned") }
    const working = machine(states.working, { generation: 5 })
    const back = after(working, seen(old), later(minute))
    assert.strictEqual(workOf(back.vm.state), "mark")
    assert.strictEqual(back.vm.deadline, working.deadline)
    assert.isFalse(after(back.vm, seen({ ...old, numCpu: 4 })).entered)
    assert.deepStrictEqual(after(back.vm, done).vm.state, states.working)
    const starting = after(machine(states.running, { generation: 5 }), seen(old))
    assert.strictEqual(workOf(starting.vm.state), "bootstrap")
    assert.strictEqual(workOf(after(starting.vm, { _tag: "SignedIn" }).vm.state), "mark")
    assert.strictEqual(workOf(after(machine(states.working, { generation: 3 }), seen(old)).vm.state), undefined)
    assert.strictEqual(reaping(after(back.vm, seen())).settlement, "release")
  })

  it("that signs in although its job was given back is asked about, while it is one of V1's and its machine still on", () => {
    const given = after(machine(states.lateWorker), { _tag: "SignedIn" })
    assert.deepInclude(given.vm.state, { _tag: "Running", claim: states.lateWorker.claim, overdue: true })
    assert.strictEqual(after(machine(states.unsettled), { _tag: "SignedIn" }).vm.state, states.unsettled)
    const overdue = { ...states.overdue, claim: states.lateWorker.claim }
    const refused = after(machine(overdue), { _tag: "Refused", reason: "it did not sign in" })
    assert.deepStrictEqual(refused.vm.state, states.lateWorker)
  })

  it("whose start script fails tells its job the exit code and the end of the log", () => {
    const end = after(machine(states.running), { _tag: "Exited", exitCode: 3, log: "worker: no space left" })
    assert.strictEqual(reaping(end).settlement, "release")
    assert.match(toldWhy(find(end, "Tell")) ?? "", /exit code 3; its log ends with:\nworker: no space left/)
  })

  it("whose start script ends well is given the time to go off", () => {
    const ended = after(machine(states.running), { _tag: "Exited", exitCode: 0, log: "" }, later(minute))
    assert.deepStrictEqual(ended.vm.state, { ...states.running, ended: true })
    assert.strictEqual(ended.vm.deadline, now + minute + times.finishedWorkerGraceMs)
    assert.isFalse(ended.entered)
  })

  it("whose worker CDS has disabled is reaped", () => {
    for (const state of [states.running, states.working])
      assert.strictEqual(reaping(after(machine(state), { _tag: "Disabled" })).settlement, "release")
  })

  it("has until workerRegistrationTTL to sign in, and from its claim until workerTTL when it has", () => {
    const running = after(machine(states.powered, { generation: 2 }), done)
    assert.strictEqual(running.vm.deadline, now + times.workerRegistrationTtlMs)
    const working = after(running.vm, { _tag: "SignedIn" }, later(minute))
    assert.strictEqual(working.vm.deadline, claim.startedAt + times.workerTtlMs)
    assert.strictEqual(workOf(working.vm.state), undefined)
    const again = after(working.vm, { _tag: "SignedIn" }, later(30 * minute))
    assert.strictEqual(again.vm.deadline, working.vm.deadline)
  })

  it("whose worker's time was over before it was known to have signed in ends at once, by a deadline that nobody was told of", () => {
    const late = { _tag: "Running", claim, signedIn: false, resumed: true } as const
    const overTime = now + 2 * times.workerTtlMs
    const found = after(machine(late), { _tag: "SignedIn" }, { ...env, now: overTime })
    assert.strictEqual(found.vm.deadline, overTime + 1)
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
