/** What both APIs are asked for. A side exists when its consumer token is configured; each has its own session and troubles. */
import type { Effect, Stream } from "effect"
import type { CdsError, ConfigInvalid } from "../../schema/Errors.ts"
import type { CdsWorker, JobSighting } from "../../schema/Job.ts"
import type { MonitoringStatus } from "../../schema/Monitoring.ts"
import type { Cds, CdnAddress } from "../../services/Cds.ts"
import type { CdsHttp } from "./CdsHttp.ts"
import type { CdsSocket } from "./CdsSocket.ts"
import type { Identity } from "./Hatchery.ts"
import type { HatcheryKey } from "./HatcheryKey.ts"

/** What a side works with. */
export interface Means {
  readonly http: CdsHttp
  readonly socket: CdsSocket["Service"]
  readonly key: HatcheryKey
  readonly identity: Identity
}

/** What is done to one job. A job's id tells which side's queue it is in; the V1 API has no use for the region. */
export type Queue = Pick<Cds["Service"], "job" | "take" | "release" | "fail" | "tell">

export interface Side {
  readonly name: "V1" | "V2"
  /** Signs in until it works or CDS refuses what the configuration says. */
  readonly signin: Effect.Effect<void, ConfigInvalid>
  /** Waits for the first signin. */
  readonly region: Effect.Effect<string>
  readonly queue: Queue
  readonly sightings: Stream.Stream<JobSighting>
  readonly workers: Effect.Effect<ReadonlyArray<CdsWorker>, CdsError>
  readonly heartbeat: (status: MonitoringStatus) => Effect.Effect<void, CdsError>
  readonly cdn: Effect.Effect<CdnAddress, CdsError>
  readonly trouble: Effect.Effect<string | undefined>
}
