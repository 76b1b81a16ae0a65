/** Defects 68 to 76 and 85: the removal of machines, what becomes of their jobs, and the end of the process. */
import { assert, describe } from "@effect/vitest"
import { Clock, Effect } from "effect"
import { parse, print } from "../../src/schema/Annotation.ts"
import {
  always,
  calls,
  carrier,
  hatched,
  job,
  machine,
  order,
  owned,
  pass,
  ready,
  regression,
  restart,
  rows,
  toCds,
  until,
  want,
  working,
  type Stand
} from "./support.ts"

const long = { durationMs: 20 * 60_000 }

const done = (stand: Stand, id: string) => until("the job is done", () => job(stand, id).status === "Success")

/** How often a worker began to work on the job. */
const runs = (stand: Stand, id: string) => job(stand, id).history.filter(({ status }) => status === "Building").length

const releases = (stand: Stand) => toCds(stand, "DELETE")

const reaping = (stand: Stand) => owned(stand).filter((one) => parse(one.annotation)?.journal?.state === "reaping")

describe("cleanup", () => {
  regression(
    "68",
    "a job that has just succeeded is not put back into the queue when its machine goes off",
    Effect.gen(function* () {
      const stand = yield* hatched({ times: { reaperIntervalMs: 5_000 } })
      const ids = yield* stand.cds.enqueue({ count: 4, durationMs: 10_000 })
      yield* until("all are done", () => ids.every((id) => job(stand, id).status === "Success"))
      yield* pass("5 minutes")
      for (const id of ids) assert.deepStrictEqual([job(stand, id).status, runs(stand, id)], ["Success", 1])
      assert.deepStrictEqual(releases(stand), [])
    })
  )

  regression(
    "68",
    "a job at work whose machine is switched off is not given back: CDS decides about it",
    Effect.gen(function* () {
      const stand = yield* hatched()
      const id = yield* order(stand, long)
      const { ref } = yield* working(stand, id)
      stand.vcenter.others.powerOff(ref.value)
      yield* until("it is gone", () => machine(stand, ref) === undefined)
      assert.deepStrictEqual(releases(stand), [])
      assert.deepStrictEqual(yield* stand.cds.violations, [])
    })
  )

  regression(
    "69",
    "a worker past its time fails its job with the reason, and it is not run again from zero",
    Effect.gen(function* () {
      const times = { workerTtlMs: 15 * 60_000 }
      const stand = yield* hatched({ times, worker: { hangsAfterMs: 1_000_000 } })
      const id = yield* order(stand, { durationMs: 3_600_000 })
      yield* until("the job is over", () => job(stand, id).status === "Fail")
      yield* pass("10 minutes")
      assert.deepStrictEqual([job(stand, id).status, runs(stand, id), job(stand, id).releases], ["Fail", 1, 0])
    })
  )

  regression(
    "70",
    "a machine that cannot be destroyed at once is not given to a job meanwhile",
    Effect.gen(function* () {
      const stand = yield* hatched()
      yield* stand.vcenter.inject({ _tag: "TaskFails", operation: "Destroy_Task", fault: "InvalidState", count: 6 })
      yield* want(stand, 1)
      yield* until("one is to go", () => reaping(stand).length === 1)
      const [dying] = reaping(stand)
      const ids = yield* stand.cds.enqueue({ count: 2 })
      const carriers = new Set<string | undefined>()
      yield* until("the jobs are done", () => {
        for (const id of ids) carriers.add(carrier(stand, id)?.ref.value)
        return ids.every((id) => job(stand, id).status === "Success")
      })
      assert.notInclude([...carriers], dying!.ref.value)
      yield* until("it is gone", () => machine(stand, dying!.ref) === undefined)
    })
  )

  regression(
    "71",
    "what is to be removed is removed after a restart, under whatever name",
    Effect.gen(function* () {
      const stand = yield* hatched()
      yield* stand.vcenter.inject({ _tag: "TaskFails", operation: "Destroy_Task", fault: "InvalidState", count: 3 })
      yield* want(stand, 1)
      yield* until("one is to go", () => reaping(stand).length === 1)
      const [dying] = reaping(stand)
      yield* stand.process.kill
      stand.vcenter.others.rename(dying!.name, "renamed")
      yield* restart(stand)
      yield* until("it is gone", () => machine(stand, dying!.ref) === undefined)
    })
  )

  regression(
    "72",
    "a machine that cannot be removed does not keep the others from being removed",
    Effect.gen(function* () {
      const stand = yield* hatched()
      const [stuck] = ready(stand)
      yield* stand.vcenter.inject({
        _tag: "TaskFails",
        operation: "Destroy_Task",
        fault: "InvalidState",
        count: 1_000,
        machine: stuck!.name
      })
      yield* want(stand, 0)
      yield* until("the other one is gone", () => owned(stand).length === 1)
      assert.deepStrictEqual(owned(stand)[0]?.ref, stuck!.ref)
      stand.vcenter.clearFaults()
      yield* until("it goes when it can", () => owned(stand).length === 0)
    })
  )

  regression(
    "73",
    "a machine that somebody powers on while it is removed is powered off first, and gone",
    Effect.gen(function* () {
      const stand = yield* hatched()
      yield* stand.vcenter.inject({ _tag: "SlowCall", operation: "Destroy_Task", count: 1, delayMs: 5_000 })
      yield* want(stand, 1)
      yield* until("a destroy is sent", () => calls(stand, "Destroy_Task").length === 1, 100)
      const [dying] = reaping(stand)
      stand.vcenter.others.powerOn(dying!.name)
      yield* until("it is gone", () => machine(stand, dying!.ref) === undefined)
      assert.strictEqual(ready(stand).length, 1)
    })
  )

  regression(
    "74",
    "a machine that dies before its worker signs in gives its job back at once",
    Effect.gen(function* () {
      const stand = yield* hatched({ worker: { startMs: 60_000 } })
      const id = yield* order(stand)
      yield* until("the start script runs", () => stand.programs.some(({ env }) => env["CDS_CONFIG"] !== undefined))
      stand.vcenter.others.powerOff(carrier(stand, id)!.name)
      const at = yield* Clock.currentTimeMillis
      yield* until("it is taken again", () => job(stand, id).releases === 1 && job(stand, id).status === "Scheduling")
      assert.isBelow((yield* Clock.currentTimeMillis) - at, 60_000)
      yield* done(stand, id)
    })
  )

  regression(
    "75",
    "a worker that the Go hatchery started from an old pool machine, without a start date, goes on after the upgrade",
    Effect.gen(function* () {
      const stand = yield* hatched()
      const id = yield* order(stand, long)
      const { name, annotation } = yield* working(stand, id)
      yield* stand.process.kill
      const created = (yield* Clock.currentTimeMillis) - 30 * 24 * 3_600_000
      const old = { ...parse(annotation)!, journal: undefined, jobId: undefined, workerStartTime: undefined }
      stand.vcenter.others.annotate(name, print({ ...old, provisioning: true, created }))
      yield* restart(stand)
      yield* done(stand, id)
      assert.strictEqual(runs(stand, id), 1)
    })
  )

  regression(
    "76",
    "a machine that cannot be reached does not keep the others from being removed, and keeps its address",
    Effect.gen(function* () {
      const stand = yield* hatched()
      const [held] = ready(stand)
      yield* stand.vcenter.inject({
        _tag: "Disconnects",
        forMs: 20 * 60_000,
        state: "inaccessible",
        machine: held!.name
      })
      yield* want(stand, 0)
      yield* until("the other one is gone", () => owned(stand).length === 1)
      const [row] = yield* rows(stand)
      assert.deepInclude(row, { ref: held!.ref.value, state: "held" })
      assert.match(row?.reason ?? "", /inaccessible/)
      yield* until("it goes when it can", () => owned(stand).length === 0)
    })
  )

  regression(
    "85",
    "a stop takes no new job, finishes what is between two hands, logs out, and leaves the worker at work",
    Effect.gen(function* () {
      const stand = yield* hatched()
      const id = yield* order(stand, long)
      yield* working(stand, id)
      const next = yield* order(stand)
      yield* pass("100 millis")
      yield* stand.process.stop
      assert.strictEqual(stand.vcenter.summary().sessions, 0)
      const taken = toCds(stand, "/hatchery/take").length
      yield* stand.cds.enqueue({ count: 1 })
      yield* always("the worker works", 60, () => job(stand, id).status === "Building")
      assert.strictEqual(toCds(stand, "/hatchery/take").length, taken)
      yield* restart(stand)
      yield* done(stand, id)
      yield* done(stand, next)
      assert.deepStrictEqual([runs(stand, id), runs(stand, next)], [1, 1])
    })
  )
})
