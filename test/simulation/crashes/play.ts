/** Plays a flow: undisturbed, to learn what it sends, or with a process that is cut off at one of these calls and another one after it. */
import { Clock, Effect, Logger, Tracer } from "effect"
import { TestClock } from "effect/testing"
import { defaults } from "../../../src/schema/Config.ts"
import * as VirtualTime from "../../support/VirtualTime.ts"
import { type CrashPoint, seeded } from "../../support/world.ts"
import type { Plan } from "../plan.ts"
import { brokenNow, unconverged } from "../promises.ts"
import { bugs } from "../run.ts"
import { begin, end, makeStage, type Stage } from "../Stage.ts"
import { brokenPromise, observe } from "../Witness.ts"
import type { Flow, Step } from "./Flow.ts"
import { debian, siteOf } from "./steps.ts"

/** A process that was cut off is started again after this. */
const awayMs = 5_000
/** No step takes longer, unless its process was cut off. */
const stepMs = 15 * 60_000
/** Everything comes to its end within this, and has to stay there for a while. */
const endMs = 3 * 3_600_000
const restMs = 60_000
const calmTickMs = 10_000

export interface Played {
  /** What the flow's process sent in the flow, in order. */
  readonly calls: ReadonlyArray<string>
  /** Promises found broken; none: the cell is good. */
  readonly broken: ReadonlyArray<string>
  /** The event logs of its processes, one after the other. */
  readonly told: ReadonlyArray<string>
}

const planOf = ({ settings, times, vcenter, models, alone }: Flow): Plan => ({
  seed: 0,
  site: {
    settings: { provision: debian(1), poolSize: 2, ...settings, times: { ...defaults.times, ...times } },
    networks: [{ ipRange: "10.0.0.0/24", gateway: "10.0.0.1", subnetMask: "255.255.255.0" }]
  },
  v1: models === undefined ? undefined : { models, alone },
  neighbour: undefined,
  vcenter: vcenter ?? {},
  latencyMs: 4,
  foreign: [{ count: 1 }],
  calmAt: 0,
  happenings: []
})

/** What the event log has to say and does not. */
const notPassed = (stage: Stage, { passes }: Flow): ReadonlyArray<string> =>
  passes.filter((text) => !stage.told.some((line) => line.includes(`"text":"${text}"`)))

const playOn = Effect.fnUntraced(function* (flow: Flow, crash: CrashPoint | undefined, share: (stage: Stage) => void) {
  const stage = yield* makeStage(planOf(flow), observe)
  share(stage)
  const site = siteOf(stage)
  const now = Clock.currentTimeMillis
  const say = (text: string) => Effect.map(now, (at) => brokenPromise(stage, at, text))
  let crashed = false

  /** Lets time pass, and looks; a process that was cut off is started again. */
  const tick = Effect.fnUntraced(function* (ms: number) {
    yield* TestClock.adjust(ms)
    const { process } = site
    if (process !== undefined && (yield* process.crashed)) {
      crashed = true
      yield* end(stage, site, "kill", awayMs)
    } else if (process?.running.pollUnsafe() !== undefined) yield* say("the process has ended by itself")
    if (site.process === undefined && (yield* now) >= site.backAt) yield* begin(stage, site)
    for (const text of yield* brokenNow(stage)) yield* say(text)
  })

  const take = Effect.fnUntraced(function* ({ text, does, until, watchMs = 1_000 }: Step) {
    const last = (yield* now) + stepMs
    if (does !== undefined) yield* does(stage)
    if (until === undefined) return
    while (stage.broken.length === 0 && !(yield* until(stage))) {
      if ((yield* now) >= last) return crashed ? undefined : yield* say(`it never comes to this: ${text}`)
      yield* tick(watchMs)
    }
  })

  const settle = Effect.fnUntraced(function* () {
    stage.vcenter.clearFaults()
    yield* stage.cds.clearFaults
    const last = (yield* now) + endMs
    let goodSince: number | undefined
    while (stage.broken.length === 0) {
      const missing = yield* unconverged(stage)
      goodSince = missing.length > 0 ? undefined : (goodSince ?? (yield* now))
      if (goodSince !== undefined && (yield* now) - goodSince >= restMs) return
      if ((yield* now) > last) for (const text of missing) yield* say(`not converged: ${text}`)
      yield* tick(calmTickMs)
    }
  })

  if (flow.before.length > 0) yield* begin(stage, site)
  for (const step of flow.before) yield* take(step)
  const sentBefore = site.process?.calls.length ?? 0
  if (crash !== undefined) site.process?.arm(crash)
  yield* begin(stage, site, crash)
  const process = site.process!
  for (const step of flow.steps) yield* take(step)
  const calls = process.calls.slice(sentBefore)
  yield* settle()

  if (crash !== undefined && !(yield* process.crashed)) yield* say("it was never cut off")
  yield* end(stage, site, "kill", Infinity)
  if (crash === undefined) for (const text of notPassed(stage, flow)) yield* say(`it was never told: ${text}`)
  const ends = flow.ends ?? ["Success"]
  for (const { id, status } of stage.cds.state.allJobs())
    if (!ends.includes(status)) yield* say(`the job ${id} is ${status}`)
  for (const violation of yield* stage.cds.violations)
    if (!isLateTake(violation.rule, crash)) yield* say(`CDS objects: ${JSON.stringify(violation)}`)
  return { calls, broken: stage.broken, told: stage.told }
})

/** The take that a dead process sent may come after its successor's; CDS refuses whichever is second, and nobody can call the first one back. */
const isLateTake = (rule: string, crash: CrashPoint | undefined) => crash?.when === "late" && rule === "double-take"

/** What still runs of a process that was cut off is interrupted wherever it sends something: no bug of its own. */
const whole = (stage: Stage | undefined): Stage | undefined =>
  stage?.sites.some(({ process }) => process !== undefined && Effect.runSync(process.crashed)) ? undefined : stage

export const play = (flow: Flow, crash?: CrashPoint): Effect.Effect<Played> =>
  Effect.suspend(() => {
    const known: { stage?: Stage } = {}
    return Effect.scoped(playOn(flow, crash, (stage) => (known.stage = stage))).pipe(
      seeded("crash grid"),
      Effect.withTracerEnabled(false),
      Effect.provideService(Tracer.DisablePropagation, true),
      Effect.provide([VirtualTime.layer, Logger.layer([bugs(() => whole(known.stage))])])
    )
  })
