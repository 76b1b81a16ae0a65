import { assert, describe, it } from "@effect/vitest"
import type { Annotation } from "../../../src/schema/Annotation.ts"
import type { MachineFacts } from "../../../src/schema/Machine.ts"
import { prove } from "../../../src/actors/vm/prove.ts"
import type { Claim, StateOf, Vm } from "../../../src/actors/vm/State.ts"
import { claim, env, facts, goAnnotation, minute, now, on, poolName, written } from "./sample.ts"

const { times } = env

const adopted = (more: Partial<MachineFacts>): Vm => {
  const vm = prove(facts(more), env)
  if (vm === undefined) throw new Error("the machine is not adopted")
  return vm
}

const claimOf = (vm: Vm): Claim | undefined => (vm.state as StateOf<"Running" | "Reaping" | "Renamed">).claim

const customization = (status: MachineFacts["guest"]["customization"]) => ({
  guest: { ...facts().guest, customization: status }
})

/** Under its worker's name, on. */
const worker = { name: claim.workerName, ...on }

describe("a machine that carries our key", () => {
  it("is booting while it is on in its first boot", () => {
    const vm = adopted({ annotation: written("booting"), ...on, ...customization("RUNNING") })
    assert.deepStrictEqual(vm.state, { _tag: "Booting" })
  })

  it("goes on into the pool when its first boot is over and it is off, and is reaped when that went wrong", () => {
    assert.deepStrictEqual(adopted({ annotation: written("booting") }).state, { _tag: "Settling" })
    for (const status of ["PENDING", "RUNNING", "FAILED", undefined] as const)
      assert.strictEqual(
        adopted({ annotation: written("booting"), ...customization(status) }).state._tag,
        "Reaping",
        status
      )
  })

  it("that was cloned for a job takes its claim up, whatever its power: the end of its clone may be about to power it on", () => {
    for (const power of ["poweredOff", "poweredOn"] as const) {
      const vm = adopted({ annotation: written("booting", { claim }), name: claim.workerName, power })
      assert.deepStrictEqual(vm.state, { _tag: "Renamed", claim, cancelled: undefined, resumed: true })
    }
  })

  it("is ready when it is off in the pool, and reaped when it is on there", () => {
    assert.deepStrictEqual(adopted({ annotation: written("provisioned") }).state, { _tag: "Provisioned" })
    const found = adopted({ annotation: written("provisioned"), ...on })
    assert.strictEqual(found.state._tag, "Reaping")
    assert.match(found.reason ?? "", /powered on in the pool/)
  })

  it("that is on in the pool with a job has CDS asked before it goes: its worker may be at work", () => {
    const found = adopted({ annotation: written("provisioned", { claim }), ...worker })
    assert.deepStrictEqual(found.state, { _tag: "Running", claim, signedIn: false, resumed: true, overdue: true })
    assert.match(found.reason ?? "", /powered on in the pool/)
  })

  it("takes its claim up again, whatever its power: CDS is asked about the job before it is taken", () => {
    for (const power of ["poweredOff", "poweredOn"] as const) {
      const vm = adopted({ annotation: written("renamed"), name: claim.workerName, power })
      assert.deepStrictEqual(vm.state, { _tag: "Renamed", claim, cancelled: undefined, resumed: true })
    }
  })

  it("has a worker that may have been started before", () => {
    const vm = adopted({ annotation: written("running"), ...worker })
    assert.deepStrictEqual(vm.state, { _tag: "Running", claim, signedIn: false, resumed: true })
    assert.strictEqual(vm.deadline, now + times.workerRegistrationTtlMs)
  })

  it("whose worker has powered it off is reaped, and its job given back if it is still ours", () => {
    const vm = adopted({ annotation: written("running"), name: claim.workerName })
    assert.deepStrictEqual(vm.state, { _tag: "Reaping", claim, settlement: "release" })
  })

  it("goes on being reaped for the reason that is written, with its job settled as it was meant to", () => {
    const reap = { claim, reason: "the worker's time (workerTTL) is over", settlement: "fail" } as const
    const vm = adopted({ annotation: written("reaping", reap) })
    assert.deepStrictEqual(vm.state, { _tag: "Reaping", claim, settlement: "fail" })
    assert.strictEqual(vm.reason, reap.reason)
    assert.deepStrictEqual(adopted({ annotation: written("reaping") }).state, {
      _tag: "Reaping",
      claim: undefined,
      settlement: "none"
    })
  })

  it("that is on is not reaped for a worker that CDS was not asked about, except where its time is over or it has no job", () => {
    const reap = { claim, reason: "its worker did not sign in", settlement: "release" } as const
    const vm = adopted({ annotation: written("reaping", reap), ...on })
    const asked = { _tag: "Running", claim, signedIn: false, resumed: true, overdue: true } as const
    assert.deepStrictEqual(vm.state, asked)
    assert.strictEqual(vm.reason, reap.reason)
    for (const settlement of ["fail", "none"] as const)
      assert.deepStrictEqual(adopted({ annotation: written("reaping", { ...reap, settlement }), ...on }).state, {
        _tag: "Reaping",
        claim,
        settlement
      })
    assert.strictEqual(adopted({ annotation: written("reaping"), ...on }).state._tag, "Reaping")
  })

  it("brings back its pool name, address, template, size, generation and the time of its state", () => {
    const vm = adopted({ annotation: written("running"), ...worker, numCpu: 8, memoryMB: 16384 })
    assert.strictEqual(vm.poolName, poolName)
    assert.strictEqual(vm.ip, "10.0.0.2")
    assert.strictEqual(vm.template, "debian12")
    assert.deepStrictEqual(vm.size, { cpus: 2, memoryMB: 4096 })
    assert.strictEqual(vm.generation, 3)
    assert.strictEqual(vm.since, now)
    assert.strictEqual(vm.createdAt, now - 60 * minute)
  })

  it("is not believed when its name or its worker's name is another: the Go rules decide, from the same generation on", () => {
    const renamed = adopted({ annotation: written("provisioned"), name: "busy-lovelace", ...on })
    assert.strictEqual(renamed.state._tag, "Running")
    assert.strictEqual(renamed.generation, 3)
    const rewritten = JSON.stringify({ ...JSON.parse(written("renamed")), worker_name: "somebody-else" })
    const other = adopted({ annotation: rewritten, name: claim.workerName, ...on })
    assert.strictEqual(other.state._tag, "Running")
  })

  it("is not believed when our key has not its shape", () => {
    const broken = JSON.stringify({ ...JSON.parse(written("provisioned")), rookery: { v: 2, state: "asleep" } })
    assert.deepStrictEqual(adopted({ annotation: broken }).state, { _tag: "Provisioned" })
    assert.strictEqual(adopted({ annotation: broken }).generation, 0)
  })
})

describe("a machine that the Go hatchery left (vsphere-behaviour 3)", () => {
  const claimedB: Partial<Annotation> = {
    workerName: "go-worker",
    provisioning: false,
    workerStartTime: now - 20 * minute,
    jobId: "7f1c7c5e-9d3c-4f0e-8a53-1f2bb1d3a001"
  }

  it("is a provision of either state: ready when it is off, booting when it is on", () => {
    const zeroDate = goAnnotation().replace("}", ',"worker_start_time":"0001-01-01T00:00:00Z"}')
    for (const annotation of [goAnnotation(), zeroDate]) {
      const ready = adopted({ annotation })
      assert.deepStrictEqual(ready.state, { _tag: "Provisioned" })
      assert.strictEqual(ready.ip, "10.0.0.2")
      assert.strictEqual(ready.poolName, poolName)
      assert.strictEqual(ready.generation, 0)
      assert.deepStrictEqual(ready.size, { cpus: 2, memoryMB: 4096 })
      assert.deepStrictEqual(adopted({ annotation, ...on }).state, { _tag: "Booting" })
    }
  })

  it("is reaped as a provision that went off before its customization was done", () => {
    for (const status of ["PENDING", "RUNNING", "FAILED"] as const)
      assert.strictEqual(adopted({ annotation: goAnnotation(), ...customization(status) }).state._tag, "Reaping")
    for (const status of ["SUCCEEDED", "IDLE", undefined] as const)
      assert.strictEqual(adopted({ annotation: goAnnotation(), ...customization(status) }).state._tag, "Provisioned")
  })

  it("is a worker of state A when it is renamed, though it still says provisioning; its job is not known", () => {
    const vm = adopted({ annotation: goAnnotation(), name: "go-worker", ...on, bootedAt: now - 7 * minute })
    assert.strictEqual(vm.state._tag, "Running")
    assert.strictEqual(claimOf(vm)?.jobId, "")
    assert.strictEqual(claimOf(vm)?.workerName, "go-worker")
    assert.strictEqual(claimOf(vm)?.startedAt, now - 7 * minute)
  })

  it("is a worker of state B, with its job and the start of its time", () => {
    const vm = adopted({ annotation: goAnnotation(claimedB), name: "go-worker", ...on, bootedAt: now - 7 * minute })
    assert.deepStrictEqual(vm.state, {
      _tag: "Running",
      signedIn: false,
      resumed: true,
      claim: {
        ...claim,
        jobId: claimedB.jobId ?? "",
        region: "",
        projectKey: "",
        modelName: "",
        workerName: "go-worker",
        startedAt: now - 20 * minute
      }
    })
  })

  it("is a worker that was cloned for its job", () => {
    const fresh = goAnnotation({ ...claimedB, workerModelPath: "debian", workerStartTime: undefined })
    const vm = adopted({ annotation: fresh, name: "go-worker", ...on })
    assert.strictEqual(claimOf(vm)?.jobId, claimedB.jobId)
    assert.strictEqual(claimOf(vm)?.startedAt, now - 60 * minute)
  })

  it("is reaped when its worker has powered it off, and its job given back if it is still ours", () => {
    const vm = adopted({ annotation: goAnnotation(claimedB), name: "go-worker" })
    assert.strictEqual(vm.state._tag, "Reaping")
    assert.strictEqual((vm.state as StateOf<"Reaping">).settlement, "release")
    assert.strictEqual(claimOf(vm)?.jobId, claimedB.jobId)
  })

  it("registers a V1 model: it carries no job, so that two of them are no rivals for one", () => {
    const register = goAnnotation({
      workerName: "register-debian",
      registerOnly: true,
      provisioning: false,
      workerModelPath: "shared.infra/debian",
      workerModelLastModified: "1700000000",
      jobId: "0"
    })
    const vm = adopted({ annotation: register, name: "register-debian", ...on })
    assert.strictEqual(vm.state._tag, "Running")
    assert.strictEqual(claimOf(vm)?.jobId, "")
  })

  it("counts its time from its boot, else its creation, else from now, when it says no start (defect 75)", () => {
    const bare = '{"hatchery_name":"rookery"}'
    const since = (more: Partial<MachineFacts>) => adopted({ annotation: bare, name: "w", ...on, ...more }).since
    assert.strictEqual(since({ bootedAt: now - minute }), now - minute)
    assert.strictEqual(since({ createdAt: now - 9 * minute }), now - 9 * minute)
    assert.strictEqual(since({ createdAt: undefined }), now)
  })
})

describe("a machine that is not ours to look after", () => {
  const strangers: Readonly<Record<string, Partial<MachineFacts>>> = {
    "has no annotation": { annotation: "" },
    "has somebody's note": { annotation: "do not touch" },
    "has half a JSON text": { annotation: '{"hatchery_name":"rookery"' },
    "has values of the wrong type": { annotation: '{"hatchery_name":"rookery","provisioning":"yes"}' },
    "names nobody": { annotation: '{"worker_name":"w"}' },
    "names another hatchery": { annotation: goAnnotation({ hatcheryName: "somebody" }) },
    "names one with another case": { annotation: goAnnotation({ hatcheryName: "Rookery" }) },
    "is a V1 template": { annotation: goAnnotation({ model: true, provisioning: false }) },
    "is a vSphere template": { annotation: goAnnotation(), template: true }
  }

  for (const [what, more] of Object.entries(strangers))
    it(what, () => assert.strictEqual(prove(facts(more), env), undefined))
})

describe("a machine that is adopted", () => {
  it("has a deadline that counts from now, whatever it says: a restart spends nobody's time", () => {
    const old = { ...env, now: now + 300 * minute }
    for (const annotation of [written("booting"), written("provisioned"), goAnnotation()]) {
      const vm = prove(facts({ annotation }), old)
      assert.isAbove(vm?.deadline ?? 0, old.now)
    }
  })

  it("goes back under the name it had in the pool, or one that is made of its worker's", () => {
    assert.strictEqual(adopted({ annotation: goAnnotation(), name: "provision-v2-mine" }).poolName, "provision-v2-mine")
    const worker = goAnnotation({ provisioning: false, workerName: "go-worker" })
    assert.strictEqual(adopted({ annotation: worker, name: "go-worker", ...on }).poolName, "provision-v2-go-worker")
  })
})
