/**
 * What the regressions share: a whole hatchery on a world of its own, with every call to vCenter written down, and an operator's look at it
 * from outside. Each test is named by what that operator would have seen; the numbers in front are those of README.md.
 */
import { it } from "@effect/vitest"
import { Context, Effect, Layer, type Scope } from "effect"
import { TestClock } from "effect/testing"
import { Nursery } from "../../src/actors/pool/Nursery.ts"
import * as InProcess from "../../src/layers/simulated/cds/InProcess.ts"
import type { JobOrder } from "../../src/layers/simulated/cds/Order.ts"
import type { SimCds } from "../../src/layers/simulated/cds/SimCds.ts"
import { workerProgram, type Behaviour } from "../../src/layers/simulated/cds/SimWorker.ts"
import type { Machine } from "../../src/layers/simulated/vcenter/Machine.ts"
import type { ProgramRequest, Timings } from "../../src/layers/simulated/vcenter/Options.ts"
import { Vim, type VimOperation, type WireValue } from "../../src/layers/vsphere/Vim.ts"
import { parse } from "../../src/schema/Annotation.ts"
import { defaults } from "../../src/schema/Config.ts"
import type { TimeSettings, VSphereSettings } from "../../src/schema/Settings.ts"
import { EventLog } from "../../src/services/EventLog.ts"
import { Ids } from "../../src/services/Ids.ts"
import { Monitor } from "../../src/services/Monitor.ts"
import { makeWorld, name, seeded, start, type World, type WorldOptions } from "../support/world.ts"

/** One call to vCenter as it was sent. */
export interface Sent {
  readonly operation: VimOperation
  readonly args: { readonly [key: string]: WireValue }
}

export interface Case extends Omit<WorldOptions, "seed" | "vcenter"> {
  readonly vcenter?: Omit<NonNullable<WorldOptions["vcenter"]>, "programs" | "timings">
  readonly timings?: Partial<Timings>
  readonly vsphere?: Partial<VSphereSettings>
  readonly times?: Partial<TimeSettings>
  /** How the workers behave. */
  readonly worker?: Behaviour
  /** Changes where ids and names come from. */
  readonly ids?: (ids: Ids["Service"]) => Ids["Service"]
}

type Process = Effect.Success<ReturnType<typeof start>>

/** A world, and the hatchery process that was started last in it. */
export interface Stand extends Pick<World, "vcenter" | "cds"> {
  world: World
  process: Process
  /** All that was sent to vCenter, in order, by all processes. */
  readonly sent: Array<Sent>
  /** All programs that guests were given to run. */
  readonly programs: Array<ProgramRequest>
}

const watched = (world: World, sent: Array<Sent>, ids: NonNullable<Case["ids"]>): World => ({
  ...world,
  transports: (line) => {
    const whole = world.transports(line)
    const vim = Effect.map(Vim, (real) =>
      Vim.of({
        ...real,
        call: (operation, args) =>
          Effect.suspend(() => {
            sent.push({ operation, args })
            return real.call(operation, args)
          })
      })
    )
    const changed = Layer.mergeAll(Layer.effect(Vim, vim), Layer.effect(Ids, Effect.map(Ids, ids)))
    return Layer.merge(whole, changed.pipe(Layer.provide(whole)))
  }
})

/** A world in which nothing runs yet. */
const prepare = Effect.fnUntraced(function* (given: Case) {
  const { vsphere, times, timings, worker, ids, ...options } = given
  const programs: Array<ProgramRequest> = []
  const known: { cds?: SimCds } = {}
  const world = yield* makeWorld({
    seed: "regression",
    ...options,
    settings: { times: { ...defaults.times, ...times }, ...options.settings },
    vcenter: {
      ...options.vcenter,
      ...(timings === undefined ? {} : { timings }),
      programs: (request) => {
        programs.push(request)
        return workerProgram(InProcess.httpClient(known.cds!), () => worker ?? {})(request)
      }
    }
  })
  known.cds = world.cds
  const sent: Array<Sent> = []
  const settings = { ...world.settings, vsphere: { ...world.settings.vsphere, ...vsphere } }
  return { world: watched({ ...world, settings }, sent, ids ?? ((same) => same)), sent, programs }
})

/** A hatchery that was just started. */
export const started = Effect.fnUntraced(function* (given: Case = {}) {
  const { world, sent, programs } = yield* prepare(given)
  const stand: Stand = {
    world,
    vcenter: world.vcenter,
    cds: world.cds,
    sent,
    programs,
    process: yield* start(world)
  }
  return stand
})

/** A hatchery whose pool is ready: two machines of `debian12`, unless told otherwise. */
export const hatched = Effect.fnUntraced(function* (given: Case = {}) {
  const stand = yield* started(given)
  const wanted = stand.world.settings.provision.reduce((sum, { number }) => sum + number, 0)
  yield* until("the pool is ready", () => ready(stand).length === wanted)
  return stand
})

/** Another process on the same world, perhaps with other settings. */
export const restart = Effect.fnUntraced(function* (stand: Stand, settings: Partial<World["settings"]> = {}) {
  yield* stand.process.kill
  stand.world = { ...stand.world, settings: { ...stand.world.settings, ...settings } }
  stand.process = yield* start(stand.world)
})

export const pass = TestClock.adjust

/** Lets time pass until it holds, a second at a time; an hour is too long. */
export const until = Effect.fnUntraced(function* (what: string, holds: () => boolean, stepMs = 1_000) {
  for (let passed = 0; !holds(); passed += stepMs) {
    if (passed > 60 * 60_000) return yield* Effect.die(`it never came to this: ${what}`)
    yield* TestClock.adjust(stepMs)
  }
})

/** Lets time pass, looking each second whether something is always so. */
export const always = Effect.fnUntraced(function* (what: string, seconds: number, holds: () => boolean) {
  for (let passed = 0; passed < seconds; passed++) {
    if (!holds()) return yield* Effect.die(`after ${passed} s it is no longer so: ${what}`)
    yield* TestClock.adjust("1 second")
  }
})

export const order = (stand: Stand, job: JobOrder = {}) =>
  Effect.map(stand.cds.enqueue({ count: 1, ...job }), ([id]) => id!)

/** The job as CDS has it now. */
export const job = (stand: Stand, id: string) => stand.cds.state.jobs.get(id)!

/** Our machines in vCenter. */
export const owned = ({ vcenter }: Stand): ReadonlyArray<Machine> => vcenter.owned(name)

const written = (machine: Machine) => parse(machine.annotation)

/** Machines that are off and written down as ready for a job. */
export const ready = (stand: Stand): ReadonlyArray<Machine> =>
  owned(stand).filter((machine) => machine.power === "poweredOff" && written(machine)?.journal?.state === "provisioned")

/** The machine that carries the job. */
export const carrier = (stand: Stand, id: string): Machine | undefined =>
  owned(stand).find((machine) => written(machine)?.jobId === id)

/** The machine that carries the job, with its worker at work. */
export const working = Effect.fnUntraced(function* (stand: Stand, id: string) {
  yield* until("the worker works", () => job(stand, id).status === "Building")
  return carrier(stand, id)!
})

export const machine = ({ vcenter }: Stand, ref: Machine["ref"]): Machine | undefined =>
  vcenter.machines().find((one) => one.ref.value === ref.value)

export const calls = ({ sent }: Stand, operation: VimOperation): ReadonlyArray<Sent> =>
  sent.filter((one) => one.operation === operation)

/** The calls to vCenter that are made while something goes on; the standing question for updates is left out. */
export const callsDuring = Effect.fnUntraced(function* <A, E, R>({ sent }: Stand, during: Effect.Effect<A, E, R>) {
  const before = sent.length
  yield* during
  return sent.slice(before).flatMap(({ operation }) => (operation === "WaitForUpdatesEx" ? [] : [operation]))
})

/** Calls to CDS whose name has this text. */
export const toCds = ({ process }: Stand, text: string): ReadonlyArray<string> =>
  process.calls.filter((call) => call.includes(text))

/** What the hatchery tells about its machines. */
export const rows = ({ process }: Stand) => Context.get(process.context, Monitor).machines

/** Why a job waits, as the hatchery tells it. */
export const whyWaits = ({ process }: Stand, id: string) =>
  Effect.map(Context.get(process.context, Monitor).waiting, (all) => all.find((one) => one.job === id)?.reason ?? "")

/** Brings the gauges up to date, as a look at the metrics does. */
export const gauges = ({ process }: Stand) =>
  Effect.all([Context.get(process.context, Monitor).gauges, TestClock.adjust("1 second")], { concurrency: 2 })

export const status = ({ process }: Stand) => Context.get(process.context, Monitor).status

/** How many ready machines of a template to keep from now on. */
export const want = ({ process }: Stand, number: number, template = "debian12") =>
  Context.get(process.context, Nursery).want(template, number)

/** The texts of the event log about one subject, or all. */
export const told = ({ process }: Stand, subject?: string) =>
  Effect.map(Context.get(process.context, EventLog).recent, (events) =>
    events.filter((event) => subject === undefined || event.subject === subject).map(({ text }) => text)
  )

/** Addresses that more than one machine has. */
export const conflicts = ({ vcenter }: Stand): ReadonlyArray<string> =>
  [...vcenter.addresses()].flatMap(([ip, names]) => (names.length > 1 ? [`${ip}: ${names.join(", ")}`] : []))

/** One test: `defects` are numbers of README.md, `sees` what an operator would have seen. */
export const regression = <E>(defects: string, sees: string, body: Effect.Effect<void, E, Scope.Scope>) =>
  it.effect(`${defects}: ${sees}`, () => body.pipe(seeded(sees)))
