/**
 * The server's side of the vSphere API: real SOAP over HTTP or HTTPS in front of anything that can answer operations. VMware's own clients
 * can talk to it. It keeps no session itself: it tells the handler which cookie came and sets the one it is told to.
 */
import * as http from "node:http"
import * as https from "node:https"
import type { AddressInfo } from "node:net"
import { Readable } from "node:stream"
import { NodeHttpServer, NodeHttpServerRequest } from "@effect/platform-node"
import { ByteSize, Cause, Effect } from "effect"
import type { Scope } from "effect"
import { HttpIncomingMessage, HttpServerError, HttpServerRequest, HttpServerResponse } from "effect/http"
import { createClientAsync } from "soap"
import type { WSDL } from "soap"
import { VimFault } from "../../../schema/Errors.ts"
import type { VimUnreachable } from "../../../schema/Errors.ts"
import type { VimOperation, WireValue } from "../Vim.ts"
import { operations } from "../Vim.ts"
import type { WireObject } from "./Codec.ts"
import { readRequest, writeFault, writeResult } from "./Message.ts"
import type { WireTypes } from "./WireTypes.ts"
import { wireTypes, wsdlPath } from "./WireTypes.ts"
import type { XmlElement } from "./XmlTree.ts"
import { pieces, readTree } from "./XmlTree.ts"

export interface VimAnswer {
  readonly result: WireValue
  /** The session that the client is to name from now on; an empty one ends it. */
  readonly setSession?: string
}

export interface VimServerOptions {
  /**
   * Answers one operation. `session` is what the client's cookie says, undefined without one. Interrupted when the client goes. After
   * VimUnreachable the connection is cut without an answer.
   */
  readonly handler: (
    operation: VimOperation,
    args: WireObject,
    session: string | undefined
  ) => Effect.Effect<VimAnswer, VimFault | VimUnreachable>
  /** Content for a GET of that path (with its query), e.g. `/guestFile?id=3`; undefined where there is none. */
  readonly file?: (path: string) => Effect.Effect<Uint8Array | undefined>
  /** `127.0.0.1` unless given. */
  readonly host?: string
  /** 0, or absent, takes a free one. */
  readonly port?: number
  /** PEM texts; without it plain HTTP is spoken. */
  readonly tls?: { readonly cert: string; readonly key: string }
}

export interface VimServer {
  readonly port: number
  /** The address of the API, e.g. `https://127.0.0.1:8989/sdk`. */
  readonly url: string
}

const cookie = "vmware_soap_session"

/** Serves until the scope ends; then open connections are cut. */
export const serveVim = Effect.fnUntraced(function* (
  options: VimServerOptions
): Effect.fn.Return<VimServer, HttpServerError.ServeError, Scope.Scope> {
  const { wsdl } = yield* Effect.promise(() => createClientAsync(wsdlPath))
  const scope = yield* Effect.scope
  // The platform runs a handler uninterruptibly unless told otherwise, and a client that goes would not be noticed.
  const app = respond(options, wsdl, wireTypes(wsdl)).pipe(
    Effect.interruptible,
    Effect.provideService(HttpIncomingMessage.MaxBodySize, ByteSize.mebibytes(64))
  )
  const listener = yield* NodeHttpServer.makeHandler(app, { scope })
  const server = yield* Effect.acquireRelease(
    Effect.sync(() => (options.tls === undefined ? http.createServer() : https.createServer(options.tls))),
    (server) =>
      Effect.callback<void>((resume) => {
        server.close(() => resume(Effect.void))
        server.closeAllConnections()
      })
  )
  server.on("request", listener)
  const host = options.host ?? "127.0.0.1"
  yield* listen(server, host, options.port ?? 0)
  const { port } = server.address() as AddressInfo
  return { port, url: `${options.tls === undefined ? "http" : "https"}://${host}:${port}/sdk` }
})

const listen = (server: http.Server, host: string, port: number) =>
  Effect.callback<void, HttpServerError.ServeError>((resume) => {
    server.once("error", (cause) => resume(Effect.fail(new HttpServerError.ServeError({ cause }))))
    server.listen(port, host, () => resume(Effect.void))
  })

const respond = (options: VimServerOptions, wsdl: WSDL, types: WireTypes) =>
  Effect.gen(function* () {
    const request = yield* HttpServerRequest.HttpServerRequest
    if (request.method === "GET") {
      const content = yield* options.file?.(request.url) ?? Effect.undefined
      return content === undefined
        ? HttpServerResponse.empty({ status: 404 })
        : HttpServerResponse.uint8Array(content, { contentType: "application/octet-stream" })
    }
    if (request.method !== "POST" || !request.url.startsWith("/sdk")) return HttpServerResponse.empty({ status: 404 })
    const body = yield* request.text
    return yield* answer(options, wsdl, types, body, request.cookies[cookie]).pipe(
      Effect.catchTags({
        VimFault: ({ fault, message }) => Effect.succeed(xml(500, writeFault(fault, message))),
        VimUnreachable: () => cut(request)
      })
    )
  }).pipe(
    Effect.catchCauseIf(
      (cause) => !Cause.hasInterruptsOnly(cause),
      (cause) =>
        Effect.as(
          Effect.logError("A vSphere operation could not be answered", cause),
          xml(500, writeFault("SystemError", "A general system error occurred"))
        )
    )
  )

const answer = Effect.fnUntraced(function* (
  options: VimServerOptions,
  wsdl: WSDL,
  types: WireTypes,
  body: string,
  session: string | undefined
) {
  const request = readRequest(types, yield* parse(wsdl, body))
  if (request === undefined) return yield* invalidRequest("Unknown", "The request holds no operation")
  const { operation, args } = request
  if (!isOperation(operation))
    return yield* invalidRequest(operation, `Unable to resolve WSDL method name ${operation}`)
  const { result, setSession } = yield* options.handler(operation, args, session === "" ? undefined : session)
  const response = xml(200, writeResult(types, operation, result))
  return setSession === undefined
    ? response
    : HttpServerResponse.setCookieUnsafe(response, cookie, setSession, { path: "/", httpOnly: true })
})

const parse = (wsdl: WSDL, body: string) =>
  Effect.callback<XmlElement, VimFault>((resume) =>
    readTree(wsdl.getSaxStream(Readable.from(pieces([body]))), (root, reason) =>
      resume(root === undefined ? invalidRequest("Unknown", reason) : Effect.succeed(root))
    )
  )

const invalidRequest = (operation: string, message: string) =>
  Effect.fail(new VimFault({ operation, fault: "InvalidRequest", message }))

const isOperation = (name: string): name is VimOperation => (operations as ReadonlyArray<string>).includes(name)

const xml = (status: number, text: string) =>
  HttpServerResponse.text(text, { status, contentType: "text/xml; charset=utf-8" })

/** The client sees its connection close; that also ends this fiber. */
const cut = (request: HttpServerRequest.HttpServerRequest) =>
  Effect.andThen(
    Effect.sync(() => NodeHttpServerRequest.toIncomingMessage(request).socket.destroy()),
    Effect.never
  )
