/** Seed 001 section 5: the annotation is all that a hatchery knows of a machine. Read by us and by the Go hatchery, both ways. */
import { assert, describe, it } from "@effect/vitest"
import { Clock, Effect } from "effect"
import { TestClock } from "effect/testing"
import { prove } from "../../src/actors/vm/prove.ts"
import { claimOf, poolOf } from "../../src/actors/vm/State.ts"
import { parse, print } from "../../src/schema/Annotation.ts"
import type { MachineFacts } from "../../src/schema/Machine.ts"
import { makeWorld, name, seeded, start, type World } from "../support/world.ts"
import { enter, makeV1, named, ours, registered, standing, watch } from "../actors/scene.ts"
import { env, facts, minute, now } from "../actors/vm/sample.ts"
import {
  claimedByA,
  claimedByB,
  goAddresses,
  goAnnotation,
  isProvisionB,
  isProvisionV1,
  isRegisteringA,
  needsTemplateA,
  reaperB,
  type Shown
} from "./goRules.ts"

const dates = { created: "2026-04-15T10:00:00.123456789+02:00" }
const zero = { worker_start_time: "0001-01-01T00:00:00Z" }
const path = "shared.infra/build-env"
const stamp = { worker_model_path: path, worker_model_last_modified: "1776240000" }

/** The shapes of vsphere-behaviour 3, by the kind of machine, and what becomes of each: off, on. */
const shapes = {
  "V1 template in the making (A)": [{ ...stamp, model: true, ...dates }, "build-env-tmp", "Reaping", "Reaping"],
  "registration worker (A)": [
    { worker_name: "register-x", register_only: true, ...stamp, vmware_model_path: "build-env", ...dates, job_id: "0" },
    "register-x",
    "Reaping",
    "Running"
  ],
  "V1 worker, fresh (A)": [
    { worker_name: "w", ...stamp, vmware_model_path: "build-env", ...dates, job_id: "777" },
    "w",
    "Reaping",
    "Running"
  ],
  "V2 worker, fresh (A)": [
    { worker_name: "w", worker_model_path: "debian", vmware_model_path: "debian12", ...dates, job_id: "uuid" },
    "w",
    "Reaping",
    "Running"
  ],
  "V1 provision (A)": [
    { worker_name: "provision-v1-x", provisioning: true, ...stamp, ...dates },
    "provision-v1-x",
    "Provisioned",
    "Booting"
  ],
  "V2 provision (A)": [
    { worker_name: "provision-v2-x", provisioning: true, vmware_model_path: "debian12", ...dates },
    "provision-v2-x",
    "Provisioned",
    "Booting"
  ],
  "V2 provision (B)": [
    { worker_name: "provision-v2-x", provisioning: true, vmware_model_path: "debian12", ...dates, ...zero },
    "provision-v2-x",
    "Provisioned",
    "Booting"
  ],
  "claimed worker (A)": [
    { worker_name: "provision-v2-x", provisioning: true, vmware_model_path: "debian12", ...dates },
    "busy-hopper",
    "Reaping",
    "Running"
  ],
  "claimed worker (B)": [
    { worker_name: "w", vmware_model_path: "debian12", ...dates, worker_start_time: dates.created, job_id: "uuid" },
    "w",
    "Reaping",
    "Running"
  ]
} as const

const found = (keys: object, more: Partial<MachineFacts>) =>
  prove(
    facts({ annotation: JSON.stringify({ hatchery_name: "rookery", ...keys, ip_address: "10.0.0.2" }), ...more }),
    env
  )

const jobOf = (kind: keyof typeof shapes) => {
  const [keys, machine] = shapes[kind]
  const vm = found(keys, { name: machine, power: "poweredOn" })
  return vm === undefined ? undefined : claimOf(vm.state)
}

describe("each kind of machine that the Go hatchery leaves", () => {
  for (const [kind, [keys, machine, off, on]] of Object.entries(shapes))
    it(`is taken over: ${kind}`, () => {
      for (const [power, expected] of [
        ["poweredOff", off],
        ["poweredOn", on]
      ] as const) {
        const vm = found(keys, { name: machine, power, createdAt: now - 60 * minute })
        assert.strictEqual(vm?.state._tag, expected, power)
        assert.strictEqual(vm?.ip, "10.0.0.2", "its address is leased")
      }
    })

  it("keeps its V1 model, and so its pool; a V2 machine is of its template's", () => {
    const pools = Object.values(shapes).map(([keys, machine]) => {
      const vm = found(keys, { name: machine })
      return vm === undefined ? undefined : poolOf(vm)
    })
    assert.deepStrictEqual(pools, [path, path, path, "debian12", path, "debian12", "debian12", "debian12", "debian12"])
  })

  it("keeps its job, the zero job of a registration being none", () => {
    assert.strictEqual(jobOf("V1 worker, fresh (A)")?.jobId, "777")
    assert.deepInclude(jobOf("registration worker (A)"), { jobId: "", registers: true })
    assert.strictEqual(jobOf("claimed worker (B)")?.jobId, "uuid")
    assert.strictEqual(jobOf("claimed worker (A)")?.jobId, "", "state A does not write it")
  })

  it("is nobody's of ours when it is partial without an owner, foreign, or no JSON", () => {
    for (const annotation of ["", "hello", "[]", '{"worker_name":"w"}', '{"hatchery_name":"rookery","model":"yes"}'])
      assert.isUndefined(prove(facts({ annotation }), env), annotation)
    assert.isUndefined(found({ hatchery_name: "other", worker_name: "w" }, {}))
  })

  it("is read with every key missing but the owner, with further keys, and with text behind it", () => {
    assert.strictEqual(
      found({ color: "blue", nested: { a: [1] } }, { name: "w", power: "poweredOn" })?.state._tag,
      "Running"
    )
    const trailing = '{"hatchery_name":"rookery"} moved by hand'
    assert.strictEqual(
      prove(facts({ annotation: trailing, name: "w", power: "poweredOn" }), env)?.state._tag,
      "Running"
    )
  })
})

describe("what we write", () => {
  it("has Go's keys in Go's order, empty ones left out, and its escapes", () => {
    const text = print({
      hatcheryName: "a<b>&c",
      workerName: "w",
      registerOnly: true,
      provisioning: false,
      workerModelPath: path,
      vmwareModelPath: "build-env",
      workerModelLastModified: "1776240000",
      model: false,
      created: 0,
      workerStartTime: undefined,
      jobId: "0",
      ipAddress: "10.0.0.2",
      journal: undefined
    })
    assert.deepStrictEqual(Object.keys(JSON.parse(text) as object), [
      "hatchery_name",
      "worker_name",
      "register_only",
      "worker_model_path",
      "vmware_model_path",
      "worker_model_last_modified",
      "created",
      "job_id",
      "ip_address"
    ])
    assert.include(text, "a\\u003cb\\u003e\\u0026c")
    assert.strictEqual(parse(text)?.hatcheryName, "a<b>&c")
  })
})

const shown = ({ vcenter }: World): ReadonlyArray<Shown> =>
  vcenter.machines().map((machine) => ({
    name: machine.name,
    annotation: machine.annotation,
    power: machine.power,
    template: machine.template,
    createdAt: machine.createdAt
  }))

const oursOf = (world: World) => shown(world).filter((machine) => goAnnotation(machine)?.hatchery_name === name)

describe("what we leave, read by the Go rules", () => {
  it.effect("a ready pool: each machine is a provision with its one address, and no reaper takes it", () =>
    Effect.gen(function* () {
      const world = yield* makeWorld()
      const process = yield* start(world)
      yield* TestClock.adjust("3 minutes")
      yield* process.stop
      const left = oursOf(world)
      assert.strictEqual(left.length, 2)
      assert.isTrue(left.every(isProvisionB("debian12")))
      for (const machine of left) {
        assert.strictEqual(goAddresses(machine).length, 1, "name and annotation agree")
        assert.strictEqual(reaperB(name, Infinity, false)(machine), "keep")
      }
    }).pipe(seeded("ready"))
  )

  it.effect("a worker: no provision, with its job and start, kept for its time and no longer", () =>
    Effect.gen(function* () {
      const world = yield* makeWorld({ settings: { provision: [{ template: "debian12", number: 1 }] } })
      const process = yield* start(world)
      yield* TestClock.adjust("3 minutes")
      const [id = ""] = yield* world.cds.enqueue({ durationMs: 3_600_000 })
      yield* TestClock.adjust("2 minutes")
      yield* process.kill
      const worker = oursOf(world).find((machine) => goAnnotation(machine)?.job_id === id)
      assert.isDefined(worker)
      if (worker === undefined) return
      assert.isFalse(isProvisionB("debian12")(worker))
      assert.strictEqual(goAnnotation(worker)?.worker_name, worker.name)
      const started = Date.parse(goAnnotation(worker)?.worker_start_time ?? "")
      const at = (minutes: number) => reaperB(name, started + minutes * minute, true)(worker)
      assert.deepStrictEqual([at(119), at(121)], ["keep", "delete"])
    }).pipe(seeded("worker"))
  )

  it.effect("a V1 template: it needs no new one, and is never reaped; a V1 pool machine serves its model", () =>
    Effect.gen(function* () {
      const settings = { modelProvision: [{ modelPath: path, number: 1 }] }
      const world = yield* makeV1([{ name: "build-env", ...registered }], { settings })
      const process = yield* start(world)
      yield* TestClock.adjust("10 minutes")
      yield* process.stop
      const lastModified = String(Math.floor((world.model?.lastModifiedAt ?? 0) / 1000))
      assert.isFalse(needsTemplateA(shown(world), { name: "build-env", lastModified }))
      assert.isTrue(needsTemplateA(shown(world), { name: "build-env", lastModified: "1" }))
      const [provision, ...rest] = oursOf(world).filter(({ template }) => !template)
      assert.isEmpty(rest)
      if (provision === undefined) return assert.fail("there is no machine")
      assert.isTrue(isProvisionV1(path)(provision))
      assert.strictEqual(reaperB(name, Infinity, false)(provision), "keep")
    }).pipe(seeded("v1 left"))
  )

  it.effect("a V1 template in the making, and the registration after it: each is known to be on its way", () =>
    Effect.gen(function* () {
      const world = yield* makeV1([{ name: "build-env" }])
      const process = yield* start(world)
      const underWay: Array<string> = []
      yield* watch(600, () => {
        const machines = oursOf(world).filter(({ template }) => !template)
        if (machines.length > 0) assert.isTrue(isRegisteringA(machines, "build-env"))
        underWay.push(...machines.map((machine) => machine.name))
      })
      assert.lengthOf(new Set(underWay), 2)
      assert.isFalse(isRegisteringA(oursOf(world), "build-env"))
      yield* process.stop
    }).pipe(seeded("v1 under way"))
  )
})

/** Puts a machine into the state that the Go hatchery leaves it in. */
const become = (world: World, ref: string, { name: renamed, annotation }: Shown) => {
  world.vcenter.others.rename(ref, renamed)
  world.vcenter.others.annotate(ref, annotation)
  world.vcenter.others.powerOn(ref)
}

describe("a claim of the Go hatchery in between", () => {
  it.effect("by state B: its worker is left at work with its job, though CDS does not know it yet", () =>
    Effect.gen(function* () {
      const world = yield* makeWorld()
      const first = yield* start(world)
      yield* TestClock.adjust("3 minutes")
      yield* first.stop
      const [machine] = ours(world)
      const before = shown(world).find((one) => one.name === machine?.name)
      if (machine === undefined || before === undefined) return assert.fail("there is no machine")
      become(world, machine.ref.value, claimedByB(before, "busy-hopper", "7f1c7c5e-9d3c-4f0e-8a53-1f2bb1d3a001", now))
      const second = yield* enter(world)
      yield* TestClock.adjust("20 seconds")
      const adopted = [...second.machines.values()].find(({ vm }) => vm.ref === machine.ref.value)?.vm
      assert.strictEqual(adopted?.state._tag, "Running")
      assert.strictEqual(
        adopted === undefined ? "" : claimOf(adopted.state)?.jobId,
        "7f1c7c5e-9d3c-4f0e-8a53-1f2bb1d3a001"
      )
      assert.strictEqual(named(world, "busy-hopper")?.power, "poweredOn")
    }).pipe(seeded("claimed by B"))
  )

  it.effect("by state B for a V1 job that is booked: its worker is started already, and no second one is", () =>
    Effect.gen(function* () {
      const world = yield* makeWorld({ v1: true })
      const first = yield* start(world)
      yield* TestClock.adjust("3 minutes")
      const [machine] = ours(world)
      const before = shown(world).find((one) => one.name === machine?.name)
      if (machine === undefined || before === undefined) return assert.fail("there is no machine")
      yield* first.stop
      const [id = ""] = yield* world.cds.enqueueV1()
      const { v1 } = world.cds.state
      const job = v1.jobs.get(id)
      const [service] = v1.services.values()
      if (job === undefined || service === undefined) return assert.fail("there is no job or no service")
      v1.book(job, { name, id: service.id }, 600_000, yield* Clock.currentTimeMillis)
      become(world, machine.ref.value, claimedByB(before, "busy-hopper", id, now))
      const second = yield* enter(world)
      yield* TestClock.adjust("2 minutes")
      const adopted = [...second.machines.values()].find(({ vm }) => vm.ref === machine.ref.value)?.vm
      assert.strictEqual(adopted?.state._tag, "Running")
      assert.notInclude(second.calls, "StartProgramInGuest")
    }).pipe(seeded("V1 job claimed by B"))
  )

  it.effect("by state A of a V1 machine: our key does not fit its name any more and is not believed", () =>
    Effect.gen(function* () {
      const settings = { modelProvision: [{ modelPath: path, number: 1 }] }
      const world = yield* makeV1([{ name: "build-env", ...registered }], { settings })
      const first = yield* start(world)
      yield* TestClock.adjust("10 minutes")
      yield* first.stop
      const [machine] = ours(world)
      const before = shown(world).find((one) => one.name === machine?.name)
      if (machine === undefined || before === undefined) return assert.fail("there is no machine")
      become(world, machine.ref.value, claimedByA(before, "busy-hopper"))
      const second = yield* enter(world)
      yield* TestClock.adjust("1 minute")
      const adopted = [...second.machines.values()].find(({ vm }) => vm.ref === machine.ref.value)?.vm
      assert.strictEqual(adopted?.state._tag, "Running")
      assert.strictEqual(adopted?.model?.path, path)
      yield* TestClock.adjust("5 minutes")
      assert.strictEqual(standing(second), "Provisioned Running", "the pool is filled again")
    }).pipe(seeded("claimed by A"))
  )
})
