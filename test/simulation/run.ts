/** One simulated run: the plan of a seed is played, the promises are looked at after each step, and at the end everything has to converge. */
import { Cause, Clock, Effect, Logger, Tracer, type Scope } from "effect"
import { TestClock } from "effect/testing"
import { ConfigInvalid } from "../../src/schema/Errors.ts"
import * as VirtualTime from "../support/VirtualTime.ts"
import { seeded } from "../support/world.ts"
import { draw, type Happening } from "./plan.ts"
import { brokenNow, unconverged } from "./promises.ts"
import { begin, end, eventsOf, makeStage, type Site, type Stage } from "./Stage.ts"
import { brokenPromise, observe } from "./Witness.ts"

/** The promises are looked at this often. */
const stepMs = 5_000
/** Once all is calm, steps may be longer, and this many hours are enough for everything. */
const calmStepMs = 15_000
const calmHours = 6
/** How long it has to stay converged. */
const restMs = 5 * 60_000
/** A process that ended by itself is started again after this. */
const restartMs = 20_000

export interface Report {
  readonly seed: number
  /** Promises found broken, in order; none: the run is good. */
  readonly broken: ReadonlyArray<string>
  readonly steps: number
  /** Virtual milliseconds. */
  readonly lasted: number
  readonly happened: ReadonlyArray<Happening>
  /** The event logs of all processes, one after the other. */
  readonly log: ReadonlyArray<string>
}

export interface RunOptions {
  /** No other kinds of trouble than these. */
  readonly only?: ReadonlyArray<string> | undefined
  /** Hears of each happening, event and broken promise when it comes. */
  readonly say?: ((line: string) => void) | undefined
}

/**
 * A hatchery that crashes has a bug, whatever its supervisors make of it. One that CDS or vCenter refuses ends, and somebody starts it again.
 */
export const bugs = (stage: () => Stage | undefined) =>
  Logger.make<unknown, void>(({ message, cause, date }) => {
    const text = [message].flat().map(String).join(" ")
    const found = stage()
    // What dies with its process may say so.
    if (Cause.hasInterruptsOnly(cause) && cause.reasons.length > 0) return
    if (found === undefined || !(Cause.hasDies(cause) || /crashe[sd]|is lost|hatchery ended/.test(text))) return
    if (cause.reasons.some((reason) => Cause.isFailReason(reason) && reason.error instanceof ConfigInvalid)) return
    brokenPromise(found, date.getTime(), `a bug: ${text} ${Cause.pretty(cause)}`)
  })

const play = Effect.fnUntraced(function* (seed: number, options: RunOptions, share: (stage: Stage) => void) {
  const plan = draw(seed, options.only)
  const stage = yield* makeStage(plan, observe)
  share(stage)
  const happened: Array<Happening> = []
  const spoken = new Map<Site, number>()
  let steps = 0
  const now = Clock.currentTimeMillis

  const speak = Effect.fnUntraced(function* () {
    if (options.say === undefined) return
    for (const site of stage.sites) {
      const events = yield* eventsOf(site)
      for (const event of events.slice(site.changedAt < 0 ? 0 : (spoken.get(site) ?? 0)))
        options.say(
          `${(event.at / 1000).toFixed(1).padStart(8)} ${site.name} ${event.kind} ${event.subject} ${event.text} ${JSON.stringify(event.data ?? {})}`
        )
      spoken.set(site, events.length)
    }
  })

  const revive = Effect.fnUntraced(function* (site: Site) {
    const { process } = site
    if (process !== undefined && (process.running.pollUnsafe() !== undefined || (yield* process.crashed)))
      yield* end(stage, site, "kill", restartMs)
    if (site.process === undefined && (yield* now) >= site.backAt) {
      spoken.delete(site)
      yield* begin(stage, site)
    }
  })

  const settle = Effect.fnUntraced(function* (due: number) {
    for (const entry of stage.pending.filter(({ at }) => at <= due)) {
      yield* entry.does
      stage.pending.splice(stage.pending.indexOf(entry), 1)
    }
  })

  /** Lets time pass, and looks. */
  const step = Effect.fnUntraced(function* (ms: number) {
    const known = stage.broken.length
    yield* TestClock.adjust(ms)
    steps++
    yield* settle(yield* now)
    for (const site of stage.sites) yield* revive(site)
    const at = yield* now
    yield* speak()
    for (const text of stage.struck.splice(0)) options.say?.(`** ${text}`)
    for (const text of yield* brokenNow(stage)) brokenPromise(stage, at, text)
    for (const text of stage.broken.slice(known)) options.say?.(`!! ${text}`)
  })

  for (const site of stage.sites) yield* begin(stage, site)
  for (const happening of plan.happenings) {
    while ((yield* now) < happening.at && stage.broken.length === 0)
      yield* step(Math.min(stepMs, happening.at - (yield* now)))
    if (stage.broken.length > 0) break
    options.say?.(`${((yield* now) / 1000).toFixed(1).padStart(8)} ** ${happening.kind} ${happening.text}`)
    yield* happening.does(stage)
    happened.push(happening)
  }
  if (stage.broken.length === 0) yield* converge(stage, step, options.say)
  for (const site of stage.sites) yield* end(stage, site, "kill", 0)
  return { seed, broken: stage.broken, steps, lasted: yield* now, happened, log: stage.told }
})

/** All faults end, and everything has to come to where it should be, and to stay there. */
const converge = Effect.fnUntraced(function* (
  stage: Stage,
  step: (ms: number) => Effect.Effect<void, never, Scope.Scope>,
  say: RunOptions["say"]
) {
  say?.("** calm")
  stage.strikes.length = 0
  stage.vcenter.clearFaults()
  yield* stage.cds.clearFaults
  for (const { does } of stage.pending.splice(0)) yield* does
  for (const site of stage.sites) {
    site.backAt = Math.min(site.backAt, yield* Clock.currentTimeMillis)
    if (stage.plan.happenings.some(({ kind }) => kind === "login refused")) yield* end(stage, site, "kill", 0)
  }
  const until = (yield* Clock.currentTimeMillis) + calmHours * 3_600_000
  let goodSince: number | undefined
  while (stage.broken.length === 0) {
    yield* step(calmStepMs)
    const now = yield* Clock.currentTimeMillis
    const missing = yield* unconverged(stage)
    if (missing.length > 0) goodSince = undefined
    else goodSince ??= now
    if (goodSince !== undefined && now - goodSince >= restMs) break
    if (now > until) for (const text of missing) brokenPromise(stage, now, `not converged: ${text}`)
  }
  const now = yield* Clock.currentTimeMillis
  for (const violation of yield* stage.cds.violations)
    if (violation.rule !== "abandoned-take") brokenPromise(stage, now, `CDS objects: ${JSON.stringify(violation)}`)
})

export const run = (seed: number, options: RunOptions = {}): Effect.Effect<Report> =>
  Effect.suspend(() => {
    const known: { stage?: Stage } = {}
    return Effect.scoped(play(seed, options, (stage) => (known.stage = stage))).pipe(
      seeded(`run ${seed}`),
      Effect.withTracerEnabled(false),
      Effect.provideService(Tracer.DisablePropagation, true),
      Effect.provide([VirtualTime.layer, Logger.layer([bugs(() => known.stage)])])
    )
  })
