/** Defects 14 to 35: the claim of a machine, and the way to its worker. */
import { assert, describe } from "@effect/vitest"
import { Clock, Effect } from "effect"
import { admit } from "../../src/actors/jobs/admission.ts"
import { parse, print } from "../../src/schema/Annotation.ts"
import type { Job, Model } from "../../src/schema/Job.ts"
import {
  calls,
  callsDuring,
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
  started,
  toCds,
  until,
  whyWaits,
  working,
  type Stand
} from "./support.ts"

const one = { provision: [{ template: "debian12", number: 1 }] }
const none = { provision: [] }

const done = (stand: Stand, id: string) => until("the job is done", () => job(stand, id).status === "Success")

/** When the job was taken by a hatchery, each time. */
const takes = (stand: Stand, id: string): ReadonlyArray<number> =>
  job(stand, id)
    .history.filter(({ status }) => status === "Scheduling")
    .map(({ at }) => at)

describe("a claim", () => {
  regression(
    "14",
    "three jobs for one machine are taken one after the other, and none is given back for want of a machine",
    Effect.gen(function* () {
      const stand = yield* hatched({ settings: one })
      const ids = yield* stand.cds.enqueue({ count: 3 })
      yield* until("all are done", () => ids.every((id) => job(stand, id).status === "Success"))
      for (const id of ids) {
        assert.strictEqual(takes(stand, id).length, 1)
        assert.strictEqual(job(stand, id).releases, 0)
      }
    })
  )

  regression(
    "15",
    "a machine that has been in the pool for months serves a job",
    Effect.gen(function* () {
      const stand = yield* hatched({ settings: one })
      yield* stand.process.kill
      const [old] = ready(stand)
      const annotation = parse(old!.annotation)!
      const created = (yield* Clock.currentTimeMillis) - 90 * 24 * 3_600_000
      stand.vcenter.others.annotate(old!.name, print({ ...annotation, created, journal: undefined }))
      yield* restart(stand)
      yield* pass("1 minute")
      const id = yield* order(stand)
      assert.deepStrictEqual((yield* working(stand, id)).ref, old!.ref)
    })
  )

  regression(
    "16",
    "the ready machines of another hatchery on the same vCenter are not touched",
    Effect.gen(function* () {
      const stand = yield* started({ settings: none })
      const annotation = `{"hatchery_name":"magpie","worker_name":"provision-v2-a","provisioning":true,"vmware_model_path":"debian12"}`
      const [theirs] = stand.vcenter.addForeign({ count: 1, prefix: "provision-v2", poweredOn: false, annotation })
      const before = machine(stand, theirs!)
      yield* order(stand)
      yield* pass("10 minutes")
      assert.deepStrictEqual(machine(stand, theirs!), before)
    })
  )

  regression(
    "16",
    "a machine that somebody else claims in the same moment is theirs, and the job gets another one",
    Effect.gen(function* () {
      const stand = yield* hatched({ latencyMs: 400 })
      const before = ready(stand).map(({ ref }) => ref.value)
      const claims = calls(stand, "ReconfigVM_Task").length
      const id = yield* order(stand)
      yield* until("a claim is sent", () => calls(stand, "ReconfigVM_Task").length > claims, 20)
      const target = calls(stand, "ReconfigVM_Task").at(-1)!.args["_this"] as { readonly value: string }
      const theirs = `{"hatchery_name":"magpie","worker_name":"w"}`
      stand.vcenter.others.annotate(target.value, theirs)
      const used = yield* working(stand, id)
      assert.include(before, target.value)
      assert.notStrictEqual(used.ref.value, target.value)
      assert.strictEqual(machine(stand, used.ref)?.power, "poweredOn")
      assert.strictEqual(machine(stand, { type: "VirtualMachine", value: target.value })?.annotation, theirs)
    })
  )

  regression(
    "17",
    "at no moment has a machine a worker's name without its job, and the reaper leaves it alone",
    Effect.gen(function* () {
      const stand = yield* hatched({ times: { reaperIntervalMs: 1_000 } })
      const id = yield* order(stand)
      const agree = () =>
        owned(stand).every((one) => one.name.startsWith("provision-") === (parse(one.annotation)?.jobId === undefined))
      yield* until("the worker works", () => !agree() || job(stand, id).status === "Building", 100)
      assert.isTrue(agree())
    })
  )

  regression(
    "18, 33",
    "a machine whose guest never gets ready is gone after its time, and its job is served by another at once",
    Effect.gen(function* () {
      const stand = yield* hatched({ settings: one })
      yield* stand.vcenter.inject({ _tag: "GuestFails", how: "ToolsNever", count: 1 })
      const id = yield* order(stand)
      yield* until("the job is carried", () => carrier(stand, id) !== undefined)
      const first = carrier(stand, id)!
      yield* done(stand, id)
      assert.isUndefined(machine(stand, first.ref))
      const [lost, again] = takes(stand, id)
      assert.isBelow(again! - lost!, stand.cds.timings.schedulingTimeoutMs)
      assert.strictEqual(stand.vcenter.addresses().size, owned(stand).length)
    })
  )

  regression(
    "19",
    "a machine whose start has failed is never given to the next job",
    Effect.gen(function* () {
      const stand = yield* hatched({ settings: one })
      yield* stand.vcenter.inject({ _tag: "GuestFails", how: "WrongAddress", count: 1 })
      const id = yield* order(stand)
      const next = yield* order(stand)
      yield* until("the first job is carried", () => owned(stand).some(({ power }) => power === "poweredOn"))
      const bad = owned(stand).find(({ power }) => power === "poweredOn")!
      const carried = new Set<string>()
      yield* until("both are done", () => {
        for (const each of [id, next]) if (carrier(stand, each)?.ref.value === bad.ref.value) carried.add(each)
        return job(stand, id).status === "Success" && job(stand, next).status === "Success"
      })
      assert.strictEqual(carried.size, 1)
      assert.isUndefined(machine(stand, bad.ref))
    })
  )

  regression(
    "20",
    "a pool machine that somebody powered on is not claimed",
    Effect.gen(function* () {
      const stand = yield* hatched()
      const [touched] = ready(stand)
      stand.vcenter.others.powerOn(touched!.name)
      yield* pass("1 second")
      const id = yield* order(stand)
      assert.notDeepEqual((yield* working(stand, id)).ref, touched!.ref)
      yield* until("it is removed", () => machine(stand, touched!.ref) === undefined)
    })
  )

  regression(
    "21",
    "a power-on whose answer is lost is not sent again, and one that vCenter forbids is not repeated for a minute",
    Effect.gen(function* () {
      const stand = yield* hatched()
      yield* stand.vcenter.inject({ _tag: "AnswerLost", operation: "PowerOnVM_Task" })
      yield* done(stand, yield* order(stand))
      assert.strictEqual(calls(stand, "PowerOnVM_Task").length, 1)
      yield* pass("3 minutes")
      yield* stand.vcenter.inject({ _tag: "CallFails", operation: "PowerOnVM_Task", fault: "NoPermission", count: 1 })
      yield* done(stand, yield* order(stand))
      assert.strictEqual(calls(stand, "PowerOnVM_Task").length, 3)
    })
  )

  regression(
    "22",
    "a job that CDS is slow about does not hold up the next one",
    Effect.gen(function* () {
      const stand = yield* hatched()
      const id = yield* order(stand)
      yield* stand.cds.fault({ kind: "slow", ms: 9_000, method: "GET", path: `/job/${id}` })
      const next = yield* order(stand)
      yield* done(stand, id)
      yield* done(stand, next)
      assert.isAbove(takes(stand, id)[0]!, takes(stand, next)[0]! + 5_000)
    })
  )

  regression(
    "23",
    "a job that cannot be read at first is served without a restart",
    Effect.gen(function* () {
      const stand = yield* hatched()
      const id = yield* order(stand)
      yield* stand.cds.fault({ kind: "answer", status: 500, times: 20, method: "GET", path: `/job/${id}` })
      yield* done(stand, id)
    })
  )

  regression(
    "27",
    "a crash in the middle of a decision costs that decision, not the jobs after it",
    Effect.gen(function* () {
      let crashes = 2
      const stand = yield* hatched({
        ids: (ids) => ({
          ...ids,
          workerName: (prefix) =>
            Effect.suspend(() => (prefix === "" && crashes-- > 0 ? Effect.die("no name") : ids.workerName(prefix)))
        })
      })
      const jobs = yield* stand.cds.enqueue({ count: 3 })
      yield* until("all are done", () => jobs.every((id) => job(stand, id).status === "Success"))
      assert.isBelow(crashes, 0)
    })
  )

  regression(
    "28",
    "a job that wants memory is not taken, and told that only a flavor gives it",
    Effect.gen(function* () {
      const stand = yield* hatched()
      const id = yield* order(stand, { memory: "8192" })
      yield* pass("2 minutes")
      assert.strictEqual(job(stand, id).status, "Waiting")
      assert.match(yield* whyWaits(stand, id), /memory/)
      const wanted = { status: "Waiting", hasServices: true, runsOn: { model: "m", memory: "", flavor: "" } } as Job
      const model = { name: "m", type: "vsphere", image: "debian12" } as Model
      assert.deepInclude(admit(wanted, model, stand.world.settings), { _tag: "Refused" })
    })
  )

  regression(
    "30",
    "two hatcheries in one process count each its own workers",
    Effect.gen(function* () {
      const full = yield* hatched({ settings: { maxWorker: 1 } })
      yield* working(full, yield* order(full, { durationMs: 30 * 60_000 }))
      const other = yield* hatched({ settings: { maxWorker: 1 } })
      yield* done(other, yield* order(other))
    })
  )

  regression(
    "31",
    "a job that waits says why, and does not say it at each poll",
    Effect.gen(function* () {
      const stand = yield* hatched({ settings: { maxWorker: 1 } })
      yield* working(stand, yield* order(stand, { durationMs: 30 * 60_000 }))
      const id = yield* order(stand)
      yield* pass("10 minutes")
      const { infos } = job(stand, id)
      assert.match(infos[0]?.message ?? "", /1 workers of at most 1 \(provision.maxWorker\)/)
      assert.isAtMost(infos.length, 3)
    })
  )

  regression(
    "32, O2",
    "without a free address, as at a limit, no job is taken and each says why",
    Effect.gen(function* () {
      const network = { ipRange: "10.0.0.2/32", gateway: "10.0.0.1", subnetMask: "255.255.255.0" }
      const full = yield* hatched({ vsphere: { networks: [network] }, settings: one })
      const limited = yield* hatched({ settings: { maxWorker: 1 } })
      const reasons = [
        [full, /hatchery\.vsphere\.iprange/],
        [limited, /provision\.maxWorker/]
      ] as const
      for (const [stand, reason] of reasons) {
        yield* working(stand, yield* order(stand, { durationMs: 10 * 60_000 }))
        const id = yield* order(stand)
        yield* pass("2 minutes")
        assert.match(yield* whyWaits(stand, id), reason)
        assert.strictEqual(toCds(stand, "/hatchery/take").length, 1)
        yield* done(stand, id)
      }
    })
  )

  regression(
    "33",
    "a clone for a job that fails after it was made leaves nothing, and the job is served by another",
    Effect.gen(function* () {
      const stand = yield* started({ settings: none })
      yield* stand.vcenter.inject({ _tag: "GuestFails", how: "ToolsNever", count: 1 })
      const id = yield* order(stand)
      yield* done(stand, id)
      yield* until("nothing is left", () => owned(stand).length === 0)
      assert.strictEqual(takes(stand, id).length, 2)
    })
  )

  regression(
    "34",
    "a machine given back because CDS refused the job is ready for it again under its pool name",
    Effect.gen(function* () {
      const stand = yield* hatched({ settings: one })
      const [before] = ready(stand)
      const id = yield* order(stand)
      yield* stand.cds.holdTakeLock(id)
      yield* pass("10 seconds")
      assert.deepStrictEqual(
        ready(stand).map(({ name }) => name),
        [before!.name]
      )
      assert.deepStrictEqual((yield* working(stand, id)).ref, before!.ref)
    })
  )

  regression(
    "35",
    "a claimed machine says in its annotation which job it has, since when, and that it left the pool",
    Effect.gen(function* () {
      const stand = yield* hatched()
      const id = yield* order(stand)
      const claimed = parse((yield* working(stand, id)).annotation)
      assert.deepInclude(claimed, { jobId: id, provisioning: false })
      assert.isDefined(claimed?.workerStartTime)
    })
  )

  regression(
    "d",
    "a job that has failed too often is not tried again, and says so",
    Effect.gen(function* () {
      const stand = yield* hatched({ settings: { maxAttempts: 1 } })
      yield* stand.vcenter.inject({ _tag: "GuestFails", how: "NeverBoots", count: 1 })
      const id = yield* order(stand)
      yield* until("its machine is given up", () => takes(stand, id).length === 1 && carrier(stand, id) === undefined)
      yield* until("it waits again", () => job(stand, id).status === "Waiting")
      const quiet = yield* callsDuring(stand, pass("10 minutes"))
      assert.notInclude(quiet, "PowerOnVM_Task")
      assert.match(yield* whyWaits(stand, id), /maxAttemptsNumberBeforeFailure/)
      assert.isUndefined((yield* rows(stand)).find((row) => row.job === id))
    })
  )
})
