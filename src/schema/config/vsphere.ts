/** `[hatchery.vsphere]` (seed 001 section 3.1; cds-contract 1.4) and our own keys in it. */
import { Result } from "effect"
import type { TimeSettings, TlsSettings, VSphereSettings } from "../Settings.ts"
import { parseIpv4, parseUrl } from "./address.ts"
import { defaults, defaultTimes } from "./defaults.ts"
import { readNetworks } from "./networks.ts"
import type { Section } from "./Section.ts"

/** The text of a file, or why it cannot be read. */
export type FileReader = (path: string) => Result.Result<string, string>

/** The cards that vSphere's own device list knows. */
const cards = ["e1000", "e1000e", "vmxnet2", "vmxnet3", "pcnet32", "sriov"] as const

const parseThumbprint = (text: string): Result.Result<string, string> => {
  const hex = text.replaceAll(":", "").toLowerCase()
  return /^([0-9a-f]{40}|[0-9a-f]{64})$/.test(hex)
    ? Result.succeed(text)
    : Result.fail("write a SHA-1 or SHA-256 fingerprint: 40 or 64 hex digits, colons allowed")
}

const readTls = (tls: Section, readFile: FileReader): TlsSettings => {
  const ca = tls.parsed("ca", (path) =>
    Result.filterOrFail(
      readFile(path),
      (text) => text.includes("-----BEGIN CERTIFICATE-----"),
      () => "the file holds no PEM certificate"
    )
  )
  const thumbprint = tls.parsed("thumbprint", parseThumbprint)
  const insecure = tls.flag("insecure", false)
  if (insecure && (ca !== undefined || thumbprint !== undefined))
    tls.problem("insecure", true, "contradicts ca and thumbprint; keep one of them")
  return { ca, thumbprint, insecure }
}

const sdkPath = (url: string): string => (new URL(url).pathname === "/" ? `${url}/sdk` : url)

const readEndpoint = (vsphere: Section): string => {
  if (vsphere.required("endpoint", "the address of the vCenter") === "") return ""
  const url = vsphere.parsed("endpoint", parseUrl("https"))
  return url === undefined ? "" : sdkPath(url)
}

export const readVSphere = (vsphere: Section, readFile: FileReader): VSphereSettings => ({
  endpoint: readEndpoint(vsphere),
  user: vsphere.required("user", "the vSphere account"),
  password: vsphere.requiredSecret("password", "the vSphere account's password"),
  datacenter: vsphere.required("datacenterString", "the name of the datacenter"),
  datastore: vsphere.text("datastoreString", ""),
  network: vsphere.text("networkString", ""),
  resourcePool: vsphere.text("resourcePool", "", { untold: true }),
  folder: vsphere.text("folder", "", { untold: true }),
  cluster: vsphere.text("cluster", "", { untold: true }),
  host: vsphere.text("host", "", { untold: true }),
  cardName: vsphere.word("cardName", cards, defaults.vsphere.cardName as (typeof cards)[number]),
  tls: readTls(vsphere.section("tls", { untold: true }), readFile),
  networks: readNetworks(vsphere),
  dns:
    vsphere.parsed("dns", (text) => Result.all(text.split(",").map((address) => parseIpv4(address.trim())))) ??
    defaults.vsphere.dns
})

/** CDS's own keys count whole minutes or seconds, and 0 means the default. Ours, under `rookery`, win over them. */
export const readTimes = (vsphere: Section, rookery: Section, registerMs: number): TimeSettings => {
  const counted = (key: string, unitMs: number, absentMs: number): number =>
    (vsphere.whole(key, absentMs / unitMs, { max: Math.floor(2 ** 31 / 1_000) }) || absentMs / unitMs) * unitMs
  const workerTtlMs = counted("workerTTL", 60_000, defaultTimes.workerTtlMs)
  const registrationMs = counted("workerRegistrationTTL", 60_000, defaultTimes.workerRegistrationTtlMs)
  const provisioningMs = counted("workerProvisioningInterval", 1_000, defaultTimes.provisioningIntervalMs)
  const reaperMs = counted("killAwolServersInterval", 1_000, defaultTimes.reaperIntervalMs)
  const graceMs = counted("finishedWorkerGracePeriod", 1_000, defaultTimes.finishedWorkerGraceMs)
  return {
    workerTtlMs: rookery.duration("workerTTL", workerTtlMs),
    workerRegistrationTtlMs: rookery.duration("workerRegistrationTTL", registrationMs),
    registerMs: rookery.duration("registerFrequency", registerMs),
    templateMs: rookery.duration("templateTimeout", defaultTimes.templateMs),
    provisioningIntervalMs: rookery.duration("provisioningInterval", provisioningMs),
    reaperIntervalMs: rookery.duration("reaperInterval", reaperMs),
    finishedWorkerGraceMs: rookery.duration("finishedWorkerGracePeriod", graceMs),
    lateCallMs: rookery.duration("lateCallGrace", defaultTimes.lateCallMs),
    cloneMs: rookery.duration("cloneTimeout", defaultTimes.cloneMs),
    taskMs: rookery.duration("taskTimeout", defaultTimes.taskMs),
    guestOperationsMs: rookery.duration("guestOperationsTimeout", defaultTimes.guestOperationsMs),
    guestAddressMs: rookery.duration("guestAddressTimeout", defaultTimes.guestAddressMs),
    guestProbeMs: rookery.duration("guestProbeTimeout", defaultTimes.guestProbeMs),
    shutdownMs: rookery.duration("shutdownTimeout", defaultTimes.shutdownMs),
    viewAgeMs: rookery.duration("viewMaxAge", defaultTimes.viewAgeMs),
    drainMs: rookery.duration("drainTimeout", defaultTimes.drainMs)
  }
}
