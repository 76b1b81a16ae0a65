/** What concerns this hatchery as a whole: its workers, its heartbeat, the CDN it hands on (cds-contract 2.5, 3, 6.1). */
import { Effect } from "effect"
import type { MonitoringStatus } from "../../schema/Monitoring.ts"
import type { CdsSettings } from "../../schema/Settings.ts"
import type { CdnAddress } from "../../services/Cds.ts"
import { decodeBody } from "./decode.ts"
import type { Session } from "./Session.ts"
import { WireCdn } from "./wire/Cdn.ts"
import { rfc3339 } from "./wire/fields.ts"
import { toWorkers, WireWorkers } from "./wire/Worker.ts"

/** What the hatchery says of itself that is not in its configuration. */
export interface Identity {
  readonly version: string
  readonly hostname: string
}

const decodeWorkers = decodeBody("workers", WireWorkers)
const decodeCdn = decodeBody("cdn", WireCdn)

export const make = (session: Session, settings: CdsSettings, identity: Identity) => {
  const read = (name: string, path: string) =>
    Effect.mapError(session.call({ name, method: "GET", path }), ({ error }) => error)

  const heartbeat = Effect.fnUntraced(function* (status: MonitoringStatus) {
    const origin = { type: "hatchery", service: settings.name, hostname: identity.hostname }
    const body = { now: rfc3339(status.now), lines: status.lines.map((line) => ({ ...line, ...origin })) }
    yield* Effect.mapError(
      session.call({ name: "heartbeat", method: "POST", path: "/v2/hatchery/heartbeat", body }),
      ({ error }) => error
    )
  })

  const registeredCdn = read("cdn", "/v2/config/cdn").pipe(
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

  return {
    workers: read("workers", "/v2/worker").pipe(Effect.flatMap(decodeWorkers), Effect.map(toWorkers)),
    heartbeat,
    cdn
  }
}
