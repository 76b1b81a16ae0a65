/**
 * The stand-in worker as an Effect: it does what `worker.sh` does, on the clock of its fiber. `workerProgram` is a guest's view of the whole
 * bootstrap, to be given to a simulated vCenter as what its guests run.
 */
import { Clock, Data, Effect, Schema } from "effect"
import { HttpClientRequest } from "effect/http"
import type { HttpClient } from "effect/http"

/** Where the bootstrap and the worker write in the guest (cds-contract 9.4, 9.5). */
const setupLog = "/tmp/cds-worker-setup.log"
const workerLog = "/tmp/worker.log"

/** How one worker behaves; a plain worker has none of these. */
export interface Behaviour {
  /** It starts and never signs in. */
  readonly neverRegisters?: boolean
  /** It waits this long before it signs in. */
  readonly startMs?: number
  /** Its process dies this long after it took the job: no result, no signout, exit code 137. */
  readonly diesAfterMs?: number
  /** It falls silent this long after it took the job and never ends. */
  readonly hangsAfterMs?: number
  /** Overrides what the job says. */
  readonly outcome?: "Success" | "Fail"
}

export interface WorkerEnd {
  readonly exitCode: number
  readonly log: string
}

/** The worker gives up, with a line for its log. */
class GaveUp extends Data.TaggedError("GaveUp")<{ readonly exitCode: number; readonly line: string }> {}

/** The keys of `CDS_CONFIG` that a V2 worker needs (cds-contract 9.1). */
const WorkerConfig = Schema.Struct({
  name: Schema.NonEmptyString,
  api_endpoint: Schema.NonEmptyString,
  api_token: Schema.NonEmptyString,
  run_job_id: Schema.NonEmptyString,
  region: Schema.NonEmptyString
})
type WorkerConfig = typeof WorkerConfig.Type

const decodeConfig = Schema.decodeEffect(
  Schema.StringFromBase64.pipe(Schema.decodeTo(Schema.fromJsonString(WorkerConfig)))
)

/** What the simulated API adds to the answer of a take. */
const Taken = Schema.fromJsonString(
  Schema.Struct({
    simulation: Schema.Struct({
      outcome: Schema.Literals(["Success", "Fail"]),
      beats: Schema.Int,
      beat_seconds: Schema.Finite,
      rest_seconds: Schema.Finite
    })
  })
)

interface Reply {
  readonly status: number
  readonly session: string | undefined
  readonly body: string
}

const attempts = 3

const noReply: Reply = { status: 0, session: undefined, body: "" }

/** Posts; a cut connection, 409 and 5xx are tried again a second later, three times in all. Status 0 means no answer at all. */
const poster = (client: HttpClient.HttpClient, config: WorkerConfig) =>
  Effect.fnUntraced(function* (path: string, token: string, body: unknown) {
    const url = `${config.api_endpoint}/v2/queue/${config.region}/job/${config.run_job_id}${path}`
    const request = HttpClientRequest.post(url).pipe(
      HttpClientRequest.bodyText(JSON.stringify(body), "application/json"),
      HttpClientRequest.bearerToken(token)
    )
    let reply = noReply
    for (let attempt = 1; attempt <= attempts; attempt++) {
      reply = yield* client.execute(request).pipe(
        Effect.flatMap((answer) =>
          Effect.map(answer.text, (text): Reply => ({
            status: answer.status,
            session: answer.headers["x-cds-jwt"],
            body: text
          }))
        ),
        Effect.orElseSucceed(() => noReply)
      )
      if (reply.status !== 0 && reply.status !== 409 && reply.status < 500) return reply
      if (attempt < attempts) yield* Effect.sleep(1_000)
    }
    return reply
  })

const asked = (step: string, reply: Reply): Effect.Effect<Reply, GaveUp> =>
  reply.status >= 200 && reply.status < 300
    ? Effect.succeed(reply)
    : Effect.fail(new GaveUp({ exitCode: 1, line: `${step} was refused: ${reply.status} ${reply.body}` }))

type Post = ReturnType<typeof poster>

/** Works until the job is done; false when the API says that the job has ended without us. */
const work = Effect.fnUntraced(function* (post: Post, session: string, plan: (typeof Taken.Type)["simulation"]) {
  for (let beat = 0; beat < plan.beats; beat++) {
    yield* Effect.sleep(plan.beat_seconds * 1000)
    const { status } = yield* post("/worker/refresh", session, {})
    if (status === 410 || status === 401) return false
  }
  yield* Effect.sleep(plan.rest_seconds * 1000)
  return true
})

/** Works unless the behaviour has another end for it. */
const endure = <A>(working: Effect.Effect<A>, behaviour: Behaviour): Effect.Effect<A, GaveUp> => {
  const { diesAfterMs, hangsAfterMs } = behaviour
  if (diesAfterMs !== undefined) {
    const dies = () => Effect.fail(new GaveUp({ exitCode: 137, line: "killed" }))
    return Effect.timeoutOrElse(working, { duration: diesAfterMs, orElse: dies })
  }
  return hangsAfterMs === undefined
    ? working
    : Effect.timeoutOrElse(working, { duration: hangsAfterMs, orElse: () => Effect.never })
}

const run = Effect.fnUntraced(function* (client: HttpClient.HttpClient, config: WorkerConfig, behaviour: Behaviour) {
  const post = poster(client, config)
  yield* Effect.sleep(behaviour.startMs ?? 0)
  if (behaviour.neverRegisters === true) return yield* Effect.never
  const capabilities = { BinaryCapabilities: ["git"], Version: "simulated", OS: "linux", Arch: "amd64" }
  const { session = "" } = yield* Effect.flatMap(post("/worker/signin", config.api_token, capabilities), (reply) =>
    asked("signin", reply)
  )
  const taken = yield* Effect.flatMap(post("/worker/take", session, {}), (reply) => asked("take", reply))
  const { simulation } = yield* Schema.decodeEffect(Taken)(taken.body).pipe(Effect.orDie)
  const finished = yield* endure(work(post, session, simulation), behaviour)
  if (finished) {
    const time = new Date(yield* Clock.currentTimeMillis).toISOString()
    const outcome = { status: behaviour.outcome ?? simulation.outcome, error: "", time }
    yield* Effect.flatMap(post("/result", session, outcome), (reply) => asked("result", reply))
  }
  yield* post("/worker/signout", session, {})
  return finished ? `ran job ${config.run_job_id}` : `job ${config.run_job_id} has ended without us`
})

/** Runs one worker: `config` is the value of `CDS_CONFIG`. Fails never; its end has an exit code and a log. */
export const simWorker = (
  client: HttpClient.HttpClient,
  config: string,
  behaviour: (jobId: string) => Behaviour = () => ({})
): Effect.Effect<WorkerEnd> =>
  decodeConfig(config).pipe(
    Effect.mapError((error) => new GaveUp({ exitCode: 2, line: `CDS_CONFIG cannot be read: ${error.message}` })),
    Effect.flatMap((decoded) =>
      Effect.map(run(client, decoded, behaviour(decoded.run_job_id)), (line) => ({
        exitCode: 0,
        log: `worker ${decoded.name}: ${line}\n`
      }))
    ),
    Effect.catchTag("GaveUp", ({ exitCode, line }) => Effect.succeed({ exitCode, log: `worker: ${line}\n` }))
  )

/** What a guest is told of a program; a part of what the simulated vCenter tells. */
export interface ProgramRequest {
  readonly arguments: string
  readonly env: Readonly<Record<string, string>>
  readonly write: (path: string, text: string) => void
}

export interface ProgramEnd {
  readonly exitCode: number
  /** The machine is to go off this many milliseconds after the program's end; undefined when it is to stay on. */
  readonly powerOffAfterMs?: number
}

/** The bootstrap leaves its machine on for two minutes after a failure, so that exit code and log can be read (`schema/Bootstrap.ts`). */
const bootstrapEnd = (exitCode: number): ProgramEnd => ({ exitCode, powerOffAfterMs: exitCode === 0 ? 0 : 120_000 })

/** Downloads as the bootstrap does; the text itself is of no use here. */
const download = Effect.fnUntraced(function* (client: HttpClient.HttpClient, url: string) {
  for (let attempt = 1; attempt <= attempts; attempt++) {
    const status = yield* client.get(url).pipe(
      Effect.map((answer) => answer.status),
      Effect.orElseSucceed(() => 0)
    )
    if (status === 200) return true
    yield* Effect.sleep(attempt * 1_000)
  }
  return false
})

/** Where the bootstrap's text downloads the worker from. */
const workerUrl = /https?:\/\/[^\s'"\\]+\/download\/worker\/[\w/.-]+/

/**
 * What a guest does with a program that a hatchery starts in it. With `CDS_CONFIG` in its environment it is the bootstrap: download, worker,
 * logs, power off. It leaves no spans: it is not the hatchery that does this. Anything else, such as the `env` probe, ends at once with 0.
 */
export const workerProgram =
  (client: HttpClient.HttpClient, behaviour?: (jobId: string) => Behaviour) =>
  (request: ProgramRequest): Effect.Effect<ProgramEnd> =>
    Effect.gen(function* () {
      const config = request.env["CDS_CONFIG"]
      if (config === undefined) return { exitCode: 0 }
      const url = workerUrl.exec(request.arguments)?.[0]
      if (url !== undefined && !(yield* download(client, url))) {
        request.write(setupLog, `the worker cannot be downloaded from ${url}\n`)
        return bootstrapEnd(1)
      }
      const end = yield* simWorker(client, config, behaviour)
      request.write(workerLog, end.log)
      request.write(setupLog, `the worker ended with exit code ${end.exitCode}\n`)
      return bootstrapEnd(end.exitCode)
    }).pipe(Effect.withTracerEnabled(false))
