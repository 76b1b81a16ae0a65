/** A CDS API of one test: answers what the test says, and remembers what it was sent. */
import { generateKeyPairSync } from "node:crypto"
import { Clock, Effect, Fiber, Layer, Queue, Redacted, Stream } from "effect"
import { HttpBody, HttpClient, HttpClientError, HttpClientResponse } from "effect/http"
import type { HttpClientRequest } from "effect/http"
import { TestClock } from "effect/testing"
import { CdsError } from "../../../src/schema/Errors.ts"
import { defaults } from "../../../src/schema/config/defaults.ts"
import type { CdsSettings, SettingsShape } from "../../../src/schema/Settings.ts"
import { Ids } from "../../../src/services/Ids.ts"
import { Settings } from "../../../src/services/Settings.ts"
import * as CdsLive from "../../../src/layers/cds/CdsLive.ts"
import { CdsSocket } from "../../../src/layers/cds/CdsSocket.ts"
import { compact } from "../../../src/layers/cds/Jwt.ts"

export const hatcheryKeys = generateKeyPairSync("rsa", { modulusLength: 2048 })
const apiPublicKey = Buffer.from(hatcheryKeys.publicKey.export({ type: "pkcs1", format: "pem" })).toString("base64")

export interface Seen {
  readonly method: string
  /** With its query, as it goes over the wire. */
  readonly path: string
  readonly headers: Readonly<Record<string, string | undefined>>
  readonly body: any
  /** Clock time of the arrival. */
  readonly at: number
}

/** `cut`: the connection breaks; `silence`: no answer ever. */
export type Reply =
  | "cut"
  | "silence"
  | { readonly status: number; readonly body?: unknown; readonly headers?: Record<string, string> }

export type Respond = (seen: Seen, all: ReadonlyArray<Seen>) => Reply | Effect.Effect<Reply>

const unsigned = () => new Uint8Array([1, 2, 3])

/** A consumer token as CDS makes them; the client cannot verify its signature, only read it. */
export const consumerToken = (type = "signinHatcheryConsumerToken", expire = 0) =>
  Redacted.make(compact("PS512", { type, expire, data: { consumer_id: "c", iat: 0 } }, unsigned))

/** A session JWT issued at `iat`, both in seconds. */
export const sessionToken = (iat: number, lifetime = 3600) =>
  compact("RS512", { iat, exp: iat + lifetime, jti: `session-${iat}` }, unsigned)

export const signinPath = "/v2/auth/consumer/hatchery/signin"

/** A signin that works: one hour, region `r1`. */
export const signedIn = (now: number, lifetime = 3600): Reply => ({
  status: 200,
  headers: { "x-api-pub-signing-key": apiPublicKey },
  body: { token: sessionToken(Math.floor(now / 1000), lifetime), region: "r1", api_url: "http://x", hatchery: {} }
})

export const consumerTokenV1 = (expire = 0) => consumerToken("signinBuiltinConsumerToken", expire)

export const signinPathV1 = "/auth/consumer/builtin/signin"

/** A V1 signin that works: one hour, service 42. */
export const signedInV1 = (now: number, lifetime = 3600): Reply => ({
  ...(signedIn(now, lifetime) as Exclude<Reply, string>),
  body: { token: sessionToken(Math.floor(now / 1000), lifetime), user: {}, service: { id: 42, name: "my-hatch" } }
})

export const forbidden = (from?: string): Reply => ({ status: 403, body: { id: 11, message: "forbidden", from } })
export const unauthorized: Reply = { status: 401, body: { id: 10, message: "not authenticated" } }
export const notFound: Reply = { status: 404, body: { id: 38, message: "resource not found", request_id: "r" } }
export const noContent: Reply = { status: 204 }
export const ok = (body: unknown): Reply => ({ status: 200, body })

/** Signs in as usual and hands every other call to `respond`. */
export const withSignin =
  (respond: Respond): Respond =>
  (seen, all) =>
    seen.path === signinPath ? signedIn(seen.at) : seen.path === signinPathV1 ? signedInV1(seen.at) : respond(seen, all)

const settings: CdsSettings = {
  ...defaults.cds,
  name: "my-hatch",
  apiUrl: "http://cds.test/",
  tokenV2: consumerToken(),
  rsaPrivateKey: Redacted.make(hatcheryKeys.privateKey.export({ type: "pkcs1", format: "pem" }).toString()),
  url: "http://my-hatch:8086",
  publicConfig: { commonConfiguration: { name: "my-hatch" }, workerTTL: 120 }
}

const transportError = (request: HttpClientRequest.HttpClientRequest) =>
  new HttpClientError.HttpClientError({
    reason: new HttpClientError.TransportError({ request, cause: new Error("read ECONNRESET") })
  })

/** The text is there at once: reading a web `Response` takes real time, which the test clock does not wait for. */
const response = (request: HttpClientRequest.HttpClientRequest, reply: Exclude<Reply, string>) => {
  const text = typeof reply.body === "string" ? reply.body : JSON.stringify(reply.body)
  const init = { status: reply.status, headers: reply.headers ?? {} }
  const web = HttpClientResponse.fromWeb(request, new Response(null, init))
  return Object.defineProperty(web, "text", { value: Effect.succeed(reply.body === undefined ? "" : text) })
}

export interface Connection {
  readonly url: string
  readonly headers: Readonly<Record<string, string>>
  /** What the client said first. */
  readonly greeting: string | undefined
  readonly at: number
  readonly send: (frame: string) => Effect.Effect<void>
  readonly close: (code: number) => Effect.Effect<void>
}

const socketError = (message: string, kind: CdsError["kind"] = "unreachable") =>
  new CdsError({ call: "events", kind, message })

/** `refuse` answers the upgrade of the n-th connection, from 0 on, with an error where it gives one. */
const makeSocket = (connections: Array<Connection>, refuse: (nth: number) => CdsError | undefined) =>
  Layer.succeed(CdsSocket, {
    connect: (url, headers, greeting) =>
      Effect.gen(function* () {
        const frames = yield* Queue.unbounded<string, CdsError>()
        connections.push({
          url,
          headers,
          greeting,
          at: yield* Clock.currentTimeMillis,
          send: (frame) => Effect.asVoid(Queue.offer(frames, frame)),
          close: (code) => Effect.asVoid(Queue.fail(frames, socketError(`closed with code ${code}`)))
        })
        const error = refuse(connections.length - 1)
        return error === undefined ? Stream.fromQueue(frames) : yield* error
      })
  })

/** The layer of `Cds` over such an API, with what it was sent. */
export const api = (
  respond: Respond,
  options: {
    readonly cds?: Partial<CdsSettings>
    readonly settings?: Partial<SettingsShape>
    readonly refuse?: (nth: number) => CdsError | undefined
  } = {}
) => {
  const seen: Array<Seen> = []
  const connections: Array<Connection> = []
  const client = HttpClient.make((request, url) =>
    Effect.gen(function* () {
      const body = request.body instanceof HttpBody.Uint8Array ? new TextDecoder().decode(request.body.body) : undefined
      const arrived: Seen = {
        method: request.method,
        path: `${url.pathname}${url.search}`,
        headers: request.headers,
        body: body === undefined ? undefined : JSON.parse(body),
        at: yield* Clock.currentTimeMillis
      }
      seen.push(arrived)
      const answer = respond(arrived, seen)
      const reply = Effect.isEffect(answer) ? yield* answer : answer
      if (reply === "cut") return yield* transportError(request)
      if (reply === "silence") return yield* Effect.never
      return response(request, reply)
    })
  )
  let ids = 0
  const layer = CdsLive.layer({ version: "1.2.3", hostname: "host1" }).pipe(
    Layer.provide(
      Layer.mergeAll(
        Layer.succeed(HttpClient.HttpClient, client),
        makeSocket(connections, options.refuse ?? (() => undefined)),
        Layer.succeed(Settings, { ...defaults, ...options.settings, cds: { ...settings, ...options.cds } }),
        Layer.mock(Ids)({ uuid: Effect.sync(() => `uuid-${++ids}`) })
      )
    )
  )
  const calls = (path: string) => seen.filter((one) => one.path === path)
  return { layer, seen, calls, connections, signins: () => calls(signinPath) }
}

/** Of a hatchery that has the V1 token alone. */
export const apiV1 = (respond: Respond, own: Partial<SettingsShape> = {}) =>
  api(respond, { cds: { token: consumerTokenV1(), tokenV2: undefined }, settings: own })

/** One after the other; the last one again and again. */
export const inTurn = (...replies: ReadonlyArray<Reply>) => {
  let next = 0
  return () => replies[Math.min(next++, replies.length - 1)]!
}

/** Runs while the clock moves, for what waits between attempts. */
export const moving = <A, E>(self: Effect.Effect<A, E>) =>
  Effect.gen(function* () {
    const fiber = yield* Effect.forkChild(self)
    yield* TestClock.adjust("2 minutes")
    return yield* Fiber.join(fiber)
  })

export const socketRefusal = socketError

/** An answer that takes a second. */
export const late = (reply: Reply) => Effect.as(Effect.sleep("1 second"), reply)
