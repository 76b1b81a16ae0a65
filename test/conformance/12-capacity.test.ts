/** Seed 001 section 12: what limits the number of workers, and that the strictest limit is the one that holds (vsphere-behaviour 9). */
import { assert, describe, it } from "@effect/vitest"
import { Context, Effect } from "effect"
import { TestClock } from "effect/testing"
import type { PartialOptions } from "../../src/layers/simulated/vcenter/Options.ts"
import type { SettingsShape } from "../../src/schema/Settings.ts"
import { Monitor } from "../../src/services/Monitor.ts"
import { makeWorld, seeded, start, type World } from "../support/world.ts"

type Process = Effect.Success<ReturnType<typeof start>>

/** A template has 2 CPUs and 4096 MB. */
const plenty = { cpuMHz: 100_000, memoryMB: 65_536, unreservedMB: 65_536 }
const short = { ...plenty, unreservedMB: 3_000 }

const unlimited = { maxWorker: 0, maxCpus: 0, maxMemoryMB: 0 }

const begin = Effect.fnUntraced(function* (settings: Partial<SettingsShape>, vcenter: PartialOptions) {
  const world = yield* makeWorld({ settings: { provision: [], ...settings }, vcenter })
  const process = yield* start(world)
  yield* TestClock.adjust("10 seconds")
  return { world, process }
})

const four = ({ cds }: World) => cds.enqueue({ count: 4, durationMs: 60 * 60_000 })

/** How many of the jobs are with this hatchery, and why the others wait. */
const standing = Effect.fnUntraced(function* ({ cds }: World, process: Process) {
  const { running } = yield* cds.counts
  const waiting = yield* Context.get(process.context, Monitor).waiting
  return { running, reasons: new Set(waiting.map(({ reason }) => reason)) }
})

const status = ({ context }: Process, component: string) =>
  Effect.map(Context.get(context, Monitor).status, ({ lines }) => lines.find((line) => line.component === component))

describe("the strategy that an operator chooses", () => {
  const matrix: ReadonlyArray<readonly [string, Partial<SettingsShape>, typeof plenty, number, RegExp | undefined]> = [
    ["a count alone: the count holds", { ...unlimited, maxWorker: 2 }, plenty, 2, /2 workers of at most 2/],
    [
      "a count alone: the resource pool is a safety net",
      { ...unlimited, maxWorker: 2 },
      short,
      0,
      /the resource pool has 3000/
    ],
    ["no limit of ours: all start while the resource pool has room", unlimited, plenty, 4, undefined],
    ["no limit of ours: the resource pool decides", unlimited, short, 0, /and the worker needs 4096 MB/],
    ["static limits: CPUs", { ...unlimited, maxCpus: 5 }, plenty, 2, /maxCpus = 5/],
    ["static limits: memory", { ...unlimited, maxMemoryMB: 13_000 }, plenty, 3, /maxMemoryMB = 13000/],
    ["static limits and the resource pool: the pool", { ...unlimited, maxCpus: 5 }, short, 0, /the resource pool has/],
    ["count and static limits: the count is less", { ...unlimited, maxWorker: 1, maxCpus: 5 }, plenty, 1, /at most 1/],
    ["count and static limits: the CPUs are less", { ...unlimited, maxWorker: 3, maxCpus: 5 }, plenty, 2, /maxCpus = 5/]
  ]
  for (const [title, settings, pool, running, reason] of matrix)
    it.effect(title, () =>
      Effect.gen(function* () {
        const { world, process } = yield* begin(settings, { pool })
        yield* four(world)
        yield* TestClock.adjust("4 minutes")
        const found = yield* standing(world, process)
        assert.strictEqual(found.running, running)
        assert.strictEqual(found.reasons.size, reason === undefined ? 0 : 1)
        for (const one of found.reasons) assert.match(one, reason!)
      }).pipe(seeded(title))
    )
})

describe("the resource pool", () => {
  it.effect("has room for one more worker only once those that start are on: several at once take it once", () =>
    Effect.gen(function* () {
      const { world, process } = yield* begin(unlimited, { pool: { ...plenty, unreservedMB: 6_000 } })
      yield* four(world)
      const reasons = new Set<string>()
      let most = 0
      for (let second = 0; second < 10 * 60; second++) {
        yield* TestClock.adjust("1 second")
        const machines = yield* Context.get(process.context, Monitor).machines
        most = Math.max(most, machines.filter(({ state }) => state !== "running").length)
        for (const one of (yield* standing(world, process)).reasons) reasons.add(one)
      }
      assert.strictEqual(most, 1)
      assert.match([...reasons].join(), /6000 of 65536 MB left .*, 4096 MB of them for workers that start,/)
      assert.strictEqual((yield* standing(world, process)).running, 4)
    }).pipe(seeded("starts in flight"))
  )
})

describe("what is told of the limits", () => {
  it.effect("workers of how many, or of unlimited", () =>
    Effect.gen(function* () {
      const limited = yield* begin({ maxWorker: 7 }, {})
      assert.strictEqual((yield* status(limited.process, "Workers"))?.value, "0/7")
      const free = yield* begin({ maxWorker: 0 }, {})
      yield* four(free.world)
      yield* TestClock.adjust("1 minute")
      assert.strictEqual((yield* status(free.process, "Workers"))?.value, "4/unlimited")
    }).pipe(seeded("workers"))
  )
})

describe("the datastore", () => {
  it.effect(
    "has to have room for a clone: jobs wait with the reason, and start when there is some; nothing is cloned meanwhile",
    () =>
      Effect.gen(function* () {
        const { world, process } = yield* begin(unlimited, {})
        yield* world.vcenter.inject({ _tag: "DatastoreFull", forMs: 8 * 60_000 })
        yield* TestClock.adjust("1 minute")
        yield* four(world)
        yield* TestClock.adjust("5 minutes")
        const { running, reasons } = yield* standing(world, process)
        assert.strictEqual(running, 0)
        assert.match([...reasons].join(), /the datastore has 0 GB free, less than .*minFreeDatastoreGB = 10/)
        assert.notInclude(process.calls, "CloneVM_Task")
        yield* TestClock.adjust("6 minutes")
        assert.strictEqual((yield* standing(world, process)).running, 4)
      }).pipe(seeded("full datastore"))
  )
})

describe("when something cannot be read", () => {
  it.effect("a resource pool: the static limits hold alone, and the status says so", () =>
    Effect.gen(function* () {
      const made = yield* makeWorld({ settings: { ...unlimited, maxCpus: 5, provision: [] }, vcenter: { pool: short } })
      yield* made.vcenter.inject({ _tag: "Unreadable", path: "runtime.memory.unreservedForVm", forMs: 60 * 60_000 })
      const process = yield* start(made)
      yield* four(made)
      yield* TestClock.adjust("4 minutes")
      const { running, reasons } = yield* standing(made, process)
      assert.strictEqual(running, 2)
      assert.match([...reasons].join(), /maxCpus = 5/)
      const line = yield* status(process, "ResourcePool")
      assert.deepInclude(line, { status: "WARN" })
      assert.match(line?.value ?? "", /memory cannot be read: only maxWorker, maxCpus and maxMemoryMB limit/)
    }).pipe(seeded("unreadable pool"))
  )

  it.effect("the inventory: nothing is begun until it can, and then everything", () =>
    Effect.gen(function* () {
      const { world, process } = yield* begin(unlimited, {})
      yield* world.vcenter.inject({ _tag: "Restart", downMs: 8 * 60_000 })
      yield* TestClock.adjust("3 minutes")
      yield* four(world)
      yield* TestClock.adjust("3 minutes")
      const frozen = yield* standing(world, process)
      assert.strictEqual(frozen.running, 0)
      assert.match([...frozen.reasons].join(), /^the inventory is in doubt: /)
      yield* TestClock.adjust("8 minutes")
      assert.strictEqual((yield* standing(world, process)).running, 4)
    }).pipe(seeded("frozen"))
  )

  it.effect("a template: the job waits with the reason, and no limit is passed for it", () =>
    Effect.gen(function* () {
      const { world, process } = yield* begin({ ...unlimited, maxCpus: 5, credentials: [] }, {})
      yield* world.cds.enqueue({ count: 1, image: "nowhere" })
      yield* TestClock.adjust("1 minute")
      const { running, reasons } = yield* standing(world, process)
      assert.strictEqual(running, 0)
      assert.match([...reasons].join(), /nowhere/)
    }).pipe(seeded("no template"))
  )
})
