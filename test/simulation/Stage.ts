/**
 * Where a simulation plays: one simulated vCenter and one simulated CDS, and on them one or two hatcheries, each with a process that can be
 * killed, stopped and started. What is done here past the processes is written down, for the judge.
 */
import { Clock, Context, Effect, FiberSet, Redacted } from "effect"
import { TestClock } from "effect/testing"
import { Hatchery } from "../../src/actors/Hatchery.ts"
import { Nursery } from "../../src/actors/pool/Nursery.ts"
import { Registry } from "../../src/actors/Registry.ts"
import type { StateTag, Vm } from "../../src/actors/vm/State.ts"
import * as InProcess from "../../src/layers/simulated/cds/InProcess.ts"
import { makeKeys } from "../../src/layers/simulated/cds/Keys.ts"
import type { SimCds } from "../../src/layers/simulated/cds/SimCds.ts"
import { workerProgram, type Behaviour } from "../../src/layers/simulated/cds/SimWorker.ts"
import type { SimVCenterHandle } from "../../src/layers/simulated/vcenter/Handle.ts"
import type { Machine } from "../../src/layers/simulated/vcenter/Machine.ts"
import type { ProgramRequest, ProgramResult } from "../../src/layers/simulated/vcenter/Options.ts"
import { type Annotation, parse } from "../../src/schema/Annotation.ts"
import { EventLog, type LogEvent } from "../../src/services/EventLog.ts"
import { type CrashPoint, makeWorld, start, type World } from "../support/world.ts"
import type { Plan, PlanV1, SitePlan } from "./plan.ts"
import { watching } from "./steps.ts"

type Process = Effect.Success<ReturnType<typeof start>>

/** One hatchery: its settings, and its process while there is one. */
export interface Site {
  readonly name: string
  readonly region: string
  readonly world: World
  /** Ready machines that are to be kept, by template or path of a V1 model. */
  readonly wanted: Map<string, number>
  process: Process | undefined
  /** When its process came or went last, milliseconds. */
  changedAt: number
  /** When a process that is gone is started again, milliseconds. */
  backAt: number
  /** When its process had adopted what there is, milliseconds; Infinity before. */
  sawAt: number
  /** When vCenter or CDS last had a fault in store for the calls that let its process in, milliseconds, as it was looked at. */
  shutOutAt: number
  /** Its processes, one after the other: when each began and ended, milliseconds; Infinity while it runs. */
  readonly lives: Array<{ readonly from: number; until: number }>
  /** Who its process is in what it writes. */
  instance: string
}

/** Done to the first machine of the stage that enters the state from now on: by an event, by being cloned, or by being adopted. */
export interface Strike {
  readonly state: StateTag
  /** No other machines than these. */
  readonly of: (vm: Vm) => boolean
  readonly does: (site: Site, vm: Vm) => Effect.Effect<void>
}

export interface Stage {
  readonly plan: Plan
  readonly vcenter: SimVCenterHandle
  readonly cds: SimCds
  readonly sites: ReadonlyArray<Site>
  /** How the workers of a job behave, one entry for each try; a plain worker when there is none left. */
  readonly behaviours: Map<string, Array<Behaviour>>
  /** Machines in whose guest a worker's start script runs, by reference. */
  readonly working: Set<string>
  /** Machines whose removal was asked for: it may come after somebody took them over. */
  readonly doomed: Set<string>
  /** Jobs that wait and have no reason, since when, milliseconds. */
  readonly unexplained: Map<string, number>
  /** V1 jobs that are booked and have no machine, since when, milliseconds. */
  readonly idle: Map<string, number>
  /** When somebody outside did something to a machine, by its reference, milliseconds. */
  readonly meddled: Map<string, number>
  /** Machines that nobody here owns, by reference: since when, milliseconds. */
  readonly nobodysSince: Map<string, number>
  /** The process that asked for a clone, by the machine's instance uuid. */
  readonly cloners: Map<string, string>
  /** What stands on machines, by reference: since when, milliseconds, as it was looked at. */
  readonly writtenSince: Map<string, { readonly text: string; readonly at: number }>
  /** What waits for a machine to come into some state. */
  readonly strikes: Array<Strike>
  /** Has the strike fall that waits for this machine, if any. */
  readonly meet: (site: Site, vm: Vm) => void
  /** The strikes that fell, with their moments. */
  readonly struck: Array<string>
  /** Foreign machines as they must stay, by reference. */
  readonly foreign: Map<string, string>
  /** Clock time until which something is known to be wrong at CDS or in vCenter. */
  troubledUntil: number
  /** When vCenter was last restored from its backup. */
  restoredAt: number
  /** Clock time until which vCenter shows less than there is: a process that starts before cannot know the rest. */
  blindUntil: number
  /** What is to be done later, by whoever passes the time. */
  readonly pending: Array<{ readonly at: number; readonly does: Effect.Effect<void> }>
  /** What the hatcheries' event logs said, process by process. */
  readonly told: Array<string>
  /** Promises found broken, with the moment. */
  readonly broken: Array<string>
}

/** One signing key for all runs: making one takes a while, and nothing depends on which. */
const keys = makeKeys()

/** CDS fails a job that waited for so long. Less than its usual hour, or most of a run's time would go by waiting for that alone; milliseconds. */
const waitingTimeoutMs = 20 * 60_000

const rookery = { name: "rookery", region: "default" }
const magpie = { name: "magpie", region: "other" }

/** Lets a world's transports be watched from outside. */
export type Observe = (stage: () => Stage, site: Omit<Site, "world">, world: World) => World

export const makeStage = Effect.fnUntraced(function* (plan: Plan, observe: Observe) {
  const now = yield* Clock.currentTimeMillis
  const behaviours = new Map<string, Array<Behaviour>>()
  const known: { stage?: Stage; cds?: SimCds } = {}
  const working = new Set<string>()
  const worker = (request: ProgramRequest): Effect.Effect<ProgramResult> => {
    const run = workerProgram(InProcess.httpClient(known.cds!), (job) => behaviours.get(job)?.shift() ?? {})
    if (request.env["CDS_CONFIG"] === undefined) return run(request)
    const { ref } = request.machine
    return Effect.acquireUseRelease(
      Effect.sync(() => working.add(ref)),
      () => run(request),
      () => Effect.sync(() => working.delete(ref))
    )
  }
  const world = yield* makeWorld({
    seed: `run ${plan.seed}`,
    vcenter: { ...plan.vcenter, programs: worker },
    cds: { hatcheries: [rookery, magpie], keys, timings: { waitingTimeoutMs } },
    latencyMs: plan.latencyMs
  })
  const { vcenter, cds } = world
  known.cds = cds

  const siteOf = ({ name, region }: typeof rookery, { settings, networks }: SitePlan, v1?: PlanV1): Site => {
    const { token = "", tokenV1 = "" } = cds.identities.find((identity) => identity.name === name) ?? {}
    const tokens = {
      tokenV2: v1?.alone === true ? undefined : Redacted.make(token),
      token: v1 === undefined ? undefined : Redacted.make(tokenV1)
    }
    const base = world.settings
    const own = {
      ...base,
      ...settings,
      cds: { ...base.cds, name, ...tokens },
      vsphere: { ...base.vsphere, networks }
    }
    const site = {
      name,
      region,
      wanted: new Map<string, number>(),
      process: undefined,
      changedAt: now,
      backAt: now,
      sawAt: Infinity,
      shutOutAt: -Infinity,
      lives: [],
      instance: ""
    }
    return Object.assign(site, { world: observe(() => known.stage!, site, { ...world, settings: own }) })
  }

  const fork = yield* FiberSet.makeRuntime()
  const stage: Stage = {
    plan,
    vcenter,
    cds,
    sites: [
      siteOf(rookery, plan.site, plan.v1),
      ...(plan.neighbour === undefined ? [] : [siteOf(magpie, plan.neighbour)])
    ],
    behaviours,
    working,
    doomed: new Set(),
    unexplained: new Map(),
    idle: new Map(),
    meddled: new Map(),
    nobodysSince: new Map(),
    cloners: new Map(),
    writtenSince: new Map(),
    strikes: [],
    meet: (site, vm) => {
      const next = stage.strikes.findIndex(({ state, of }) => state === vm.state._tag && of(vm))
      if (next >= 0) for (const { does } of stage.strikes.splice(next, 1)) fork(does(site, vm))
    },
    struck: [],
    foreign: new Map(),
    troubledUntil: 0,
    restoredAt: -Infinity,
    blindUntil: -Infinity,
    pending: [],
    told: [],
    broken: []
  }
  known.stage = stage
  // A machine of nobody here is of another run.
  yield* watching((before, _, { vm }, { hatchery }) => {
    const site = stage.sites.find(({ name }) => name === hatchery)
    if (site !== undefined && vm.state._tag !== before.state._tag) stage.meet(site, vm)
  })
  for (const options of plan.foreign) vcenter.addForeign(options)
  for (const model of plan.v1?.models ?? []) yield* cds.addModel({ password: "worker", ...model })
  for (const model of plan.v1?.modelsAsCode ?? []) yield* cds.addModelAsCode(model)
  rememberForeign(stage)
  yield* vcenter.inject({ _tag: "Save" })
  return stage
})

const read = new Map<string, Annotation | undefined>()

/** What stands on a machine. The judges ask at every step, so that each text is read once. */
export const annotationOf = ({ annotation }: Machine): Annotation | undefined => {
  if (read.size > 1_000) read.clear()
  if (!read.has(annotation)) read.set(annotation, parse(annotation))
  return read.get(annotation)
}

/**
 * What nobody but its owner may change of a machine. Its power is not in it: a guest may go off by itself. A machine that was ours may still have
 * had a power task of ours under way when somebody took it, which moves its version and no more.
 */
export const imprint = ({ name, annotation, cpus, memoryMB, changeVersion, origin }: Machine): string =>
  JSON.stringify([name, annotation, cpus, memoryMB, origin === "clone" ? "" : changeVersion])

/** True when no hatchery here owns the machine, by its annotation. */
export const isNobodys = ({ sites }: Stage, machine: Machine): boolean => {
  const owner = annotationOf(machine)?.hatcheryName
  return !sites.some(({ name }) => name === owner)
}

/** Takes the machines of nobody here, as they are now, for what they must stay. */
export const rememberForeign = (stage: Stage): void => {
  stage.foreign.clear()
  for (const machine of stage.vcenter.machines())
    if (machine.configured && isNobodys(stage, machine) && !stage.doomed.has(machine.ref.value))
      stage.foreign.set(machine.ref.value, imprint(machine))
}

export const begin = Effect.fnUntraced(function* (stage: Stage, site: Site, crash?: CrashPoint) {
  if (site.process !== undefined) return
  site.process = yield* start(site.world, crash)
  site.changedAt = yield* Clock.currentTimeMillis
  site.sawAt = Infinity
  const { context } = site.process
  site.lives.push({ from: site.changedAt, until: Infinity })
  site.instance = (yield* Context.get(context, Registry).env).instance
  const seen = Effect.andThen(Context.get(context, Hatchery).adopted, Clock.currentTimeMillis)
  yield* Effect.forkScoped(
    Effect.map(seen, (now) => {
      site.sawAt = now
      for (const { vm } of Context.get(context, Registry).machines.values()) stage.meet(site, vm)
    })
  )
  site.wanted.clear()
  const { provision, modelProvision } = site.world.settings
  for (const { template, number } of provision) site.wanted.set(template, number)
  for (const { modelPath, number } of modelProvision) site.wanted.set(modelPath, number)
})

/** What the process of a site has told in its event log. */
export const eventsOf = ({ process }: Site): Effect.Effect<ReadonlyArray<LogEvent>> =>
  process === undefined ? Effect.succeed([]) : Context.get(process.context, EventLog).recent

export const keepEvents = Effect.fnUntraced(function* (stage: Stage, site: Site) {
  for (const event of yield* eventsOf(site)) stage.told.push(`${site.name} ${JSON.stringify(event)}`)
})

/** Lets the clock go on for as long as this takes: what is left of a dead process may still wait for a time to be over. */
const whileTimePasses = Effect.fnUntraced(function* (does: Effect.Effect<void>) {
  const fiber = yield* Effect.forkChild(does)
  while (fiber.pollUnsafe() === undefined) yield* TestClock.adjust("100 millis")
})

/** Ends a process, at once and without a word or with order; somebody starts it again after a while, as a service manager does. */
export const end = Effect.fnUntraced(function* (stage: Stage, site: Site, how: "kill" | "stop", awayMs: number) {
  const { process } = site
  if (process === undefined) return
  if (how === "stop") yield* process.stop
  yield* keepEvents(stage, site)
  yield* whileTimePasses(process.kill)
  site.process = undefined
  site.changedAt = yield* Clock.currentTimeMillis
  site.lives.at(-1)!.until = site.changedAt
  site.backAt = site.changedAt + awayMs
})

/** Has something done after a while. */
export const later = (stage: Stage, afterMs: number, does: Effect.Effect<void>): Effect.Effect<void> =>
  Effect.map(Clock.currentTimeMillis, (now) => void stage.pending.push({ at: now + afterMs, does }))

/** From now on so many ready machines are kept, until the process ends. */
export const want = (site: Site, pool: string, number: number): Effect.Effect<void> =>
  Effect.suspend(() => {
    const { process } = site
    if (process === undefined) return Effect.void
    site.wanted.set(pool, number)
    return Context.get(process.context, Nursery).want(pool, number)
  })
