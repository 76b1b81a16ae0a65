/** Rookery and the Go hatchery of the same engine take turns, with one configuration, between the real CDS and VMware's simulator. */
import { assert, it } from "@effect/vitest"
import { Effect } from "effect"
import { HarnessError } from "../harness/HarnessError.ts"
import type * as Process from "../harness/Process.ts"
import * as Program from "../harness/Program.ts"
import * as Stand from "../harness/Stand.ts"
import * as Vcenter from "../harness/Vcenter.ts"
import * as GoHatchery from "./GoHatchery.ts"
import type { Job } from "./Job.ts"
import type { RealCds } from "./RealCds.ts"

const minutes = (count: number) => count * 60_000

const stopped = (running: Process.Running) =>
  Effect.gen(function* () {
    yield* running.kill("SIGTERM")
    assert.deepStrictEqual(yield* running.exit, { code: 0, signal: null }, running.lines.join("\n"))
  })

const isReady = ({ name, power }: Vcenter.Seen): boolean => name.startsWith("provision-") && power === "poweredOff"

const isTemplate =
  (wanted: string) =>
  ({ name, template }: Vcenter.Seen): boolean =>
    template && name === wanted

/** Tells where it runs. */
const script = "echo from $(hostname)"

/** The job ends well, on a machine whose guest has this name. */
const servedOn = (job: Job, name = "") =>
  Effect.gen(function* () {
    const { status } = yield* job.until(["Success", "Fail", "Stopped"], minutes(4))
    assert.strictEqual(status, "Success", (yield* job.infos).join("\n"))
    yield* job.printed(`from ${name}`)
  })

const gone = (vcenter: Vcenter.Vcenter, ref: string, withinMs = minutes(2)) =>
  Effect.gen(function* () {
    while ((yield* vcenter.inventory).some((machine) => machine.ref === ref)) yield* Effect.sleep(100)
  }).pipe(
    Effect.timeoutOrElse({
      duration: withinMs,
      orElse: () => Effect.fail(new HarnessError({ message: `the machine ${ref} is still there` }))
    })
  )

const shortTimes = `[hatchery.vsphere.rookery]
reaperInterval = "1s"
provisioningInterval = "1s"
registerFrequency = "1s"
`

const pool = (modelPath: string) => `[[hatchery.vsphere.workerProvisioning]]
modelPath = "${modelPath}"
number = 1
`

/** The Go hatchery takes its logins from here alone. */
const login = (modelPath: string) => `[[hatchery.vsphere.guestCredentials]]
modelPath = "${modelPath}"
username = "${Vcenter.guestAccount.user}"
password = "${Vcenter.guestAccount.password}"
`

/** The model is registered, its template stands, one machine of its pool is ready, and nothing else of a hatchery's is under way. */
const settled = (cds: RealCds, vcenter: Vcenter.Vcenter, model: string) =>
  Effect.gen(function* () {
    while (true) {
      const { need_registration } = yield* cds.modelV1(model)
      const machines = (yield* vcenter.inventory).filter(({ annotation }) => annotation.startsWith("{"))
      const template = machines.find(isTemplate(model))
      const others = machines.filter((machine) => !machine.template)
      const [ready] = others
      if (!need_registration && template !== undefined && others.length === 1 && ready !== undefined && isReady(ready))
        return { template, ready }
      yield* Effect.sleep(200)
    }
  }).pipe(
    Effect.timeoutOrElse({
      duration: minutes(6),
      orElse: () => Effect.fail(new HarnessError({ message: `the model ${model} is not in place` }))
    })
  )

/** Each has a hatchery's name of its own, and disturbs no other. */
export const handovers = (started: Effect.Effect<RealCds>): void => {
  it.live(
    "uses and reaps the V1 machines and templates that the Go hatchery left, and the Go hatchery those that it left",
    () =>
      Effect.gen(function* () {
        const cds = yield* (yield* started).another("handed-v1")
        const vcenter = yield* Vcenter.start(["-tls", "-boot", "200ms", "-foreign", "2"])
        const before = Stand.foreign(yield* vcenter.inventory)
        const [theirs, ours] = ["theirs", "ours"].map((name) => `${cds.group}/${name}`) as [string, string]
        const config = yield* GoHatchery.configFile("handed-v1.toml", {
          cds,
          vcenter,
          ready: 0,
          more: [shortTimes, pool(theirs), login(theirs), login(ours)].join("")
        })
        const model = { image: "debian12", ...Vcenter.guestAccount }
        const job = (path: string) => cds.runV1Job({ script, requirements: [{ model: path }] })

        yield* cds.addModelV1({ name: "theirs", ...model })
        const go = yield* GoHatchery.start(config)
        const first = yield* settled(cds, vcenter, "theirs")
        yield* stopped(go)

        const rookery = yield* Program.startHatchery(config)
        yield* servedOn(yield* job(theirs), first.ready.name)
        yield* gone(vcenter, first.ready.ref)
        yield* cds.addModelV1({ name: "ours", ...model })
        yield* settled(cds, vcenter, "ours")
        const second = yield* settled(cds, vcenter, "theirs")
        assert.strictEqual(second.template.ref, first.template.ref)
        const built = (yield* vcenter.inventory).find(isTemplate("ours"))
        yield* stopped(rookery)

        yield* GoHatchery.start(config)
        yield* servedOn(yield* job(theirs), second.ready.name)
        yield* servedOn(yield* job(ours))
        assert.strictEqual((yield* vcenter.inventory).find(isTemplate("ours"))?.ref, built?.ref)
        assert.strictEqual((yield* vcenter.inventory).find(isTemplate("theirs"))?.ref, first.template.ref)
        // It marks the machines of disabled workers in one pass and removes them in a later one, two minutes apart each.
        yield* gone(vcenter, second.ready.ref, minutes(10))
        assert.deepStrictEqual(Stand.foreign(yield* vcenter.inventory), before)
      }).pipe(Effect.scoped),
    minutes(20)
  )

  it.live(
    "uses and reaps the V2 machines that the Go hatchery left, and the Go hatchery those that it left",
    () =>
      Effect.gen(function* () {
        const cds = yield* (yield* started).another("handed-v2")
        const vcenter = yield* Vcenter.start(["-tls", "-boot", "200ms", "-foreign", "2"])
        const before = Stand.foreign(yield* vcenter.inventory)
        const config = yield* GoHatchery.configFile("handed-v2.toml", { cds, vcenter, more: shortTimes })

        const go = yield* GoHatchery.start(config)
        const theirs = yield* vcenter.until(isReady, "ready by the Go hatchery", minutes(3))
        yield* stopped(go)

        const rookery = yield* Program.startHatchery(config)
        yield* servedOn(yield* cds.runV2Job({ script }), theirs.name)
        yield* gone(vcenter, theirs.ref)
        const ours = yield* vcenter.until(isReady, "ready by Rookery", minutes(2))
        yield* stopped(rookery)

        yield* GoHatchery.start(config)
        yield* servedOn(yield* cds.runV2Job({ script }), ours.name)
        // It looks every two minutes.
        yield* gone(vcenter, ours.ref, minutes(5))
        assert.deepStrictEqual(Stand.foreign(yield* vcenter.inventory), before)
      }).pipe(Effect.scoped),
    minutes(12)
  )
}
