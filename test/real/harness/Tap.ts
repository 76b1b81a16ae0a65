/** An HTTP proxy on loopback that shows each exchange, and can withhold one answer: there the client is stopped at a known call. */
import { Deferred, Effect, type Scope } from "effect"
import {
  Agent,
  createServer,
  request as send,
  type IncomingHttpHeaders,
  type IncomingMessage,
  type ServerResponse
} from "node:http"
import { type AddressInfo, connect, type Socket } from "node:net"
import type { Duplex } from "node:stream"
import { gunzipSync } from "node:zlib"
import { HarnessError } from "./HarnessError.ts"

/** What a client sends. Bodies as text; plain HTTP only. */
export interface Request {
  readonly method: string
  readonly path: string
  /** The SOAP method, "" for a request that is none. */
  readonly operation: string
  readonly request: string
  readonly headers: IncomingHttpHeaders
}

/** A request that the server has answered. */
export interface Exchange extends Request {
  readonly status: number
  /** Unpacked; of a file that is downloaded only its length. */
  readonly answer: string
  readonly answerHeaders: IncomingHttpHeaders
  /** All that passed in both directions, first lines and headers included. */
  readonly bytes: number
}

export interface Tap {
  /** The target's url with the tap's port. */
  readonly url: string
  /** In the order of their answers, since the start or the last `forget`. */
  readonly exchanges: ReadonlyArray<Exchange>
  readonly forget: Effect.Effect<void>
  /** Withholds the next answer that matches. The inner effect returns when the server has given it. */
  readonly withhold: (matches: (exchange: Exchange) => boolean) => Effect.Effect<Effect.Effect<Exchange>>
  /** Keeps the next request that matches from the server, unanswered. The inner effect returns when it has come. */
  readonly intercept: (matches: (request: Request) => boolean) => Effect.Effect<Effect.Effect<Request>>
  /** Keeps so many requests that match from the server: the connection is cut, or the answer is this status. The inner effect counts them. */
  readonly refuse: (
    matches: (request: Request) => boolean,
    how: "cut" | number,
    times: number
  ) => Effect.Effect<Effect.Effect<number>>
  /** The paths of the websockets that are open. */
  readonly websockets: Effect.Effect<ReadonlyArray<string>>
  /** Cuts the websockets that are open, and new ones at once. The inner effect lets them through again. */
  readonly cutWebsockets: Effect.Effect<Effect.Effect<void>>
}

interface Trap {
  readonly matches: (exchange: Exchange) => boolean
  readonly sprung: Deferred.Deferred<Exchange>
}

/** Requests that do not reach the server. */
interface Barrier {
  readonly matches: (request: Request) => boolean
  readonly how: "hold" | "cut" | number
  readonly times: number
  met: number
  readonly first: Deferred.Deferred<Request>
}

/** Stands between a client and the server at `target`, websockets included. */
export const tap = (target: string): Effect.Effect<Tap, HarnessError, Scope.Scope> =>
  Effect.gen(function* () {
    const to = new URL(target)
    const agent = new Agent({ keepAlive: true })
    const exchanges: Array<Exchange> = []
    const sockets = new Set<Duplex>()
    const barriers: Array<Barrier> = []
    const websockets = new Map<Duplex, string>()
    let cutting = false
    let trap: Trap | undefined

    const barred = (request: Request): Barrier | undefined => {
      const barrier = barriers.find(({ matches, met, times }) => met < times && matches(request))
      if (barrier === undefined) return undefined
      barrier.met++
      Deferred.doneUnsafe(barrier.first, Effect.succeed(request))
      return barrier
    }

    const bar = (matches: Barrier["matches"], how: Barrier["how"], times: number) =>
      Effect.map(Deferred.make<Request>(), (first) => {
        const barrier = { matches, how, times, met: 0, first }
        barriers.push(barrier)
        return barrier
      })

    const passes = (exchange: Exchange): boolean => {
      exchanges.push(exchange)
      if (trap === undefined || !trap.matches(exchange)) return true
      Deferred.doneUnsafe(trap.sprung, Effect.succeed(exchange))
      trap = undefined
      return false
    }

    const server = createServer((incoming, outgoing) => void forward(incoming, outgoing, { to, agent, passes, barred }))
    server.on("connection", (socket) => {
      sockets.add(socket)
      socket.on("close", () => sockets.delete(socket))
    })
    server.on("upgrade", (incoming, socket: Duplex, head) => {
      if (cutting) return void socket.destroy()
      websockets.set(socket, incoming.url ?? "")
      socket.on("close", () => websockets.delete(socket))
      const upstream = connect({ host: to.hostname, port: Number(to.port) })
      sockets.add(upstream)
      join(socket, upstream)
      upstream.write(requestHead(incoming))
      upstream.write(head)
    })
    yield* Effect.acquireRelease(
      Effect.callback<void, HarnessError>((resume) => {
        server.once("error", ({ message }) => resume(Effect.fail(new HarnessError({ message }))))
        server.listen(0, "127.0.0.1", () => resume(Effect.void))
      }),
      () =>
        Effect.callback<void>((resume) => {
          server.close(() => resume(Effect.void))
          for (const socket of sockets) socket.destroy()
          agent.destroy()
        })
    )
    const url = new URL(target)
    url.host = `127.0.0.1:${(server.address() as AddressInfo).port}`
    return {
      url: url.pathname === "/" ? url.origin : url.href,
      exchanges,
      forget: Effect.sync(() => void exchanges.splice(0)),
      withhold: (matches) =>
        Effect.map(Deferred.make<Exchange>(), (sprung) => {
          trap = { matches, sprung }
          return Deferred.await(sprung)
        }),
      intercept: (matches) => Effect.map(bar(matches, "hold", 1), ({ first }) => Deferred.await(first)),
      refuse: (matches, how, times) =>
        Effect.map(bar(matches, how, times), (barrier) => Effect.sync(() => barrier.met)),
      websockets: Effect.sync(() => [...websockets.values()]),
      cutWebsockets: Effect.sync(() => {
        cutting = true
        for (const socket of websockets.keys()) socket.destroy()
        return Effect.sync(() => void (cutting = false))
      })
    }
  })

/** Nothing but held polls for two seconds: what came before is told. */
export const quiet = (between: Tap) =>
  Effect.gen(function* () {
    let before = -1
    while (before !== between.exchanges.length) {
      before = between.exchanges.length
      yield* Effect.sleep("2 seconds")
    }
  })

const bytesOf = async (stream: AsyncIterable<Buffer>): Promise<Buffer> => {
  const parts: Array<Buffer> = []
  for await (const part of stream) parts.push(part)
  return Buffer.concat(parts)
}

const operationOf = (body: string): string => /<(?:[\w.-]+:)?Body[^>]*>\s*<(?:[\w.-]+:)?(\w+)/.exec(body)?.[1] ?? ""

const legible = ({ headers }: IncomingMessage, body: Buffer): string => {
  if (headers["content-type"] === "application/octet-stream") return `${body.length} bytes`
  return (headers["content-encoding"] === "gzip" && body.length > 0 ? gunzipSync(body) : body).toString()
}

interface Way {
  readonly to: URL
  readonly agent: Agent
  readonly barred: (request: Request) => Barrier | undefined
  /** True when the answer may go on to the client. */
  readonly passes: (exchange: Exchange) => boolean
}

/** A client or server that goes away takes the other side of its exchange along. */
const forward = async (
  incoming: IncomingMessage,
  outgoing: ServerResponse,
  { to, agent, barred, passes }: Way
): Promise<void> => {
  try {
    const { method = "GET", url: path = "/", headers } = incoming
    const body = await bytesOf(incoming)
    const request = body.toString()
    const asked = { method, path, operation: operationOf(request), request, headers }
    const barrier = barred(asked)
    if (barrier !== undefined) return turnAway(incoming, outgoing, barrier)
    const upstream = send({ host: to.hostname, port: to.port, agent, method, path, headers })
    outgoing.on("close", () => upstream.destroy())
    const answered = new Promise<IncomingMessage>((resolve, reject) => {
      upstream.once("response", resolve)
      upstream.on("error", reject)
    })
    upstream.end(body)
    const response = await answered
    const answer = await bytesOf(response)
    const status = response.statusCode ?? 0
    const exchange = {
      ...asked,
      status,
      answer: legible(response, answer),
      answerHeaders: response.headers,
      bytes: requestHead(incoming).length + body.length + responseHead(response).length + answer.length
    }
    if (!passes(exchange)) return
    outgoing.writeHead(status, response.headers)
    outgoing.end(answer)
  } catch {
    incoming.socket.destroy()
  }
}

const turnAway = (incoming: IncomingMessage, outgoing: ServerResponse, { how }: Barrier): void => {
  if (how === "cut") incoming.socket.destroy()
  else if (how !== "hold") outgoing.writeHead(how).end()
}

const headOf = (firstLine: string, rawHeaders: ReadonlyArray<string>): string => {
  const lines = [firstLine]
  for (let i = 0; i < rawHeaders.length; i += 2) lines.push(`${rawHeaders[i]}: ${rawHeaders[i + 1]}`)
  return `${lines.join("\r\n")}\r\n\r\n`
}

const requestHead = ({ method, url, httpVersion, rawHeaders }: IncomingMessage): string =>
  headOf(`${method} ${url} HTTP/${httpVersion}`, rawHeaders)

const responseHead = ({ statusCode, statusMessage, httpVersion, rawHeaders }: IncomingMessage): string =>
  headOf(`HTTP/${httpVersion} ${statusCode} ${statusMessage}`, rawHeaders)

const join = (client: Duplex, upstream: Socket): void => {
  for (const [socket, other] of [
    [client, upstream],
    [upstream, client]
  ] as const) {
    socket.on("error", () => other.destroy())
    socket.on("close", () => other.destroy())
  }
  client.pipe(upstream)
  upstream.pipe(client)
}
