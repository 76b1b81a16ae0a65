/**
 * One HTTP request and its whole answer, over node's client: an abort closes the connection, the bytes are counted, the answer is limited,
 * and it is known whether anything was sent.
 */
import * as http from "node:http"
import * as https from "node:https"
import type { Agents } from "../tls.ts"

export interface HttpRequest {
  readonly method: "GET" | "POST"
  readonly url: URL
  readonly headers: http.OutgoingHttpHeaders
  readonly body: string
}

/** What is known of an exchange, also while it goes on and after it failed. */
export interface Progress {
  /** A connection was there, and the request went into it. Before that nothing can have reached the server. */
  sent: boolean
  /** Bytes of the bodies. */
  bytesSent: number
  bytesReceived: number
}

export const newProgress = (): Progress => ({ sent: false, bytesSent: 0, bytesReceived: 0 })

/** Sends the request and hands the body's pieces to `receive`; what that throws fails the exchange. Resolves when the body has ended. */
export const exchange = (
  agents: Agents,
  { method, url, headers, body }: HttpRequest,
  progress: Progress,
  signal: AbortSignal,
  receive: (chunk: Buffer) => void
): Promise<http.IncomingMessage> =>
  new Promise((resolve, reject) => {
    const options = { method, headers: { ...headers, "content-length": Buffer.byteLength(body) }, signal }
    const request =
      url.protocol === "https:"
        ? https.request(url, { ...options, agent: agents.https })
        : http.request(url, { ...options, agent: agents.http })
    request.once("socket", () => {
      progress.sent = true
      progress.bytesSent += Buffer.byteLength(body)
    })
    request.once("error", reject)
    request.once("response", (response) => {
      response.on("data", (chunk: Buffer) => {
        progress.bytesReceived += chunk.length
        try {
          receive(chunk)
        } catch (error) {
          request.destroy(error as Error)
          reject(error)
        }
      })
      response.once("error", reject)
      response.once("end", () => resolve(response))
    })
    request.end(body)
  })

/** An error of node's network modules in words. A host with several addresses fails with one error for each and no message of its own. */
export const reasonOf = (error: unknown): string => {
  if (error instanceof AggregateError) return error.errors.map(reasonOf).join(", ")
  if (!(error instanceof Error)) return String(error)
  return error.message === "" ? error.name : error.message
}
