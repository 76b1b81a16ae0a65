/** The HTTP client for CDS in production: `undici`, through the environment's proxy where there is one, as the Go client does. */
import { NodeHttpClient } from "@effect/platform-node"
import * as Undici from "@effect/platform-node/Undici"
import { Effect, Layer } from "effect"
import type { HttpClient } from "effect/http"
import { Settings } from "../../services/Settings.ts"

/** Go never asks a proxy for these, whatever `NO_PROXY` says. */
const local = "localhost,127.0.0.1,::1"

/** Name resolution and TCP together; a request as a whole has its own deadline. */
const connectTimeoutMs = 30_000

/** Bytes. A queue of 10,000 jobs has about 15 MiB. */
const longestAnswer = 64 * 1024 * 1024

const dispatcher = (insecure: boolean) => {
  const tls = { rejectUnauthorized: !insecure, timeout: connectTimeoutMs }
  const noProxy = [process.env["NO_PROXY"] ?? process.env["no_proxy"], local].filter(Boolean).join(",")
  return new Undici.EnvHttpProxyAgent({ connect: tls, requestTls: tls, noProxy, maxResponseSize: longestAnswer })
}

/** Honours `api.http.insecure`. Keeps no cookies: CDS would believe one before the `Authorization` header (cds-contract 0.1). */
export const layer: Layer.Layer<HttpClient.HttpClient, never, Settings> = NodeHttpClient.layerUndiciNoDispatcher.pipe(
  Layer.provide(
    Layer.effect(
      NodeHttpClient.Dispatcher,
      Effect.flatMap(Settings, ({ cds }) =>
        Effect.acquireRelease(
          Effect.sync(() => dispatcher(cds.apiInsecure)),
          (agent) => Effect.promise(() => agent.destroy())
        )
      )
    )
  )
)
