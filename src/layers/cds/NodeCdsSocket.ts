/** `CdsSocket` over the `ws` package. */
import { Cause, Deferred, Effect, Layer, Queue, Stream } from "effect"
import { WebSocket } from "ws"
import { CdsError } from "../../schema/Errors.ts"
import { Settings } from "../../services/Settings.ts"
import { CdsSocket } from "./CdsSocket.ts"

const handshakeTimeoutMs = 10_000
/** Neither side of this API sends pings: a dead connection shows by TCP's own probes. */
const keepAliveMs = 30_000
const longestFrame = 1024 * 1024

const unreachable = (message: string) => new CdsError({ call: "events", kind: "unreachable", message })

/** The upgrade was answered with plain HTTP. */
const refused = (status: number) =>
  new CdsError({
    call: "events",
    kind: status === 401 ? "unauthenticated" : status >= 500 ? "unreachable" : "refused",
    status,
    message: `HTTP ${status} instead of an upgrade`
  })

interface Opening {
  readonly socket: WebSocket
  /** Done when the server has accepted the upgrade or has not. */
  readonly accepted: Deferred.Deferred<void, CdsError>
  /** Text frames from the first on; fails when the connection closes. */
  readonly frames: Queue.Queue<string, CdsError>
}

/** Listens from the start: an `error` event that nobody hears would end the process. */
const listen = ({ socket, accepted, frames }: Opening) => {
  let end: CdsError | undefined
  const fail = (error: CdsError) => {
    end ??= error
    Deferred.doneUnsafe(accepted, Effect.fail(end))
  }
  socket.on("upgrade", (response) => response.socket.setKeepAlive(true, keepAliveMs))
  socket.on("open", () => Deferred.doneUnsafe(accepted, Effect.void))
  socket.on("message", (data) => Queue.offerUnsafe(frames, String(data)))
  socket.on("unexpected-response", (request, response) => {
    fail(refused(response.statusCode ?? 0))
    request.destroy()
  })
  socket.on("error", (error) => fail(unreachable(error.message)))
  socket.on("close", (code, reason) => {
    const text = reason.length > 0 ? ` (${reason.toString()})` : ""
    fail(unreachable(`closed with code ${code}${text}`))
    Queue.failCauseUnsafe(frames, Cause.fail(end ?? unreachable("closed")))
  })
}

const open = Effect.fnUntraced(function* (
  url: string,
  headers: Readonly<Record<string, string>>,
  insecure: boolean
): Effect.fn.Return<Opening, CdsError> {
  const accepted = yield* Deferred.make<void, CdsError>()
  const frames = yield* Queue.unbounded<string, CdsError>()
  return yield* Effect.try({
    try: () => {
      const socket = new WebSocket(url, {
        headers: { ...headers },
        handshakeTimeout: handshakeTimeoutMs,
        maxPayload: longestFrame,
        perMessageDeflate: false,
        rejectUnauthorized: !insecure
      })
      const opening = { socket, accepted, frames }
      listen(opening)
      return opening
    },
    catch: (cause) => unreachable(cause instanceof Error ? cause.message : String(cause))
  })
})

/** Honours `api.http.insecure`, as the other calls do. */
export const layer: Layer.Layer<CdsSocket, never, Settings> = Layer.effect(
  CdsSocket,
  Effect.gen(function* () {
    const { cds } = yield* Settings
    return {
      connect: Effect.fn("Cds.connect")(function* (url, headers, greeting) {
        const opening = yield* Effect.acquireRelease(open(url, headers, cds.apiInsecure), ({ socket }) =>
          Effect.sync(() => socket.terminate())
        )
        yield* Deferred.await(opening.accepted)
        if (greeting !== undefined) opening.socket.send(greeting)
        return Stream.fromQueue(opening.frames)
      })
    }
  })
)
