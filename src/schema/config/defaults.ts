/**
 * The settings of a file that names nothing (seed 001 sections 3 and 12; cds-contract 1.3 and 1.4), in one place. What has no default
 * is empty here, and mandatory in a file. Tests start from these.
 */
import { Redacted } from "effect"
import type { SettingsShape, TimeSettings } from "../Settings.ts"

const second = 1_000
const minute = 60 * second

export const defaultTimes: TimeSettings = {
  workerTtlMs: 120 * minute,
  workerRegistrationTtlMs: 10 * minute,
  provisioningIntervalMs: 120 * second,
  reaperIntervalMs: 60 * second,
  registerMs: 60 * second,
  templateMs: 15 * minute,
  finishedWorkerGraceMs: 180 * second,
  lateCallMs: 10 * second,
  cloneMs: 10 * minute,
  taskMs: 10 * minute,
  guestOperationsMs: 3 * minute,
  guestAddressMs: 3 * minute,
  guestProbeMs: 1 * minute,
  shutdownMs: 1 * minute,
  viewAgeMs: 90 * second,
  drainMs: 30 * second
}

const noCdn = { httpUrl: "", tcpUrl: "", tcpTls: false }

export const defaults: SettingsShape = {
  cds: {
    name: "",
    apiUrl: "",
    apiInsecure: false,
    tokenV2: undefined,
    token: undefined,
    requestTimeoutMs: 10 * second,
    maxHeartbeatFailures: 10,
    url: "http://localhost:8086",
    rsaPrivateKey: Redacted.make(""),
    osArch: ["linux/amd64"],
    cdn: noCdn,
    disableV2QueuePolling: false,
    pollIntervalMs: 20 * second,
    heartbeatIntervalMs: 30 * second,
    publicConfig: {}
  },
  worker: {
    basedir: "",
    apiUrl: "",
    apiInsecure: false,
    cdn: noCdn,
    injectEnvVars: {},
    log: {
      level: "",
      graylog: { host: "", port: 0, extraKey: "", extraValue: "" },
      syslog: { host: "", port: 0, protocol: "tcp", extraTag: "" }
    }
  },
  vsphere: {
    endpoint: "",
    user: "",
    password: Redacted.make(""),
    datacenter: "",
    datastore: "",
    network: "",
    resourcePool: "",
    folder: "",
    cluster: "",
    host: "",
    cardName: "e1000",
    tls: { ca: undefined, thumbprint: undefined, insecure: false },
    networks: [],
    dns: []
  },
  times: defaultTimes,
  http: { addr: "", port: 8086 },
  maxWorker: 10,
  maxConcurrentProvisioning: 10,
  poolSize: 1,
  maxAttempts: 5,
  maxConcurrentRegistering: 2,
  region: "",
  ignoreJobWithNoRegion: false,
  provision: [],
  modelProvision: [],
  credentials: [],
  modelCredentials: [],
  defaultWorkerModelsV2: [],
  preStartScripts: new Map(),
  flavors: [],
  defaultFlavor: "",
  maxCpus: 0,
  maxMemoryMB: 0,
  countSmallerFlavorToKeep: 0,
  maxUnexplainedGone: 5,
  minFreeDatastoreGB: 10
}
