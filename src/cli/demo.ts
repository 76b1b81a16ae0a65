/** `rookery` alone: the whole hatchery between a simulated vCenter and a simulated CDS API, jobs arriving, machines in a live table. */
import { Console, Duration, Effect, Layer, Option, Random } from "effect"
import { Command, Flag, TerminalCapabilities } from "effect/cli"
import { Hatchery } from "../actors/Hatchery.ts"
import { Nursery } from "../actors/pool/Nursery.ts"
import type { SimCds } from "../layers/simulated/cds/SimCds.ts"
import type { SimVCenterHandle } from "../layers/simulated/vcenter/Handle.ts"
import * as Log from "../layers/telemetry/Log.ts"
import * as Metrics from "../layers/telemetry/Metrics.ts"
import * as Tracing from "../layers/telemetry/Tracing.ts"
import { defaultLog } from "../schema/Config.ts"
import { Failed } from "./exit.ts"
import * as Stage from "./stage.ts"
import { printLines, redraw } from "./table.ts"

const positive = (name: string) =>
  Flag.Int(name).pipe(
    Flag.filter(
      (n) => n > 0,
      () => "write a number above 0"
    )
  )

const flags = {
  jobs: positive("jobs").pipe(Flag.optional, Flag.withDescription("End when so many jobs are final")),
  json: Flag.Boolean("json").pipe(Flag.withDefault(false), Flag.withDescription("Print the summary as JSON, last")),
  seed: Flag.String("seed").pipe(Flag.withDefault("rookery"), Flag.withDescription("Decides names, ids and times")),
  rate: Flag.Finite("rate").pipe(
    Flag.filter(
      (n) => n > 0,
      () => "write a number above 0"
    ),
    Flag.withDefault(60),
    Flag.withDescription("Jobs a minute")
  ),
  machines: positive("machines").pipe(Flag.withDefault(8), Flag.withDescription("Workers at once")),
  pool: positive("pool").pipe(Flag.withDefault(4), Flag.withDescription("Machines to keep ready"))
}

interface World {
  readonly cds: SimCds
  readonly vcenter: SimVCenterHandle
}

/** Told from the simulators' state alone. Templates are no machines; delays are from the queue to the running job. */
export interface Summary {
  readonly jobs: { readonly done: number; readonly failed: number }
  readonly machines: { readonly created: number; readonly left: number }
  readonly ips: { readonly leased: number }
  readonly p50_ms: number
  readonly p99_ms: number
}

const summarize = Effect.fnUntraced(function* ({ cds, vcenter }: World) {
  const { done, failed, stopped } = yield* cds.counts
  const { toBuilding } = yield* cds.delays
  const left = new Set(vcenter.owned(Stage.hatcheryName).map(({ name }) => name))
  const held = [...vcenter.addresses().values()].filter((names) => names.some((name) => left.has(name)))
  const summary: Summary = {
    jobs: { done, failed: failed + stopped },
    machines: { created: vcenter.summary().created, left: left.size },
    ips: { leased: held.length },
    p50_ms: toBuilding.p50 ?? 0,
    p99_ms: toBuilding.p99 ?? 0
  }
  return summary
})

/** Jobs of two to five seconds, at random moments around the rate. */
const arrivals = Effect.fnUntraced(function* (cds: SimCds, jobs: number, perMinute: number) {
  for (let n = 0; n < jobs; n++) {
    yield* cds.enqueue({ image: Stage.template, durationMs: yield* Random.nextIntBetween(2_000, 5_000) })
    const pause = -Math.log(1 - (yield* Random.next)) * (60_000 / perMinute)
    yield* Effect.sleep(Math.min(pause, 10_000))
  }
})

const headline = ({ cds, vcenter }: World) =>
  Effect.map(cds.counts, ({ done, failed, stopped, running, waiting }) => {
    const jobs = `${done} done, ${failed + stopped} failed, ${running} running, ${waiting} waiting`
    return `rookery demo   jobs: ${jobs}   machines: ${vcenter.owned(Stage.hatcheryName).length}   (Ctrl-C ends it)`
  })

/** How long all jobs, and then the last machine, may take before the demo is a failure. */
const jobsLimit = "15 minutes"
const shrinkLimit = "2 minutes"

const shrunk = ({ vcenter }: World) =>
  Effect.gen(function* () {
    const nursery = yield* Nursery
    yield* nursery.want(Stage.template, 0)
    while (vcenter.owned(Stage.hatcheryName).length > 0) yield* Effect.sleep("100 millis")
  })

const textOf = ({ jobs, machines, ips, p50_ms, p99_ms }: Summary): string =>
  [
    `jobs: ${jobs.done} done, ${jobs.failed} failed; from the queue to a running worker ${p50_ms} ms (p50), ${p99_ms} ms (p99)`,
    `machines: ${machines.created} created, ${machines.left} left; addresses: ${ips.leased} leased`
  ].join("\n")

/** Says how it went; what the judges found wrong makes it a failure. */
const conclude = Effect.fnUntraced(function* (world: World, wanted: number, json: boolean) {
  const summary = yield* summarize(world)
  for (const violation of yield* world.cds.violations) yield* Console.error("CDS:", JSON.stringify(violation))
  yield* Console.log(textOf(summary))
  if (json) yield* Console.log(JSON.stringify(summary))
  const { jobs, machines, ips } = summary
  if (jobs.done !== wanted || machines.left > 0 || ips.leased > 0)
    return yield* new Failed({ reason: "not every job was done, or something is left" })
})

/** Ends by itself when all jobs are final and the pool is empty; without a number of jobs it goes on. */
const play = Effect.fnUntraced(function* (world: World, jobs: Option.Option<number>, rate: number) {
  const { run } = yield* Hatchery
  const wanted = Option.getOrElse(jobs, () => Infinity)
  const act = Effect.gen(function* () {
    yield* Effect.forkScoped(arrivals(world.cds, wanted, rate))
    yield* world.cds.whenFinal(wanted).pipe(Effect.timeoutOption(Option.isSome(jobs) ? jobsLimit : Duration.infinity))
    yield* Effect.timeoutOption(shrunk(world), shrinkLimit)
  })
  yield* Effect.raceFirst(run, Effect.scoped(act))
})

const show = Effect.fnUntraced(function* (world: World) {
  const { canAnimate } = yield* TerminalCapabilities.TerminalCapabilities
  return yield* canAnimate ? redraw(headline(world)) : printLines
})

const telemetry = Effect.map(TerminalCapabilities.TerminalCapabilities, ({ canAnimate }) =>
  Layer.mergeAll(Tracing.layer, Metrics.layer(Stage.hatcheryName)).pipe(
    Layer.provideMerge(Log.layer({ ...defaultLog, level: canAnimate ? "error" : "warning" }))
  )
)

export const demoCommand = Command.make("rookery", flags, ({ jobs, json, seed, rate, machines, pool }) =>
  Effect.gen(function* () {
    const { layer, ...world } = yield* Stage.make({ seed, machines, pool })
    yield* Effect.gen(function* () {
      yield* Effect.forkScoped(show(world))
      yield* play(world, jobs, rate)
    }).pipe(Effect.scoped, Effect.provide(layer))
    yield* conclude(
      world,
      Option.getOrElse(jobs, () => 0),
      json
    )
  }).pipe(Effect.scoped, Effect.provide(Layer.unwrap(telemetry)), Random.withSeed(seed))
).pipe(Command.withDescription("A CDS hatchery for vSphere. Alone it shows itself on simulators, in this process."))
