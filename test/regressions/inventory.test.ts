/** Defects 1 to 13: the inventory, and the family of the empty list. */
import { assert, describe } from "@effect/vitest"
import { Cause, Effect, Exit, Fiber } from "effect"
import { ConfigInvalid } from "../../src/schema/Errors.ts"
import {
  always,
  calls,
  callsDuring,
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
  status,
  toCds,
  until,
  working
} from "./support.ts"

const long = { durationMs: 20 * 60_000 }

describe("the inventory", () => {
  regression(
    "1",
    "while vCenter does not answer nothing is hatched, removed or released, and the status says why",
    Effect.gen(function* () {
      const stand = yield* hatched()
      const pool = owned(stand).map(({ ref }) => ref.value)
      yield* stand.vcenter.inject({ _tag: "Restart", downMs: 5 * 60_000 })
      yield* pass("4 minutes")
      const { lines } = yield* status(stand)
      assert.match(lines.find(({ component }) => component === "VirtualMachines")?.value ?? "", /^frozen: /)
      assert.strictEqual((yield* rows(stand)).length, 2)
      yield* pass("10 minutes")
      assert.deepStrictEqual(
        owned(stand).map(({ ref }) => ref.value),
        pool
      )
      assert.strictEqual(calls(stand, "CloneVM_Task").length, 2)
    })
  )

  regression(
    "2",
    "a listing that fails does not disable the workers that run",
    Effect.gen(function* () {
      const stand = yield* hatched()
      const id = yield* order(stand, long)
      yield* working(stand, id)
      yield* stand.vcenter.inject({ _tag: "Restart", downMs: 6 * 60_000 })
      yield* always("its worker is at work", 15 * 60, () => job(stand, id).status === "Building")
      assert.deepStrictEqual(toCds(stand, "disable"), [])
      yield* until("the job is done", () => job(stand, id).status === "Success")
    })
  )

  regression(
    "2",
    "looking at the machines and the status changes nothing",
    Effect.gen(function* () {
      const stand = yield* hatched()
      yield* working(stand, yield* order(stand, long))
      yield* stand.vcenter.inject({ _tag: "Restart", downMs: 6 * 60_000 })
      yield* pass("5 minutes")
      const before = stand.process.calls.length
      yield* rows(stand)
      yield* status(stand)
      assert.strictEqual(stand.process.calls.length, before)
    })
  )

  regression(
    "3",
    "a vCenter that is slow for minutes costs no running worker its job",
    Effect.gen(function* () {
      const stand = yield* hatched()
      const id = yield* order(stand, long)
      const { ref } = yield* working(stand, id)
      yield* stand.vcenter.inject({ _tag: "SlowCall", operation: "*", count: 40, delayMs: 14_000 })
      yield* always("its worker is at work", 15 * 60, () => job(stand, id).status === "Building")
      assert.strictEqual(machine(stand, ref)?.power, "poweredOn")
    })
  )

  regression(
    "4",
    "machines that an inventory leaves out for minutes are neither hatched anew nor lose address, worker or job",
    Effect.gen(function* () {
      const stand = yield* hatched()
      const id = yield* order(stand, long)
      yield* working(stand, id)
      yield* until("the pool is full again", () => ready(stand).length === 2)
      const machines = owned(stand).map(({ name }) => name)
      yield* stand.vcenter.inject({ _tag: "ViewShrinks", forMs: 10 * 60_000, machines })
      yield* always("each address is on one machine", 12 * 60, () => conflicts(stand).length === 0)
      yield* until("the job is done", () => job(stand, id).status === "Success")
      yield* until("its machine is gone", () => owned(stand).length === 2)
      assert.strictEqual(stand.vcenter.summary().created, 3)
    })
  )

  regression(
    "5",
    "after a session has ended the next job is served, after one login",
    Effect.gen(function* () {
      const stand = yield* hatched()
      yield* stand.vcenter.inject({ _tag: "SessionEnds" })
      const id = yield* order(stand)
      yield* until("the job is done", () => job(stand, id).status === "Success")
      assert.strictEqual(calls(stand, "Login").length, 2)
    })
  )

  regression(
    "6",
    "a property that cannot be read makes no machine of ours a stranger, and none at work an idle one",
    Effect.gen(function* () {
      for (const path of ["name", "config.annotation", "runtime.powerState", "guest.net"]) {
        const stand = yield* hatched()
        const id = yield* order(stand, long)
        yield* working(stand, id)
        yield* until("the pool is full again", () => ready(stand).length === 2)
        yield* stand.vcenter.inject({ _tag: "Unreadable", path, forMs: 4 * 60_000 })
        yield* stand.vcenter.inject({ _tag: "CollectorLost" })
        yield* always(`the worker works (${path})`, 8 * 60, () => job(stand, id).status === "Building")
        assert.strictEqual(stand.vcenter.summary().created, 3, path)
        assert.strictEqual(owned(stand).length, 3, path)
      }
    })
  )

  regression(
    "6",
    "machines that vanish while the inventory is read do not spoil the reading",
    Effect.gen(function* () {
      const stand = yield* hatched({ vcenter: { pageSize: 3 } })
      const foreign = stand.vcenter.addForeign({ count: 30 })
      yield* stand.vcenter.inject({ _tag: "CollectorLost" })
      for (const ref of foreign) {
        stand.vcenter.others.destroy(ref.value)
        yield* pass("100 millis")
      }
      const id = yield* order(stand)
      yield* until("the job is done", () => job(stand, id).status === "Success")
    })
  )

  regression(
    "7, 82",
    "a job costs as many calls to vCenter among two hundred foreign machines as among none, and no listing",
    Effect.gen(function* () {
      // Without jitter: how often a guest is asked depends on how long it takes.
      const callsOfOneJob = Effect.fnUntraced(function* (foreign: number) {
        const stand = yield* hatched({ timings: { jitter: 0 } })
        stand.vcenter.addForeign({ count: foreign })
        yield* pass("1 minute")
        const id = yield* order(stand)
        return yield* callsDuring(
          stand,
          until("its machine is gone", () => job(stand, id).status === "Success" && owned(stand).length === 2)
        )
      })
      const alone = yield* callsOfOneJob(0)
      assert.deepStrictEqual((yield* callsOfOneJob(200)).toSorted(), alone.toSorted())
      assert.isFalse(alone.some((operation) => operation === "CreateContainerView" || operation === "CreateFilter"))
    })
  )

  regression(
    "8",
    "ten foreign machines do not stop the hatching",
    Effect.gen(function* () {
      const stand = yield* started()
      stand.vcenter.addForeign({ count: 20 })
      yield* until("the pool is ready", () => ready(stand).length === 2)
      const id = yield* order(stand)
      yield* until("the job is done", () => job(stand, id).status === "Success")
    })
  )

  regression(
    "9",
    "only the configured datacenter is looked at, in listings and look-ups alike",
    Effect.gen(function* () {
      const stand = yield* hatched()
      yield* stand.vcenter.inject({ _tag: "CollectorLost" })
      yield* pass("2 minutes")
      const views = calls(stand, "CreateContainerView")
        .map(({ args }) => args)
        .filter(({ type }) => JSON.stringify(type).includes("VirtualMachine"))
      assert.isAtLeast(views.length, 2)
      for (const { container } of views) assert.deepInclude(container, { type: "Datacenter" })
    })
  )

  regression(
    "10",
    "a machine renamed by hand is claimed and removed as the one that it is; another one of a similar name stays",
    Effect.gen(function* () {
      const stand = yield* hatched({ settings: { provision: [{ template: "debian12", number: 1 }] } })
      const [one] = ready(stand)
      stand.vcenter.others.rename(one!.name, "prov*")
      const [twin] = stand.vcenter.addForeign({ count: 1, prefix: "provision-v2", poweredOn: false })
      yield* pass("1 minute")
      const id = yield* order(stand)
      assert.deepStrictEqual((yield* working(stand, id)).ref, one!.ref)
      yield* until("it is gone", () => machine(stand, one!.ref) === undefined)
      assert.isDefined(machine(stand, twin!))
    })
  )

  regression(
    "11",
    "pool, folder, datastore and network are looked up once, not for each clone",
    Effect.gen(function* () {
      const stand = yield* hatched()
      const made = yield* callsDuring(
        stand,
        Effect.gen(function* () {
          yield* order(stand)
          yield* until("the pool is full again", () => calls(stand, "CloneVM_Task").length === 3)
        })
      )
      assert.isTrue(made.includes("CloneVM_Task"))
      assert.notInclude(made.slice(made.indexOf("CloneVM_Task") - 1), "RetrievePropertiesEx")
    })
  )

  regression(
    "12",
    "a resource pool can be named, and a wrong name ends the start with the names that there are",
    Effect.gen(function* () {
      const named = yield* hatched({ vsphere: { resourcePool: "DC0_C0" } })
      assert.strictEqual(ready(named).length, 2)
      const wrong = yield* started({ vsphere: { resourcePool: "elsewhere" } })
      yield* pass("1 minute")
      const exit = yield* Fiber.await(wrong.process.running)
      const error = Exit.isFailure(exit) ? Cause.squash(exit.cause) : undefined
      assert.instanceOf(error, ConfigInvalid)
      assert.match(error.message, /resourcePool = elsewhere.*Resources/s)
    })
  )

  regression(
    "13",
    "a heartbeat costs vCenter nothing",
    Effect.gen(function* () {
      const stand = yield* hatched()
      const beats = toCds(stand, "heartbeat").length
      assert.deepStrictEqual(yield* callsDuring(stand, pass("5 minutes")), [])
      assert.isAtLeast(toCds(stand, "heartbeat").length, beats + 9)
    })
  )

  regression(
    "O11",
    "what was known stays known when it cannot be read again",
    Effect.gen(function* () {
      const stand = yield* hatched()
      const id = yield* order(stand, long)
      yield* working(stand, id)
      yield* stand.vcenter.inject({
        _tag: "CallFails",
        operation: "CreateContainerView",
        fault: "RuntimeFault",
        count: 8
      })
      yield* stand.vcenter.inject({ _tag: "CollectorLost" })
      yield* pass("1 minute")
      assert.include(
        (yield* rows(stand)).map(({ job }) => job),
        id
      )
      yield* restart(stand)
      yield* until("the job is done", () => job(stand, id).status === "Success")
    })
  )
})
