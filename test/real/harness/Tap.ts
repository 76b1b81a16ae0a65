/** An HTTP proxy on loopback that shows each exchange, and can withhold one answer: there the client is stopped at a known call. */
import { Deferred, Effect, type Scope } from "effect"
import { Agent, createServer, request as send, type IncomingMessage, type ServerResponse } from "node:http"
import { type AddressInfo, connect, type Socket } from "node:net"
import type { Duplex } from "node:stream"
import { HarnessError } from "./HarnessError.ts"

/** A request that the server has answered. Bodies as text; plain HTTP only. */
export interface Exchange {
  readonly method: string
  readonly path: string
  /** The SOAP method, "" for a request that is none. */
  readonly operation: string
  readonly request: string
  readonly status: number
  readonly answer: string
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
}

interface Trap {
  readonly matches: (exchange: Exchange) => boolean
  readonly sprung: Deferred.Deferred<Exchange>
}

/** Stands between a client and the server at `target`, websockets included. */
export const tap = (target: string): Effect.Effect<Tap, HarnessError, Scope.Scope> =>
  Effect.gen(function* () {
    const to = new URL(target)
    const agent = new Agent({ keepAlive: true })
    const exchanges: Array<Exchange> = []
    const sockets = new Set<Duplex>()
    let trap: Trap | undefined

    /** True when the answer may go on to the client. */
    const passes = (exchange: Exchange): boolean => {
      exchanges.push(exchange)
      if (trap === undefined || !trap.matches(exchange)) return true
      Deferred.doneUnsafe(trap.sprung, Effect.succeed(exchange))
      trap = undefined
      return false
    }

    const server = createServer((incoming, outgoing) => void forward(incoming, outgoing, to, agent, passes))
    server.on("connection", (socket) => {
      sockets.add(socket)
      socket.on("close", () => sockets.delete(socket))
    })
    server.on("upgrade", (incoming, socket: Duplex, head) => {
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
        })
    }
  })

const bytesOf = async (stream: AsyncIterable<Buffer>): Promise<Buffer> => {
  const parts: Array<Buffer> = []
  for await (const part of stream) parts.push(part)
  return Buffer.concat(parts)
}

const operationOf = (body: string): string => /<(?:[\w.-]+:)?Body[^>]*>\s*<(?:[\w.-]+:)?(\w+)/.exec(body)?.[1] ?? ""

/** A client or server that goes away takes the other side of its exchange along. */
const forward = async (
  incoming: IncomingMessage,
  outgoing: ServerResponse,
  to: URL,
  agent: Agent,
  passes: (exchange: Exchange) => boolean
): Promise<void> => {
  try {
    const { method = "GET", url: path = "/", headers } = incoming
    const body = await bytesOf(incoming)
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
    const request = body.toString()
    const exchange = {
      method,
      path,
      operation: operationOf(request),
      request,
      status,
      answer: answer.toString(),
      bytes: requestHead(incoming).length + body.length + responseHead(response).length + answer.length
    }
    if (!passes(exchange)) return
    outgoing.writeHead(status, response.headers)
    outgoing.end(answer)
  } catch {
    incoming.socket.destroy()
  }
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
