import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { TestClock } from "effect/testing"
import { defaultTimes } from "../../../src/schema/config/defaults.ts"
import { seeded } from "../../support/world.ts"
import {
  enter,
  faults,
  jobOn,
  makeScene,
  makeV1,
  ours,
  registered,
  standing,
  takes,
  watch,
  type Scene
} from "../scene.ts"

const hour = 3_600_000

/** A start script that ends at once and well, and starts nothing. */
const endingWell = () => Effect.succeed({ exitCode: 0 })

/** A worker that does not notice what becomes of its job. */
const hanging = () => ({ hangsAfterMs: 1_000 })

/** A worker that takes its time to sign in. */
const late = () => ({ startMs: 8 * 60_000 })

/** The pool alone, and a job on a machine of it; answers when its worker works. */
const working = Effect.fnUntraced(function* (scene: Scene, durationMs = 5 * hour) {
  const [id = ""] = yield* scene.cds.enqueue({ durationMs })
  yield* TestClock.adjust("3 minutes")
  const machine = ours(scene).find((one) => jobOn(one) === id)
  assert.strictEqual((yield* scene.cds.job(id))?.status, "Building")
  assert.isDefined(machine)
  return { id, machine: machine!, isThere: () => ours(scene).some(({ ref }) => ref.value === machine!.ref.value) }
})

const infosOf = (scene: Scene, id: string) =>
  Effect.map(scene.cds.job(id), (job) => (job?.infos ?? []).map(({ level, message }) => `${level}: ${message}`))

describe("a machine whose worker", () => {
  it.effect("works is left alone until its time is over; then its job fails, and it is gone", () =>
    Effect.gen(function* () {
      const scene = yield* makeScene()
      const { id, isThere } = yield* working(scene)
      yield* TestClock.adjust("115 minutes")
      assert.isTrue(isThere())
      yield* TestClock.adjust("4 minutes")
      assert.isFalse(isThere())
      const job = yield* scene.cds.job(id)
      assert.strictEqual(job?.status, "Fail")
      assert.isTrue((yield* infosOf(scene, id)).some((line) => line.includes("workerTTL")))
      assert.deepStrictEqual(yield* faults(scene, 2), [])
    })
  )

  it.effect("was disabled at CDS is reaped at the next pass", () =>
    Effect.gen(function* () {
      const scene = yield* makeScene({ behaviour: hanging, cds: { timings: { cleanPassMs: 24 * hour } } })
      const { machine, isThere } = yield* working(scene)
      yield* scene.cds.disableWorker(machine.name)
      yield* TestClock.adjust("70 seconds")
      assert.isFalse(isThere())
      const events = yield* scene.log.recent
      const reaped = events.find(({ subject, text }) => subject === machine.instanceUuid && text.endsWith("→ Reaping"))
      assert.strictEqual(reaped?.data?.["reason"], "CDS disabled its worker")
    })
  )

  it.effect("runs a job that its user stops is reaped, and nothing is released or failed for it", () =>
    Effect.gen(function* () {
      const scene = yield* makeScene({ behaviour: hanging })
      const { id, isThere } = yield* working(scene)
      yield* scene.cds.stop(id)
      yield* TestClock.adjust("8 minutes")
      assert.isFalse(isThere())
      assert.strictEqual((yield* scene.cds.job(id))?.status, "Stopped")
      yield* TestClock.adjust("3 minutes")
      assert.deepStrictEqual(yield* faults(scene, 2), [])
    })
  )

  it.effect("never signs in is reaped after workerRegistrationTTL, and its job runs on another one", () =>
    Effect.gen(function* () {
      const seen = new Set<string>()
      const firstNever = (id: string) => {
        const again = seen.has(id)
        seen.add(id)
        return { neverRegisters: !again }
      }
      const times = { ...defaultTimes, workerRegistrationTtlMs: 5 * 60_000 }
      const scene = yield* makeScene({ behaviour: firstNever, settings: { times } })
      const [id = ""] = yield* scene.cds.enqueue()
      yield* TestClock.adjust("20 minutes")
      assert.strictEqual(yield* takes(scene, id), 2)
      assert.strictEqual((yield* scene.cds.job(id))?.status, "Success")
      assert.isTrue((yield* infosOf(scene, id)).some((line) => /error: .*did not sign in within/.test(line)))
      assert.deepStrictEqual(yield* faults(scene, 2), [])
    })
  )

  it.effect(
    "signs in for a V1 job while its removal is held up works on: a V1 job given back shuts no worker out",
    () =>
      Effect.gen(function* () {
        const times = { ...defaultTimes, workerRegistrationTtlMs: 5 * 60_000 }
        const options = { behaviour: late, settings: { times } }
        const world = yield* makeV1([{ name: "build-env", ...registered }], options)
        const process = yield* enter(world)
        yield* TestClock.adjust("5 minutes")
        const refused = { operation: "PowerOffVM_Task", fault: "GenericVmConfigFault", count: 100 }
        yield* world.vcenter.inject({ _tag: "TaskFails", ...refused })
        const [id = ""] = yield* world.cds.enqueueV1({ model: "shared.infra/build-env", durationMs: 10 * 60_000 })
        yield* TestClock.adjust("8 minutes")
        assert.strictEqual(standing(process), "Reaping")
        yield* TestClock.adjust("4 minutes")
        assert.strictEqual(standing(process), "Running")
        world.vcenter.clearFaults()
        yield* TestClock.adjust("20 minutes")
        assert.strictEqual((yield* world.cds.job(id))?.status, "Success")
        assert.deepStrictEqual(ours(world), [])
      }).pipe(seeded("late"))
  )

  it.effect("never signs in though its start script ended well is told so: a machine that stays on says nothing", () =>
    Effect.gen(function* () {
      const scene = yield* makeScene({ vcenter: { programs: endingWell }, settings: { maxAttempts: 1 } })
      const [id = ""] = yield* scene.cds.enqueue()
      yield* TestClock.adjust("15 minutes")
      const infos = yield* infosOf(scene, id)
      assert.isTrue(infos.some((line) => /error: .*ended with exit code 0.*the worker did not sign in/.test(line)))
      assert.isFalse(infos.some((line) => line.includes("workerRegistrationTTL")))
    })
  )

  it.effect("signs in while CDS lists no workers is left to its job, however long that lasts", () =>
    Effect.gen(function* () {
      const times = { ...defaultTimes, workerRegistrationTtlMs: 5 * 60_000 }
      const scene = yield* makeScene({ settings: { times } })
      yield* scene.cds.fault({ kind: "answer", status: 503, path: "/v2/worker", times: 1_000 })
      const [id = ""] = yield* scene.cds.enqueue({ durationMs: 20 * 60_000 })
      yield* TestClock.adjust("30 minutes")
      yield* scene.cds.clearFaults
      yield* TestClock.adjust("10 minutes")
      assert.strictEqual(yield* takes(scene, id), 1)
      assert.strictEqual((yield* scene.cds.job(id))?.status, "Success")
      assert.deepStrictEqual(yield* faults(scene, 2), [])
    })
  )

  it.effect("cannot start tells its job the exit code and the end of its log", () =>
    Effect.gen(function* () {
      const scene = yield* makeScene()
      yield* scene.cds.fault({ kind: "answer", status: 403, path: "/worker/signin" })
      const [id = ""] = yield* scene.cds.enqueue()
      yield* TestClock.adjust("10 minutes")
      const told = (yield* infosOf(scene, id)).find((line) => line.startsWith("error"))
      assert.match(
        told ?? "",
        /start script ended with exit code 1; its log ends with:\nworker: signin was refused: 403/
      )
      assert.strictEqual((yield* scene.cds.job(id))?.status, "Success")
      assert.deepStrictEqual(yield* faults(scene, 2), [])
    })
  )

  it.effect("has gone is off by itself, and goes without any pass of the reaper", () =>
    Effect.gen(function* () {
      const scene = yield* makeScene({ settings: { times: { ...defaultTimes, reaperIntervalMs: 24 * hour } } })
      yield* scene.cds.enqueue({ count: 2 })
      yield* TestClock.adjust("5 minutes")
      assert.strictEqual((yield* scene.cds.counts).done, 2)
      assert.deepStrictEqual(yield* faults(scene, 2), [])
    })
  )
})

describe("a machine whose guest", () => {
  it.effect("never boots is removed, its address is free, and its job is told and runs on another one", () =>
    Effect.gen(function* () {
      const scene = yield* makeScene()
      yield* scene.vcenter.inject({ _tag: "GuestFails", how: "NeverBoots" })
      const [id = ""] = yield* scene.cds.enqueue()
      yield* TestClock.adjust("2 seconds")
      const ill = ours(scene).find((machine) => jobOn(machine) === id)
      yield* TestClock.adjust("10 minutes")
      assert.notInclude(
        ours(scene).map(({ ref }) => ref.value),
        ill?.ref.value
      )
      assert.strictEqual((yield* scene.ips.count).leased, 2)
      assert.isTrue((yield* infosOf(scene, id)).some((line) => /error: .* its boot failed/.test(line)))
      assert.strictEqual((yield* scene.cds.job(id))?.status, "Success")
      assert.strictEqual(yield* takes(scene, id), 2)
      assert.deepStrictEqual(yield* faults(scene, 2), [])
    })
  )
})

describe("what other people do to a machine that hatches for a job", () => {
  const deeds = {
    "powering it off": (scene: Scene, machine: string) => scene.vcenter.others.powerOff(machine),
    "removing it": (scene: Scene, machine: string) => scene.vcenter.others.destroy(machine),
    "giving it to another owner": (scene: Scene, machine: string) =>
      scene.vcenter.others.annotate(machine, '{"hatchery_name":"other"}')
  }

  for (const [what, deed] of Object.entries(deeds))
    it.effect(`${what} gives its job back within a minute, and it runs on another one`, () =>
      Effect.gen(function* () {
        const scene = yield* makeScene()
        const [id = ""] = yield* scene.cds.enqueue()
        yield* TestClock.adjust("10 seconds")
        const machine = ours(scene).find((one) => jobOn(one) === id)
        assert.isTrue(deed(scene, machine?.name ?? ""))
        yield* TestClock.adjust("1 minute")
        assert.strictEqual((yield* scene.cds.job(id))?.releases, 1)
        yield* TestClock.adjust("10 minutes")
        assert.strictEqual((yield* scene.cds.job(id))?.status, "Success")
        assert.deepStrictEqual(yield* faults(scene, 2), [])
        assert.strictEqual((yield* scene.capacity.used).workers, 0)
      })
    )
})

describe("a pass of the reaper", () => {
  it.effect("is left out when the workers cannot be listed: nothing is concluded from silence", () =>
    Effect.gen(function* () {
      const scene = yield* makeScene({ behaviour: hanging })
      const { id, isThere } = yield* working(scene)
      yield* scene.cds.fault({ kind: "answer", status: 500, path: "/v2/worker", times: 1_000 })
      yield* scene.cds.stop(id)
      yield* TestClock.adjust("30 minutes")
      assert.isTrue(isThere())
      yield* scene.cds.clearFaults
      yield* TestClock.adjust("2 minutes")
      assert.isFalse(isThere())
    })
  )

  it.effect("is left out while the view of vCenter is in doubt", () =>
    Effect.gen(function* () {
      const scene = yield* makeScene({ behaviour: hanging })
      const { id, isThere } = yield* working(scene)
      yield* scene.vcenter.inject({
        _tag: "CallFails",
        operation: "WaitForUpdatesEx",
        fault: "SystemError",
        count: 1_000
      })
      yield* TestClock.adjust("2 minutes")
      yield* scene.cds.stop(id)
      const states = new Set<string>()
      yield* watch(600, () => states.add(standing(scene)))
      assert.deepStrictEqual([...states], ["Provisioned Provisioned Running"])
      assert.isTrue(isThere())
      scene.vcenter.clearFaults()
      yield* TestClock.adjust("3 minutes")
      assert.isFalse(isThere())
    })
  )
})
