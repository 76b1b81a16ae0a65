/** `Cds` for a V2 hatchery, over an HTTP client and a socket. */
import { Clock, Effect, Layer, Redacted } from "effect"
import type { HttpClient } from "effect/http"
import { CdsError } from "../../schema/Errors.ts"
import type { ConfigInvalid } from "../../schema/Errors.ts"
import type { JobId } from "../../schema/Job.ts"
import { Cds } from "../../services/Cds.ts"
import type { Notice, WorkerClaims } from "../../services/Cds.ts"
import { Ids } from "../../services/Ids.ts"
import { Settings } from "../../services/Settings.ts"
import * as CdsHttp from "./CdsHttp.ts"
import { CdsSocket } from "./CdsSocket.ts"
import { goTime } from "./GoTime.ts"
import * as Hatchery from "./Hatchery.ts"
import type { Identity } from "./Hatchery.ts"
import * as HatcheryKey from "./HatcheryKey.ts"
import { compact } from "./Jwt.ts"
import { textV2 } from "./notices.ts"
import * as Queue from "./QueueV2.ts"
import * as Session from "./Session.ts"
import * as Sightings from "./Sightings.ts"
import * as Signin from "./SigninV2.ts"
import * as Trouble from "./Trouble.ts"
import * as WorkerToken from "./WorkerToken.ts"

export type { Identity } from "./Hatchery.ts"

const signinPause = "10 seconds"

/** Signs in until it works or CDS refuses what the configuration says. */
const untilSignedIn = (session: Session.Session, trouble: Trouble.Trouble, apiUrl: string) => {
  const signin: Effect.Effect<{ readonly region: string }, ConfigInvalid> = session.held.pipe(
    Effect.tap(trouble.clear("api")),
    Effect.map(({ region }) => ({ region })),
    Effect.catchTag("CdsError", (error) =>
      trouble
        .note("api", `signin: ${error.message}`)
        .pipe(
          Effect.andThen(Effect.logWarning(`waiting for the CDS API at ${apiUrl}: ${error.message}`)),
          Effect.andThen(Effect.sleep(signinPause)),
          Effect.andThen(Effect.suspend(() => signin))
        )
    )
  )
  return signin
}

/** Opens the socket in the session; a session that is refused there is dropped, so that the next try signs in again. */
const openEvents = (session: Session.Session, socket: CdsSocket["Service"], apiUrl: string) =>
  Effect.gen(function* () {
    const held = yield* session.held
    const date = goTime(yield* Clock.currentTimeMillis)
    const url = `${apiUrl.replace(/^http/, "ws").replace(/\/+$/, "")}/v2/hatchery/ws`
    const headers = { authorization: `Bearer ${Redacted.value(held.token)}`, date, "x-cds-remotetime": date }
    return yield* socket
      .connect(url, headers)
      .pipe(Effect.tapError(({ kind }) => (kind === "unauthenticated" ? session.drop(held) : Effect.void)))
  }).pipe(Effect.mapError(Session.asCdsError("events")))

/** V1 models belong to the V1 API. */
const withoutV1 = (call: string) => () =>
  Effect.fail(new CdsError({ call, kind: "refused", message: "it needs the V1 API (commonConfiguration.api.token)" }))

/** Fails when the RSA key cannot be used. */
export const make = Effect.fnUntraced(function* (
  identity: Identity
): Effect.fn.Return<Cds["Service"], ConfigInvalid, Settings | Ids | CdsSocket | HttpClient.HttpClient> {
  const { cds: settings } = yield* Settings
  const ids = yield* Ids
  const socket = yield* CdsSocket
  const key = yield* HatcheryKey.parse(settings.rsaPrivateKey)
  const http = yield* CdsHttp.make(settings.apiUrl, settings.requestTimeoutMs)
  const trouble = yield* Trouble.make
  const session = yield* Session.make(http, trouble, Signin.make(http, settings, key, identity.version))
  const queue = Queue.make(session, settings.name)
  const hatchery = Hatchery.make(session, settings, identity)

  const poll = Effect.gen(function* () {
    const { region } = yield* Effect.mapError(session.held, Session.asCdsError("poll"))
    return yield* queue.waiting(region, settings.osArch)
  })

  return {
    signin: untilSignedIn(session, trouble, settings.apiUrl),
    region: session.region,
    sightings: Sightings.make(
      {
        connect: openEvents(session, socket, settings.apiUrl),
        poll: Effect.withSpan(poll, "Cds.poll"),
        pollIntervalMs: settings.disableV2QueuePolling ? undefined : settings.pollIntervalMs
      },
      trouble
    ),
    job: Effect.fn("Cds.job")(function* (region: string, id: JobId) {
      yield* Effect.annotateCurrentSpan({ "job.id": id })
      return yield* queue.job(region, id)
    }),
    take: Effect.fn("Cds.take")(function* (region: string, id: JobId) {
      yield* Effect.annotateCurrentSpan({ "job.id": id })
      return yield* queue.take(region, id)
    }),
    release: Effect.fn("Cds.release")(function* (region: string, id: JobId) {
      yield* Effect.annotateCurrentSpan({ "job.id": id })
      yield* queue.release(region, id)
    }),
    fail: Effect.fn("Cds.fail")(function* (region: string, id: JobId, reason: string) {
      yield* Effect.annotateCurrentSpan({ "job.id": id, reason })
      yield* queue.fail(region, id, reason)
    }),
    tell: Effect.fn("Cds.tell")(function* (region: string, id: JobId, notice: Notice) {
      const { level, message } = textV2(settings.name, notice)
      yield* Effect.annotateCurrentSpan({ "job.id": id, level })
      yield* queue.info(region, id, level, message)
    }),
    workers: Effect.withSpan(hatchery.workers, "Cds.workers"),
    heartbeat: Effect.fn("Cds.heartbeat")(hatchery.heartbeat),
    cdn: Effect.withSpan(hatchery.cdn, "Cds.cdn"),
    workerToken: Effect.fn("Cds.workerToken")(function* (worker: WorkerClaims) {
      yield* Effect.annotateCurrentSpan({ "job.id": worker.jobId, "worker.name": worker.workerName })
      const claims = WorkerToken.claims(settings.name, worker, yield* ids.uuid, yield* Clock.currentTimeMillis)
      return Redacted.make(compact("RS512", claims, key.signRS512))
    }),
    disable: () => Effect.void,
    models: Effect.succeed([]),
    modelPassword: withoutV1("modelPassword"),
    bookModel: withoutV1("bookModel"),
    failModel: withoutV1("failModel"),
    modelAsCode: withoutV1("modelAsCode"),
    signout: Effect.void,
    trouble: trouble.current
  }
})

export const layer = (
  identity: Identity
): Layer.Layer<Cds, ConfigInvalid, Settings | Ids | CdsSocket | HttpClient.HttpClient> =>
  Layer.effect(Cds, make(identity))
