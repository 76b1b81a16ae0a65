/** The simulated API without a network: the HTTP client and the socket of the CDS layer, over the core. */
import { Effect, Layer, Stream } from "effect"
import { Headers, HttpBody, HttpClient, HttpClientError, HttpClientRequest, HttpClientResponse } from "effect/http"
import { CdsError } from "../../../schema/Errors.ts"
import { CdsSocket } from "../../cds/CdsSocket.ts"
import { ConnectionCut } from "./Exchange.ts"
import type { ApiAnswer } from "./Exchange.ts"
import type { SimCds } from "./SimCds.ts"
import type { SocketFrame } from "./Sockets.ts"

const bodyText = (body: HttpBody.HttpBody): string | undefined =>
  body instanceof HttpBody.Uint8Array ? new TextDecoder().decode(body.body) : undefined

const empty = new Response()

/** A response that is there at once: reading a web `Response` takes real time, which a test clock does not wait for; making one takes long. */
const responseOf = (
  request: HttpClientRequest.HttpClientRequest,
  answer: ApiAnswer
): HttpClientResponse.HttpClientResponse => {
  const body = answer.body ?? ""
  const bytes = Effect.sync(() => new TextEncoder().encode(body))
  return Object.defineProperties(HttpClientResponse.fromWeb(request, empty), {
    status: { value: answer.status },
    headers: { value: Headers.fromInput(answer.headers) },
    text: { value: Effect.succeed(body) },
    arrayBuffer: { value: Effect.map(bytes, ({ buffer }) => buffer) },
    stream: { value: Stream.fromEffect(bytes) }
  })
}

/** An HTTP client that reaches the simulated API at any host. */
export const httpClient = (api: SimCds): HttpClient.HttpClient =>
  HttpClient.make((request, url) =>
    api
      .handle({
        method: request.method,
        url: `${url.pathname}${url.search}`,
        headers: request.headers,
        body: bodyText(request.body)
      })
      .pipe(
        Effect.map((answer) => responseOf(request, answer)),
        Effect.mapError(
          () =>
            new HttpClientError.HttpClientError({
              reason: new HttpClientError.TransportError({ request, description: "connection reset" })
            })
        )
      )
  )

const unreachable = (message: string): CdsError => new CdsError({ call: "socket", kind: "unreachable", message })

const refusedUpgrade = (failure: ApiAnswer | ConnectionCut): CdsError => {
  if (failure instanceof ConnectionCut) return unreachable("connection reset")
  const { status } = failure
  const kind = status === 401 ? "unauthenticated" : status < 500 ? "refused" : "unreachable"
  return new CdsError({ call: "socket", kind, status, message: `the upgrade was answered ${status}` })
}

const frameText = (frame: SocketFrame): Effect.Effect<string, CdsError> =>
  frame.kind === "text"
    ? Effect.succeed(frame.text)
    : Effect.fail(unreachable(`closed with code ${frame.kind === "close" ? frame.code : 1006}`))

/** A socket that reaches the simulated API at any host. */
export const socket = (api: SimCds): CdsSocket["Service"] => ({
  connect: (url, headers, greeting) => {
    const { pathname, search } = new URL(url)
    const lowerCase = Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value] as const)
    return api
      .upgrade({
        method: "GET",
        url: `${pathname}${search}`,
        headers: { ...Object.fromEntries(lowerCase), upgrade: "websocket" },
        body: undefined
      })
      .pipe(
        Effect.mapError(refusedUpgrade),
        Effect.map(({ frames, receive }) => {
          if (greeting !== undefined) receive(greeting)
          return Stream.mapEffect(Stream.fromQueue(frames), frameText)
        })
      )
  }
})

/** Both seams of the CDS layer, answered by this core. */
export const layer = (api: SimCds): Layer.Layer<HttpClient.HttpClient | CdsSocket> =>
  Layer.mergeAll(Layer.succeed(HttpClient.HttpClient, httpClient(api)), Layer.succeed(CdsSocket, socket(api)))
