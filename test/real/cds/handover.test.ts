/** Rookery and the Go hatchery of the same engine take turns, with one configuration, between the real CDS and VMware's simulator. */
import { assert, it } from "@effect/vitest"
import { Effect } from "effect"
import type { HarnessError } from "../harness/HarnessError.ts"
import type * as Process from "../harness/Process.ts"
import * as Program from "../harness/Program.ts"
import * as Stand from "../harness/Stand.ts"
import * as Vcenter from "../harness/Vcenter.ts"
import * as GoHatchery from "./GoHatchery.ts"
import * as RealCds from "./RealCds.ts"
import { realCds } from "./suite.ts"

const minutes = (count: number) => count * 60_000

const stopped = (running: Process.Running) =>
  Effect.gen(function* () {
    yield* running.kill("SIGTERM")
    assert.deepStrictEqual(yield* running.exit, { code: 0, signal: null }, running.lines.join("\n"))
  })

const isReady = ({ name, power }: Vcenter.Seen): boolean => name.startsWith("provision-") && power === "poweredOff"

/** A V2 job that tells where it runs. */
const served = (cds: RealCds.RealCds): Effect.Effect<string, HarnessError> =>
  Effect.gen(function* () {
    const job = yield* cds.runV2Job({ script: "echo from $(hostname)" })
    const { status, hatchery } = yield* job.until(["Success", "Fail", "Stopped"], minutes(2))
    assert.deepStrictEqual({ status, hatchery }, { status: "Success", hatchery: cds.hatchery })
    return (yield* job.logs).join("\n")
  })

const gone = (vcenter: Vcenter.Vcenter, ref: string) =>
  Effect.gen(function* () {
    while ((yield* vcenter.inventory).some((machine) => machine.ref === ref)) yield* Effect.sleep(100)
  })

realCds("Rookery and the Go hatchery", () => {
  it.live(
    "each adopts, uses and reaps the machines that the other one left",
    () =>
      Effect.gen(function* () {
        const vcenter = yield* Vcenter.start(["-tls", "-boot", "200ms", "-foreign", "2"])
        const before = Stand.foreign(yield* vcenter.inventory)
        const cds = yield* RealCds.start()
        const config = yield* GoHatchery.configFile("hatchery.toml", {
          cds,
          vcenter,
          more: '[hatchery.vsphere.rookery]\nreaperInterval = "1s"\nprovisioningInterval = "1s"'
        })

        const go = yield* GoHatchery.start(config)
        const theirs = yield* vcenter.until(isReady, "ready by the Go hatchery")
        yield* stopped(go)

        const rookery = yield* Program.startHatchery(config)
        assert.include(yield* served(cds), `from ${theirs.name}`)
        yield* gone(vcenter, theirs.ref)
        const ours = yield* vcenter.until(isReady, "ready by Rookery")
        yield* stopped(rookery)

        yield* GoHatchery.start(config)
        assert.include(yield* served(cds), `from ${ours.name}`)
        // The Go hatchery looks every two minutes.
        yield* gone(vcenter, ours.ref)
        assert.deepStrictEqual(Stand.foreign(yield* vcenter.inventory), before)
      }).pipe(Effect.scoped),
    minutes(8)
  )
})
