/** What each key of the file is for, by the table it stands in: comments of a new file, descriptions of the JSON Schema. */

const vsphere = "hatchery.vsphere"
const common = `${vsphere}.commonConfiguration`
const provision = `${common}.provision`
const worker = `${provision}.workerLogsOptions`

type Words = Readonly<Record<string, string>>

const tcp: Words = {
  url: "host:port of CDN's TCP server; empty: the one that is used by default",
  enableTLS: "TLS for that connection"
}

const login: Words = {
  modelVMWare: "a vSphere template",
  modelPath: "or a V1 worker model, as group/name",
  username: "the user who runs the worker in the guest",
  password: "that user's password"
}

const network: Words = {
  iprange: "addresses for machines: a.b.c.d/n,e.f.g.h/m; none here and in networks: DHCP",
  gateway: "their gateway",
  subnetMask: "their mask"
}

const tables: Readonly<Record<string, Words>> = {
  "": {
    log: "Log of this process",
    telemetry: "Of the CDS engine, without effect here",
    hatchery: "Hatcheries"
  },
  log: {
    level: "debug, info, warning or error",
    format: "text, json or discard, on standard error",
    textFields: "in text, only these fields are printed; empty: all",
    skipTextFields: "in text, lines with one of these field=value are left out",
    graylog: "A copy of the log in Graylog's format (GELF)"
  },
  "log.graylog": {
    host: "empty: no copy",
    port: "port of the GELF input",
    protocol: "tcp (with TLS) or udp",
    extraKey: "fields of every message, with commas",
    extraValue: "their values, in the same order"
  },
  hatchery: { vsphere: "The hatchery for vSphere" },
  [vsphere]: {
    commonConfiguration: "What it has in common with all hatcheries",
    user: "the vSphere account",
    password: "its password",
    endpoint: "vCenter's host[:port], or its URL",
    datacenterString: "the datacenter",
    datastoreString: "where disks are put; empty: the only one",
    networkString: "the port group of the first card; empty: the only one",
    cardName: "the type of that card",
    resourcePool: "a resource pool, or a cluster for its root pool; empty: the only one",
    folder: "where machines are put; empty: the datacenter's root",
    cluster: "the cluster whose resource pools and hosts are meant; empty: all",
    host: "the host on which machines are made; empty: vCenter chooses one",
    tls: "Whom to take for vCenter",
    ...network,
    networks: "Addresses with a gateway and mask for each range, in place of iprange, gateway and subnetMask",
    dns: "DNS servers of the machines, with commas",
    workerTTL: "minutes that a worker may live",
    workerRegistrationTTL: "minutes that a worker may take to sign in to CDS",
    workerProvisioningInterval: "seconds between two looks at the machines kept ready",
    workerProvisioningPoolSize: "clones at once for them",
    killAwolServersInterval: "seconds between two comparisons of machines with CDS's workers",
    finishedWorkerGracePeriod: "seconds that a machine may stay on after its worker's end",
    workerProvisioning: "Machines kept ready",
    models: "Logins of the guests",
    guestCredentials: "Logins of the guests, as 0.57.0 of the CDS engine reads them",
    defaultWorkerModelsV2: "V2 models for V1 jobs that name none: the first that has one of the job's binaries",
    flavors: "Sizes of machines",
    defaultFlavor: "the flavor of jobs that name none; empty: the template's size",
    maxCpus: "CPUs of all workers together; 0: no limit",
    maxMemoryMB: "memory of all workers together; 0: no limit",
    countSmallerFlavorToKeep: "a larger flavor leaves room for so many machines of the smallest",
    rookery: 'What the CDS engine does not have; times with a unit, such as "90s" or "10m"'
  },
  [`${vsphere}.tls`]: {
    ca: "PEM file of further authorities, beside this file",
    thumbprint: "SHA-1 or SHA-256 fingerprint of the one certificate that is trusted",
    insecure: "trust anyone"
  },
  [`${vsphere}.networks`]: { ...network, iprange: "addresses for machines: a.b.c.d/n,e.f.g.h/m" },
  [`${vsphere}.workerProvisioning`]: {
    modelVMWare: login["modelVMWare"]!,
    modelPath: login["modelPath"]!,
    number: "how many"
  },
  [`${vsphere}.models`]: { ...login, preStartScript: "run in the guest before the worker" },
  [`${vsphere}.guestCredentials`]: login,
  [`${vsphere}.defaultWorkerModelsV2`]: {
    workerModelV2: "PROJECT/vcs/repository/model[@branch]",
    binaries: "what the model has"
  },
  [`${vsphere}.flavors`]: {
    name: "as jobs and models call it",
    cpus: "virtual CPUs",
    memoryMB: "memory in MB",
    diskSizeGB: "the first disk grows to this; 0: as the template's"
  },
  [`${vsphere}.rookery`]: {
    workerTTL: "in place of workerTTL",
    workerRegistrationTTL: "in place of workerRegistrationTTL",
    registerFrequency: "in place of registerFrequency",
    provisioningInterval: "in place of workerProvisioningInterval",
    reaperInterval: "in place of killAwolServersInterval",
    finishedWorkerGracePeriod: "in place of finishedWorkerGracePeriod",
    templateTimeout: "building a V1 model's template, from its clone to its power-off",
    lateCallGrace:
      "after a start: how long calls of the process before may be under way; until then no job gets a machine and no machine an address",
    cloneTimeout: "one clone",
    taskTimeout: "one reconfigure, power or destroy task",
    guestOperationsTimeout: "customization and guest operations",
    guestAddressTimeout: "the expected address",
    guestProbeTimeout: "the guest login works",
    shutdownTimeout: "a guest's shutdown, before it is powered off hard",
    viewMaxAge: "age of the view of vCenter before it is doubted",
    drainTimeout: "a stop waits for what is in between",
    maxUnexplainedGone: "machines of ours gone within a minute before the view is doubted",
    minFreeDatastoreGB: "space that a clone has to find on the datastore; nothing is cloned while there is less",
    pollInterval: "the queue is read behind the event socket",
    heartbeatInterval: "heartbeats to CDS"
  },
  [common]: {
    name: "the hatchery's name, as CDS knows it",
    osArch: "what V2 jobs are polled for",
    url: "this hatchery's address, told to CDS",
    rsaPrivateKey: "signs the workers' tokens; RSA in PEM, not encrypted",
    http: "This hatchery's own HTTP server",
    api: "The CDS API",
    cdn: "CDS's log server",
    provision: "Workers",
    logOptions: "Of the CDS engine, without effect here"
  },
  [`${common}.http`]: {
    addr: "where it listens; empty: everywhere",
    port: "0: any free port",
    headerXForwardedFor: "of the CDS engine, without effect here: requests are not logged"
  },
  [`${common}.api`]: {
    http: "Its address",
    token: "the V1 consumer's token; this or tokenV2 is mandatory",
    tokenV2: "the V2 hatchery's token, as CDS gave it when the hatchery was created",
    requestTimeout: "seconds",
    maxHeartbeatFailures: "heartbeats that may fail in a row before it is an error in the log"
  },
  [`${common}.api.http`]: { url: "http(s)://host[:port]", insecure: "its certificate is not verified" },
  [`${common}.cdn`]: { url: "CDN's address; empty: asked from CDS", tcp: "Its TCP server" },
  [`${common}.cdn.tcp`]: tcp,
  [`${common}.logOptions`]: { spawnOptions: "Of the CDS engine, without effect here" },
  [`${common}.logOptions.spawnOptions`]: {
    thresholdCritical: "seconds; without effect here",
    thresholdWarning: "seconds; without effect here"
  },
  [provision]: {
    disableV2QueuePolling: "V2 jobs come by events alone",
    injectEnvVars: 'variables of every worker: "NAME=value"',
    maxWorker: "workers at once; 0: no limit",
    maxConcurrentProvisioning: "workers that start at once, at most maxWorker",
    maxConcurrentRegistering: "registrations of V1 models at once; -1: none",
    registerFrequency: "seconds between two looks for V1 models to register",
    region: "the region of V1 jobs; that of V2 jobs comes from CDS",
    ignoreJobWithNoRegion: "V1 jobs that ask for no region are left to others",
    maxAttemptsNumberBeforeFailure: "starts of one job before it is given up; -1: no limit",
    workerApiHttp: "The CDS API, as workers reach it",
    workerCdn: "CDS's log server, as workers reach it",
    workerBasedir: "workers' directory; empty: their own default",
    workerLogsOptions: "Workers' own log"
  },
  [`${provision}.workerApiHttp`]: { url: "empty: api.http", insecure: "its certificate is not verified" },
  [`${provision}.workerCdn`]: { url: "empty: cdn.url", tcp: "Its TCP server" },
  [`${provision}.workerCdn.tcp`]: tcp,
  [worker]: { level: "debug, info, warning or error", graylog: "To Graylog", syslog: "To syslog" },
  [`${worker}.graylog`]: {
    host: "empty: none",
    port: "port of the GELF input",
    protocol: "accepted and not told to workers, as with the CDS engine",
    extraKey: "fields of every message, with commas",
    extraValue: "their values, in the same order"
  },
  [`${worker}.syslog`]: {
    host: "empty: none",
    port: "port",
    protocol: "tcp or udp",
    extraTag: "a tag of every line"
  },
  telemetry: {
    tracingEnabled: "without effect: spans go by OTLP, where the variable OTEL_EXPORTER_OTLP_ENDPOINT says",
    exporters: "Of the CDS engine, without effect here"
  },
  "telemetry.exporters": { jaeger: "Without effect here", prometheus: "Without effect here" },
  "telemetry.exporters.jaeger": {
    serviceName: "without effect here",
    collectorEndpoint: "without effect here",
    samplingProbability: "without effect here"
  },
  "telemetry.exporters.prometheus": { ReporteringPeriod: "without effect: metrics are taken when they are asked for" }
}

/** `table.key`, or the key alone at the root. */
export const within = (table: string, key: string): string => (table === "" ? key : `${table}.${key}`)

export const describe = (table: string, key: string): string | undefined => tables[table]?.[key]

/** Keys of the engine that are read, and change nothing here: a new file leaves them out. */
export const isIdle = (path: string): boolean =>
  path === "telemetry" || path === `${common}.logOptions` || path === `${common}.http.headerXForwardedFor`

/** Every description's path, so that a test can tell one whose key is gone. */
export const described: ReadonlyArray<string> = Object.entries(tables).flatMap(([table, words]) =>
  Object.keys(words).map((key) => within(table, key))
)
