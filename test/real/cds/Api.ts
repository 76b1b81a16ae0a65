/** The API as a user of CDS meets it: plain HTTP, one person's session. */
import { Effect } from "effect"
import { HarnessError } from "../harness/HarnessError.ts"

export interface Api {
  readonly url: string
  /** Sends JSON and answers what came back, parsed; undefined for an empty body. A refusal fails with the API's own words. */
  readonly ask: <A>(
    method: "GET" | "POST" | "PUT" | "DELETE",
    path: string,
    body?: unknown
  ) => Effect.Effect<A, HarnessError>
  /** Fetches a text from anywhere with the same session, such as a log from the CDN. */
  readonly text: (url: string) => Effect.Effect<string, HarnessError>
}

/** Without a token the calls are those of a stranger. */
export const make = (url: string, token?: string): Api => {
  const headers: Record<string, string> = {
    "Content-Type": "application/json",
    ...(token === undefined ? {} : { Authorization: `Bearer ${token}` })
  }
  const send = (method: string, target: string, body?: unknown): Effect.Effect<string, HarnessError> =>
    Effect.tryPromise({
      try: async (signal) => {
        const init = { method, headers, signal, ...(body === undefined ? {} : { body: JSON.stringify(body) }) }
        const response = await fetch(target, init)
        const text = await response.text()
        if (!response.ok) throw new Error(`${response.status} ${text}`)
        return text
      },
      catch: (cause) => new HarnessError({ message: `${method} ${new URL(target).pathname}: ${String(cause)}` })
    })
  return {
    url,
    ask: <A>(method: string, path: string, body?: unknown) =>
      Effect.map(send(method, url + path, body), (text) => (text === "" ? undefined : JSON.parse(text)) as A),
    text: (target) => send("GET", target)
  }
}
