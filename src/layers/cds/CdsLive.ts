/** `Cds` over an HTTP client and a socket: the V1 API, the V2 API, or both, by the tokens that are configured. */
import { Clock, Effect, Layer, Redacted, Stream } from "effect"
import type { HttpClient } from "effect/http"
import { CdsError } from "../../schema/Errors.ts"
import type { ConfigInvalid } from "../../schema/Errors.ts"
import { isV1 } from "../../schema/Job.ts"
import type { JobId } from "../../schema/Job.ts"
import { Cds } from "../../services/Cds.ts"
import type { Notice, WorkerClaims } from "../../services/Cds.ts"
import { Ids } from "../../services/Ids.ts"
import { Settings } from "../../services/Settings.ts"
import * as CdsHttp from "./CdsHttp.ts"
import { CdsSocket } from "./CdsSocket.ts"
import * as ConsumerToken from "./ConsumerToken.ts"
import type { Identity } from "./Hatchery.ts"
import * as HatcheryKey from "./HatcheryKey.ts"
import { compact } from "./Jwt.ts"
import type { Queue, Side } from "./Side.ts"
import * as V1 from "./v1/V1.ts"
import * as V2 from "./v2/V2.ts"
import * as WorkerToken from "./WorkerToken.ts"

export type { Identity } from "./Hatchery.ts"

const refused = (call: string, message: string) => Effect.fail(new CdsError({ call, kind: "refused", message }))

const needs = (call: string, { path }: ConsumerToken.Kind) => refused(call, `it needs ${path}`)

/** Fails when the RSA key cannot be used. */
export const make = Effect.fnUntraced(function* (
  identity: Identity
): Effect.fn.Return<Cds["Service"], ConfigInvalid, Settings | Ids | CdsSocket | HttpClient.HttpClient> {
  const settings = yield* Settings
  const { name, apiUrl, requestTimeoutMs, rsaPrivateKey, token, tokenV2 } = settings.cds
  const ids = yield* Ids
  const socket = yield* CdsSocket
  const key = yield* HatcheryKey.parse(rsaPrivateKey)
  const means = { http: yield* CdsHttp.make(apiUrl, requestTimeoutMs), socket, key, identity }
  const v1 = token === undefined ? undefined : yield* V1.make(means, settings, token)
  const v2 = tokenV2 === undefined ? undefined : yield* V2.make(means, settings, tokenV2)
  const sides: ReadonlyArray<Side> = [v1, v2].filter((side) => side !== undefined)
  const leading = v2 ?? v1

  /** The queue that a job is in. */
  const inQueue = <A>(call: string, id: JobId, use: (queue: Queue) => Effect.Effect<A, CdsError>) => {
    if (!isV1(id)) return v2 === undefined ? needs(call, ConsumerToken.v2) : use(v2.queue)
    if (!Number.isSafeInteger(Number(id)))
      return refused(call, `the job's number ${id} is above 2^53, too large to be told`)
    return v1 === undefined ? needs(call, ConsumerToken.v1) : use(v1.queue)
  }

  /** All at once, each to its end; then the first failure counts. */
  const onEach = <A>(use: (side: Side) => Effect.Effect<A, CdsError>) =>
    Effect.gen(function* () {
      const [done, [failed]] = yield* Effect.partition(sides, use, { concurrency: "unbounded" })
      return failed === undefined ? done : yield* failed
    })

  const signin = Effect.gen(function* () {
    if (leading === undefined) return yield* ConsumerToken.missing
    yield* Effect.forEach(sides, (side) => side.signin, { concurrency: "unbounded", discard: true })
    return { region: yield* leading.region }
  })

  return {
    signin,
    region: leading?.region ?? Effect.never,
    sightings: v1 && v2 ? Stream.merge(v1.sightings, v2.sightings) : (leading?.sightings ?? Stream.never),
    job: Effect.fn("Cds.job")(function* (region: string, id: JobId) {
      yield* Effect.annotateCurrentSpan({ "job.id": id })
      return yield* inQueue("job", id, (queue) => queue.job(region, id))
    }),
    take: Effect.fn("Cds.take")(function* (region: string, id: JobId) {
      yield* Effect.annotateCurrentSpan({ "job.id": id })
      return yield* inQueue("take", id, (queue) => queue.take(region, id))
    }),
    release: Effect.fn("Cds.release")(function* (region: string, id: JobId) {
      yield* Effect.annotateCurrentSpan({ "job.id": id })
      yield* inQueue("release", id, (queue) => queue.release(region, id))
    }),
    fail: Effect.fn("Cds.fail")(function* (region: string, id: JobId, reason: string) {
      yield* Effect.annotateCurrentSpan({ "job.id": id, reason })
      yield* inQueue("fail", id, (queue) => queue.fail(region, id, reason))
    }),
    tell: Effect.fn("Cds.tell")(function* (region: string, id: JobId, notice: Notice) {
      yield* Effect.annotateCurrentSpan({ "job.id": id, notice: notice._tag })
      yield* inQueue("tell", id, (queue) => queue.tell(region, id, notice))
    }),
    workers: Effect.map(
      onEach((side) => side.workers),
      (lists) => lists.flat()
    ).pipe(Effect.withSpan("Cds.workers")),
    disable: Effect.fn("Cds.disable")(function* (worker) {
      yield* Effect.annotateCurrentSpan({ "worker.name": worker.name })
      if (worker.api === "v1") yield* v1?.disable(worker) ?? needs("disable", ConsumerToken.v1)
    }),
    models: Effect.withSpan(v1?.models ?? Effect.succeed({ models: [], unreadable: [] }), "Cds.models"),
    modelPassword: Effect.fn("Cds.modelPassword")(
      (model) => v1?.modelPassword(model) ?? needs("modelPassword", ConsumerToken.v1)
    ),
    bookModel: Effect.fn("Cds.bookModel")((model) => v1?.bookModel(model) ?? needs("bookModel", ConsumerToken.v1)),
    failModel: Effect.fn("Cds.failModel")(
      (model, error, log) => v1?.failModel(model, error, log) ?? needs("failModel", ConsumerToken.v1)
    ),
    modelAsCode: Effect.fn("Cds.modelAsCode")(
      (reference) => v2?.modelAsCode(reference) ?? needs("modelAsCode", ConsumerToken.v2)
    ),
    heartbeat: Effect.fn("Cds.heartbeat")(function* (status) {
      yield* onEach((side) =>
        Effect.mapError(
          side.heartbeat(status),
          (error) => new CdsError({ ...error, message: `${side.name}: ${error.message}` })
        )
      )
    }),
    cdn: Effect.withSpan(leading?.cdn ?? needs("cdn", ConsumerToken.v2), "Cds.cdn"),
    workerToken: Effect.fn("Cds.workerToken")(function* (worker: WorkerClaims) {
      yield* Effect.annotateCurrentSpan({ "job.id": worker.jobId, "worker.name": worker.workerName })
      const claims = WorkerToken.claims(name, worker, yield* ids.uuid, yield* Clock.currentTimeMillis)
      return Redacted.make(compact("RS512", claims, key.signRS512))
    }),
    signout: v1?.signout ?? Effect.void,
    trouble: Effect.map(
      Effect.forEach(sides, (side) => side.trouble),
      (reasons) => reasons.filter((reason) => reason !== undefined).join("; ") || undefined
    )
  }
})

export const layer = (
  identity: Identity
): Layer.Layer<Cds, ConfigInvalid, Settings | Ids | CdsSocket | HttpClient.HttpClient> =>
  Layer.effect(Cds, make(identity))
