/**
 * `Vim` over SOAP. The soap package is the client (operations and actions from our WSDL, the envelope, the parser); the values go through
 * our codec, and the bytes through our HTTP client.
 */
import { Readable } from "node:stream"
import { Effect, Layer, Metric } from "effect"
import type { Scope } from "effect"
import { createClientAsync } from "soap"
import type { Client, IHttpClient } from "soap"
import { ConfigInvalid, VimFault, VimUnreachable } from "../../schema/Errors.ts"
import type { TlsSettings } from "../../schema/Settings.ts"
import { versionFor } from "./soap/ApiVersion.ts"
import { Cookies } from "./soap/Cookies.ts"
import type { Progress } from "./soap/HttpExchange.ts"
import { exchange, newProgress, reasonOf } from "./soap/HttpExchange.ts"
import { readAnswer, writeRequest } from "./soap/Message.ts"
import { wireTypes, wsdlPath } from "./soap/WireTypes.ts"
import type { SaxStream, XmlElement } from "./soap/XmlTree.ts"
import { pieces, readTree } from "./soap/XmlTree.ts"
import { TailBuffer } from "./soap/TailBuffer.ts"
import { CertificateRefused, makeAgents } from "./tls.ts"
import type { VimOperation } from "./Vim.ts"
import { Vim } from "./Vim.ts"

export interface VimSoapOptions {
  /** Base address of the vCenter: scheme (https unless given), host, port; path `/sdk` unless given. No user, no password. */
  readonly endpoint: string
  readonly tls: TlsSettings
  /** The longest answer that is accepted, in bytes; 64 MiB unless given. */
  readonly maxAnswerBytes?: number
}

/** Bytes of request and answer bodies, by `direction` (`sent`, `received`) and `operation`. */
export const soapBytes = Metric.counter("cds_hatchery_vsphere_soap_bytes", {
  description: "Bytes exchanged with vCenter",
  incremental: true
})

export const layer = (options: VimSoapOptions): Layer.Layer<Vim, ConfigInvalid> => Layer.effect(Vim, make(options))

export const make = Effect.fnUntraced(function* (
  options: VimSoapOptions
): Effect.fn.Return<Vim["Service"], ConfigInvalid, Scope.Scope> {
  const endpoint = yield* readEndpoint(options.endpoint)
  const agents = yield* makeAgents(options.tls)
  const cookies = new Cookies()
  const maxBytes = options.maxAnswerBytes ?? 64 * 1024 * 1024

  /** Called by the soap package with what it wants sent; the call's own record comes back to us as `call`. */
  const requestStream = async (
    url: string,
    body: string,
    headers: Record<string, string>,
    { call }: { call: Call }
  ) => {
    const chunks: Array<Buffer> = []
    const response = await exchange(
      agents,
      { method: "POST", url: new URL(url), headers: { ...headers, ...cookies.header() }, body },
      call.progress,
      call.signal,
      (chunk) => {
        if (call.progress.bytesReceived > maxBytes) throw new Error(`the answer is longer than ${maxBytes} bytes`)
        chunks.push(chunk)
      }
    )
    cookies.keep(response.headers["set-cookie"])
    if (response.statusCode !== 200 && response.statusCode !== 500)
      throw new Error(`HTTP status ${response.statusCode}`)
    // A fault comes with status 500 and is an envelope like any other: the codec tells it apart.
    return { status: 200, headers: response.headers, data: Readable.from(pieces(chunks)) }
  }

  const client = yield* soapClient(endpoint, requestStream)
  const types = wireTypes(client.wsdl)

  const call = Effect.fnUntraced(function* (operation: VimOperation, args: Parameters<Vim["Service"]["call"]>[1]) {
    const progress = newProgress()
    const body = writeRequest(types, operation, args)
    const root = yield* send(client, operation, body, progress).pipe(Effect.onExit(() => account(operation, progress)))
    const answer = readAnswer(types, operation, root)
    switch (answer._tag) {
      case "Result":
        if (operation === "RetrieveServiceContent") client.setSOAPAction(`urn:vim25/${versionFor(answer.result)}`)
        return answer.result
      case "Fault":
        return yield* new VimFault({ operation, fault: answer.fault, message: answer.message })
      case "NotSoap":
        return yield* new VimUnreachable({ operation, reason: `not an answer to it: ${answer.reason}`, sent: true })
    }
  })

  const download = Effect.fnUntraced(function* (address: string, maxBytes: number) {
    const progress = newProgress()
    const url = yield* readUrl(address, endpoint)
    const tail = new TailBuffer(maxBytes)
    const headers = url.origin === endpoint.origin ? cookies.header() : {}
    const response = yield* Effect.tryPromise({
      try: (signal) =>
        exchange(agents, { method: "GET", url, headers, body: "" }, progress, signal, (chunk) => tail.add(chunk)),
      catch: (error) => unreachable("download", error, progress)
    }).pipe(Effect.onExit(() => account("download", progress)))
    if (response.statusCode !== 200)
      return yield* unreachable("download", `HTTP status ${response.statusCode}`, progress)
    return tail.bytes()
  })

  return Vim.of({ call, download })
})

/** What the soap package passes through to our HTTP client for one call. */
interface Call {
  readonly progress: Progress
  readonly signal: AbortSignal
}

const soapClient = (endpoint: URL, requestStream: unknown): Effect.Effect<Client> =>
  Effect.promise(() =>
    createClientAsync(
      wsdlPath,
      // With `stream` and `returnSaxStream` the package asks for nothing but `requestStream` and leaves the answer to us, unparsed.
      { httpClient: { requestStream } as IHttpClient, stream: true, returnSaxStream: true, disableCache: true },
      endpoint.href
    )
  )

const send = (client: Client, operation: VimOperation, body: string, progress: Progress) =>
  Effect.callback<XmlElement, VimUnreachable>((resume, signal) => {
    const fail = (reason: unknown) => resume(Effect.fail(unreachable(operation, reason, progress)))
    const received = (error: unknown, result: { readonly saxStream: SaxStream } | undefined) => {
      if (result?.saxStream === undefined) return fail(error)
      readTree(result.saxStream, (root, reason) =>
        root === undefined ? fail(`the answer is not SOAP: ${reason}`) : resume(Effect.succeed(root))
      )
    }
    client[operation]({ _xml: body }, received, { call: { progress, signal } satisfies Call })
  })

const unreachable = (operation: string, error: unknown, progress: Progress) =>
  new VimUnreachable({
    operation,
    reason: reasonOf(error),
    sent: progress.sent,
    ...(error instanceof CertificateRefused ? { setting: error.setting } : {})
  })

/** Counts what went over the wire, whether or not the call went well. */
const account = (operation: string, progress: Progress) =>
  Effect.all([
    Metric.update(Metric.withAttributes(soapBytes, { operation, direction: "sent" }), progress.bytesSent),
    Metric.update(Metric.withAttributes(soapBytes, { operation, direction: "received" }), progress.bytesReceived),
    Effect.annotateCurrentSpan({ "vim.bytes.sent": progress.bytesSent, "vim.bytes.received": progress.bytesReceived })
  ])

const readEndpoint = (text: string): Effect.Effect<URL, ConfigInvalid> => {
  const invalid = (rule: string) =>
    Effect.fail(
      new ConfigInvalid({
        problems: [{ path: "hatchery.vsphere.endpoint", value: text.replace(/\/\/.*@/, "//<redacted>@"), rule }]
      })
    )
  const written = /^[a-z][a-z0-9+.-]*:\/\//i.test(text) ? text : `https://${text}`
  if (!URL.canParse(written)) return invalid("must be the address of a vCenter, e.g. https://vcenter.example.org")
  const url = new URL(written)
  if (url.protocol !== "https:" && url.protocol !== "http:") return invalid("must begin with https:// (or http://)")
  if (url.username !== "" || url.password !== "")
    return invalid("must not hold a user or password: they are hatchery.vsphere.user and hatchery.vsphere.password")
  if (url.pathname === "/") url.pathname = "/sdk"
  return Effect.succeed(url)
}

/** The address of a guest file. `*` in place of the host is the vCenter itself, as we reach it. */
const readUrl = (address: string, endpoint: URL): Effect.Effect<URL, VimUnreachable> =>
  Effect.suspend(() => {
    const url = URL.parse(address)
    if (url === null || (url.protocol !== "https:" && url.protocol !== "http:"))
      return new VimUnreachable({ operation: "download", reason: "vCenter gave no usable address", sent: false })
    return Effect.succeed(url.hostname === "*" ? new URL(url.pathname + url.search, endpoint) : url)
  })
