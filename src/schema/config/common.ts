/** `[hatchery.<kind>.commonConfiguration]`, shared by all hatcheries (cds-contract 1.3, 1.6). */
import { Redacted } from "effect"
import type { CdsSettings, SettingsShape, WorkerSettings } from "../Settings.ts"
import { parseUrl } from "./address.ts"
import { defaults } from "./defaults.ts"
import type { Section } from "./Section.ts"

/** What the text of a private key lacks, or undefined when it can sign. */
export type KeyCheck = (pem: string) => string | undefined

export type Common = Pick<
  SettingsShape,
  | "worker"
  | "http"
  | "maxWorker"
  | "maxConcurrentProvisioning"
  | "maxConcurrentRegistering"
  | "maxAttempts"
  | "region"
  | "ignoreJobWithNoRegion"
> & {
  /** `provision.registerFrequency` */
  readonly registerMs: number
  /** Without `publicConfig`, which is told by the section around, and without the intervals, which are ours. */
  readonly cds: Omit<CdsSettings, "publicConfig" | "pollIntervalMs" | "heartbeatIntervalMs">
}

type Limits = Pick<
  SettingsShape,
  "maxWorker" | "maxConcurrentProvisioning" | "maxConcurrentRegistering" | "maxAttempts"
>

const readLimits = (provision: Section): Limits => {
  const maxWorker = provision.whole("maxWorker", defaults.maxWorker)
  const most = maxWorker > 0 ? maxWorker : Infinity
  /** A limit that is absent follows a smaller `maxWorker`; one that is written must fit. */
  const within = (key: string, absent: number, min: number): number => {
    const value = provision.whole(key, Math.min(absent, most), { min })
    if (value > most)
      provision.problem(key, value, `cannot be more than maxWorker (${maxWorker}); lower it or raise maxWorker`)
    return value
  }
  const concurrent = within("maxConcurrentProvisioning", defaults.maxConcurrentProvisioning, 0)
  const attempts = provision.whole("maxAttemptsNumberBeforeFailure", defaults.maxAttempts, { min: -1 })
  const registering = within("maxConcurrentRegistering", defaults.maxConcurrentRegistering, -1)
  return {
    maxWorker,
    maxConcurrentProvisioning: concurrent === 0 ? Math.min(defaults.maxConcurrentProvisioning, most) : concurrent,
    maxConcurrentRegistering: registering === 0 ? Math.min(defaults.maxConcurrentRegistering, most) : registering,
    maxAttempts: attempts === 0 ? defaults.maxAttempts : attempts
  }
}

/** A CDN's addresses, in `cdn` and in `provision.workerCdn`. */
const readCdn = (cdn: Section): CdsSettings["cdn"] => {
  const tcp = cdn.section("tcp")
  return {
    httpUrl: cdn.parsed("url", parseUrl(undefined)) ?? "",
    tcpUrl: tcp.text("url", ""),
    tcpTls: tcp.flag("enableTLS", false, { json: "enable_tls" })
  }
}

const secret = { untold: true, hidden: true } as const

/** `K=V` lines, split at the first `=`. The values may be secrets: they are neither told nor shown. */
const readEnvVars = (provision: Section): Readonly<Record<string, string>> => {
  const pairs = provision.texts("injectEnvVars", [], secret).flatMap((line): Array<[string, string]> => {
    const cut = line.indexOf("=")
    if (cut > 0) return [[line.slice(0, cut), line.slice(cut + 1)]]
    provision.secretProblem("injectEnvVars", 'write each entry as "NAME=value"')
    return []
  })
  return Object.fromEntries(pairs)
}

const readWorkerLog = (options: Section): WorkerSettings["log"] => {
  const graylog = options.section("graylog")
  graylog.text("protocol", "tcp")
  const syslog = options.section("syslog")
  return {
    level: options.text("level", ""),
    graylog: {
      host: graylog.text("host", ""),
      port: graylog.whole("port", 0, { max: 65535 }),
      extraKey: graylog.text("extraKey", ""),
      extraValue: graylog.text("extraValue", "", secret)
    },
    syslog: {
      host: syslog.text("host", ""),
      port: syslog.whole("port", 0, { max: 65535 }),
      protocol: syslog.text("protocol", "tcp"),
      extraTag: syslog.text("extraTag", "")
    }
  }
}

const readWorker = (provision: Section, api: { readonly url: string; readonly insecure: boolean }): WorkerSettings => {
  const workerApi = provision.section("workerApiHttp")
  const workerUrl = workerApi.parsed("url", parseUrl(undefined))
  const workerInsecure = workerApi.flag("insecure", false)
  return {
    basedir: provision.text("workerBasedir", ""),
    apiUrl: workerUrl ?? api.url,
    apiInsecure: workerUrl === undefined ? api.insecure : workerInsecure,
    cdn: readCdn(provision.section("workerCdn")),
    injectEnvVars: readEnvVars(provision),
    log: readWorkerLog(provision.section("workerLogsOptions"))
  }
}

/** Keys of other tools: accepted, told to CDS, without effect here. */
const readUnused = (common: Section): void => {
  const spawn = common.section("logOptions").section("spawnOptions")
  spawn.whole("thresholdCritical", 480)
  spawn.whole("thresholdWarning", 360)
}

const readApi = (common: Section) => {
  const api = common.section("api")
  const http = api.section("http")
  const url = http.required("url", "the address of the CDS API") && http.parsed("url", parseUrl(undefined))
  const token = api.secret("token")
  const tokenV2 = api.secret("tokenV2")
  if (token === undefined && tokenV2 === undefined)
    api.problem(
      "tokenV2",
      undefined,
      "mandatory: the token that CDS gave when the hatchery was created, or token for V1 alone"
    )
  return {
    url: url ?? "",
    insecure: http.flag("insecure", false),
    token,
    tokenV2,
    requestTimeoutMs: (api.whole("requestTimeout", defaults.cds.requestTimeoutMs / 1000) || 60) * 1000,
    maxHeartbeatFailures: api.whole("maxHeartbeatFailures", defaults.cds.maxHeartbeatFailures)
  }
}

const readKey = (common: Section, check: KeyCheck): CdsSettings["rsaPrivateKey"] => {
  const key = common.requiredSecret("rsaPrivateKey", "the PEM text of an RSA key, with which worker tokens are signed")
  const lack = Redacted.value(key) === "" ? undefined : check(Redacted.value(key))
  if (lack !== undefined) common.secretProblem("rsaPrivateKey", lack)
  return key
}

const registerSeconds = defaults.times.registerMs / 1_000

export const readCommon = (common: Section, checkKey: KeyCheck): Common => {
  const name = common.required("name", "the name under which CDS knows this hatchery")
  const osArch = common.texts("osArch", defaults.cds.osArch)
  const url = common.parsed("url", parseUrl(undefined), defaults.cds.url) ?? ""
  const rsaPrivateKey = readKey(common, checkKey)
  const http = common.section("http")
  http.text("headerXForwardedFor", "X-Forwarded-For", { json: "header_w_forwarded_for" })
  const api = readApi(common)
  const provision = common.section("provision")
  readUnused(common)
  return {
    cds: {
      name,
      apiUrl: api.url,
      apiInsecure: api.insecure,
      tokenV2: api.tokenV2,
      token: api.token,
      requestTimeoutMs: api.requestTimeoutMs,
      maxHeartbeatFailures: api.maxHeartbeatFailures,
      url,
      rsaPrivateKey,
      osArch,
      cdn: readCdn(common.section("cdn")),
      disableV2QueuePolling: provision.flag("disableV2QueuePolling", false, { untold: true })
    },
    worker: readWorker(provision, api),
    registerMs: (provision.whole("registerFrequency", registerSeconds) || registerSeconds) * 1_000,
    region: provision.text("region", ""),
    ignoreJobWithNoRegion: provision.flag("ignoreJobWithNoRegion", false),
    http: {
      addr: http.text("addr", defaults.http.addr),
      port: http.whole("port", defaults.http.port, { max: 65535 })
    },
    ...readLimits(provision)
  }
}
