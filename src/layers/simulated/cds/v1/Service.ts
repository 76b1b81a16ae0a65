/** A hatchery's V1 side: the builtin consumer that it signs in with, and the service row that its signin makes (cds-contract 2.2, 3). */
import { iso } from "../Job.ts"

export interface ConsumerRecord {
  readonly id: string
  /** The service name that it is bound to. */
  readonly name: string
  readonly token: string
  /** Bound to these when they are defined. */
  readonly region: string | undefined
  readonly ignoreJobWithNoRegion: boolean | undefined
  /** Names of its groups. */
  readonly groups: ReadonlyArray<string>
}

export interface ServiceRecord {
  /** Counts up; a service that was deleted and signs in again gets another one. */
  readonly id: number
  readonly consumer: ConsumerRecord
  /** Of the first signin; a later one does not change them. */
  readonly region: string | null
  readonly ignoreJobWithNoRegion: boolean | null
  httpUrl: string
  publicKey: string
  config: unknown
  signins: number
  lastHeartbeatAt: number
  statusLines: ReadonlyArray<unknown>
}

export const serviceToWire = (service: ServiceRecord) => ({
  id: service.id,
  name: service.consumer.name,
  type: "hatchery",
  http_url: service.httpUrl,
  config: service.config,
  public_key: service.publicKey,
  last_heartbeat: iso(service.lastHeartbeatAt),
  // Only a heartbeat tells it, and the signin that this goes with begins without one.
  monitoring_status: { now: "0001-01-01T00:00:00Z", lines: null },
  version: "",
  up_to_date: false,
  region: service.region,
  ignore_job_with_no_region: service.ignoreJobWithNoRegion
})
