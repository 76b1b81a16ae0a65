import { assert, describe, it } from "@effect/vitest"
import type { Claim, VmState } from "../../../src/actors/vm/State.ts"
import { isBuild, poolOf } from "../../../src/actors/vm/State.ts"
import { annotate, annotationOf } from "../../../src/actors/vm/annotate.ts"
import { prove } from "../../../src/actors/vm/prove.ts"
import { workOf } from "../../../src/actors/vm/transition.ts"
import type { MachineFacts } from "../../../src/schema/Machine.ts"
import { parse, print } from "../../../src/schema/Annotation.ts"
import {
  after,
  asks,
  claim,
  deadline,
  done,
  env,
  facts,
  failed,
  find,
  goProvision,
  goTemplate,
  later,
  machine,
  minute,
  now,
  on,
  reaping,
  seen,
  states
} from "./sample.ts"

const stamp = { path: "ci/debian", lastModified: "1893000000" }
const template = { template: true }

const building = (state: VmState) => machine(state, { model: stamp, poolName: "debian-tmp" })

const registering: Claim = {
  ...claim,
  jobId: "",
  registers: true,
  region: "",
  projectKey: "",
  workerName: "register-debian-brave-noether",
  modelName: stamp.path,
  model: { id: 9, ...stamp }
}

describe("a machine that becomes the template of a V1 model", () => {
  it("is cloned, prepared, converted, and then nobody looks after it: its address is free and its actor ends", () => {
    const cloned = after(building(states.building), { _tag: "Cloned", ref: "vm-7" })
    assert.deepStrictEqual([cloned.vm.state._tag, workOf(cloned.vm.state)], ["Preparing", "prepare"])
    assert.deepStrictEqual(asks(cloned), ["CloneEnded"])
    const prepared = after(cloned.vm, done)
    assert.deepStrictEqual([prepared.vm.state._tag, workOf(prepared.vm.state)], ["Converting", "convert"])
    const converted = after(prepared.vm, done)
    assert.strictEqual(converted.vm.state._tag, "Templated")
    assert.deepStrictEqual(asks(converted), ["FreeIp", "FreeCapacity", "Built"])
  })

  it("belongs to no pool: neither its start nor its end is news for one", () => {
    for (const state of [states.building, states.preparing, states.converting]) {
      assert.isTrue(isBuild(state))
      const { vm, ...step } = after(building(state), failed)
      assert.strictEqual(vm.state._tag, "Reaping")
      assert.notInclude(asks({ vm, ...step }), "PoolShrank")
    }
  })

  it("is reaped when it fails or takes too long, and the reason is told", () => {
    const late = after(building(states.preparing), deadline)
    reaping(late)
    assert.strictEqual(find(late, "BuildFailed")?.reason, "preparing the template took too long")
    const broken = after(building(states.converting), failed)
    assert.strictEqual(find(broken, "BuildFailed")?.reason, "making the template failed: the disk is full")
    assert.isUndefined(find(broken, "HatchFailed"))
  })

  it("has the time of templateMs from its clone to its power-off", () => {
    assert.strictEqual(building(states.preparing).deadline, now + env.times.templateMs)
  })

  it("is done when vCenter shows a template, whatever became of the answer", () => {
    for (const state of [states.preparing, states.converting])
      assert.strictEqual(after(building(state), seen(template)).vm.state._tag, "Templated")
  })
})

const written = (state: "preparing" | "converting" | "reaping") =>
  annotationOf(building(states.preparing), { state, claim: undefined }, env)

describe("what is written on it", () => {
  it("says `model` and the stamp from its clone on, and no worker, as a V1 template of the Go hatchery", () => {
    for (const state of ["preparing", "converting"] as const) {
      const { model, workerModelPath, workerModelLastModified, workerName, provisioning, vmwareModelPath } =
        written(state)
      assert.deepStrictEqual(
        [model, workerModelPath, workerModelLastModified, workerName, provisioning, vmwareModelPath],
        [true, stamp.path, stamp.lastModified, undefined, false, undefined]
      )
    }
  })

  it("keeps its address until vCenter shows a template: till then somebody may power it on", () => {
    assert.strictEqual(written("preparing").ipAddress, "10.0.0.2")
    assert.strictEqual(written("converting").ipAddress, "10.0.0.2")
  })

  it("does not protect it any more when it is reaped", () => {
    assert.isFalse(written("reaping").model)
  })
})

const found = (annotation: string, more: Partial<MachineFacts> = {}) =>
  prove(facts({ name: "debian-tmp", annotation, ...more }), env)

const by = (state: "preparing" | "converting") => annotate(building(states.preparing), { state, claim: undefined }, env)

describe("after a restart", () => {
  it("one that was prepared is reaped and built again", () => {
    assert.strictEqual(found(by("preparing"), on)?.state._tag, "Reaping")
  })

  it("so is one that somebody renamed meanwhile; what may have been a template before is left alone", () => {
    const renamed = { name: "renamed-by-hand", ...on }
    assert.strictEqual(found(by("preparing"), renamed)?.state._tag, "Reaping")
    assert.isUndefined(found(by("converting"), renamed))
  })

  it("one that was to be marked is marked", () => {
    const vm = found(by("converting"))
    assert.deepStrictEqual([vm?.state._tag, vm?.model, vm?.ip], ["Converting", stamp, "10.0.0.2"])
  })

  it("one that is marked is nobody's", () => {
    assert.isUndefined(found(by("converting"), template))
  })
})

describe("a `-tmp` machine that the Go hatchery leaked (defect 77)", () => {
  const leaked = goTemplate(stamp)

  it("is reaped once it is older than templateMs", () => {
    assert.strictEqual(found(print({ ...leaked, created: now - 20 * minute }), on)?.state._tag, "Reaping")
  })

  it("has its time before: it may become a template, and nothing is done to it", () => {
    const vm = found(print({ ...leaked, created: now - 5 * minute }), on)
    assert.deepStrictEqual(vm?.state, { _tag: "Preparing", resumed: true })
    assert.isUndefined(workOf({ _tag: "Preparing", resumed: true }))
    assert.strictEqual(vm?.deadline, now + 10 * minute)
    if (vm === undefined) return
    assert.strictEqual(
      after(vm, seen({ name: "debian-tmp", annotation: print(leaked), ...template })).vm.state._tag,
      "Templated"
    )
    reaping(after(vm, deadline, later(10 * minute)))
  })

  it("under the model's own name is a template that somebody works on, and is left alone", () => {
    assert.isUndefined(found(print({ ...leaked, created: 0 }), { name: "debian" }))
  })
})

describe("a worker that registers its model", () => {
  const worker = machine({ _tag: "Running", claim: registering, signedIn: false, resumed: false }, { model: stamp })

  it("is written as the Go hatchery does: register_only, job 0, the model's path and stamp", () => {
    const text = annotate(worker, { state: "running", claim: registering }, env)
    const keys = JSON.parse(text) as Record<string, unknown>
    assert.deepInclude(keys, {
      worker_name: registering.workerName,
      register_only: true,
      worker_model_path: stamp.path,
      vmware_model_path: "debian12",
      worker_model_last_modified: stamp.lastModified,
      job_id: "0"
    })
  })

  it("is the same claim after a restart, with the id of its model", () => {
    const annotation = annotate(worker, { state: "running", claim: registering }, env)
    const vm = prove(facts({ name: registering.workerName, annotation, ...on }), env)
    assert.deepStrictEqual(vm?.state, { _tag: "Running", claim: registering, signedIn: false, resumed: true })
    assert.strictEqual(vm === undefined ? "" : poolOf(vm), stamp.path)
  })

  it("is reaped when it went off, and CDS is asked whether its model is registered", () => {
    assert.deepStrictEqual(reaping(after(worker, seen())), {
      _tag: "Reaping",
      claim: registering,
      settlement: "release"
    })
  })
})

describe("machines of V1 models as the Go hatchery leaves them", () => {
  const provision = print({
    ...goProvision,
    workerName: "provision-v1-calm-turing",
    vmwareModelPath: undefined,
    workerModelPath: stamp.path,
    workerModelLastModified: stamp.lastModified
  })

  it("a provision is a ready machine of its model's pool, cloned from the template with the model's name", () => {
    const vm = prove(facts({ name: "provision-v1-calm-turing", annotation: provision }), env)
    assert.deepStrictEqual(
      [vm?.state._tag, vm?.model, vm?.template, vm?.poolName],
      ["Provisioned", stamp, "debian", "provision-v1-calm-turing"]
    )
  })

  it("one that state A claimed by a new name alone is at work", () => {
    const vm = prove(facts({ name: "busy-hopper", annotation: provision, ...on }), env)
    assert.strictEqual(vm?.state._tag, "Running")
    assert.strictEqual(vm?.poolName, "provision-v1-calm-turing")
  })

  it("a fresh worker of a V2 model, which carries the model's name alone, is of no V1 model", () => {
    const annotation = print({ ...goProvision, provisioning: false, workerModelPath: "debian", jobId: "7" })
    const vm = prove(facts({ name: "busy-hopper", annotation, ...on }), env)
    assert.isUndefined(vm?.model)
    assert.strictEqual(vm === undefined ? "" : poolOf(vm), "debian12")
  })

  it("a registration worker has no job, and its model is told when it fails", () => {
    const annotation = print({
      ...goProvision,
      workerName: "register-debian-x",
      registerOnly: true,
      provisioning: false,
      workerModelPath: stamp.path,
      workerModelLastModified: stamp.lastModified,
      jobId: "0"
    })
    const vm = prove(facts({ name: "register-debian-x", annotation }), env)
    const state = vm?.state._tag === "Reaping" ? vm.state : undefined
    assert.deepInclude(state?.claim, { jobId: "", registers: true, model: { id: 0, ...stamp } })
    assert.strictEqual(state?.settlement, "release")
    assert.strictEqual(parse(annotation)?.jobId, "0")
  })
})
