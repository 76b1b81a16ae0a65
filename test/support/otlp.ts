/** A receiver of OpenTelemetry spans, as JSON over OTLP/HTTP. */
import { Effect } from "effect"
import { createServer, type Server } from "node:http"
import type { AddressInfo } from "node:net"

export interface Span {
  readonly name: string
  readonly traceId: string
  readonly spanId: string
  readonly parentSpanId?: string
  readonly startTimeUnixNano: string
  readonly attributes: ReadonlyArray<{ readonly key: string; readonly value: { readonly stringValue?: string } }>
}

export interface Export {
  readonly resourceSpans: ReadonlyArray<{
    readonly resource: { readonly attributes: Span["attributes"] }
    readonly scopeSpans: ReadonlyArray<{ readonly spans: ReadonlyArray<Span> }>
  }>
}

/** An OTLP receiver: keeps what is posted to `/v1/traces`, answers with `status`. */
export const receiver = (status: number) =>
  Effect.acquireRelease(
    Effect.promise(async () => {
      const exports: Array<Export> = []
      const server: Server = createServer((request, response) => {
        const parts: Array<Buffer> = []
        request.on("data", (part: Buffer) => parts.push(part))
        request.on("end", () => {
          if (request.url === "/v1/traces") exports.push(JSON.parse(Buffer.concat(parts).toString()))
          response.writeHead(status, { "content-type": "application/json" }).end("{}")
        })
      })
      await new Promise<void>((done) => server.listen(0, "127.0.0.1", done))
      return { exports, server, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` }
    }),
    ({ server }) =>
      Effect.sync(() => {
        server.close()
        server.closeAllConnections()
      })
  )

export const spansOf = (exports: ReadonlyArray<Export>): ReadonlyArray<Span> =>
  exports.flatMap((sent) => sent.resourceSpans.flatMap((r) => r.scopeSpans.flatMap((s) => s.spans)))

/** The text of an attribute. */
export const attribute = (span: Span, key: string): string | undefined =>
  span.attributes.find((attribute) => attribute.key === key)?.value.stringValue
