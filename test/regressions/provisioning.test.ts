/** Defects 53 to 67: the pool of ready machines, and the addresses. */
import { assert, describe } from "@effect/vitest"
import { Effect } from "effect"
import { defaults } from "../../src/schema/Config.ts"
import {
  always,
  calls,
  carrier,
  conflicts,
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
  until,
  want,
  working,
  type Stand
} from "./support.ts"

const keep = (number: number) => ({ provision: [{ template: "debian12", number }] })

const network = (ipRange: string) => ({ ipRange, gateway: "10.0.0.1", subnetMask: "255.255.255.0" })

const templateOf = (name: string) => ({
  name,
  cpus: 2,
  memoryMB: 4096,
  nics: 1,
  snapshot: true,
  guestUser: "worker",
  guestPassword: "worker"
})

/** Addresses written on our machines. */
const addresses = (stand: Stand) => Effect.map(rows(stand), (all) => all.flatMap(({ ip }) => ip ?? []).toSorted())

describe("the pool and its addresses", () => {
  regression(
    "53",
    "a pool that is to be smaller gives up its oldest ready machines, not the one that is just claimed",
    Effect.gen(function* () {
      const stand = yield* hatched({ settings: keep(3) })
      const newest = ready(stand).toSorted((a, b) => b.createdAt - a.createdAt)[0]!
      const id = yield* order(stand)
      yield* until("it is claimed", () => carrier(stand, id) !== undefined, 100)
      const claimed = carrier(stand, id)!
      yield* want(stand, 1)
      yield* until("the job is done", () => job(stand, id).status === "Success")
      assert.strictEqual(job(stand, id).history.filter(({ status }) => status === "Scheduling").length, 1)
      yield* until("the worker's machine is gone", () => machine(stand, claimed.ref) === undefined)
      yield* pass("5 minutes")
      assert.deepStrictEqual(
        ready(stand).map(({ ref }) => ref),
        [newest.ref]
      )
    })
  )

  regression(
    "54",
    "a pool whose last entry leaves the file is emptied",
    Effect.gen(function* () {
      const stand = yield* hatched()
      yield* restart(stand, { provision: [] })
      yield* until("it is empty", () => owned(stand).length === 0)
    })
  )

  regression(
    "55",
    "machines of an older generation, provision-v1, are removed and their addresses free",
    Effect.gen(function* () {
      const stand = yield* hatched()
      const annotation = `{"hatchery_name":"rookery","worker_name":"provision-v1-a","provisioning":true,"worker_model_path":"shared/debian","created":"2020-01-01T00:00:00Z","ip_address":"10.0.0.9"}`
      const [old] = stand.vcenter.addForeign({ count: 1, prefix: "provision-v1", poweredOn: false, annotation })
      yield* until("it is gone", () => machine(stand, old!) === undefined)
      assert.deepStrictEqual(yield* addresses(stand), ["10.0.0.2", "10.0.0.3"])
    })
  )

  regression(
    "56",
    "a broken template is cloned a few times an hour, not at each pass",
    Effect.gen(function* () {
      const stand = yield* started({ settings: keep(1) })
      yield* stand.vcenter.inject({ _tag: "GuestFails", how: "CustomizationFails", count: 1_000 })
      yield* pass("1 hour")
      const tries = calls(stand, "CloneVM_Task").length
      assert.isAtLeast(tries, 5)
      assert.isAtMost(tries, 15)
    })
  )

  regression(
    "57",
    "ten missing machines are not ten clones at once, unless the file says so",
    Effect.gen(function* () {
      assert.strictEqual(defaults.poolSize, 1)
      const stand = yield* started({ settings: { ...keep(10), poolSize: 2 } })
      const making = () => stand.vcenter.machines().filter(({ configured }) => !configured).length
      yield* always("two are made at most", 180, () => making() <= 2)
      yield* until("all are ready", () => ready(stand).length === 10)
    })
  )

  regression(
    "58",
    "a slot is held for the clone and not for the boot, and a stop does not wait for slots",
    Effect.gen(function* () {
      const stand = yield* started({ settings: { ...keep(4), poolSize: 1 }, timings: { bootMs: 150_000 } })
      yield* until("two clones are made", () => stand.vcenter.summary().created === 2)
      assert.strictEqual(ready(stand).length, 0)
      yield* stand.process.stop
      const sent = calls(stand, "CloneVM_Task").length
      yield* pass("5 minutes")
      assert.strictEqual(calls(stand, "CloneVM_Task").length, sent)
    })
  )

  regression(
    "59",
    "while vCenter is slow about a clone, a job is claimed in seconds",
    Effect.gen(function* () {
      const stand = yield* hatched()
      yield* stand.vcenter.inject({ _tag: "SlowCall", operation: "CloneVM_Task", count: 1, delayMs: 14_000 })
      yield* want(stand, 3)
      yield* until("the clone is sent", () => calls(stand, "CloneVM_Task").length === 3)
      const id = yield* order(stand)
      yield* pass("5 seconds")
      assert.isDefined(carrier(stand, id))
      assert.strictEqual(stand.vcenter.summary().created, 2)
    })
  )

  regression(
    "60",
    "neither the gateway, nor the first and last address of the network, nor one that a stranger has, is handed out",
    Effect.gen(function* () {
      const net = { ipRange: "10.0.0.0/29", gateway: "10.0.0.1", subnetMask: "255.255.255.248" }
      const stand = yield* started({ vsphere: { networks: [net] }, settings: { ...keep(6), poolSize: 6 } })
      stand.vcenter.addForeign({ count: 1, ip: "10.0.0.4" })
      yield* pass("10 minutes")
      assert.deepStrictEqual(yield* addresses(stand), ["10.0.0.2", "10.0.0.3", "10.0.0.5", "10.0.0.6"])
    })
  )

  regression(
    "61",
    "a range without a gateway is no reason not to start",
    Effect.gen(function* () {
      const net = { ipRange: "10.0.0.0/24", gateway: undefined, subnetMask: "255.255.255.0" }
      assert.strictEqual(ready(yield* hatched({ vsphere: { networks: [net] } })).length, 2)
    })
  )

  regression(
    "62, 63",
    "clones side by side that last longer than five minutes have an address each",
    Effect.gen(function* () {
      const stand = yield* started({ settings: { ...keep(4), poolSize: 4 }, timings: { cloneMs: 7 * 60_000 } })
      yield* until("the first are made", () => owned(stand).length > 0)
      yield* want(stand, 6)
      yield* until("all are ready", () => ready(stand).length === 6)
      assert.strictEqual(new Set(yield* addresses(stand)).size, 6)
      assert.deepStrictEqual(conflicts(stand), [])
    })
  )

  regression(
    "64",
    "a job is served while the ready machines have all addresses",
    Effect.gen(function* () {
      const stand = yield* hatched({ vsphere: { networks: [network("10.0.0.2/31")] } })
      const id = yield* order(stand)
      yield* until("the job is done", () => job(stand, id).status === "Success")
    })
  )

  regression(
    "65",
    "a clone that vCenter never finishes does not stop the others",
    Effect.gen(function* () {
      const stand = yield* started({ settings: { ...keep(3), poolSize: 2 } })
      yield* stand.vcenter.inject({ _tag: "SlowCall", operation: "CloneVM_Task", count: 1, delayMs: 3_600_000 })
      yield* until("the others are ready", () => ready(stand).length === 2)
      yield* until("all are", () => ready(stand).length === 3)
    })
  )

  regression(
    "66",
    "every template gets its first machine before one gets its second",
    Effect.gen(function* () {
      const provision = [
        { template: "debian12", number: 2 },
        { template: "alma9", number: 2 }
      ]
      const templates = [templateOf("debian12"), templateOf("alma9")]
      const stand = yield* started({ settings: { provision }, vcenter: { templates } })
      yield* until("all are ready", () => ready(stand).length === 4)
      const made = (yield* rows(stand)).toSorted((a, b) => (a.ip ?? "").localeCompare(b.ip ?? ""))
      assert.deepStrictEqual(
        made.map(({ template }) => template),
        ["debian12", "alma9", "debian12", "alma9"]
      )
    })
  )

  regression(
    "67",
    "clones that are slower than the passes are counted, and not made twice",
    Effect.gen(function* () {
      const times = { provisioningIntervalMs: 10_000 }
      const stand = yield* started({ timings: { cloneMs: 5 * 60_000 }, times })
      yield* until("the pool is ready", () => ready(stand).length === 2)
      yield* pass("10 minutes")
      assert.strictEqual(calls(stand, "CloneVM_Task").length, 2)
    })
  )

  regression(
    "O10",
    "a clone that fails gives its address back",
    Effect.gen(function* () {
      const stand = yield* started({ settings: keep(1), vsphere: { networks: [network("10.0.0.2/32")] } })
      yield* stand.vcenter.inject({ _tag: "TaskFails", operation: "CloneVM_Task", fault: "NoDiskSpace", count: 1 })
      yield* until("the clone is sent", () => calls(stand, "CloneVM_Task").length === 1)
      yield* pass("1 second")
      assert.strictEqual(ready(stand).length, 0)
      yield* until("another one has it", () => ready(stand).length === 1)
    })
  )

  regression(
    "c",
    "a machine claimed while the pool shrinks serves its job",
    Effect.gen(function* () {
      const stand = yield* hatched()
      yield* want(stand, 0)
      const id = yield* order(stand)
      yield* working(stand, id)
      yield* until("the job is done", () => job(stand, id).status === "Success")
      yield* until("nothing is left", () => owned(stand).length === 0)
    })
  )
})
