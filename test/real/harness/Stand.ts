/** Three processes: VMware's simulator, the simulated CDS and the hatchery, with taps between, and what a judge asks of them. */
import { assert } from "@effect/vitest"
import { Effect, type Scope } from "effect"
import * as Cds from "./Cds.ts"
import { HarnessError } from "./HarnessError.ts"
import type * as Process from "./Process.ts"
import * as Program from "./Program.ts"
import * as Soap from "./Soap.ts"
import { type Tap, tap } from "./Tap.ts"
import * as Vcenter from "./Vcenter.ts"

export interface Stand {
  readonly vcenter: Vcenter.Vcenter
  readonly cds: Cds.Cds
  /** Between the hatchery and each of the two. The workers in the guests pass the latter as well. */
  readonly taps: { readonly vcenter: Tap; readonly cds: Tap }
  readonly session: Soap.Session
  /** Starts a hatchery process; all of a stand have the same configuration. */
  readonly hatchery: Effect.Effect<Process.Running, HarnessError, Scope.Scope>
  /** Starts one whose configuration differs in this. */
  readonly hatcheryWith: (
    changed: Partial<Program.Configuration>
  ) => Effect.Effect<Process.Running, HarnessError, Scope.Scope>
  /** Waits until exactly the wanted pool is there, over SOAP, and answers it. */
  readonly pool: (withinMs?: number) => Effect.Effect<ReadonlyArray<Owned>, HarnessError>
  /** What was seen that must never be: an address or a job on two machines. */
  readonly doubles: ReadonlySet<string>
}

/** A machine with the hatchery's annotation. */
export interface Owned extends Soap.Listed {
  readonly facts: {
    readonly hatchery_name: string
    readonly worker_name?: string
    readonly provisioning?: boolean
    readonly vmware_model_path?: string
    readonly worker_model_path?: string
    readonly worker_model_last_modified?: string
    readonly model?: boolean
    readonly job_id?: string
    readonly ip_address?: string
    readonly rookery: { readonly state: string }
  }
}

export interface Options {
  /** Flags of the two judges. */
  readonly vcenter?: ReadonlyArray<string>
  readonly cds?: ReadonlyArray<string>
  readonly configuration?: Partial<Program.Configuration>
  /** The hatchery signs in on the V1 side as well. */
  readonly v1?: boolean
}

export const start = ({ vcenter: flags = [], cds: cdsFlags = [], configuration = {}, v1 = false }: Options = {}) =>
  Effect.gen(function* (): Effect.fn.Return<Stand, HarnessError, Scope.Scope> {
    const [vcenter, cds] = yield* Effect.all(
      [Vcenter.start(["-boot", "200ms", "-foreign", "5", ...flags]), Cds.start(cdsFlags)],
      { concurrency: "unbounded" }
    )
    const taps = { vcenter: yield* tap(vcenter.url), cds: yield* tap(cds.url) }
    const wanted = configuration.number ?? 2
    const written: Program.Configuration = {
      vcenter: taps.vcenter.url,
      cds: taps.cds.url,
      token: cds.token,
      ...(v1 ? { tokenV1: cds.tokenV1 } : {}),
      password: Vcenter.account.password,
      datacenter: "DC0",
      template: "debian12",
      number: wanted,
      ipRange: "10.0.0.0/29",
      reaperInterval: "500ms",
      ...configuration
    }
    const config = yield* Program.configFile(written)
    const session = yield* Soap.login(vcenter.url, Vcenter.account, vcenter.process)
    const doubles = yield* watched(vcenter)
    return {
      vcenter,
      cds,
      taps,
      session,
      hatchery: Program.startHatchery(config),
      hatcheryWith: (changed) => Effect.flatMap(Program.configFile({ ...written, ...changed }), Program.startHatchery),
      pool: (withinMs = 60_000) => pool(session, wanted, withinMs),
      doubles
    }
  })

/** The machines whose annotation names the hatchery. */
export const owned = (machines: ReadonlyArray<Soap.Listed>, hatchery = Program.hatchery): ReadonlyArray<Owned> =>
  machines.flatMap((machine) => {
    if (!machine.annotation.startsWith("{")) return []
    const facts = JSON.parse(machine.annotation) as Owned["facts"]
    return facts.hatchery_name === hatchery ? [{ ...machine, facts }] : []
  })

const isReady = ({ name, power, facts }: Owned): boolean =>
  /^provision-v2-ip-10-0-0-\d+-[a-z0-9-]+$/.test(name) &&
  power === "poweredOff" &&
  facts.provisioning === true &&
  facts.rookery.state === "provisioned" &&
  facts.worker_name === name &&
  facts.job_id === undefined &&
  name.includes(`-${facts.ip_address?.replaceAll(".", "-")}-`)

/** Waits until exactly so many machines stand ready in the pool. */
export const pool = (session: Soap.Session, wanted: number, withinMs: number) =>
  Effect.suspend(() => {
    let last: ReadonlyArray<Owned> = []
    const wait = Effect.gen(function* () {
      while (true) {
        last = owned(yield* session.machines)
        if (last.length === wanted && last.every(isReady)) return last
        yield* Effect.sleep(100)
      }
    })
    return Effect.timeoutOrElse(wait, {
      duration: withinMs,
      orElse: () =>
        Effect.fail(new HarnessError({ message: `no pool of ${wanted}: ${JSON.stringify(last, undefined, 1)}` }))
    })
  })

/**
 * Promise 1, looked after from outside until the scope's end. A guest's address and the one in the annotation both count; what a template
 * says of itself is past.
 */
export const watched = (vcenter: Vcenter.Vcenter): Effect.Effect<ReadonlySet<string>, never, Scope.Scope> =>
  Effect.suspend(() => {
    const doubles = new Set<string>()
    return Effect.as(Effect.forkScoped(watch(vcenter, doubles)), doubles)
  })

const watch = (vcenter: Vcenter.Vcenter, doubles: Set<string>) =>
  Effect.gen(function* () {
    while (true) {
      const machines = (yield* vcenter.inventory).filter(({ template }) => !template)
      const addresses = machines.map(({ addresses, annotation }) => [
        ...addresses.flat(),
        annotated(annotation, "ip_address")
      ])
      for (const taken of twice(addresses.map((of) => [...new Set(of)]).flat()))
        doubles.add(`${taken} is on two machines`)
      const jobs = machines.map(({ annotation }) => annotated(annotation, "job_id"))
      for (const job of twice(jobs)) doubles.add(`job ${job} is on two machines`)
      yield* Effect.sleep(50)
    }
  }).pipe(Effect.catch(({ message }) => Effect.sync(() => void doubles.add(`nobody looked any more: ${message}`))))

const annotated = (annotation: string, key: "ip_address" | "job_id"): string | undefined =>
  annotation.startsWith("{") ? (JSON.parse(annotation) as Owned["facts"])[key] : undefined

const twice = (values: ReadonlyArray<string | undefined>): ReadonlyArray<string> => {
  const given = values.filter((value) => value !== undefined)
  return given.filter((value, index) => given.indexOf(value) !== index)
}

const lifeOfAJob = ["Waiting", "Scheduling", "Building", "Success"]

/** The start of a job's script fails once: it is given back, and done by another machine. */
export const withoutWorker = ({ cds }: Stand) =>
  cds.order("POST", "/fault", { kind: "answer", status: 404, path: "/download/worker/" })

/** Everything of each machine that has no hatchery's annotation. */
export const foreign = (machines: ReadonlyArray<Vcenter.Seen>): ReadonlyArray<Vcenter.Seen> =>
  machines.filter(({ annotation }) => !annotation.startsWith("{")).toSorted((a, b) => a.ref.localeCompare(b.ref))

/**
 * The place where every life of a job ends: done once, after it was given back so many times, its machine gone, the pool full, nobody
 * else's machine touched.
 */
export const inOrder = Effect.fnUntraced(function* (
  stand: Stand,
  jobId: string,
  before: ReadonlyArray<Vcenter.Seen>,
  releases = 0
) {
  const job = yield* stand.cds.until(jobId, "Success")
  assert.deepStrictEqual(
    job.history.map(({ status }) => status),
    [...Array.from({ length: releases }, () => ["Waiting", "Scheduling"]).flat(), ...lifeOfAJob],
    JSON.stringify(job.history)
  )
  assert.strictEqual(job.releases, releases)
  yield* stand.pool()
  assert.deepStrictEqual(foreign(yield* stand.vcenter.inventory), foreign(before))
  assert.deepStrictEqual((yield* stand.cds.state).violations, [])
  assert.deepStrictEqual([...stand.doubles], [])
})
