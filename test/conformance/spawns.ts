/** A hatchery with V1 and V2 jobs in a simulated world, and what its guests are given to run. */
import { Effect, Logger } from "effect"
import { TestClock } from "effect/testing"
import * as InProcess from "../../src/layers/simulated/cds/InProcess.ts"
import type { SimCds } from "../../src/layers/simulated/cds/SimCds.ts"
import { workerProgram } from "../../src/layers/simulated/cds/SimWorker.ts"
import type { ProgramRequest, ProgramResult } from "../../src/layers/simulated/vcenter/Options.ts"
import type { JobView } from "../../src/layers/simulated/cds/Judge.ts"
import type { World, WorldOptions } from "../support/world.ts"
import { enter, makeV1, ours } from "../actors/scene.ts"

export interface SpawnOptions extends WorldOptions {
  /** V1 models, to be built from debian12. */
  readonly models?: Parameters<typeof makeV1>[0]
  /** How long the hatchery has had, before anything is asked of it. */
  readonly ready?: `${number} minutes`
  readonly vsphere?: Partial<World["settings"]["vsphere"]>
  /** What a start script comes to that never gets as far as its worker. */
  readonly fails?: (request: ProgramRequest) => ProgramResult | undefined
}

/** The template that everything is made from, with another login for its guests, or without a snapshot. */
export const template = (more: { readonly guestPassword?: string; readonly snapshot?: boolean } = {}) => ({
  templates: [
    {
      name: "debian12",
      cpus: 2,
      memoryMB: 4096,
      nics: 1,
      snapshot: true,
      guestUser: "worker",
      guestPassword: "worker",
      ...more
    }
  ]
})

export const spawning = Effect.fnUntraced(function* ({
  models = [],
  ready = "3 minutes",
  fails,
  vsphere,
  ...given
}: SpawnOptions = {}) {
  const programs: Array<ProgramRequest> = []
  const known: { cds?: SimCds } = {}
  const options: WorldOptions = {
    ...given,
    vcenter: {
      ...given.vcenter,
      programs: (request) => {
        programs.push(request)
        const failure = "CDS_CONFIG" in request.env ? fails?.(request) : undefined
        if (failure !== undefined) return Effect.succeed(failure)
        return workerProgram(InProcess.httpClient(known.cds!), given.behaviour)(request)
      }
    }
  }
  const made = yield* makeV1(models, options)
  const world = { ...made, settings: { ...made.settings, vsphere: { ...made.settings.vsphere, ...vsphere } } }
  known.cds = world.cds
  const process = yield* enter(world)
  yield* TestClock.adjust(ready)
  return {
    ...world,
    ...process,
    /** The start scripts of workers, oldest first. */
    starts: () => programs.filter(({ env }) => "CDS_CONFIG" in env)
  }
})

export type Spawning = Effect.Success<ReturnType<typeof spawning>>

/** A pool of so many machines of debian12. */
export const pool = (number: number) => ({ provision: [{ template: "debian12", number }], poolSize: 2 })

export const orderV1 = ({ cds }: Pick<World, "cds">, order: Parameters<World["cds"]["enqueueV1"]>[0] = {}) =>
  Effect.map(cds.enqueueV1(order), ([id = ""]) => id)

export const orderV2 = ({ cds }: Pick<World, "cds">, order: Parameters<World["cds"]["enqueue"]>[0] = {}) =>
  Effect.map(cds.enqueue(order), ([id = ""]) => id)

export const jobOf = ({ cds }: Pick<World, "cds">, id: string) =>
  Effect.filterOrElse(
    cds.job(id),
    (job) => job !== undefined,
    () => Effect.die(`no job ${id}`)
  )

/** What the job's user has read. */
export const toldTo = (scene: Pick<World, "cds">, id: string) =>
  Effect.map(jobOf(scene, id), ({ infos }: JobView) => infos.map(({ message }) => message))

/** Why the job waits; empty when it does not. */
export const waitsFor = ({ dispatcher }: Pick<Spawning, "dispatcher">, id: string) =>
  Effect.map(dispatcher.waiting, (all) => all.find(({ job }) => job === id)?.reason ?? "")

/** How often the job was given a machine. */
export const leases = ({ said }: Pick<Spawning, "said">, id: string) =>
  Effect.map(said(id), (texts) => texts.filter((text) => text === "a machine is leased").length)

/** What is left after the last job: machines, leases, addresses and broken rules of CDS, none of which there should be but the pool's. */
export const leftOver = Effect.fnUntraced(function* (scene: Spawning) {
  const { workers } = yield* scene.capacity.used
  const { leased } = yield* scene.ips.count
  const violations = yield* scene.cds.violations
  return {
    on: ours(scene).filter(({ power }) => power === "poweredOn").length,
    machines: ours(scene).length,
    workers,
    leased,
    violations: violations.map((violation) => JSON.stringify(violation))
  }
})

/** Gathers what is logged while the effect runs. */
export const logging = <A, E, R>(self: (lines: ReadonlyArray<string>) => Effect.Effect<A, E, R>) => {
  const lines: Array<string> = []
  const logger = Logger.make(({ message }) => void lines.push(String(message)))
  return Effect.provide(self(lines), Logger.layer([logger]))
}
