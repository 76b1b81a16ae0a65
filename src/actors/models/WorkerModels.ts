/**
 * The V1 worker models of the CDS API, asked for every ten seconds (cds-contract 7.1). A list that cannot be had changes nothing: the last good
 * one stays, with the time at which it was had. One list that lacks a model proves nothing either: it is gone when two in a row lack it.
 */
import { Clock, Context, Deferred, Effect, Layer } from "effect"
import { type ModelListing, type ModelV1, pathOf } from "../../schema/ModelV1.ts"
import { Cds } from "../../services/Cds.ts"
import { Settings } from "../../services/Settings.ts"

const refreshMs = 10_000

/** The models of the last good list that can be used; `at` in milliseconds since the epoch. */
export interface ModelList {
  readonly models: ReadonlyArray<ModelV1>
  readonly at: number
}

export class WorkerModels extends Context.Service<
  WorkerModels,
  {
    /** Keeps the list fresh; idle without a V1 token. Never ends by itself. */
    readonly run: Effect.Effect<void>
    /** Returns when there is a list. */
    readonly first: Effect.Effect<void>
    /** The last good list; undefined while there was none, empty without a V1 token. */
    readonly list: Effect.Effect<ModelList | undefined>
    /**
     * The model of that path (`group/name`) as it was last listed, for a machine that has it already; the first list is waited for. Undefined when CDS
     * never listed it, or it is gone.
     */
    readonly get: (path: string) => Effect.Effect<ModelV1 | undefined>
    /** CDS has no such model any more, or it is disabled: the last two good lists agree. False without a V1 token, as nobody says so. */
    readonly isGone: (path: string) => Effect.Effect<boolean>
  }
>()("rookery/actors/WorkerModels") {
  static readonly layer = Layer.effect(
    WorkerModels,
    Effect.gen(function* () {
      const cds = yield* Cds
      const { cds: api } = yield* Settings
      const first = yield* Deferred.make<void>()
      let known: ModelList | undefined
      /** The last two good lists. */
      let listings: ReadonlyArray<ModelListing> = []
      /** By path, as last listed. */
      const usable = new Map<string, ModelV1>()
      /** What was said about the last list. */
      let told: ReadonlySet<string> = new Set()

      const say = Effect.fnUntraced(function* (lines: ReadonlyArray<string>) {
        const before = told
        told = new Set(lines)
        for (const line of told) if (!before.has(line)) yield* Effect.logWarning(line)
      })

      const isGone = (path: string): boolean =>
        listings.length === 2 && !listings.some((listing) => mayHold(listing, path))

      const keep = (list: ModelList) =>
        Effect.suspend(() => {
          known = list
          return Deferred.succeed(first, undefined)
        })

      const refresh = Effect.gen(function* () {
        const { models: all, unreadable } = yield* cds.models
        const models = all.filter(({ disabled }) => !disabled)
        listings = [...listings.slice(-1), { models, unreadable }]
        for (const model of models) usable.set(pathOf(model), model)
        for (const path of usable.keys()) if (isGone(path)) usable.delete(path)
        yield* keep({ models, at: yield* Clock.currentTimeMillis })
        yield* say(unreadable.map(({ path, reason }) => `${whose(path)} cannot be used: CDS lists it as ${reason}`))
      }).pipe(Effect.catch(({ message }) => say([`the worker models cannot be read: ${message}`])))

      if (api.token === undefined) yield* keep({ models: [], at: 0 })

      return WorkerModels.of({
        run: api.token === undefined ? Effect.never : Effect.forever(Effect.andThen(refresh, Effect.sleep(refreshMs))),
        first: Deferred.await(first),
        list: Effect.sync(() => known),
        get: (path) => Effect.map(Deferred.await(first), () => usable.get(path)),
        isGone: (path) => Effect.sync(() => isGone(path))
      })
    })
  )
}

/** An entry of which not even the name can be read may be any model. */
const mayHold = ({ models, unreadable }: ModelListing, wanted: string): boolean =>
  models.some((model) => pathOf(model) === wanted) ||
  unreadable.some(({ path }) => path === undefined || path === wanted)

const whose = (path: string | undefined): string => (path === undefined ? "a V1 model" : `the V1 model ${path}`)
