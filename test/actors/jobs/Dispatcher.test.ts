import { assert, describe, it } from "@effect/vitest"
import { Effect, Redacted } from "effect"
import { TestClock } from "effect/testing"
import type { JobOrder } from "../../../src/layers/simulated/cds/Order.ts"
import { makeWorld, seeded, type WorldOptions } from "../../support/world.ts"
import { enter, faults, jobOn, makeScene, ours, standing, takes, watch } from "../scene.ts"

interface Wait {
  readonly why: string
  readonly options: WorldOptions["settings"]
  readonly order: JobOrder
  /** How many of the jobs get a machine all the same. */
  readonly served: number
  readonly reason: RegExp
}

const small = { name: "small", cpus: 2, memoryMB: 4096 }

/** Each leaves one job waiting. */
const waits: ReadonlyArray<Wait> = [
  {
    why: "its template is not in vCenter",
    options: { credentials: [{ template: "nowhere", username: "worker", password: Redacted.make("worker") }] },
    order: { image: "nowhere" },
    served: 0,
    reason: /nowhere/
  },
  {
    why: "its flavor is not known",
    options: { flavors: [small] },
    order: { flavor: "huge" },
    served: 0,
    reason: /its flavor "huge" is not in hatchery.vsphere.flavors/
  },
  {
    why: "there is no login for the guest",
    options: { credentials: [{ template: "other", username: "worker", password: Redacted.make("worker") }] },
    order: {},
    served: 0,
    reason: /no guest login for "debian12"/
  },
  {
    why: "it asks for memory",
    options: {},
    order: { memory: "2048" },
    served: 0,
    reason: /it asks for memory/
  },
  {
    why: "there are as many workers as may be",
    options: { maxWorker: 1 },
    order: { count: 2 },
    served: 1,
    reason: /1 workers of at most 1 \(provision.maxWorker\)/
  },
  {
    why: "there are as many workers starting as may be",
    options: { maxConcurrentProvisioning: 1 },
    order: { count: 2 },
    served: 1,
    reason: /1 workers are starting, at most 1 at once/
  },
  {
    why: "the CPUs are used up",
    options: { maxCpus: 3 },
    order: { count: 2 },
    served: 1,
    reason: /2 CPUs more than the 2 in use would pass hatchery.vsphere.maxCpus = 3/
  },
  {
    why: "the memory is used up",
    options: { maxMemoryMB: 6000 },
    order: { count: 2 },
    served: 1,
    reason: /4096 MB more than the 4096 MB in use would pass hatchery.vsphere.maxMemoryMB = 6000/
  }
]

describe("a job waits, with a reason that can be asked for, while", () => {
  for (const { why, options, order, served, reason } of waits)
    it.effect(why, () =>
      Effect.gen(function* () {
        const scene = yield* makeScene(options === undefined ? {} : { settings: options })
        yield* scene.cds.enqueue({ durationMs: 600_000, ...order })
        yield* TestClock.adjust("5 seconds")
        const waiting = yield* scene.dispatcher.waiting
        assert.strictEqual(waiting.length, 1)
        assert.match(waiting[0]?.reason ?? "", reason)
        assert.strictEqual((yield* scene.cds.counts).running, served)
        assert.strictEqual((yield* scene.cds.counts).waiting, 1)
        const said = yield* scene.said(waiting[0]?.job ?? "")
        assert.match(said.at(-1) ?? "", reason)
      })
    )

  it.effect("its machine is on the way, which is named", () =>
    Effect.gen(function* () {
      const scene = yield* makeScene()
      yield* scene.cds.enqueue({ count: 3 })
      yield* TestClock.adjust("10 seconds")
      const [third] = yield* scene.dispatcher.waiting
      assert.match(third?.reason ?? "", /is ready; 2 on the way \(provision-v2-ip-10-0-0-\d+-[a-z-]+, provision-v2-/)
      yield* TestClock.adjust("10 minutes")
      assert.strictEqual((yield* scene.cds.counts).done, 3)
      assert.deepStrictEqual(yield* scene.dispatcher.waiting, [])
      assert.deepStrictEqual(yield* faults(scene, 2), [])
    })
  )

  it.effect("the machines of its template do not hatch, and why", () =>
    Effect.gen(function* () {
      const world = yield* makeWorld()
      yield* world.vcenter.inject({ _tag: "TaskFails", operation: "CloneVM_Task", fault: "NoDiskSpace", count: 1_000 })
      const process = yield* enter(world)
      yield* TestClock.adjust("1 minute")
      for (const cloning of [false, true])
        while (standing(process).includes("Cloning") !== cloning) yield* TestClock.adjust("1 second")
      yield* world.cds.enqueue()
      yield* TestClock.adjust("10 seconds")
      const [job] = yield* process.dispatcher.waiting
      assert.match(job?.reason ?? "", /on the way.*; its machines do not hatch: .*NoDiskSpace/)
    }).pipe(seeded("no hatching"))
  )

  it.effect("no CDN is registered; nothing is leased for it meanwhile", () =>
    Effect.gen(function* () {
      const scene = yield* makeScene()
      yield* scene.cds.set({ cdn: false })
      yield* scene.cds.enqueue()
      yield* TestClock.adjust("1 minute")
      const [waiting] = yield* scene.dispatcher.waiting
      assert.match(waiting?.reason ?? "", /CDS: .*404/)
      assert.strictEqual((yield* scene.capacity.used).workers, 0)
      assert.strictEqual(standing(scene), "Provisioned Provisioned")
      yield* scene.cds.set({ cdn: true })
      yield* TestClock.adjust("10 minutes")
      assert.strictEqual((yield* scene.cds.counts).done, 1)
    })
  )
})

describe("a job that waits", () => {
  it.effect("is told why after half a minute, and not again within five minutes", () =>
    Effect.gen(function* () {
      const scene = yield* makeScene()
      const [id = ""] = yield* scene.cds.enqueue({ memory: "2048" })
      const told = Effect.map(scene.cds.job(id), (job) => job?.infos.map(({ message }) => message) ?? [])
      yield* TestClock.adjust("29 seconds")
      assert.deepStrictEqual(yield* told, [])
      yield* TestClock.adjust("31 seconds")
      assert.strictEqual((yield* told).length, 1)
      assert.match((yield* told)[0] ?? "", /Hatchery "rookery" cannot start a worker yet: it asks for memory/)
      yield* TestClock.adjust("4 minutes")
      assert.strictEqual((yield* told).length, 1)
      yield* TestClock.adjust("90 seconds")
      assert.strictEqual((yield* told).length, 2)
    })
  )

  it.effect("is served by the machine that is on its way to the pool, without waiting for the next poll", () =>
    Effect.gen(function* () {
      const made = yield* makeWorld({ settings: { provision: [{ template: "debian12", number: 1 }] } })
      const cds = { ...made.settings.cds, pollIntervalMs: 3_600_000 }
      const world = { ...made, settings: { ...made.settings, cds } }
      yield* enter(world)
      yield* TestClock.adjust("10 seconds")
      const [id = ""] = yield* world.cds.enqueue()
      yield* TestClock.adjust("10 seconds")
      assert.strictEqual(world.vcenter.summary().created, 1)
      yield* TestClock.adjust("3 minutes")
      assert.strictEqual(yield* takes(world, id), 1)
      assert.strictEqual(world.vcenter.summary().created, 2)
    }).pipe(seeded("on the way"))
  )

  it.effect("has a machine cloned for it when the pool has none, and none on the way", () =>
    Effect.gen(function* () {
      const scene = yield* makeScene({
        settings: { provision: [], flavors: [{ name: "small", cpus: 1, memoryMB: 1024 }] }
      })
      const [id = ""] = yield* scene.cds.enqueue({ flavor: "small" })
      yield* TestClock.adjust("1 minute")
      const [machine] = ours(scene)
      assert.strictEqual(ours(scene).length, 1)
      assert.strictEqual(machine?.cpus, 1)
      assert.strictEqual(yield* takes(scene, id), 1)
      yield* TestClock.adjust("10 minutes")
      assert.strictEqual((yield* scene.cds.counts).done, 1)
      assert.deepStrictEqual(ours(scene), [])
    })
  )

  it.effect("is served when a place among the workers, or among those that start, becomes free", () =>
    Effect.gen(function* () {
      for (const limit of [{ maxWorker: 1 }, { maxConcurrentProvisioning: 1 }]) {
        const made = yield* makeWorld({ settings: limit })
        const cds = { ...made.settings.cds, pollIntervalMs: 3_600_000 }
        const world = { ...made, settings: { ...made.settings, cds } }
        yield* enter(world)
        yield* TestClock.adjust("3 minutes")
        const [, second = ""] = yield* world.cds.enqueue({ count: 2 })
        yield* TestClock.adjust("10 seconds")
        assert.strictEqual(yield* takes(world, second), 0, JSON.stringify(limit))
        yield* TestClock.adjust("5 minutes")
        assert.strictEqual(yield* takes(world, second), 1, JSON.stringify(limit))
      }
    }).pipe(seeded("places"))
  )

  it.effect("and is stopped by its user is not waited for any longer", () =>
    Effect.gen(function* () {
      const scene = yield* makeScene({ settings: { maxWorker: 1 } })
      const [, second = ""] = yield* scene.cds.enqueue({ count: 2, durationMs: 120_000 })
      yield* TestClock.adjust("30 seconds")
      assert.strictEqual((yield* scene.dispatcher.waiting).length, 1)
      yield* scene.cds.stop(second)
      yield* TestClock.adjust("10 minutes")
      assert.deepStrictEqual(yield* scene.dispatcher.waiting, [])
      assert.strictEqual(yield* takes(scene, second), 0)
    })
  )
})

describe("jobs and machines", () => {
  it.effect("ten jobs with room for three: never more than three workers, each job run once", () =>
    Effect.gen(function* () {
      const scene = yield* makeScene({
        settings: { maxWorker: 3, provision: [{ template: "debian12", number: 4 }], poolSize: 4 }
      })
      const ids = yield* scene.cds.enqueue({ count: 10 })
      let most = 0
      yield* watch(1_200, () => {
        most = Math.max(most, ours(scene).filter((machine) => jobOn(machine) !== "").length)
      })
      assert.strictEqual(most, 3)
      assert.strictEqual((yield* scene.cds.counts).done, 10)
      for (const id of ids) assert.strictEqual(yield* takes(scene, id), 1)
      assert.strictEqual((yield* scene.capacity.used).workers, 0)
      assert.deepStrictEqual(yield* faults(scene, 4), [])
    })
  )

  it.effect("a job that is seen many times gets one machine, and is not left in the list of the waiting", () =>
    Effect.gen(function* () {
      const scene = yield* makeScene()
      yield* scene.cds.set({ eventCopies: 5 })
      const ids = yield* scene.cds.enqueue({ count: 2 })
      const doubles: Array<string> = []
      for (let second = 1; second <= 300; second++) {
        yield* TestClock.adjust("1 second")
        if (second % 3 === 0) for (const id of ids) yield* scene.cds.resendEvent(id)
        const jobs = ours(scene)
          .map(jobOn)
          .filter((job) => job !== "")
        if (new Set(jobs).size !== jobs.length) doubles.push(`${second}: ${jobs.join(" ")}`)
      }
      assert.deepStrictEqual(doubles, [])
      for (const id of ids) assert.strictEqual(yield* takes(scene, id), 1)
      assert.strictEqual((yield* scene.cds.counts).done, 2)
      assert.deepStrictEqual(yield* scene.dispatcher.waiting, [])
      assert.deepStrictEqual(yield* faults(scene, 2), [])
    })
  )

  it.effect("a job whose take is refused gives its machine back, and the same machine runs it later", () =>
    Effect.gen(function* () {
      const scene = yield* makeScene({ settings: { provision: [{ template: "debian12", number: 1 }] } })
      const [pooled] = ours(scene)
      const [id = ""] = yield* scene.cds.enqueue()
      yield* scene.cds.holdTakeLock(id)
      yield* TestClock.adjust("5 seconds")
      assert.strictEqual(yield* takes(scene, id), 0)
      const back = ours(scene).find(({ ref }) => ref.value === pooled?.ref.value)
      assert.strictEqual(back?.name, pooled?.name)
      assert.strictEqual(jobOn(back!), "")
      assert.strictEqual((yield* scene.capacity.used).workers, 0)
      yield* TestClock.adjust("40 seconds")
      const working = ours(scene).find((machine) => jobOn(machine) === id)
      assert.strictEqual(working?.ref.value, pooled?.ref.value)
      yield* TestClock.adjust("10 minutes")
      assert.strictEqual((yield* scene.cds.counts).done, 1)
      assert.deepStrictEqual(yield* faults(scene, 1), [])
    })
  )

  it.effect("a job that is stopped while its machine is claimed, taken or hatched leaves nothing behind", () =>
    Effect.gen(function* () {
      for (const cancel of [
        { on: "Waiting", afterMs: 100 },
        { on: "Waiting", afterMs: 600 },
        { on: "Scheduling", afterMs: 1 },
        { on: "Scheduling", afterMs: 5_000 },
        { on: "Scheduling", afterMs: 20_000 }
      ] as const) {
        const scene = yield* makeScene()
        yield* scene.cds.enqueue({ cancel })
        yield* TestClock.adjust("10 minutes")
        assert.strictEqual((yield* scene.cds.counts).stopped, 1)
        assert.strictEqual((yield* scene.capacity.used).workers, 0)
        assert.deepStrictEqual(yield* faults(scene, 2), [], JSON.stringify(cancel))
      }
    })
  )

  it.effect("a job that was given back waits until the machine on which it still stands is off", () =>
    Effect.gen(function* () {
      const scene = yield* makeScene()
      const [id = ""] = yield* scene.cds.enqueue()
      yield* scene.cds.holdTakeLock(id)
      const carriers = () => ours(scene).filter((machine) => jobOn(machine) === id)
      while (carriers().length === 0) yield* TestClock.adjust("10 millis")
      const [first] = carriers()
      yield* scene.vcenter.inject({
        _tag: "TaskFails",
        operation: "ReconfigVM_Task",
        fault: "NoPermission",
        machine: first!.name,
        count: 99
      })
      scene.vcenter.others.powerOn(first!.ref.value)
      yield* TestClock.adjust("10 minutes")
      assert.deepStrictEqual(
        carriers().map(({ ref, power }) => [ref.value, power]),
        [[first!.ref.value, "poweredOn"]]
      )
      assert.match((yield* scene.dispatcher.waiting)[0]?.reason ?? "", /its last machine is being removed/)
      scene.vcenter.clearFaults()
      yield* TestClock.adjust("20 minutes")
      assert.strictEqual((yield* scene.cds.counts).done, 1)
      assert.deepStrictEqual(yield* faults(scene, 2), [])
    })
  )

  it.effect("a job that failed as often as it may waits for good, and says so", () =>
    Effect.gen(function* () {
      const scene = yield* makeScene({
        settings: {
          maxAttempts: 2,
          credentials: [{ template: "debian12", username: "worker", password: Redacted.make("wrong") }]
        }
      })
      const [id = ""] = yield* scene.cds.enqueue()
      yield* TestClock.adjust("20 minutes")
      assert.strictEqual(yield* takes(scene, id), 2)
      const [waiting] = yield* scene.dispatcher.waiting
      assert.match(waiting?.reason ?? "", /it failed 2 times/)
      const infos = (yield* scene.cds.job(id))?.infos ?? []
      assert.isTrue(infos.some(({ level, message }) => level === "error" && message.includes("its boot failed")))
      yield* TestClock.adjust("30 minutes")
      assert.strictEqual(yield* takes(scene, id), 2)
    })
  )
})
