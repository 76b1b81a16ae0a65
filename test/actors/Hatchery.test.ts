import { assert, describe, it } from "@effect/vitest"
import { Effect, Redacted } from "effect"
import { TestClock } from "effect/testing"
import type { Machine } from "../../src/layers/simulated/vcenter/Machine.ts"
import { print } from "../../src/schema/Annotation.ts"
import { makeWorld, name, seeded, start, type World } from "../support/world.ts"
import { enter, faults, jobOn, makeScene, ours, standing, takes, watch } from "./scene.ts"

const refs = (machines: ReadonlyArray<Machine>) => machines.map(({ ref }) => ref.value).toSorted()

/** Machines of other people, and templates, whole: their change versions and tasks too. */
const foreigners = ({ vcenter }: Pick<World, "vcenter">) =>
  vcenter.machines().filter(({ origin }) => origin !== "clone")

/** A machine of the Go hatchery, off or on, as an annotation alone. */
const goMachine = (more: object) =>
  print({
    hatcheryName: name,
    workerName: undefined,
    registerOnly: false,
    provisioning: false,
    workerModelPath: undefined,
    vmwareModelPath: "debian12",
    workerModelLastModified: undefined,
    model: false,
    created: 0,
    workerStartTime: undefined,
    jobId: undefined,
    ipAddress: undefined,
    journal: undefined,
    ...more
  })

describe("a restart", () => {
  it.effect(
    "at any moment of two jobs' lives loses nothing: what was begun is gone on with, given back or removed",
    () =>
      Effect.gen(function* () {
        const moments = [0.002, 0.1, 0.4, 0.6, 1, 2, 4, 8, 15, 20, 21, 25, 40, 55, 60, 75, 90]
        const wrong: Array<string> = []
        for (const seconds of moments) {
          const found = yield* Effect.scoped(restartedAt(seconds * 1_000)).pipe(Effect.provide(TestClock.layer()))
          wrong.push(...found.map((fault) => `${seconds} s: ${fault}`))
        }
        assert.deepStrictEqual(wrong, [])
      }),
    60_000
  )

  it.effect("adopts the ready machines as they are, with their addresses, and hatches none", () =>
    Effect.gen(function* () {
      const scene = yield* makeScene()
      const before = refs(ours(scene))
      yield* scene.kill
      const second = yield* enter(scene.world)
      yield* TestClock.adjust("5 minutes")
      assert.deepStrictEqual(refs(ours(scene)), before)
      assert.strictEqual(standing(second), "Provisioned Provisioned")
      assert.strictEqual((yield* second.ips.count).leased, 2)
      assert.strictEqual(scene.vcenter.summary().created, 2)
    })
  )

  it.effect("counts the workers that it finds against the limits", () =>
    Effect.gen(function* () {
      const scene = yield* makeScene({ settings: { maxWorker: 2 } })
      yield* scene.cds.enqueue({ count: 2, durationMs: 3_600_000 })
      yield* TestClock.adjust("2 minutes")
      yield* scene.kill
      const second = yield* enter(scene.world)
      const [third = ""] = yield* scene.cds.enqueue()
      yield* TestClock.adjust("5 minutes")
      assert.strictEqual((yield* second.capacity.used).workers, 2)
      assert.strictEqual(yield* takes(scene, third), 0)
      assert.match((yield* second.dispatcher.waiting)[0]?.reason ?? "", /2 workers of at most 2/)
    })
  )

  it.effect(
    "leaves a worker at work whose machine's mark a restore of vCenter took back while the process before it lived",
    () =>
      Effect.gen(function* () {
        const scene = yield* makeScene()
        yield* scene.vcenter.inject({ _tag: "Save" })
        const [id = ""] = yield* scene.cds.enqueue({ durationMs: 30 * 60_000 })
        yield* TestClock.adjust("10 minutes")
        yield* scene.vcenter.inject({ _tag: "Restore" })
        yield* TestClock.adjust("2 minutes")
        yield* scene.kill
        yield* enter(scene.world)
        yield* TestClock.adjust("10 minutes")
        assert.strictEqual((yield* scene.cds.job(id))?.status, "Building")
        yield* TestClock.adjust("20 minutes")
        assert.strictEqual((yield* scene.cds.job(id))?.status, "Success")
        assert.deepStrictEqual(yield* faults(scene, 2), [])
      })
  )

  it.effect("goes on with the time of a worker where it stood", () =>
    Effect.gen(function* () {
      const scene = yield* makeScene()
      const [id = ""] = yield* scene.cds.enqueue({ durationMs: 5 * 3_600_000 })
      yield* TestClock.adjust("60 minutes")
      yield* scene.kill
      yield* enter(scene.world)
      yield* TestClock.adjust("57 minutes")
      assert.strictEqual((yield* scene.cds.job(id))?.status, "Building")
      yield* TestClock.adjust("6 minutes")
      assert.strictEqual((yield* scene.cds.job(id))?.status, "Fail")
      assert.deepStrictEqual(yield* faults(scene, 2), [])
    })
  )

  it.effect(
    "takes over what the Go hatchery left: ready ones join the pool, finished ones go, workers are left alone",
    () =>
      Effect.gen(function* () {
        const world = yield* makeWorld({
          settings: { credentials: [], provision: [{ template: "debian12", number: 1 }] }
        })
        const add = (prefix: string, more: object, poweredOn: boolean) =>
          world.vcenter.addForeign({ count: 1, prefix, annotation: goMachine(more), poweredOn })[0]?.value ?? ""
        const ready = add("provision-v2-go", { workerName: "provision-v2-go", provisioning: true }, false)
        const finished = add("finished", { workerName: "finished", jobId: "gone", workerStartTime: 1 }, false)
        const working = add("working", { workerName: "working", provisioning: true, ipAddress: "10.0.0.7" }, true)
        const template = add("template", { model: true }, false)
        const { machines } = yield* enter(world)
        yield* TestClock.adjust("5 minutes")
        const there = refs(world.vcenter.machines())
        assert.includeMembers(there, [ready, working, template])
        assert.notInclude(there, finished)
        assert.deepStrictEqual(
          [...machines.values()].map(({ vm }) => `${vm.ref} ${vm.state._tag}`).toSorted(),
          [`${ready} Provisioned`, `${working} Running`].toSorted()
        )
        assert.strictEqual(world.vcenter.summary().created, 0)
      }).pipe(seeded("takeover"))
  )

  it.effect(
    "asks for the job of a worker that the Go hatchery started: it goes when that is over, and stays till then",
    () =>
      Effect.gen(function* () {
        const world = yield* makeWorld({ settings: { provision: [] } })
        const [over = "", goesOn = ""] = yield* world.cds.enqueue({ count: 2 })
        yield* world.cds.stop(over)
        const job = world.cds.state.jobs.get(goesOn)
        if (job !== undefined) Object.assign(job, { status: "Scheduling", hatcheryName: name })
        const add = (prefix: string, jobId: string) =>
          world.vcenter.addForeign({
            count: 1,
            prefix,
            annotation: goMachine({ workerName: prefix, jobId, workerStartTime: 1 }),
            poweredOn: true
          })[0]?.value ?? ""
        const done = add("done", over)
        const busy = add("busy", goesOn)
        yield* enter(world)
        yield* TestClock.adjust("4 minutes")
        const there = refs(world.vcenter.machines())
        assert.notInclude(there, done)
        assert.include(there, busy)
      }).pipe(seeded("job of the Go hatchery"))
  )

  it.effect("that finds two machines with one address keeps the older one", () =>
    Effect.gen(function* () {
      const world = yield* makeWorld({ settings: { provision: [{ template: "debian12", number: 2 }] } })
      const add = (prefix: string) => {
        const annotation = goMachine({ workerName: prefix, provisioning: true, ipAddress: "10.0.0.9" })
        return world.vcenter.addForeign({ count: 1, prefix, annotation, poweredOn: false })[0]?.value ?? ""
      }
      const older = add("provision-v2-a")
      yield* TestClock.adjust("1 minute")
      const younger = add("provision-v2-b")
      yield* enter(world)
      yield* TestClock.adjust("5 minutes")
      const there = refs(ours(world))
      assert.include(there, older)
      assert.notInclude(there, younger)
      assert.deepStrictEqual(yield* faults(world, 2), [])
    }).pipe(seeded("rivals"))
  )

  const leavers = [
    { what: "that was being reaped", state: "reaping", poweredOn: false },
    { what: "that is on in the pool", state: "provisioned", poweredOn: true }
  ] as const

  it.effect.each(leavers)("leaves a worker alone whose job is still written on an older machine $what", (leaver) =>
    Effect.gen(function* () {
      const world = yield* makeWorld()
      const [left] = world.vcenter.addForeign({ count: 1, prefix: "left", poweredOn: leaver.poweredOn })
      const first = yield* enter(world)
      yield* TestClock.adjust("3 minutes")
      const [id = ""] = yield* world.cds.enqueue({ durationMs: 3_600_000 })
      yield* TestClock.adjust("3 minutes")
      assert.strictEqual((yield* world.cds.job(id))?.status, "Building")
      yield* first.kill
      const workerName = "left-before"
      const journal = { v: 1, state: leaver.state, generation: 3, instance: "first", name: "left", since: "" } as const
      const reaped = { workerName, jobId: id, workerStartTime: 1, journal: { ...journal, worker: workerName } }
      world.vcenter.others.rename(left?.value ?? "", "left")
      world.vcenter.others.annotate(left?.value ?? "", goMachine(reaped))
      yield* enter(world)
      yield* TestClock.adjust("5 minutes")
      const job = yield* world.cds.job(id)
      assert.strictEqual(job?.status, "Building")
      assert.strictEqual(job?.releases, 0)
      assert.lengthOf(
        ours(world).filter((machine) => jobOn(machine) === id && machine.power === "poweredOn"),
        1
      )
      assert.notInclude(refs(ours(world)), left?.value ?? "")
    }).pipe(seeded("left before"))
  )
})

/** Two jobs, a process killed so many milliseconds after they came, and another one that ends it all. */
const restartedAt = (ms: number) =>
  Effect.gen(function* () {
    const scene = yield* makeScene()
    const ids = yield* scene.cds.enqueue({ count: 2 })
    yield* TestClock.adjust(ms)
    yield* scene.kill
    yield* TestClock.adjust("10 seconds")
    yield* start(scene.world)
    yield* TestClock.adjust("25 minutes")
    const found = [...(yield* faults(scene, 2))]
    if ((yield* scene.cds.counts).done !== ids.length) found.push(JSON.stringify(yield* scene.cds.counts))
    return found
  })

describe("a stop", () => {
  it.effect("lets what is in between come to rest, takes no new job and ends the session", () =>
    Effect.gen(function* () {
      const scene = yield* makeScene()
      yield* scene.cds.enqueue({ count: 2 })
      yield* TestClock.adjust("200 millis")
      assert.include(standing(scene), "Reserved Reserved")
      assert.strictEqual(scene.vcenter.summary().sessions, 1)
      yield* scene.stop
      const [late = ""] = yield* scene.cds.enqueue()
      yield* TestClock.adjust("1 minute")
      assert.strictEqual(scene.vcenter.summary().sessions, 0)
      assert.strictEqual((yield* scene.cds.counts).running, 2)
      assert.strictEqual(yield* takes(scene, late), 0)
      assert.isFalse(standing(scene).includes("Reserved") || standing(scene).includes("Renamed"))
      yield* enter(scene.world)
      yield* TestClock.adjust("15 minutes")
      assert.strictEqual((yield* scene.cds.counts).done, 3)
      assert.deepStrictEqual(yield* faults(scene, 2), [])
    })
  )

  it.effect("signs out of the V1 API, once and last of all that it sends there", () =>
    Effect.gen(function* () {
      const scene = yield* makeScene({ v1: true })
      yield* scene.stop
      const calls = scene.calls.filter((call) => /^(GET|POST) /.test(call))
      assert.strictEqual(calls.at(-1), "POST /auth/consumer/signout")
      assert.lengthOf(
        calls.filter((call) => call.endsWith("/signout")),
        1
      )
    })
  )

  it.effect("waits no longer than its limit for a vCenter that does not answer", () =>
    Effect.gen(function* () {
      const scene = yield* makeScene()
      yield* scene.vcenter.inject({ _tag: "SlowCall", operation: "ReconfigVM_Task", count: 10, delayMs: 3_600_000 })
      yield* scene.cds.enqueue({ count: 2 })
      yield* TestClock.adjust("1 second")
      assert.include(standing(scene), "Reserved Reserved")
      yield* scene.stop
      assert.strictEqual(scene.vcenter.summary().sessions, 0)
    })
  )
})

describe("machines of other people", () => {
  it.effect("are as they were, whatever they are called and say, after jobs, a shrink and a restart", () =>
    Effect.gen(function* () {
      const world = yield* makeWorld()
      const notes = ["", "a note", goMachine({ hatcheryName: "other", workerName: "w", provisioning: true }), "{}"]
      for (const annotation of notes)
        for (const poweredOn of [true, false])
          world.vcenter.addForeign({ count: 2, prefix: "provision-v2-ip-10-0-0-2", annotation, poweredOn })
      const before = foreigners(world)
      assert.strictEqual(before.length, 17)
      const first = yield* enter(world)
      yield* TestClock.adjust("3 minutes")
      yield* world.cds.enqueue({ count: 4 })
      yield* TestClock.adjust("1 minute")
      yield* first.kill
      const second = yield* enter(world)
      yield* TestClock.adjust("15 minutes")
      yield* second.nursery.want("debian12", 0)
      yield* TestClock.adjust("5 minutes")
      assert.strictEqual((yield* world.cds.counts).done, 4)
      assert.deepStrictEqual(yield* faults(world, 0), [])
      assert.deepStrictEqual(foreigners(world), before)
    }).pipe(seeded("foreigners"))
  )

  it.effect("and their addresses are never handed out", () =>
    Effect.gen(function* () {
      const world = yield* makeWorld()
      for (const ip of ["10.0.0.2", "10.0.0.3", "10.0.0.5"]) world.vcenter.addForeign({ count: 1, ip })
      yield* enter(world)
      yield* TestClock.adjust("3 minutes")
      const given = ours(world).map(({ guest, fixed }) => [...fixed, ...guest.addresses.flat()][0])
      assert.deepStrictEqual(given.toSorted(), ["10.0.0.4", "10.0.0.6"])
    }).pipe(seeded("taken"))
  )

  it.effect("two hatcheries of different names on one vCenter never touch each other's machines", () =>
    Effect.gen(function* () {
      const hatcheries = [
        { name, region: "default" },
        { name: "other", region: "north" }
      ]
      const world = yield* makeWorld({ cds: { hatcheries } })
      const other = neighbour(world)
      yield* enter(world)
      yield* enter(other)
      const owners = new Map<string, string>()
      const changed: Array<string> = []
      const look = () => {
        for (const owner of [name, "other"])
          for (const { ref } of world.vcenter.owned(owner)) {
            const before = owners.get(ref.value) ?? owner
            if (before !== owner) changed.push(`${ref.value}: ${before}, then ${owner}`)
            owners.set(ref.value, owner)
          }
      }
      yield* watch(180, look)
      yield* world.cds.enqueue({ count: 3 })
      yield* world.cds.enqueue({ count: 3, region: "north" })
      yield* watch(900, look)
      assert.deepStrictEqual(changed, [])
      const jobs = yield* world.cds.jobs
      assert.deepStrictEqual(
        jobs.map(({ status, region, hatchery }) => `${status} ${region} ${hatchery}`),
        [...Array(3).fill(`Success default ${name}`), ...Array(3).fill("Success north other")]
      )
      assert.deepStrictEqual(yield* faults(world, 2), [])
      assert.strictEqual(world.vcenter.owned("other").length, 2)
    }).pipe(seeded("neighbours"))
  )
})

/** The same vCenter and CDS for a hatchery of another name, with addresses of its own. */
const neighbour = (world: World): World => {
  const { cds, vsphere } = world.settings
  const token = world.cds.identities[1]?.token ?? ""
  const networks = [{ ipRange: "10.0.1.0/24", gateway: "10.0.1.1", subnetMask: "255.255.255.0" }]
  const settings = {
    ...world.settings,
    cds: { ...cds, name: "other", tokenV2: Redacted.make(token) },
    vsphere: { ...vsphere, networks }
  }
  return { ...world, settings }
}

describe("what other people do to our machines", () => {
  it.effect("renaming a ready one does not keep it from being claimed", () =>
    Effect.gen(function* () {
      const scene = yield* makeScene()
      const renamed = ours(scene).map((machine, index) => {
        scene.vcenter.others.rename(machine.name, `theirs-${index}`)
        return machine.ref.value
      })
      const [id = ""] = yield* scene.cds.enqueue()
      yield* TestClock.adjust("20 seconds")
      const machine = ours(scene).find((one) => jobOn(one) === id)
      assert.include(renamed, machine?.ref.value)
      yield* TestClock.adjust("10 minutes")
      assert.strictEqual((yield* scene.cds.counts).done, 1)
      assert.deepStrictEqual(yield* faults(scene, 2), [])
    })
  )

  it.effect("writing another hatchery's name on it makes it theirs: nothing more is done to it", () =>
    Effect.gen(function* () {
      const scene = yield* makeScene()
      const [machine] = ours(scene)
      const annotation = goMachine({ hatcheryName: "other" })
      scene.vcenter.others.annotate(machine?.name ?? "", annotation)
      const theirs = () => scene.vcenter.machines().find(({ ref }) => ref.value === machine?.ref.value)
      yield* TestClock.adjust("10 minutes")
      const given = theirs()
      assert.strictEqual(given?.annotation, annotation)
      yield* TestClock.adjust("30 minutes")
      assert.deepStrictEqual(theirs(), given)
      assert.deepStrictEqual(yield* faults(scene, 2), [])
    })
  )

  it.effect("disturbing its change version all the time does not keep it from working", () =>
    Effect.gen(function* () {
      const scene = yield* makeScene()
      yield* scene.cds.enqueue({ count: 2 })
      for (let step = 0; step < 1_200; step++) {
        for (const machine of ours(scene)) scene.vcenter.others.disturb(machine.ref.value)
        yield* TestClock.adjust("700 millis")
      }
      assert.strictEqual((yield* scene.cds.counts).done, 2)
      assert.deepStrictEqual(yield* faults(scene, 2), [])
    })
  )

  it.effect("taking its host away holds it, and it goes on when the host is back", () =>
    Effect.gen(function* () {
      const scene = yield* makeScene()
      const [id = ""] = yield* scene.cds.enqueue({ durationMs: 600_000 })
      yield* TestClock.adjust("12 seconds")
      const machine = ours(scene).find((one) => jobOn(one) === id)
      yield* scene.vcenter.inject({
        _tag: "Disconnects",
        machine: machine?.name ?? "",
        state: "disconnected",
        forMs: 120_000
      })
      yield* TestClock.adjust("1 minute")
      assert.include(standing(scene), "Held")
      yield* TestClock.adjust("20 minutes")
      assert.strictEqual(yield* takes(scene, id), 1)
      assert.strictEqual((yield* scene.cds.counts).done, 1)
      assert.deepStrictEqual(yield* faults(scene, 2), [])
    })
  )
})
