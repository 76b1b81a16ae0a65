/** What concerns this hatchery as a whole at one of the two APIs: its workers, its heartbeat, the CDN it hands on (cds-contract 2.5, 3, 6.1). */
import { Effect } from "effect"
import type { CdsError } from "../../schema/Errors.ts"
import type { CdsWorker } from "../../schema/Job.ts"
import type { MonitoringStatus } from "../../schema/Monitoring.ts"
import type { CdsSettings } from "../../schema/Settings.ts"
import type { CdnAddress } from "../../services/Cds.ts"
import type { Answer } from "./CdsHttp.ts"
import { decodeBody } from "./decode.ts"
import type { Session } from "./Session.ts"
import { WireCdn } from "./wire/Cdn.ts"
import { rfc3339 } from "./wire/fields.ts"
import { toWorkersV1, toWorkersV2, WireWorkersV1, WireWorkersV2 } from "./wire/Worker.ts"

/** What the hatchery says of itself that is not in its configuration. */
export interface Identity {
  readonly version: string
  readonly hostname: string
}

/** Where the same is asked for at each API. */
export interface Routes {
  readonly workers: string
  readonly heartbeat: string
  readonly cdn: string
  readonly toWorkers: (answer: Answer) => Effect.Effect<ReadonlyArray<CdsWorker>, CdsError>
}

const decodeWorkersV1 = decodeBody("workers", WireWorkersV1)
const decodeWorkersV2 = decodeBody("workers", WireWorkersV2)
const decodeCdn = decodeBody("cdn", WireCdn)

export const routesV1: Routes = {
  workers: "/worker",
  heartbeat: "/services/heartbeat",
  cdn: "/config/cdn",
  toWorkers: (answer) => Effect.map(decodeWorkersV1(answer), toWorkersV1)
}

export const routesV2: Routes = {
  workers: "/v2/worker",
  heartbeat: "/v2/hatchery/heartbeat",
  cdn: "/v2/config/cdn",
  toWorkers: (answer) => Effect.map(decodeWorkersV2(answer), toWorkersV2)
}

export const make = (session: Pick<Session, "call">, settings: CdsSettings, identity: Identity, routes: Routes) => {
  const read = (name: string, path: string) =>
    Effect.mapError(session.call({ name, method: "GET", path }), ({ error }) => error)

  const heartbeat = Effect.fnUntraced(function* (status: MonitoringStatus) {
    const origin = { type: "hatchery", service: settings.name, hostname: identity.hostname }
    const body = { now: rfc3339(status.now), lines: status.lines.map((line) => ({ ...line, ...origin })) }
    yield* Effect.mapError(
      session.call({ name: "heartbeat", method: "POST", path: routes.heartbeat, body }),
      ({ error }) => error
    )
  })

  const registeredCdn = read("cdn", routes.cdn).pipe(
    Effect.flatMap(decodeCdn),
    Effect.map((found): CdnAddress => ({
      httpUrl: found.http_url ?? "",
      tcpUrl: found.tcp_url ?? "",
      tcpTls: found.tcp_url_enable_tls ?? false
    }))
  )

  /** What is configured wins; CDS is asked for the rest. */
  const cdn = Effect.suspend(() => {
    const { httpUrl, tcpUrl, tcpTls } = settings.cdn
    if (httpUrl !== "" && tcpUrl !== "") return Effect.succeed(settings.cdn)
    return Effect.map(registeredCdn, (found): CdnAddress => ({
      httpUrl: httpUrl || found.httpUrl,
      tcpUrl: tcpUrl || found.tcpUrl,
      tcpTls: tcpUrl === "" ? found.tcpTls : tcpTls
    }))
  })

  return { workers: Effect.flatMap(read("workers", routes.workers), routes.toWorkers), heartbeat, cdn }
}
