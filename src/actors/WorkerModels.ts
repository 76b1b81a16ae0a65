/**
 * The V1 worker models of the CDS API, asked for every ten seconds (cds-contract 7.1). A list that cannot be had changes nothing: the last good
 * one stays, with the time at which it was had.
 */
import { Clock, Context, Deferred, Effect, Layer } from "effect"
import { pathOf, type ModelV1 } from "../schema/ModelV1.ts"
import { Cds } from "../services/Cds.ts"
import { Settings } from "../services/Settings.ts"

const refreshMs = 10_000

/** The last good list; `at` in milliseconds since the epoch. */
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
    /** The model of that path (`group/name`) by the last good list, which is waited for. Undefined when CDS has none such, or it is disabled. */
    readonly get: (path: string) => Effect.Effect<ModelV1 | undefined>
  }
>()("rookery/actors/WorkerModels") {
  static readonly layer = Layer.effect(
    WorkerModels,
    Effect.gen(function* () {
      const cds = yield* Cds
      const { cds: api } = yield* Settings
      const first = yield* Deferred.make<void>()
      let known: ModelList | undefined
      let trouble: string | undefined

      const keep = (list: ModelList) =>
        Effect.suspend(() => {
          known = list
          trouble = undefined
          return Deferred.succeed(first, undefined)
        })

      const refresh = Effect.gen(function* () {
        const models = yield* cds.models
        yield* keep({ models: models.filter(({ disabled }) => !disabled), at: yield* Clock.currentTimeMillis })
      }).pipe(
        Effect.catch((error) =>
          Effect.suspend(() => {
            const again = trouble === error.message
            trouble = error.message
            return again ? Effect.void : Effect.logWarning(`the worker models cannot be read: ${error.message}`)
          })
        )
      )

      if (api.token === undefined) yield* keep({ models: [], at: 0 })

      return WorkerModels.of({
        run: api.token === undefined ? Effect.never : Effect.forever(Effect.andThen(refresh, Effect.sleep(refreshMs))),
        first: Deferred.await(first),
        list: Effect.sync(() => known),
        get: (path) => Effect.map(Deferred.await(first), () => known?.models.find((model) => pathOf(model) === path))
      })
    })
  )
}
