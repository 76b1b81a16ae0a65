import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber } from "effect"
import { TestClock } from "effect/testing"
import { roundRobin } from "../../../src/actors/pool/Nursery.ts"
import { defaults as sim } from "../../../src/layers/simulated/vcenter/Options.ts"
import type { Machine } from "../../../src/layers/simulated/vcenter/Machine.ts"
import { makeWorld, seeded } from "../../support/world.ts"
import { enter, faults, makeScene, ours, standing, watch, type Scene } from "../scene.ts"

const keep = (number: number, template = "debian12") => ({ template, number })

/** Clones on their way: the name shows already, the configuration does not. */
const cloning = ({ vcenter }: Pick<Scene, "vcenter">): ReadonlyArray<Machine> =>
  vcenter.machines().filter(({ configured, origin }) => origin === "clone" && !configured)

const oldestFirst = (machines: ReadonlyArray<Machine>) => machines.toSorted((a, b) => a.createdAt - b.createdAt)

const refs = (machines: ReadonlyArray<Machine>) => machines.map(({ ref }) => ref.value)

const conflicts = ({ vcenter }: Pick<Scene, "vcenter">): ReadonlyArray<string> =>
  [...vcenter.addresses()].filter(([, names]) => names.length > 1).map(([ip, names]) => `${ip}: ${names.join(" ")}`)

describe("the warm pool", () => {
  it.effect(
    "never has more clones running in vCenter than workerProvisioningPoolSize, and that many while it must",
    () =>
      Effect.gen(function* () {
        const world = yield* makeWorld({ settings: { provision: [keep(7)], poolSize: 3 } })
        yield* enter(world)
        const running: Array<number> = []
        yield* watch(300, () => running.push(cloning(world).length))
        assert.strictEqual(Math.max(...running), 3)
        assert.isAbove(running.filter((count) => count === 3).length, 30)
        assert.deepStrictEqual(yield* faults(world, 7), [])
      }).pipe(seeded("pool"))
  )

  it.effect("gives every template a machine before any gets its second", () =>
    Effect.gen(function* () {
      const [debian = sim.templates[0]!] = sim.templates
      const settings = { provision: [keep(3), keep(2, "alpine"), keep(1, "suse")], poolSize: 1 }
      const templates = [debian, { ...debian, name: "alpine" }, { ...debian, name: "suse" }]
      const scene = yield* makeScene({ settings, vcenter: { templates } })
      yield* TestClock.adjust("5 minutes")
      const made = oldestFirst(ours(scene)).map(({ annotation }) => /"vmware_model_path":"(\w+)"/.exec(annotation)?.[1])
      assert.deepStrictEqual(made, ["debian12", "alpine", "suse", "debian12", "alpine", "debian12"])
    })
  )

  it.effect("replaces a ready machine whose address turns out to be somebody else's too", () =>
    Effect.gen(function* () {
      const scene = yield* makeScene()
      const [taken] = ours(scene)
      const ip = /"ip_address":"([\d.]+)"/.exec(taken?.annotation ?? "")?.[1] ?? ""
      scene.vcenter.addForeign({ count: 1, prefix: "squatter", ip, poweredOn: true })
      yield* TestClock.adjust("10 minutes")
      assert.notInclude(refs(ours(scene)), taken?.ref.value)
      assert.deepStrictEqual(conflicts(scene), [])
      assert.deepStrictEqual(yield* faults(scene, 2), [])
    })
  )

  it("takes turns in configured order, as long as any is missing", () => {
    const missing = new Map([
      ["a", 1],
      ["b", 3],
      ["c", 0],
      ["d", -2],
      ["e", 2]
    ])
    assert.deepStrictEqual(roundRobin(missing), ["a", "b", "e", "b", "e", "b"])
    assert.deepStrictEqual(roundRobin(new Map()), [])
  })

  it.effect("is refilled as soon as a machine is claimed", () =>
    Effect.gen(function* () {
      const scene = yield* makeScene()
      assert.deepStrictEqual(cloning(scene), [])
      yield* scene.cds.enqueue({ durationMs: 600_000 })
      yield* TestClock.adjust("1 second")
      assert.strictEqual(cloning(scene).length, 1)
      yield* TestClock.adjust("2 minutes")
      assert.strictEqual(ours(scene).length, 3)
    })
  )

  it.effect("is refilled when other people remove a machine of it, ready or not", () =>
    Effect.gen(function* () {
      const scene = yield* makeScene()
      const [first, second] = ours(scene)
      assert.isTrue(scene.vcenter.others.destroy(first?.name ?? ""))
      yield* TestClock.adjust("1 second")
      assert.strictEqual(cloning(scene).length, 1)
      yield* TestClock.adjust("25 seconds")
      const booting = ours(scene).find(({ name }) => name !== second?.name)
      assert.strictEqual(standing(scene), "Booting Provisioned")
      assert.isTrue(scene.vcenter.others.destroy(booting?.name ?? ""))
      yield* TestClock.adjust("3 minutes")
      assert.deepStrictEqual(yield* faults(scene, 2), [])
    })
  )

  it.effect("lets other people power on one of its machines once: it is replaced", () =>
    Effect.gen(function* () {
      const scene = yield* makeScene()
      const [first] = ours(scene)
      scene.vcenter.others.powerOn(first?.name ?? "")
      yield* TestClock.adjust("3 minutes")
      assert.notInclude(refs(ours(scene)), first?.ref.value)
      assert.deepStrictEqual(yield* faults(scene, 2), [])
    })
  )

  it.effect("counts the machines of this hatchery alone", () =>
    Effect.gen(function* () {
      const world = yield* makeWorld()
      const annotation =
        '{"hatchery_name":"other","worker_name":"x","provisioning":true,"vmware_model_path":"debian12"}'
      world.vcenter.addForeign({ count: 5, prefix: "provision-v2", annotation, poweredOn: false })
      yield* enter(world)
      yield* TestClock.adjust("3 minutes")
      assert.deepStrictEqual(yield* faults(world, 2), [])
    }).pipe(seeded("foreign"))
  )
})

describe("a template that cannot be hatched", () => {
  it.effect("is tried again after 5 s, 10 s, 20 s, and forgotten as trouble when it works", () =>
    Effect.gen(function* () {
      const world = yield* makeWorld({ settings: { provision: [keep(1)] }, latencyMs: 0 })
      yield* world.vcenter.inject({ _tag: "CallFails", operation: "CloneVM_Task", fault: "NoDiskSpace", count: 3 })
      const { said } = yield* enter(world)
      const sent: Array<number> = []
      const clones = () => world.vcenter.traffic.operations().get("CloneVM_Task")?.calls ?? 0
      yield* watch(60, (second) => {
        while (sent.length < clones()) sent.push(second)
      })
      const pauses = sent.slice(1).map((second, index) => second - (sent[index] ?? 0))
      assert.deepStrictEqual(pauses, [5, 10, 20])
      const decisions = yield* said("debian12")
      assert.strictEqual(decisions.length, 3)
      assert.match(decisions[0] ?? "", /hatching failed: cloning failed: .*NoDiskSpace/)
      yield* TestClock.adjust("3 minutes")
      assert.deepStrictEqual(yield* faults(world, 1), [])
    }).pipe(seeded("trouble"))
  )

  it.effect("does not exist: the others are hatched meanwhile, and the log says what is missing", () =>
    Effect.gen(function* () {
      const scene = yield* makeScene({ settings: { provision: [keep(1, "nosuch"), keep(1)], poolSize: 1 } })
      assert.deepStrictEqual(yield* faults(scene, 1), [])
      assert.match((yield* scene.said("nosuch"))[0] ?? "", /hatching failed: .*nosuch/)
    })
  )

  it.effect("boots into nothing: its machine is removed, its address free, and it is tried later", () =>
    Effect.gen(function* () {
      const world = yield* makeWorld({ settings: { provision: [keep(1)] } })
      yield* world.vcenter.inject({ _tag: "GuestFails", how: "CustomizationFails", count: 1 })
      const { said, ips } = yield* enter(world)
      yield* TestClock.adjust("15 minutes")
      assert.match((yield* said("debian12"))[0] ?? "", /hatching failed: its first boot failed/)
      assert.deepStrictEqual(yield* faults(world, 1), [])
      assert.strictEqual((yield* ips.count).leased, 1)
    }).pipe(seeded("boots"))
  )

  it.effect("has no address left: the reason is told, and nothing is cloned without one", () =>
    Effect.gen(function* () {
      const world = yield* makeWorld({ settings: { provision: [keep(2)] } })
      const networks = [{ ipRange: "10.0.0.0/30", gateway: "10.0.0.1", subnetMask: "255.255.255.252" }]
      const tight = { ...world, settings: { ...world.settings, vsphere: { ...world.settings.vsphere, networks } } }
      const { said } = yield* enter(tight)
      yield* TestClock.adjust("5 minutes")
      assert.strictEqual(world.vcenter.summary().created, 1)
      assert.match((yield* said("debian12"))[0] ?? "", /all 1 addresses of hatchery.vsphere.iprange are in use/)
      assert.deepStrictEqual(yield* faults(world, 1), [])
    }).pipe(seeded("addresses"))
  )
})

describe("a pool that is too large", () => {
  it.effect("loses the machines that are not ready yet, then the oldest", () =>
    Effect.gen(function* () {
      const scene = yield* makeScene({ settings: { provision: [keep(3)], poolSize: 1 } })
      const ready = oldestFirst(ours(scene))
      assert.strictEqual(standing(scene), "Provisioned Provisioned Provisioned")
      yield* scene.nursery.want("debian12", 4)
      yield* TestClock.adjust("30 seconds")
      assert.strictEqual(standing(scene), "Booting Provisioned Provisioned Provisioned")
      yield* scene.nursery.want("debian12", 2)
      yield* TestClock.adjust("1 minute")
      assert.sameMembers(refs(ours(scene)), refs(ready.slice(1)))
      assert.deepStrictEqual(yield* faults(scene, 2), [])
      assert.deepStrictEqual(yield* scene.said("debian12"), [])
    })
  )

  it.effect("never loses a machine that is leased for a job", () =>
    Effect.gen(function* () {
      const scene = yield* makeScene()
      yield* scene.cds.enqueue({ count: 2 })
      yield* TestClock.adjust("100 millis")
      assert.strictEqual(standing(scene), "Cloning Cloning Reserved Reserved")
      yield* scene.nursery.want("debian12", 0)
      yield* TestClock.adjust("10 minutes")
      assert.strictEqual((yield* scene.cds.counts).done, 2)
      assert.deepStrictEqual(yield* faults(scene, 0), [])
      assert.strictEqual((yield* scene.ips.count).leased, 0)
    })
  )

  it.effect("and wanted again while its clones are on the way gives no address twice", () =>
    Effect.gen(function* () {
      const world = yield* makeWorld()
      const { nursery, ips } = yield* enter(world)
      yield* TestClock.adjust("5 seconds")
      assert.strictEqual(cloning(world).length, 2)
      yield* nursery.want("debian12", 0)
      yield* TestClock.adjust("1 second")
      yield* nursery.want("debian12", 2)
      const twice: Array<string> = []
      yield* watch(240, () => twice.push(...conflicts(world)))
      assert.deepStrictEqual(twice, [])
      assert.deepStrictEqual(yield* faults(world, 2), [])
      assert.strictEqual((yield* ips.count).leased, 2)
    }).pipe(seeded("again"))
  )

  it.effect("is full in the end when the nursery dies with machines still waiting for a slot", () =>
    Effect.gen(function* () {
      const world = yield* makeWorld({ settings: { provision: [], poolSize: 1 } })
      const scene = yield* enter(world)
      yield* TestClock.adjust("5 seconds")
      yield* scene.nursery.want("debian12", 3)
      yield* TestClock.adjust("1 second")
      assert.strictEqual(cloning(world).length, 1)
      const dying = yield* Effect.forkChild(scene.nursery.run)
      yield* TestClock.adjust("100 millis")
      yield* Fiber.interrupt(dying)
      yield* TestClock.adjust("15 minutes")
      assert.strictEqual(standing(scene), "Provisioned Provisioned Provisioned")
    }).pipe(seeded("dies"))
  )
})
