/** A hatchery as the simulated API knows it: its consumer, and what it told at signin and since (cds-contract 2.3, 3). */
import { iso } from "./Job.ts"

export interface HatcheryRecord {
  readonly id: string
  readonly consumerId: string
  readonly name: string
  /** The region of its grant; may change between two signins. */
  region: string
  /** The consumer token it must sign in with. */
  readonly token: string
  /** `type` of the signin: the worker-model type it serves. Empty before the first signin. */
  modelType: string
  /** As sent: base64 of a PEM. */
  publicKey: string
  httpUrl: string
  config: unknown
  signins: number
  lastHeartbeatAt: number | undefined
  statusLines: ReadonlyArray<unknown>
}

export const hatcheryToWire = (hatchery: HatcheryRecord) => ({
  id: hatchery.id,
  name: hatchery.name,
  model_type: hatchery.modelType,
  config: hatchery.config,
  last_heartbeat: hatchery.lastHeartbeatAt === undefined ? "0001-01-01T00:00:00Z" : iso(hatchery.lastHeartbeatAt),
  public_key: hatchery.publicKey,
  http_url: hatchery.httpUrl
})

/**
 * The architectures whose events the hatchery's websocket gets: a top-level `osArch` of the config it sent, else linux/amd64 alone. The key
 * under `commonConfiguration` is not looked at (cds-contract 2.3).
 */
export const eventOsArch = (hatchery: HatcheryRecord): ReadonlyArray<string> => {
  const config = hatchery.config
  const found = typeof config === "object" && config !== null && "osArch" in config ? config.osArch : undefined
  return Array.isArray(found) && found.length > 0 ? found.map(String) : ["linux/amd64"]
}
