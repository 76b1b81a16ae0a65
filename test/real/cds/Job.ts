/** A job of either kind, from its queueing to its end, as its user follows it. */
import { Effect, Schedule } from "effect"
import { HarnessError } from "../harness/HarnessError.ts"
import type { Api } from "./Api.ts"

export interface State {
  /** V1: Waiting, Building, Success, Fail, Stopped … V2 has Scheduling between the first two. */
  readonly status: string
  readonly worker: string
  readonly hatchery: string
}

export interface Job {
  /** As hatcheries know it: a UUID, or a number for V1. */
  readonly id: string
  readonly state: Effect.Effect<State, HarnessError>
  /** Looks every 100 ms until the job has one of these statuses. */
  readonly until: (statuses: string | ReadonlyArray<string>, withinMs?: number) => Effect.Effect<State, HarnessError>
  /** The messages about how it got its worker. */
  readonly infos: Effect.Effect<ReadonlyArray<string>, HarnessError>
  /** What its steps printed, a text each, for those that started. */
  readonly logs: Effect.Effect<ReadonlyArray<string>, HarnessError>
  /** The logs, when they hold this text. */
  readonly printed: (text: string) => Effect.Effect<string, HarnessError>
  /** Stops it as its user does. */
  readonly stop: Effect.Effect<void, HarnessError>
}

export const make = (parts: Omit<Job, "until" | "printed">): Job => ({
  ...parts,
  printed: (text) =>
    found(
      Effect.map(parts.logs, (all) => all.join("\n")),
      (logs) => (logs.includes(text) ? logs : undefined),
      `"${text}" in the logs of job ${parts.id}`
    ),
  until: (statuses, withinMs = 60_000) =>
    Effect.suspend(() => {
      let last: State | undefined
      const look = Effect.gen(function* () {
        while (true) {
          last = yield* parts.state
          if ([statuses].flat().includes(last.status)) return last
          yield* Effect.sleep(100)
        }
      })
      const late = Effect.gen(function* () {
        const infos = yield* parts.infos
        const message = `job ${parts.id} is not ${String(statuses)} within ${withinMs} ms: ${JSON.stringify(last)}`
        return yield* new HarnessError({ message: [message, ...infos].join("\n") })
      })
      return Effect.timeoutOrElse(look, { duration: withinMs, orElse: () => late })
    })
})

interface Links {
  readonly cdn_url: string
  readonly datas: ReadonlyArray<{ readonly item_type: string; readonly api_ref: string }> | null
}

/** Fetches from the CDN the logs that the API links to. They come there some time after the step's end, piece by piece. */
export const logs = (api: Api, path: string): Effect.Effect<ReadonlyArray<string>, HarnessError> =>
  Effect.gen(function* () {
    const { cdn_url, datas } = yield* api.ask<Links>("GET", path)
    return yield* Effect.forEach(datas ?? [], ({ item_type, api_ref }) =>
      Effect.retry(api.text(`${cdn_url}/item/${item_type}/${api_ref}/download`), {
        schedule: Schedule.spaced("200 millis"),
        times: 150
      })
    )
  })

/** Asks every 100 ms until the answer has what is wanted. */
export const found = <A, B>(
  ask: Effect.Effect<A, HarnessError>,
  pick: (answer: A) => B | undefined,
  what: string
): Effect.Effect<B, HarnessError> =>
  Effect.gen(function* () {
    while (true) {
      const picked = pick(yield* ask)
      if (picked !== undefined) return picked
      yield* Effect.sleep(100)
    }
  }).pipe(
    Effect.timeoutOrElse({
      duration: 30_000,
      orElse: () => Effect.fail(new HarnessError({ message: `no ${what} within 30 s` }))
    })
  )
