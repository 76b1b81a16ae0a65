/** `rookery simulate cds` as a process, and its control port. */
import { Effect, type Scope } from "effect"
import { explained, failure } from "./asking.ts"
import { HarnessError } from "./HarnessError.ts"
import * as Program from "./Program.ts"

/** A job as the control port shows it. */
export interface Job {
  readonly id: string
  readonly status: string
  readonly worker: string
  readonly releases: number
  readonly history: ReadonlyArray<{ readonly status: string; readonly worker: string; readonly why: string }>
  readonly infos: ReadonlyArray<{ readonly level: string; readonly message: string }>
}

export interface State {
  readonly violations: ReadonlyArray<unknown>
  readonly hatcheries: ReadonlyArray<{ readonly signins: number; readonly lastHeartbeatAt?: number }>
  readonly workers: ReadonlyArray<{ readonly name: string; readonly status: string; readonly run_job_id: string }>
  readonly sockets: number
  readonly v1: {
    readonly workers: ReadonlyArray<{ readonly name: string; readonly status: string }>
    readonly models: ReadonlyArray<{
      readonly draft: { readonly group: string; readonly name: string }
      readonly needRegistration: boolean
      readonly spawnErrors: ReadonlyArray<{ readonly error: string; readonly log: string }>
    }>
  }
}

export interface Cds {
  readonly url: string
  /** The consumer token of the hatchery that may sign in. */
  readonly token: string
  /** The same for the V1 side. */
  readonly tokenV1: string
  /** Puts a job into the queue and answers its id; the fields of an order are in src/layers/simulated/cds/Order.ts. */
  readonly enqueue: (order: Readonly<Record<string, unknown>>) => Effect.Effect<string, HarnessError>
  /** The same for V1 jobs, whose order is in src/layers/simulated/cds/v1/Order.ts. */
  readonly enqueueV1: (order: Readonly<Record<string, unknown>>) => Effect.Effect<ReadonlyArray<string>, HarnessError>
  readonly job: (id: string) => Effect.Effect<Job, HarnessError>
  readonly jobs: Effect.Effect<ReadonlyArray<Job>, HarnessError>
  /** Any other request to the control port; src/layers/simulated/cds/Front.ts lists them. */
  readonly order: (method: "POST" | "DELETE", path: string, body?: unknown) => Effect.Effect<void, HarnessError>
  readonly state: Effect.Effect<State, HarnessError>
  /** Looks every 50 ms until the job has this status. */
  readonly until: (id: string, status: string, withinMs?: number) => Effect.Effect<Job, HarnessError>
}

export const start = (flags: ReadonlyArray<string> = []): Effect.Effect<Cds, HarnessError, Scope.Scope> =>
  Effect.gen(function* () {
    const running = yield* Program.rookery(["simulate", "cds", "--name", Program.hatchery, ...flags])
    const { url, control, hatcheries } = JSON.parse(yield* running.line(/^\{"url"/)) as {
      readonly url: string
      readonly control: string
      readonly hatcheries: ReadonlyArray<{ readonly token: string; readonly tokenV1: string }>
    }
    const ask = <A>(method: string, path: string, body?: unknown) =>
      Effect.tryPromise({
        try: async (signal) => {
          const init = { method, signal, ...(body === undefined ? {} : { body: JSON.stringify(body) }) }
          const response = await fetch(control + path, init)
          if (!response.ok) throw new Error(await response.text())
          return (response.status === 204 ? undefined : await response.json()) as A
        },
        catch: (cause) => failure(`${method} ${path} at the simulated CDS`, cause)
      }).pipe(explained(running))
    const put = (path: string, order: unknown) =>
      Effect.map(ask<{ readonly ids: ReadonlyArray<string> }>("POST", path, order), ({ ids }) => ids)
    const job: Cds["job"] = (id) => ask("GET", `/jobs/${id}`)
    return {
      url,
      token: hatcheries[0]?.token ?? "",
      tokenV1: hatcheries[0]?.tokenV1 ?? "",
      enqueue: (order) => Effect.map(put("/jobs", order), ([id = ""]) => id),
      enqueueV1: (order) => put("/v1/jobs", order),
      job,
      jobs: ask("GET", "/jobs"),
      order: ask,
      state: ask("GET", "/state"),
      until: (id, status, withinMs = 60_000) => until(job(id), status, withinMs)
    }
  })

const until = (look: Effect.Effect<Job, HarnessError>, status: string, withinMs: number) =>
  Effect.gen(function* () {
    let last: Job | undefined
    const wait = Effect.gen(function* () {
      while (true) {
        last = yield* look
        if (last.status === status) return last
        yield* Effect.sleep(50)
      }
    })
    const message = () => `the job is not ${status} within ${withinMs} ms: ${JSON.stringify(last, undefined, 1)}`
    return yield* Effect.timeoutOrElse(wait, {
      duration: withinMs,
      orElse: () => Effect.fail(new HarnessError({ message: message() }))
    })
  })
