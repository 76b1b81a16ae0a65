/**
 * The simulated CDS API as a server of its own: HTTP and WebSocket on one port, control on another. Runs on the clock of its fiber, which is
 * the real one outside tests. `rookery simulate cds` is this.
 *
 * Control (JSON): `POST /jobs` (a `JobOrder`) answers `{"ids":[...]}`, `GET /jobs`, `GET /jobs/{id}`, `GET /state`, `GET /identities` (name,
 * region, tokens), `POST /fault` (a `Fault`), `DELETE /fault`, `POST /switches`, `POST /jobs/{id}/stop|lock|event`, `POST /sockets/end`
 * (`{"how":1001}` or `{"how":"drop"}`), `POST /sessions/revoke`, `POST /workers/{name}/disable`, `POST /hatcheries/{name}/region`.
 * Of V1: `POST /v1/jobs` (a `JobOrderV1`), `POST /v1/models` (a `ModelOrder`), `POST /v1/models-as-code` (a `ModelAsCodeOrder`),
 * `DELETE /v1/services/{name}`; jobs of both sides are read and stopped by their ids alike.
 */
import { Effect } from "effect"
import type { Scope } from "effect"
import { host as controlHost, makeKey } from "../ControlGuard.ts"
import { makeControl } from "./Control.ts"
import { serve } from "./HttpFront.ts"
import type { ListenFailed } from "./HttpFront.ts"
import { make } from "./SimCds.ts"
import type { SimCds, SimCdsOptions } from "./SimCds.ts"

export interface FrontOptions extends SimCdsOptions {
  /** Loopback unless given; the control port is on loopback always. */
  readonly host?: string
  /** 0 or absent = a free port; the same for the control port. */
  readonly port?: number
  readonly controlPort?: number
}

export interface Front {
  readonly api: SimCds
  /** `http://host:port`, what a hatchery has as `api.http.url`. */
  readonly apiUrl: string
  /** With the key of the control port in it. */
  readonly controlUrl: string
  readonly port: number
  readonly controlPort: number
}

/** Serves until the scope ends. */
export const front = Effect.fnUntraced(function* (
  options: FrontOptions = {}
): Effect.fn.Return<Front, ListenFailed, Scope.Scope> {
  const host = options.host ?? "127.0.0.1"
  const api = yield* make(options)
  const port = yield* serve(api, host, options.port ?? 0)
  const key = makeKey()
  const controlPort = yield* serve({ handle: makeControl(api, key) }, controlHost, options.controlPort ?? 0)
  const apiUrl = `http://${host}:${port}`
  api.state.apiUrl = apiUrl
  return { api, apiUrl, controlUrl: `http://${controlHost}:${controlPort}/${key}`, port, controlPort }
})

export interface ExampleConfig {
  readonly apiUrl: string
  /** Name and consumer token, e.g. one of `identities`. */
  readonly name: string
  readonly token: string
  /** The V1 consumer's; none: the hatchery has no V1 side. */
  readonly tokenV1?: string
  /** PEM. */
  readonly rsaPrivateKey: string
}

/** The `commonConfiguration` of a hatchery that talks to this API, as TOML; the caller adds `[hatchery.vsphere]`. */
export const exampleConfig = ({ apiUrl, name, token, tokenV1 = "", rsaPrivateKey }: ExampleConfig): string => `\
[hatchery.vsphere.commonConfiguration]
name = ${JSON.stringify(name)}
url = "http://127.0.0.1:8086"
rsaPrivateKey = """
${rsaPrivateKey.trim()}
"""

[hatchery.vsphere.commonConfiguration.http]
addr = "127.0.0.1"
port = 0

[hatchery.vsphere.commonConfiguration.api]
token = ${JSON.stringify(tokenV1)}
tokenV2 = ${JSON.stringify(token)}
requestTimeout = 10
maxHeartbeatFailures = 10

[hatchery.vsphere.commonConfiguration.api.http]
url = ${JSON.stringify(apiUrl)}

[hatchery.vsphere.commonConfiguration.provision]
maxWorker = 10
maxConcurrentProvisioning = 10
`
