/** The V1 side as processes: templates built by guests, workers that register their model, V1 jobs; at VMware's simulator. */
import { assert, it } from "@effect/vitest"
import { Effect } from "effect"
import * as Go from "./harness/Go.ts"
import { HarnessError } from "./harness/HarnessError.ts"
import type * as Process from "./harness/Process.ts"
import { sideBySide } from "./harness/real.ts"
import * as Stand from "./harness/Stand.ts"
import * as Vcenter from "./harness/Vcenter.ts"

const path = "shared.infra/golang"
const asCode = "PROJ/github/acme/app/debian"
const large = { cpus: 4, memoryMB: 4096, diskSizeGB: 20 }
const isLarge = { cpus: 4, memory_mb: 4096, disk_gb: 20 }

/** As its owner writes it: the worker is downloaded, and the machine goes off when it has ended. */
const model = {
  name: "golang",
  flavor: "large",
  user: Vcenter.guestAccount.user,
  password: Vcenter.guestAccount.password,
  preCmd: `curl --fail --silent --show-error --output /tmp/worker "{{.API}}/download/worker/linux/amd64"
chmod +x /tmp/worker`,
  cmd: "/tmp/worker",
  postCmd: "sudo shutdown -h now"
}

const start = (options: Stand.Options["configuration"]) =>
  Stand.start({
    v1: true,
    configuration: { flavors: { large }, ipRange: "10.0.0.0/28", times: { registerFrequency: "1s" }, ...options }
  })

/** The model is registered, and there is nothing of ours but its template and so many machines of its pool, made from it. */
const look = Effect.fnUntraced(function* ({ cds, vcenter, session }: Stand.Stand, number: number) {
  const { v1 } = yield* cds.state
  const templates = new Set((yield* vcenter.inventory).filter((one) => one.template).map(({ ref }) => ref))
  const owned = Stand.owned(yield* session.machines)
  const [template, ...others] = owned.filter(({ ref }) => templates.has(ref))
  const ready = owned.filter(({ ref }) => !templates.has(ref))
  const settled =
    template?.name === model.name &&
    others.length === 0 &&
    v1.models.every(({ needRegistration }) => !needRegistration) &&
    ready.length === number &&
    ready.every(({ facts }) => facts.rookery.state === "provisioned")
  return { found: settled ? { template, ready } : undefined, owned, models: v1.models }
})

/** Waits for that. */
const inPlace = (stand: Stand.Stand, hatchery: Process.Running, number: number, but?: Stand.Owned) =>
  Effect.suspend(() => {
    let last: unknown
    const wait = Effect.gen(function* () {
      while (true) {
        const { found, ...more } = yield* look(stand, number)
        if (found !== undefined && found.template.ref !== but?.ref) return found
        last = more
        yield* Effect.sleep(50)
      }
    })
    const message = () =>
      ["the model is not in place", JSON.stringify(last, undefined, 1), ...hatchery.lines].join("\n")
    return Effect.timeoutOrElse(wait, {
      duration: "60 seconds",
      orElse: () => Effect.fail(new HarnessError({ message: message() }))
    })
  })

/** Runs a job on the model, and answers the machine as it was at work. */
const run = Effect.fnUntraced(function* ({ cds, vcenter }: Stand.Stand) {
  const [id = ""] = yield* cds.enqueueV1({ model: model.name, durationMs: 2000 })
  const { worker } = yield* cds.until(id, "Building")
  const busy = yield* vcenter.until(({ name }) => name === worker, "the worker's")
  assert.deepInclude(busy, { ...isLarge, power: "poweredOn" })
  assert.deepInclude(JSON.parse(busy.annotation), { worker_model_path: path, job_id: id })
  const { history } = yield* cds.until(id, "Success")
  assert.deepStrictEqual(
    history.map(({ status }) => status),
    ["Waiting", "Scheduling", "Building", "Success"]
  )
  return { id, busy }
})

const nothingLeft = Effect.fnUntraced(function* (
  { cds, vcenter, doubles }: Stand.Stand,
  before: ReadonlyArray<Vcenter.Seen>
) {
  assert.deepStrictEqual(Stand.foreign(yield* vcenter.inventory), Stand.foreign(before))
  const { v1, violations } = yield* cds.state
  assert.deepStrictEqual(
    v1.models.flatMap(({ spawnErrors }) => spawnErrors),
    []
  )
  assert.deepStrictEqual(violations, [])
  assert.deepStrictEqual([...doubles], [])
})

const sent = ({ taps }: Stand.Stand, name: string, having = "") =>
  taps.vcenter.exchanges.filter(({ operation, request }) => operation === name && request.includes(having)).length

sideBySide("the hatchery on the V1 side, between VMware's simulator and the simulated CDS,", Go.goMissing(), () => {
  it.live("builds a model's template in a guest, registers it by a worker, and runs a job from its pool", () =>
    Effect.gen(function* () {
      const stand = yield* start({ number: 0, models: { [path]: 1 } })
      yield* stand.cds.order("POST", "/v1/models", model)
      const before = yield* stand.vcenter.inventory
      const hatchery = yield* stand.hatchery
      const { template, ready } = yield* inPlace(stand, hatchery, 1)
      assert.deepInclude(template.facts, { model: true, worker_model_path: path })
      assert.match(template.facts.worker_model_last_modified ?? "", /^\d{10}$/)
      assert.strictEqual(sent(stand, "MarkAsTemplate"), 1)
      assert.strictEqual(sent(stand, "StartProgramInGuest", "/tmp/worker register"), 1)
      assert.match(ready[0]?.name ?? "", /^provision-v1-/)
      assert.deepInclude(ready[0]?.facts, {
        provisioning: true,
        worker_model_path: path,
        worker_model_last_modified: template.facts.worker_model_last_modified ?? ""
      })

      const { busy } = yield* run(stand)
      assert.strictEqual(busy.ref, ready[0]?.ref)
      const after = yield* inPlace(stand, hatchery, 1)
      assert.strictEqual(after.template.ref, template.ref)
      assert.notStrictEqual(after.ready[0]?.ref, busy.ref)
      yield* nothingLeft(stand, before)
    }).pipe(Effect.scoped)
  )

  it.live("runs a job on a clone of a model's template, and puts another in its place when the model is changed", () =>
    Effect.gen(function* () {
      const stand = yield* start({ number: 0 })
      yield* stand.cds.order("POST", "/v1/models", { ...model, registered: { binaries: [] } })
      const before = yield* stand.vcenter.inventory
      const hatchery = yield* stand.hatchery
      const first = yield* inPlace(stand, hatchery, 0)
      const { id } = yield* run(stand)
      assert.strictEqual(sent(stand, "CloneVM_Task", `&quot;job_id&quot;:&quot;${id}&quot;`), 1)

      yield* stand.cds.order("POST", "/v1/models", { ...model, postCmd: "sync; sudo shutdown -h now" })
      const second = yield* inPlace(stand, hatchery, 0, first.template)
      assert.isAbove(
        Number(second.template.facts.worker_model_last_modified),
        Number(first.template.facts.worker_model_last_modified)
      )
      assert.strictEqual(sent(stand, "StartProgramInGuest", "/tmp/worker register"), 1)
      yield* nothingLeft(stand, before)
    }).pipe(Effect.scoped)
  )

  it.live("runs a V1 job on a V2 model as code, on a machine of that model's pool, as large as its flavor", () =>
    Effect.gen(function* () {
      const stand = yield* start({ number: 1 })
      yield* stand.cds.order("POST", "/v1/models-as-code", { path: asCode })
      yield* stand.hatchery
      const [ready] = yield* stand.pool()
      const before = yield* stand.vcenter.inventory
      const [jobId = ""] = yield* stand.cds.enqueueV1({ model: asCode, flavor: "large", durationMs: 2000 })
      const { worker } = yield* stand.cds.until(jobId, "Building")
      const busy = yield* stand.vcenter.until(({ name }) => name === worker, "the worker's")
      assert.deepInclude(busy, { ...isLarge, ref: ready?.ref ?? "", power: "poweredOn" })
      assert.deepInclude(JSON.parse(busy.annotation), { job_id: jobId, vmware_model_path: "debian12" })
      yield* Stand.inOrder(stand, jobId, before)
    }).pipe(Effect.scoped)
  )
})
