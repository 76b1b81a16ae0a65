/** The stage of the demo: a vCenter, a CDS API and a hatchery between them, in this process, on the real clock with short times. */
import { Effect, Layer, Redacted } from "effect"
import { generateKeyPairSync } from "node:crypto"
import * as Ids from "../layers/Ids.ts"
import * as InProcess from "../layers/simulated/cds/InProcess.ts"
import { make as makeCds, type SimCds } from "../layers/simulated/cds/SimCds.ts"
import { workerProgram } from "../layers/simulated/cds/SimWorker.ts"
import type { SimVCenterHandle } from "../layers/simulated/vcenter/Handle.ts"
import { SimVCenter } from "../layers/simulated/vcenter/SimVCenter.ts"
import { VimSimulated } from "../layers/simulated/vcenter/VimSimulated.ts"
import { defaults } from "../schema/Config.ts"
import type { SettingsShape, TimeSettings } from "../schema/Settings.ts"
import { Settings } from "../services/Settings.ts"
import { hatchery } from "./assembly.ts"

export interface StageOptions {
  readonly seed: string
  /** Machines at once, and how many of them are kept warm. */
  readonly machines: number
  readonly pool: number
}

export const hatcheryName = "demo"
export const template = "debian12"

const apiUrl = "http://cds.simulated"
const second = 1_000

/** What takes half a minute in a real vCenter takes three seconds here; the deadlines shrink with it. */
const vcenterScale = 0.1

const times: TimeSettings = {
  ...defaults.times,
  provisioningIntervalMs: 5 * second,
  reaperIntervalMs: 2 * second,
  finishedWorkerGraceMs: 2 * second,
  workerTtlMs: 120 * second,
  workerRegistrationTtlMs: 30 * second,
  lateCallMs: 1 * second,
  cloneMs: 60 * second,
  taskMs: 30 * second,
  guestOperationsMs: 30 * second,
  guestAddressMs: 30 * second,
  guestProbeMs: 10 * second,
  shutdownMs: 10 * second,
  drainMs: 10 * second
}

const signingKey = (): string =>
  generateKeyPairSync("rsa", { modulusLength: 2048 }).privateKey.export({ type: "pkcs8", format: "pem" }).toString()

const settingsOf = (cds: SimCds, vcenter: SimVCenterHandle, { machines, pool }: StageOptions): SettingsShape => ({
  ...defaults,
  cds: {
    ...defaults.cds,
    name: hatcheryName,
    apiUrl,
    tokenV2: Redacted.make(cds.identities[0]!.token),
    rsaPrivateKey: Redacted.make(signingKey()),
    pollIntervalMs: 5 * second
  },
  worker: { ...defaults.worker, apiUrl },
  vsphere: {
    ...defaults.vsphere,
    endpoint: "https://vcenter.simulated/sdk",
    user: vcenter.options.user,
    password: Redacted.make(vcenter.options.password),
    datacenter: vcenter.options.datacenter,
    network: vcenter.options.network,
    networks: [{ ipRange: "10.0.0.0/24", gateway: "10.0.0.1", subnetMask: "255.255.255.0" }]
  },
  times,
  maxWorker: machines,
  maxConcurrentProvisioning: machines,
  poolSize: Math.max(1, pool),
  provision: [{ template, number: pool }],
  credentials: vcenter.options.templates.map(({ name, guestUser, guestPassword }) => ({
    template: name,
    username: guestUser,
    password: Redacted.make(guestPassword)
  }))
})

/** The simulators, and the layer of a hatchery between them. */
export const make = Effect.fnUntraced(function* (options: StageOptions) {
  const { seed } = options
  const cds = yield* makeCds({ hatcheries: [{ name: hatcheryName, region: "default" }], seed })
  const programs = workerProgram(InProcess.httpClient(cds))
  const vcenter = yield* SimVCenter.make({ seed, programs, timings: { scale: vcenterScale } })
  const layer = hatchery.pipe(
    Layer.provide(VimSimulated.layer()),
    Layer.provide(Layer.succeed(SimVCenter, vcenter)),
    Layer.provide(InProcess.layer(cds)),
    Layer.provide(Ids.layerRandom),
    Layer.provideMerge(Layer.succeed(Settings, settingsOf(cds, vcenter, options)))
  )
  return { cds, vcenter, layer }
})
