/** The hatchery as a process between VMware's simulator and the real CDS, with a tap before the API, and what a judge asks of them. */
import { assert } from "@effect/vitest"
import { Effect, type Scope } from "effect"
import { HarnessError } from "../harness/HarnessError.ts"
import type * as Process from "../harness/Process.ts"
import * as Program from "../harness/Program.ts"
import * as Soap from "../harness/Soap.ts"
import * as Stand from "../harness/Stand.ts"
import { type Tap, tap } from "../harness/Tap.ts"
import * as Vcenter from "../harness/Vcenter.ts"
import type { Job } from "./Job.ts"
import * as RealCds from "./RealCds.ts"

export interface RealStand {
  readonly vcenter: Vcenter.Vcenter
  readonly cds: RealCds.RealCds
  /** Before the API: all that the hatchery and the workers in its guests say to it. */
  readonly tap: Tap
  readonly session: Soap.Session
  /** The machines that were there before and belong to nobody. */
  readonly foreign: ReadonlyArray<Vcenter.Seen>
  /** Starts a hatchery process on both sides of CDS, which keeps one machine ready unless told otherwise. It is told to stop with the scope. */
  readonly hatchery: (
    configuration?: Partial<Program.Configuration>
  ) => Effect.Effect<Process.Running, HarnessError, Scope.Scope>
  /** Waits until exactly so many machines stand ready, and there is no other of ours. V1 templates do not count. */
  readonly pool: (number: number, withinMs?: number) => Effect.Effect<ReadonlyArray<Stand.Owned>, HarnessError>
  /** What was seen that must never be: an address or a job on two machines. */
  readonly doubles: ReadonlySet<string>
}

/** Stands up the rest around a CDS that runs; flags are the vCenter's. Several may stand around one CDS, for a hatchery each. */
export const around = (
  cds: RealCds.RealCds,
  flags: ReadonlyArray<string> = []
): Effect.Effect<RealStand, HarnessError, Scope.Scope> =>
  Effect.gen(function* () {
    const vcenter = yield* Vcenter.start(["-boot", "200ms", "-foreign", "2", ...flags])
    const between = yield* tap(cds.url)
    const written: Program.Configuration = {
      hatchery: cds.hatchery,
      region: cds.region,
      vcenter: vcenter.url,
      cds: between.url,
      token: cds.tokens.v2,
      tokenV1: cds.tokens.v1,
      password: Vcenter.account.password,
      datacenter: "DC0",
      template: "debian12",
      number: 1,
      ipRange: "10.0.0.0/28",
      reaperInterval: "500ms"
    }
    return {
      vcenter,
      cds,
      tap: between,
      session: yield* Soap.login(vcenter.url, Vcenter.account),
      foreign: Stand.foreign(yield* vcenter.inventory),
      hatchery: (configuration = {}) =>
        Effect.flatMap(Program.configFile({ ...written, ...configuration }), Program.startHatchery),
      pool: (number, withinMs = 60_000) => pool(cds, vcenter, number, withinMs),
      doubles: yield* Stand.watched(vcenter)
    }
  })

/** Machines of ours, templates left out. */
export const ours = ({ cds, vcenter }: Pick<RealStand, "cds" | "vcenter">) =>
  Effect.map(vcenter.inventory, (all) =>
    Stand.owned(
      all.filter(({ template }) => !template),
      cds.hatchery
    )
  )

const isReady = ({ power, facts }: Stand.Owned): boolean =>
  power === "poweredOff" && facts.provisioning === true && facts.rookery.state === "provisioned"

const pool = (cds: RealCds.RealCds, vcenter: Vcenter.Vcenter, number: number, withinMs: number) =>
  Effect.suspend(() => {
    let last: ReadonlyArray<Stand.Owned> = []
    const wait = Effect.gen(function* () {
      while (true) {
        last = yield* ours({ cds, vcenter })
        if (last.length === number && last.every(isReady)) return last
        yield* Effect.sleep(100)
      }
    })
    const late = Effect.suspend(() =>
      Effect.fail(new HarnessError({ message: `no pool of ${number}: ${JSON.stringify(last, undefined, 1)}` }))
    )
    return Effect.timeoutOrElse(wait, { duration: withinMs, orElse: () => late })
  })

/** Waits for the job's end, which must be a good one by this hatchery's worker. */
export const succeeds = Effect.fnUntraced(function* ({ cds }: RealStand, job: Job, withinMs = 120_000) {
  const { status, hatchery } = yield* job.until(["Success", "Fail", "Stopped", "Skipped", "Cancelled"], withinMs)
  const told = (yield* job.infos).join("\n")
  assert.deepStrictEqual({ status, hatchery }, { status: "Success", hatchery: cds.hatchery }, told)
})

/** What must hold after every story: the pool is full, nothing else of ours is left, CDS lists no worker, other people's machines are as before. */
export const nothingLeft = Effect.fnUntraced(function* (
  { cds, vcenter, pool, foreign, doubles }: RealStand,
  number: number
) {
  const ready = yield* pool(number)
  assert.deepStrictEqual(Stand.foreign(yield* vcenter.inventory), foreign)
  assert.deepStrictEqual([...doubles], [])
  for (const workers of [cds.workersV1, cds.workersV2])
    assert.deepStrictEqual(
      (yield* workers).filter(({ status }) => status !== "Disabled"),
      []
    )
  return ready
})

/** A CDS of its own, and the rest around it. */
export const start = Effect.flatMap(RealCds.start(), (cds) => around(cds))
