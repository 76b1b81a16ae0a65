/** A Node HTTP server around an exchange of the simulated API: the only place here that touches sockets. */
import { createServer } from "node:http"
import type { IncomingMessage, Server, ServerResponse } from "node:http"
import type { AddressInfo } from "node:net"
import type { Duplex } from "node:stream"
import { gzipSync } from "node:zlib"
import { Data, Effect, Fiber, FiberSet, Queue } from "effect"
import type { Scope } from "effect"
import { WebSocket, WebSocketServer } from "ws"
import { ConnectionCut } from "./Exchange.ts"
import type { ApiAnswer, ApiRequest } from "./Exchange.ts"
import type { Connection, SocketFrame } from "./Sockets.ts"

/** The address cannot be listened on. */
export class ListenFailed extends Data.TaggedError("ListenFailed")<{
  readonly host: string
  readonly port: number
  readonly reason: string
}> {
  override get message() {
    return `cannot listen on ${this.host}:${this.port}: ${this.reason}`
  }
}

export interface Service {
  readonly handle: (request: ApiRequest) => Effect.Effect<ApiAnswer, ConnectionCut>
  /** Without it an upgrade is refused by ending the connection. */
  readonly upgrade?: (request: ApiRequest) => Effect.Effect<Connection, ApiAnswer | ConnectionCut, Scope.Scope>
}

const requestOf = (message: IncomingMessage, body: string): ApiRequest => ({
  method: message.method ?? "GET",
  url: message.url ?? "/",
  headers: Object.fromEntries(
    Object.entries(message.headers).map(([name, value]) => [name, Array.isArray(value) ? value.join(", ") : value])
  ),
  body: body === "" ? undefined : body
})

const readBody = (message: IncomingMessage): Effect.Effect<string, ConnectionCut> =>
  Effect.callback((resume) => {
    const parts: Array<Buffer> = []
    message.on("data", (part: Buffer) => parts.push(part))
    message.on("end", () => resume(Effect.succeed(Buffer.concat(parts).toString("utf8"))))
    message.on("error", () => resume(Effect.fail(new ConnectionCut({ done: false }))))
  })

/** Compresses as the API does: for whoever accepts gzip, except Prometheus (cds-contract 0.3). */
const wantsGzip = ({ headers }: IncomingMessage): boolean =>
  /\bgzip\b/.test(String(headers["accept-encoding"] ?? "")) && !/Prometheus/.test(headers["user-agent"] ?? "")

const write = (message: IncomingMessage, response: ServerResponse, answer: ApiAnswer): void => {
  const gzip = answer.body !== undefined && wantsGzip(message)
  response.writeHead(answer.status, { ...answer.headers, ...(gzip ? { "Content-Encoding": "gzip" } : {}) })
  response.end(gzip ? gzipSync(answer.body ?? "") : answer.body)
}

const exchange = (service: Service, message: IncomingMessage, response: ServerResponse): Effect.Effect<void> =>
  readBody(message).pipe(
    Effect.flatMap((body) => service.handle(requestOf(message, body))),
    Effect.map((answer) => write(message, response, answer)),
    Effect.catchTag("ConnectionCut", () => Effect.sync(() => message.socket.destroy())),
    Effect.tapCause((cause) => Effect.logError("the simulated API failed", cause)),
    Effect.ensuring(Effect.sync(() => response.writableEnded || message.socket.destroy()))
  )

const refuseUpgrade = (socket: Duplex, failure: ApiAnswer | ConnectionCut): void => {
  if (failure instanceof ConnectionCut) return void socket.destroy()
  const body = failure.body ?? ""
  const headers = { ...failure.headers, "Content-Length": String(Buffer.byteLength(body)), Connection: "close" }
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`)
  socket.end(`HTTP/1.1 ${failure.status} Refused\r\n${lines.join("")}\r\n${body}`)
}

const send = (client: WebSocket, socket: Duplex, frame: SocketFrame): void => {
  if (frame.kind === "text") client.send(frame.text)
  else if (frame.kind === "close") client.close(frame.code)
  else socket.destroy()
}

const serveSocket = Effect.fnUntraced(function* (
  accept: NonNullable<Service["upgrade"]>,
  sockets: WebSocketServer,
  [message, socket, head]: readonly [IncomingMessage, Duplex, Buffer]
) {
  const { frames, receive } = yield* accept(requestOf(message, ""))
  const client = yield* Effect.callback<WebSocket>((resume) =>
    sockets.handleUpgrade(message, socket, head, (opened) => {
      opened.on("message", (data) => receive(String(data)))
      resume(Effect.succeed(opened))
    })
  )
  while (client.readyState === WebSocket.OPEN) send(client, socket, yield* Queue.take(frames))
})

const listening = (server: Server, host: string, port: number): Effect.Effect<number, ListenFailed> =>
  Effect.callback((resume) => {
    server.once("error", ({ message }) => resume(Effect.fail(new ListenFailed({ host, port, reason: message }))))
    server.listen(port, host, () => resume(Effect.succeed((server.address() as AddressInfo).port)))
  })

/** Serves until the scope ends; answers the port, which is a free one where `port` is 0. */
export const serve = Effect.fnUntraced(function* (
  service: Service,
  host: string,
  port: number
): Effect.fn.Return<number, ListenFailed, Scope.Scope> {
  const fork = yield* FiberSet.makeRuntime<never, void>()
  const stop = (fiber: Fiber.Fiber<void>) => () => void fork(Fiber.interrupt(fiber))
  const sockets = new WebSocketServer({ noServer: true, perMessageDeflate: false })
  const { upgrade } = service

  const server = createServer((message, response) => {
    response.on("close", stop(fork(exchange(service, message, response))))
  })
  server.on("upgrade", (message, socket, head) => {
    socket.on("error", () => socket.destroy())
    if (upgrade === undefined) return void socket.destroy()
    const serving = serveSocket(upgrade, sockets, [message, socket, head]).pipe(
      Effect.scoped,
      Effect.catch((failure) => Effect.sync(() => refuseUpgrade(socket, failure))),
      Effect.tapCause((cause) => Effect.logDebug("a websocket of the simulated API ended", cause))
    )
    socket.on("close", stop(fork(serving)))
  })

  yield* Effect.addFinalizer(() =>
    Effect.sync(() => {
      for (const client of sockets.clients) client.terminate()
      server.close()
      server.closeAllConnections()
    })
  )
  return yield* listening(server, host, port)
})
