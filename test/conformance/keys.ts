/** Each key of the file: what it is without it, and what comes of a value that it is given (seed 001 section 3, 12, 13; cds-contract 1.2 to 1.4). */
import { Redacted } from "effect"
import type { Config } from "../../src/schema/Config.ts"
import { common, vsphere } from "./configFile.ts"

/** The value in TOML, what is read of the file with it, what is read of one without it, and where that shows. */
type Row = readonly [written: string, becomes: unknown, absent: unknown, shows: (config: Config) => unknown]

type Rows = Readonly<Record<string, Row>>

const shown = (value: unknown): unknown => (Redacted.isRedacted(value) ? Redacted.value(value) : value)

const minute = 60_000
const provision = `${common}.provision`
const workerLogs = `${provision}.workerLogsOptions`
const rookery = `${vsphere}.rookery`

const time = (key: keyof Config["settings"]["times"], absentMs: number): Row => [
  '"1m30s"',
  90_000,
  absentMs,
  ({ settings }) => settings.times[key]
]

/** Keys of the engine that change nothing here, except in what CDS is told. */
const idle = (written: string): Row => [written, undefined, undefined, () => undefined]

export const keys: Readonly<Record<string, Rows>> = {
  log: {
    level: ['"warning"', "warning", "info", ({ log }) => log.level],
    format: ['"json"', "json", "text", ({ log }) => log.format],
    textFields: ['["a", "b"]', ["a", "b"], [], ({ log }) => log.textFields],
    skipTextFields: ['["a=b=c"]', [["a", "b=c"]], [], ({ log }) => log.skipTextFields]
  },
  "log.graylog": {
    host: ['"g"\nport = 1', "g", undefined, ({ log }) => log.graylog?.host],
    port: ['12202\nhost = "g"', 12_202, undefined, ({ log }) => log.graylog?.port],
    protocol: ['"udp"\nhost = "g"\nport = 1', "udp", undefined, ({ log }) => log.graylog?.protocol],
    extraKey: [
      '"A,B"\nextraValue = "1,2"\nhost = "g"\nport = 1',
      ["A", "B"],
      [],
      ({ log }) => [...(log.graylog?.extra ?? new Map()).keys()]
    ],
    extraValue: [
      '"1,2"\nextraKey = "A,B"\nhost = "g"\nport = 1',
      ["1", "2"],
      [],
      ({ log }) => [...(log.graylog?.extra ?? new Map()).values()].map(shown)
    ]
  },
  telemetry: {
    tracingEnabled: ["true", 1, 0, ({ warnings }) => warnings.filter(({ rule }) => rule.includes("OTLP")).length]
  },
  "telemetry.exporters.jaeger": {
    serviceName: idle('"cds"'),
    collectorEndpoint: idle('"http://jaeger.example:14268/api/traces"'),
    samplingProbability: idle("0.5")
  },
  "telemetry.exporters.prometheus": { ReporteringPeriod: idle("60") },
  [vsphere]: {
    user: ['"ci@vsphere.local"', "ci@vsphere.local", "cds", ({ settings }) => settings.vsphere.user],
    password: ['"p w"', "p w", "vcenter-password", ({ settings }) => shown(settings.vsphere.password)],
    endpoint: [
      '"https://pcc.example:8443"',
      "https://pcc.example:8443/sdk",
      "https://vcenter.example/sdk",
      ({ settings }) => settings.vsphere.endpoint
    ],
    datacenterString: ['"DC 1"', "DC 1", "dc", ({ settings }) => settings.vsphere.datacenter],
    datastoreString: ['"ssd"', "ssd", "", ({ settings }) => settings.vsphere.datastore],
    networkString: ['"VM Network"', "VM Network", "", ({ settings }) => settings.vsphere.network],
    cardName: ['"vmxnet3"', "vmxnet3", "e1000", ({ settings }) => settings.vsphere.cardName],
    resourcePool: ['"ci"', "ci", "", ({ settings }) => settings.vsphere.resourcePool],
    folder: ['"ci"', "ci", "", ({ settings }) => settings.vsphere.folder],
    cluster: ['"DC0_C1"', "DC0_C1", "", ({ settings }) => settings.vsphere.cluster],
    host: ['"esx-1"', "esx-1", "", ({ settings }) => settings.vsphere.host],
    iprange: [
      '"10.0.0.0/24, 10.1.0.0/25"',
      "10.0.0.0/24, 10.1.0.0/25",
      undefined,
      ({ settings }) => settings.vsphere.networks[0]?.ipRange
    ],
    gateway: [
      '"10.0.0.1"\niprange = "10.0.0.0/24"',
      "10.0.0.1",
      undefined,
      ({ settings }) => settings.vsphere.networks[0]?.gateway
    ],
    subnetMask: [
      '"255.255.0.0"\niprange = "10.0.0.0/24"',
      "255.255.0.0",
      undefined,
      ({ settings }) => settings.vsphere.networks[0]?.subnetMask
    ],
    dns: ['"10.0.0.2,10.0.0.3"', ["10.0.0.2", "10.0.0.3"], [], ({ settings }) => settings.vsphere.dns],
    workerTTL: ["30", 30 * minute, 120 * minute, ({ settings }) => settings.times.workerTtlMs],
    workerRegistrationTTL: ["5", 5 * minute, 10 * minute, ({ settings }) => settings.times.workerRegistrationTtlMs],
    workerProvisioningInterval: ["7", 7_000, 120_000, ({ settings }) => settings.times.provisioningIntervalMs],
    workerProvisioningPoolSize: ["3", 3, 1, ({ settings }) => settings.poolSize],
    killAwolServersInterval: ["7", 7_000, 60_000, ({ settings }) => settings.times.reaperIntervalMs],
    finishedWorkerGracePeriod: ["7", 7_000, 180_000, ({ settings }) => settings.times.finishedWorkerGraceMs],
    maxCpus: ["64", 64, 0, ({ settings }) => settings.maxCpus],
    maxMemoryMB: ["65536", 65_536, 0, ({ settings }) => settings.maxMemoryMB],
    defaultFlavor: [
      '"SMALL"\nflavors = [{ name = "small", cpus = 1, memoryMB = 1 }]',
      "SMALL",
      "",
      ({ settings }) => settings.defaultFlavor
    ],
    countSmallerFlavorToKeep: ["2", 2, 0, ({ settings }) => settings.countSmallerFlavorToKeep]
  },
  [`${vsphere}.tls`]: {
    ca: ['"ca.pem"', "-----BEGIN CERTIFICATE-----", undefined, ({ settings }) => settings.vsphere.tls.ca],
    thumbprint: [
      `"${"AB:".repeat(19)}CD"`,
      `${"AB:".repeat(19)}CD`,
      undefined,
      ({ settings }) => settings.vsphere.tls.thumbprint
    ],
    insecure: ["true", true, false, ({ settings }) => settings.vsphere.tls.insecure]
  },
  [rookery]: {
    workerTTL: time("workerTtlMs", 120 * minute),
    workerRegistrationTTL: time("workerRegistrationTtlMs", 10 * minute),
    registerFrequency: time("registerMs", minute),
    templateTimeout: time("templateMs", 15 * minute),
    provisioningInterval: time("provisioningIntervalMs", 2 * minute),
    reaperInterval: time("reaperIntervalMs", minute),
    finishedWorkerGracePeriod: time("finishedWorkerGraceMs", 3 * minute),
    lateCallGrace: time("lateCallMs", 10_000),
    cloneTimeout: time("cloneMs", 10 * minute),
    taskTimeout: time("taskMs", 10 * minute),
    guestOperationsTimeout: time("guestOperationsMs", 3 * minute),
    guestAddressTimeout: time("guestAddressMs", 3 * minute),
    guestProbeTimeout: time("guestProbeMs", minute),
    shutdownTimeout: time("shutdownMs", minute),
    viewMaxAge: ['"1s"', 1_000, 90_000, ({ settings }) => settings.times.viewAgeMs],
    drainTimeout: time("drainMs", 30_000),
    maxUnexplainedGone: ["9", 9, 5, ({ settings }) => settings.maxUnexplainedGone],
    minFreeDatastoreGB: ["25", 25, 10, ({ settings }) => settings.minFreeDatastoreGB],
    pollInterval: ['"250ms"', 250, 20_000, ({ settings }) => settings.cds.pollIntervalMs],
    heartbeatInterval: ['"1h"', 3_600_000, 30_000, ({ settings }) => settings.cds.heartbeatIntervalMs]
  },
  [common]: {
    name: ['"other"', "other", "hatch", ({ settings }) => settings.cds.name],
    osArch: ['["linux/arm64"]', ["linux/arm64"], ["linux/amd64"], ({ settings }) => settings.cds.osArch],
    url: [
      '"http://hatch.example:8086/"',
      "http://hatch.example:8086",
      "http://localhost:8086",
      ({ settings }) => settings.cds.url
    ],
    rsaPrivateKey: [
      '"-----BEGIN PRIVATE KEY-----"',
      "-----BEGIN PRIVATE KEY-----",
      "good key",
      ({ settings }) => shown(settings.cds.rsaPrivateKey)
    ]
  },
  [`${common}.http`]: {
    addr: ['"127.0.0.1"', "127.0.0.1", "", ({ settings }) => settings.http.addr],
    port: ["0", 0, 8086, ({ settings }) => settings.http.port],
    headerXForwardedFor: idle('"X-Real-IP"')
  },
  [`${common}.api`]: {
    token: ['"token-v1"', "token-v1", undefined, ({ settings }) => shown(settings.cds.token)],
    tokenV2: ['"other-v2"', "other-v2", "token-v2", ({ settings }) => shown(settings.cds.tokenV2)],
    requestTimeout: ["3", 3_000, 10_000, ({ settings }) => settings.cds.requestTimeoutMs],
    maxHeartbeatFailures: ["0", 0, 10, ({ settings }) => settings.cds.maxHeartbeatFailures]
  },
  [`${common}.api.http`]: {
    url: [
      '"https://api.example/cds/"',
      "https://api.example/cds",
      "http://cds.example:8081",
      ({ settings }) => settings.cds.apiUrl
    ],
    insecure: ["true", true, false, ({ settings }) => settings.cds.apiInsecure]
  },
  [`${common}.cdn`]: {
    url: ['"http://cdn.example"', "http://cdn.example", "", ({ settings }) => settings.cds.cdn.httpUrl]
  },
  [`${common}.cdn.tcp`]: {
    url: ['"cdn.example:8090"', "cdn.example:8090", "", ({ settings }) => settings.cds.cdn.tcpUrl],
    enableTLS: ["true", true, false, ({ settings }) => settings.cds.cdn.tcpTls]
  },
  [`${common}.logOptions.spawnOptions`]: { thresholdCritical: idle("1"), thresholdWarning: idle("1") },
  [provision]: {
    disableV2QueuePolling: ["true", true, false, ({ settings }) => settings.cds.disableV2QueuePolling],
    injectEnvVars: ['["A=1", "B=x=y"]', { A: "1", B: "x=y" }, {}, ({ settings }) => settings.worker.injectEnvVars],
    maxWorker: ["0", 0, 10, ({ settings }) => settings.maxWorker],
    maxConcurrentProvisioning: ["4", 4, 10, ({ settings }) => settings.maxConcurrentProvisioning],
    maxConcurrentRegistering: ["-1", -1, 2, ({ settings }) => settings.maxConcurrentRegistering],
    registerFrequency: ["5", 5_000, 60_000, ({ settings }) => settings.times.registerMs],
    region: ['"eu"', "eu", "", ({ settings }) => settings.region],
    ignoreJobWithNoRegion: ["true", true, false, ({ settings }) => settings.ignoreJobWithNoRegion],
    maxAttemptsNumberBeforeFailure: ["-1", -1, 5, ({ settings }) => settings.maxAttempts],
    workerBasedir: ['"/tmp/w"', "/tmp/w", "", ({ settings }) => settings.worker.basedir]
  },
  [`${provision}.workerApiHttp`]: {
    url: [
      '"http://inner.example"',
      "http://inner.example",
      "http://cds.example:8081",
      ({ settings }) => settings.worker.apiUrl
    ],
    insecure: ['true\nurl = "http://inner.example"', true, false, ({ settings }) => settings.worker.apiInsecure]
  },
  [`${provision}.workerCdn`]: {
    url: ['"http://cdn.inner"', "http://cdn.inner", "", ({ settings }) => settings.worker.cdn.httpUrl]
  },
  [`${provision}.workerCdn.tcp`]: {
    url: ['"cdn.inner:8090"', "cdn.inner:8090", "", ({ settings }) => settings.worker.cdn.tcpUrl],
    enableTLS: ["true", true, false, ({ settings }) => settings.worker.cdn.tcpTls]
  },
  [workerLogs]: { level: ['"debug"', "debug", "", ({ settings }) => settings.worker.log.level] },
  [`${workerLogs}.graylog`]: {
    host: ['"g"', "g", "", ({ settings }) => settings.worker.log.graylog.host],
    port: ["12202", 12_202, 0, ({ settings }) => settings.worker.log.graylog.port],
    protocol: idle('"udp"'),
    extraKey: ['"A"', "A", "", ({ settings }) => settings.worker.log.graylog.extraKey],
    extraValue: ['"1"', "1", "", ({ settings }) => settings.worker.log.graylog.extraValue]
  },
  [`${workerLogs}.syslog`]: {
    host: ['"s"', "s", "", ({ settings }) => settings.worker.log.syslog.host],
    port: ["514", 514, 0, ({ settings }) => settings.worker.log.syslog.port],
    protocol: ['"udp"', "udp", "tcp", ({ settings }) => settings.worker.log.syslog.protocol],
    extraTag: ['"t"', "t", "", ({ settings }) => settings.worker.log.syslog.extraTag]
  }
}

/** One entry of each list, with every key that it may have. */
export const lists: Readonly<
  Record<string, readonly [lines: string, becomes: unknown, shows: (config: Config) => unknown]>
> = {
  [`${vsphere}.networks`]: [
    'iprange = "10.9.0.0/24"\ngateway = "10.9.0.1"\nsubnetMask = "255.255.0.0"',
    [{ ipRange: "10.9.0.0/24", gateway: "10.9.0.1", subnetMask: "255.255.0.0" }],
    ({ settings }) => settings.vsphere.networks
  ],
  [`${vsphere}.flavors`]: [
    'name = "small"\ncpus = 2\nmemoryMB = 4096\ndiskSizeGB = 40',
    [{ name: "small", cpus: 2, memoryMB: 4096, diskSizeGB: 40 }],
    ({ settings }) => settings.flavors
  ],
  [`${vsphere}.workerProvisioning`]: [
    'modelVMWare = "debian12"\nmodelPath = "ci/ignored"\nnumber = 3',
    [{ template: "debian12", number: 3 }],
    ({ settings }) => settings.provision
  ],
  [`${vsphere}.models`]: [
    'modelVMWare = "debian12"\nmodelPath = "ci/ignored"\nusername = "worker"\npassword = "pw"\npreStartScript = "mount /x"',
    ["debian12", "worker", "pw", "mount /x"],
    ({ settings: { credentials, preStartScripts } }) => [
      credentials[0]?.template,
      credentials[0]?.username,
      shown(credentials[0]?.password),
      preStartScripts.get("debian12")
    ]
  ],
  [`${vsphere}.guestCredentials`]: [
    'modelPath = "ci/go"\nmodelVMWare = ""\nusername = "worker"\npassword = "pw"',
    ["ci/go", "worker", "pw"],
    ({ settings: { modelCredentials } }) => [
      modelCredentials[0]?.modelPath,
      modelCredentials[0]?.username,
      shown(modelCredentials[0]?.password)
    ]
  ],
  [`${vsphere}.defaultWorkerModelsV2`]: [
    'workerModelV2 = "P/vcs/repo/model@main"\nbinaries = ["go", "git"]',
    [{ model: "P/vcs/repo/model@main", binaries: ["go", "git"] }],
    ({ settings }) => settings.defaultWorkerModelsV2
  ]
}
