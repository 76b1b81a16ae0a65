/** A hatchery at work in a simulated world, and what the tests of its actors look at. */
import { Context, Effect } from "effect"
import { TestClock } from "effect/testing"
import { Dispatcher } from "../../src/actors/jobs/Dispatcher.ts"
import { Nursery } from "../../src/actors/pool/Nursery.ts"
import { Registry } from "../../src/actors/Registry.ts"
import type { Machine } from "../../src/layers/simulated/vcenter/Machine.ts"
import { Capacity } from "../../src/services/Capacity.ts"
import { EventLog } from "../../src/services/EventLog.ts"
import { IpPool } from "../../src/services/IpPool.ts"
import { makeWorld, name, seeded, start, type World, type WorldOptions } from "../support/world.ts"

/** Starts a process of the hatchery in that world; its actors are at hand. */
export const enter = Effect.fnUntraced(function* (world: World) {
  const process = yield* start(world)
  const { context } = process
  const log = Context.get(context, EventLog)
  return {
    ...process,
    dispatcher: Context.get(context, Dispatcher),
    nursery: Context.get(context, Nursery),
    machines: Context.get(context, Registry).machines,
    capacity: Context.get(context, Capacity),
    ips: Context.get(context, IpPool),
    log,
    /** What the event log says about a machine, job or template, oldest first. */
    said: (subject: string) =>
      Effect.map(log.recent, (events) => events.filter((event) => event.subject === subject).map(({ text }) => text))
  }
})

/** A world with a hatchery whose pool had three minutes to become ready. */
export const makeScene = (options: WorldOptions = {}) =>
  Effect.gen(function* () {
    const world = yield* makeWorld(options)
    const process = yield* enter(world)
    yield* TestClock.adjust("3 minutes")
    return { ...world, ...process, world }
  }).pipe(seeded(options.seed ?? "scene"))

export type Scene = Effect.Success<ReturnType<typeof makeScene>>

/** A world with the V1 models that were ordered, each to be built from debian12, and no pool unless the settings say so. */
export const makeV1 = Effect.fnUntraced(function* (
  models: ReadonlyArray<Parameters<World["cds"]["addModel"]>[0]>,
  options: WorldOptions = {}
) {
  const world = yield* makeWorld({ v1: true, ...options, settings: { provision: [], ...options.settings } })
  const added = yield* Effect.forEach(models, (model) => world.cds.addModel({ password: "worker", ...model }))
  return { ...world, model: added[0] }
})

/** Registered as far as CDS is concerned, so that nothing but its template is missing. */
export const registered = { registered: { binaries: ["git"] } }

/** The names of all vSphere templates, sorted. */
export const templates = ({ vcenter }: Pick<World, "vcenter">) =>
  vcenter
    .machines()
    .filter(({ template }) => template)
    .map((machine) => machine.name)
    .toSorted()

export const named = ({ vcenter }: Pick<World, "vcenter">, wanted: string) =>
  vcenter.machines().find((machine) => machine.name === wanted)

/** Lets so many seconds pass, looking once a second. */
export const watch = Effect.fnUntraced(function* (seconds: number, look: (second: number) => void) {
  for (let second = 1; second <= seconds; second++) {
    yield* TestClock.adjust("1 second")
    look(second)
  }
})

/** Lets time pass, a second at a time and half an hour at most, until it holds. */
export const until = Effect.fnUntraced(function* (holds: () => boolean) {
  for (let second = 0; second < 1_800 && !holds(); second++) yield* TestClock.adjust("1 second")
  if (!holds()) return yield* Effect.die("it did not come about within half an hour")
})

/** The machines of the simulated vCenter that are ours. */
export const ours = ({ vcenter }: Pick<World, "vcenter">): ReadonlyArray<Machine> => vcenter.owned(name)

/** Where the machines stand, sorted, as one line. */
export const standing = ({ machines }: Pick<Scene, "machines">): string =>
  [...machines.values()]
    .map(({ vm }) => vm.state._tag)
    .toSorted()
    .join(" ")

/** The job that a machine's annotation names, "" for none. */
export const jobOn = (machine: Machine): string => /"job_id":"([^"]*)"/.exec(machine.annotation)?.[1] ?? ""

/** How often a job was taken. */
export const takes = Effect.fnUntraced(function* ({ cds }: Pick<World, "cds">, id: string) {
  const job = yield* cds.job(id)
  return job?.history.filter(({ why }) => why === "hatchery take").length
})

/** Fails the test with a sentence unless the last jobs are settled, nobody broke a rule of CDS and the pool stands as wanted. */
export const faults = Effect.fnUntraced(function* (scene: Pick<World, "cds" | "vcenter">, pool: number) {
  const found: Array<string> = (yield* scene.cds.violations).map((violation) => JSON.stringify(violation))
  const { running, waiting } = yield* scene.cds.counts
  if (running + waiting > 0) found.push(`${running} jobs run and ${waiting} wait`)
  const machines = ours(scene)
  if (machines.length !== pool || machines.some(({ power }) => power !== "poweredOff"))
    found.push(`the machines are ${machines.map((one) => `${one.name} ${one.power}`).join(", ")}`)
  for (const [ip, names] of scene.vcenter.addresses())
    if (names.length > 1) found.push(`${ip} is on ${names.join(" and ")}`)
  return found
})
