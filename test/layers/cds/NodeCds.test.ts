import { assert, describe, it } from "@effect/vitest"
import { createServer } from "node:http"
import type { IncomingMessage, ServerResponse } from "node:http"
import type { AddressInfo } from "node:net"
import { Deferred, Effect, Fiber, Layer, Option, Redacted, Stream } from "effect"
import { HttpClient, HttpClientRequest } from "effect/http"
import { WebSocketServer } from "ws"
import type { WebSocket } from "ws"
import { defaults } from "../../../src/schema/config/defaults.ts"
import { Cds } from "../../../src/services/Cds.ts"
import { Ids } from "../../../src/services/Ids.ts"
import { Settings } from "../../../src/services/Settings.ts"
import { CdsSocket } from "../../../src/layers/cds/CdsSocket.ts"
import * as CdsLive from "../../../src/layers/cds/CdsLive.ts"
import { front } from "../../../src/layers/simulated/cds/Front.ts"
import type { Registered } from "../../../src/layers/simulated/cds/Identity.ts"
import type { SimCds } from "../../../src/layers/simulated/cds/SimCds.ts"
import { hatcheryKeys } from "./api.ts"
import { withV1, withV2 } from "./simulated.ts"
import type { Tokens } from "./simulated.ts"
import * as CdsHttp from "../../../src/layers/cds/CdsHttp.ts"
import * as NodeCdsHttp from "../../../src/layers/cds/NodeCdsHttp.ts"
import * as NodeCdsSocket from "../../../src/layers/cds/NodeCdsSocket.ts"

const layer = Layer.mergeAll(NodeCdsHttp.layer, NodeCdsSocket.layer).pipe(
  Layer.provide(Layer.succeed(Settings, defaults))
)

/** A server on loopback for the scope's life; answers its address without a scheme. */
const server = (
  answer: (request: IncomingMessage, response: ServerResponse) => void,
  accept?: (socket: WebSocket, request: IncomingMessage) => void
) =>
  Effect.acquireRelease(
    Effect.callback<{ readonly address: string; readonly close: () => void }>((resume) => {
      const http = createServer(answer)
      if (accept !== undefined) new WebSocketServer({ server: http }).on("connection", accept)
      http.listen(0, "127.0.0.1", () => {
        const { port } = http.address() as AddressInfo
        resume(
          Effect.succeed({
            address: `127.0.0.1:${port}`,
            close: () => {
              http.closeAllConnections()
              http.close()
            }
          })
        )
      })
    }),
    ({ close }) => Effect.sync(close)
  )

const nothing = (_: IncomingMessage, response: ServerResponse) => response.writeHead(404).end()

describe("the HTTP client on Node", () => {
  it.live("sends path, headers and body as the protocol says", () =>
    Effect.gen(function* () {
      const requests: Array<{ line: string; headers: IncomingMessage["headers"]; body: string }> = []
      const { address } = yield* server((request, response) => {
        let body = ""
        request.on("data", (chunk) => (body += String(chunk)))
        request.on("end", () => {
          requests.push({ line: `${request.method} ${request.url}`, headers: request.headers, body })
          response.writeHead(200, { "set-cookie": "jwt_token=x; Path=/" }).end("[]")
        })
      })
      const { exchange } = yield* CdsHttp.make(`http://${address}/`, 10_000)
      yield* exchange({ name: "poll", method: "GET", path: "/v2/queue/r1?osarch=linux/amd64&osarch=a/b" }, undefined)
      yield* exchange({ name: "info", method: "POST", path: "/x", body: { level: "info" } }, undefined)
      const [get, post] = requests
      assert.strictEqual(get?.line, "GET /v2/queue/r1?osarch=linux/amd64&osarch=a/b")
      assert.strictEqual(get?.headers["content-type"], "application/json")
      assert.match(get?.headers.date ?? "", /^\d{1,2} [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d \+0000$/)
      assert.strictEqual(get?.headers["x-cds-remotetime"], get?.headers.date)
      assert.strictEqual(get?.body, "")
      assert.strictEqual(post?.body, '{"level":"info"}')
      assert.strictEqual(post?.headers["content-type"], "application/json")
      assert.isUndefined(post?.headers.cookie)
    }).pipe(Effect.provide(layer))
  )

  it.live("says what is wrong with the connection", () =>
    Effect.gen(function* () {
      const { address, close } = yield* server(nothing)
      close()
      const { exchange } = yield* CdsHttp.make(`http://${address}`, 10_000)
      const { error, uncertain } = yield* Effect.flip(exchange({ name: "job", method: "GET", path: "/" }, undefined))
      assert.strictEqual(error.kind, "unreachable")
      assert.match(error.message, /ECONNREFUSED 127\.0\.0\.1/)
      assert.isTrue(uncertain)
    }).pipe(Effect.provide(layer))
  )

  it.live("ends a request on the wire when it is interrupted", () =>
    Effect.gen(function* () {
      const closed = yield* Deferred.make<void>()
      const { address } = yield* server(({ socket }) =>
        socket.on("close", () => Deferred.doneUnsafe(closed, Effect.void))
      )
      const client = yield* HttpClient.HttpClient
      const request = client
        .execute(HttpClientRequest.get(`http://${address}/`))
        .pipe(Effect.timeoutOption("100 millis"))
      yield* Effect.all([Deferred.await(closed), request], { concurrency: 2 })
    }).pipe(Effect.provide(layer))
  )
})

describe("the socket on Node", () => {
  it.live("gives the frames from the upgrade on, then the close code as a failure", () =>
    Effect.gen(function* () {
      for (const code of [1000, 1001]) {
        const { address } = yield* server(nothing, (socket, { headers }) => {
          socket.send(`${headers.authorization}\n`)
          socket.send("two")
          socket.close(code, "bye")
        })
        const socket = yield* CdsSocket
        const frames: Array<string> = []
        const error = yield* socket
          .connect(`ws://${address}/v2/hatchery/ws`, { authorization: "Bearer t" })
          .pipe(
            Effect.flatMap(Stream.runForEach((frame) => Effect.sync(() => frames.push(frame)))),
            Effect.scoped,
            Effect.flip
          )
        assert.deepStrictEqual(frames, ["Bearer t\n", "two"])
        assert.strictEqual(error.kind, "unreachable")
        assert.strictEqual(error.message, `closed with code ${code} (bye)`)
      }
    }).pipe(Effect.provide(layer))
  )

  it.live("says its greeting first", () =>
    Effect.gen(function* () {
      const { address } = yield* server(nothing, (socket) =>
        socket.on("message", (text) => socket.send(`heard ${text.toString()}`))
      )
      const socket = yield* CdsSocket
      const frames = yield* socket.connect(`ws://${address}/ws`, {}, "[{}]")
      assert.deepStrictEqual(yield* Stream.runCollect(Stream.take(frames, 1)), ["heard [{}]"])
    }).pipe(Effect.scoped, Effect.provide(layer))
  )

  it.live("fails when the connection drops without a close", () =>
    Effect.gen(function* () {
      const { address } = yield* server(nothing, (socket) => socket.terminate())
      const socket = yield* CdsSocket
      const error = yield* Effect.flip(
        Effect.scoped(Effect.flatMap(socket.connect(`ws://${address}/`, {}), Stream.runDrain))
      )
      assert.strictEqual(error.message, "closed with code 1006")
    }).pipe(Effect.provide(layer))
  )

  it.live("tells a refused session from a refused upgrade and from no server", () =>
    Effect.gen(function* () {
      const socket = yield* CdsSocket
      const refusedWith = (status: number) =>
        Effect.scoped(
          Effect.gen(function* () {
            const { address } = yield* server((_, response) => response.writeHead(status).end())
            return yield* Effect.flip(socket.connect(`ws://${address}/`, {}))
          })
        )
      assert.deepInclude(yield* refusedWith(401), { kind: "unauthenticated", status: 401 })
      assert.deepInclude(yield* refusedWith(404), { kind: "refused", status: 404 })
      assert.deepInclude(yield* refusedWith(503), { kind: "unreachable", status: 503 })
      const { address, close } = yield* server(nothing)
      close()
      const error = yield* Effect.flip(Effect.scoped(socket.connect(`ws://${address}/`, {})))
      assert.strictEqual(error.kind, "unreachable")
      assert.match(error.message, /ECONNREFUSED/)
      assert.strictEqual((yield* Effect.flip(Effect.scoped(socket.connect("no url", {})))).kind, "unreachable")
    }).pipe(Effect.provide(layer))
  )

  it.live("closes the connection with its scope", () =>
    Effect.gen(function* () {
      const closed = yield* Deferred.make<void>()
      const { address } = yield* server(nothing, (socket) =>
        socket.on("close", () => Deferred.doneUnsafe(closed, Effect.void))
      )
      const socket = yield* CdsSocket
      const opened = Effect.scoped(Effect.andThen(socket.connect(`ws://${address}/`, {}), Effect.sleep("50 millis")))
      yield* Effect.all([Deferred.await(closed), opened], { concurrency: 2 })
    }).pipe(Effect.provide(layer))
  )
})

/** What a hatchery does with a job of one of the two APIs, from the event on. */
const oneJob = (
  tokens: (identity: Registered) => Tokens,
  enqueue: (api: SimCds) => Effect.Effect<ReadonlyArray<string>>
) =>
  Effect.gen(function* () {
    const { api, apiUrl } = yield* front()
    const identity = api.identities[0]!
    const { name } = identity
    const pem = hatcheryKeys.privateKey.export({ type: "pkcs1", format: "pem" }).toString()
    const rsaPrivateKey = Redacted.make(pem)
    const disableV2QueuePolling = true
    const cds = { ...defaults.cds, ...tokens(identity), name, apiUrl, rsaPrivateKey, disableV2QueuePolling }
    const real = CdsLive.layer({ version: "1.2.3", hostname: "host1" }).pipe(
      Layer.provide([NodeCdsHttp.layer, NodeCdsSocket.layer, Layer.mock(Ids)({})]),
      Layer.provide(Layer.succeed(Settings, { ...defaults, cds }))
    )
    yield* Effect.gen(function* () {
      const client = yield* Cds
      const { region } = yield* client.signin
      const events = Stream.filter(client.sightings, ({ source }) => source === "event")
      const seen = yield* Effect.forkChild(Stream.runHead(events))
      const [id = ""] = yield* enqueue(api)
      const telling = Effect.forever(Effect.delay(api.resendEvent(id), "10 millis"))
      const sighting = yield* Effect.raceFirst(Fiber.join(seen), telling)
      assert.strictEqual(Option.getOrUndefined(sighting)?.id, id)
      assert.strictEqual((yield* client.take(region, id)).hatcheryName, name)
      yield* client.release(region, id)
      assert.strictEqual((yield* client.job(region, id)).job.status, "Waiting")
      assert.deepStrictEqual(yield* client.workers, [])
      yield* client.signout
      assert.deepStrictEqual(yield* api.violations, [])
    }).pipe(Effect.provide(real))
  })

describe("the client over real HTTP and WebSocket", () => {
  it.live("signs in, sees a job by its event, takes it and gives it back", () => oneJob(withV2, (api) => api.enqueue()))

  it.live("does the same at the V1 API, by its filter and a booking", () => oneJob(withV1, (api) => api.enqueueV1()))
})
