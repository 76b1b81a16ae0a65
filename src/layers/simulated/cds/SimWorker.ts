/**
 * The stand-in worker as an Effect: it does what `worker.sh` does, on the clock of its fiber. `workerProgram` is a guest's view of the whole
 * bootstrap, to be given to a simulated vCenter as what its guests run.
 */
import { Clock, Effect, Schema } from "effect"
import type { HttpClient } from "effect/http"
import { register, runV1 } from "./v1/SimWorker.ts"
import { asked, attempts, caller, capabilities, endure, GaveUp, planOf } from "./WorkerCalls.ts"
import type { Behaviour, Caller } from "./WorkerCalls.ts"

export type { Behaviour } from "./WorkerCalls.ts"

/** Where the bootstrap and the worker write in the guest (cds-contract 9.4, 9.5). */
const setupLog = "/tmp/cds-worker-setup.log"
const workerLog = "/tmp/worker.log"
const registerLog = "/tmp/worker.register.log"

export interface WorkerEnd {
  readonly exitCode: number
  readonly log: string
}

/** The keys of `CDS_CONFIG` that a worker needs; which job it has says on which side it works (cds-contract 9.1, 9.3). */
const WorkerConfig = Schema.Struct({
  name: Schema.NonEmptyString,
  api_endpoint: Schema.NonEmptyString,
  api_token: Schema.NonEmptyString,
  run_job_id: Schema.optionalKey(Schema.NonEmptyString),
  booked_job_id: Schema.optionalKey(Schema.Int),
  region: Schema.optionalKey(Schema.String)
})
type WorkerConfig = typeof WorkerConfig.Type

const decodeConfig = Schema.decodeEffect(
  Schema.StringFromBase64.pipe(Schema.decodeTo(Schema.fromJsonString(WorkerConfig)))
)

const runV2 = Effect.fnUntraced(function* ({ post }: Caller, token: string, jobId: string, behaviour: Behaviour) {
  const { session = "" } = yield* asked("signin", post("/worker/signin", token, capabilities))
  const plan = yield* Effect.flatMap(asked("take", post("/worker/take", session, {})), planOf)
  const beat = Effect.map(post("/worker/refresh", session, {}), ({ status }) => status !== 410 && status !== 401)
  const finished = yield* endure(plan, beat, behaviour)
  if (finished) {
    const time = new Date(yield* Clock.currentTimeMillis).toISOString()
    const outcome = { status: behaviour.outcome ?? plan.outcome, error: "", time }
    yield* asked("result", post("/result", session, outcome))
  }
  yield* post("/worker/signout", session, {})
  return finished ? `ran job ${jobId}` : `job ${jobId} has ended without us`
})

const run = Effect.fnUntraced(function* (
  client: HttpClient.HttpClient,
  config: WorkerConfig,
  registers: boolean,
  behaviour: Behaviour
) {
  const { api_endpoint: api, api_token: token, run_job_id: jobId, booked_job_id: bookedJobId, region } = config
  yield* Effect.sleep(behaviour.startMs ?? 0)
  if (behaviour.neverRegisters === true) return yield* Effect.never
  if (registers) return yield* register(caller(client, api), token)
  if (jobId === undefined) {
    if (bookedJobId !== undefined) return yield* runV1(caller(client, api), token, bookedJobId, behaviour)
    return yield* new GaveUp({ exitCode: 2, line: "CDS_CONFIG has no job" })
  }
  if (region === undefined || region === "") return yield* new GaveUp({ exitCode: 2, line: "CDS_CONFIG has no region" })
  return yield* runV2(caller(client, `${api}/v2/queue/${region}/job/${jobId}`), token, jobId, behaviour)
})

/**
 * Runs one worker: `config` is the value of `CDS_CONFIG`, `registers` that it was started as `worker register`. Fails never; its end has an
 * exit code and a log. `behaviour` is asked with the job's id, which is empty for a worker that registers its model.
 */
export const simWorker = (
  client: HttpClient.HttpClient,
  config: string,
  behaviour: (jobId: string) => Behaviour = () => ({}),
  registers = false
): Effect.Effect<WorkerEnd> =>
  decodeConfig(config).pipe(
    Effect.mapError((error) => new GaveUp({ exitCode: 2, line: `CDS_CONFIG cannot be read: ${error.message}` })),
    Effect.flatMap((decoded) => {
      const jobId = registers ? "" : (decoded.run_job_id ?? String(decoded.booked_job_id ?? ""))
      return Effect.map(run(client, decoded, registers, behaviour(jobId)), (line) => ({
        exitCode: 0,
        log: `worker ${decoded.name}: ${line}\n`
      }))
    }),
    Effect.catchTag("GaveUp", ({ exitCode, line }) => Effect.succeed({ exitCode, log: `worker: ${line}\n` }))
  )

/** What a guest is told of a program; a part of what the simulated vCenter tells. */
export interface ProgramRequest {
  readonly arguments: string
  readonly env: Readonly<Record<string, string>>
  readonly write: (path: string, text: string) => void
  readonly read: (path: string) => string | undefined
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

/** Where the bootstrap's text downloads the worker from, once the guest's shell has put its own architecture into it. */
const workerUrl = /https?:\/\/[^\s'"\\]+\/download\/worker\/[\w/.-]+/
const downloadUrl = (text: string): string | undefined =>
  workerUrl.exec(text.replaceAll("$(uname -m)", "x86_64").replace(/['\\]+\$arch\b/, "amd64'"))?.[0]

/** What a start script makes first, and ends with 75 when it is there already: its worker was started before (`schema/Bootstrap.ts`). */
const mark = /\bmkdir (\S+)/
const wasStarted = 75

/** The worker is started to register its V1 model. */
const registers = /\bworker register(?=\s|$)/

/** A text without a worker that turns the machine off when it is done: a V1 model's own command, while its template is built. */
const powersOff = /\b(shutdown|poweroff|halt)\b/

/**
 * What a guest does with a program that a hatchery starts in it. With `CDS_CONFIG` in its environment it is the bootstrap: download, worker,
 * logs, power off. It leaves no spans: it is not the hatchery that does this. Anything else, such as the `env` probe, ends at once with 0, and
 * a text that says so turns the machine off.
 */
export const workerProgram =
  (client: HttpClient.HttpClient, behaviour?: (jobId: string) => Behaviour) =>
  (request: ProgramRequest): Effect.Effect<ProgramEnd> =>
    Effect.gen(function* () {
      const { arguments: text } = request
      const config = request.env["CDS_CONFIG"]
      if (config === undefined) return powersOff.test(text) ? { exitCode: 0, powerOffAfterMs: 0 } : { exitCode: 0 }
      const made = mark.exec(text)?.[1]
      if (made !== undefined) {
        if (request.read(made) !== undefined) return { exitCode: wasStarted }
        request.write(made, "")
      }
      const url = downloadUrl(text)
      if (url !== undefined && !(yield* download(client, url))) {
        request.write(setupLog, `the worker cannot be downloaded from ${url}\n`)
        return bootstrapEnd(1)
      }
      const end = yield* simWorker(client, config, behaviour, registers.test(text))
      request.write(text.includes(registerLog) ? registerLog : workerLog, end.log)
      request.write(setupLog, `the worker ended with exit code ${end.exitCode}\n`)
      return bootstrapEnd(end.exitCode)
    }).pipe(Effect.withTracerEnabled(false))
