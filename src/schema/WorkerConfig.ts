/** The configuration that a worker reads from `CDS_CONFIG`: JSON in base64 (cds-contract 9.1, 9.2). */
import { Redacted } from "effect"
import * as Base64 from "effect/encoding/Base64"
import { isV1 } from "./Job.ts"
import type { JobId } from "./Job.ts"
import type { WorkerSettings } from "./Settings.ts"

/** One worker for one job, or to register its V1 model. */
export interface WorkerOrder {
  readonly settings: WorkerSettings
  /** The hatchery's name. */
  readonly hatchery: string
  readonly claim: {
    readonly workerName: string
    /** A V1 model's path (`group/name`), a V2 model's short name. */
    readonly modelName: string
    /** Empty for a worker that registers its model. */
    readonly jobId: JobId
    /** Of a V2 job: that of the signin. Of a V1 job: `provision.region`. */
    readonly region: string
  }
  /** The hatchery's CDN; the worker's own settings win over it. */
  readonly cdn: WorkerSettings["cdn"]
  readonly token: Redacted.Redacted<string>
}

/** Keys as Go spells them; ports are text; what a hatchery does not say is left empty. */
const log = ({ level, graylog, syslog }: WorkerSettings["log"], workerName: string) => ({
  Level: level,
  Format: "",
  TextFields: null,
  SkipTextFields: null,
  GraylogHost: graylog.host,
  GraylogPort: String(graylog.port),
  GraylogProtocol: "",
  GraylogExtraKey: graylog.extraKey,
  GraylogExtraValue: graylog.extraValue,
  GraylogFieldCDSServiceType: "worker",
  GraylogFieldCDSServiceName: workerName,
  GraylogFieldCDSVersion: "",
  GraylogFieldCDSOS: "",
  GraylogFieldCDSArch: "",
  SyslogHost: syslog.host,
  SyslogPort: String(syslog.port),
  SyslogProtocol: syslog.protocol,
  SyslogExtraTag: syslog.extraTag
})

/** The worker tells by the key which API its job is of. */
const job = (id: JobId) => (id === "" ? {} : isV1(id) ? { booked_job_id: Number(id) } : { run_job_id: id })

/** The HTTP and the TCP address fall back apart; the TLS flag goes with the TCP address that is used. */
const cdn = (own: WorkerSettings["cdn"], hatchery: WorkerSettings["cdn"]) => {
  const tcp = own.tcpUrl === "" ? hatchery : own
  return {
    cdn_endpoint: own.httpUrl || hatchery.httpUrl,
    gelf_service_addr: tcp.tcpUrl,
    ...(tcp.tcpTls ? { gelf_service_addr_enable_tls: true } : {})
  }
}

/** The text of `CDS_CONFIG`. A secret as a whole: it holds the worker's token. */
export const workerConfig = (order: WorkerOrder): Redacted.Redacted<string> => {
  const { settings, claim } = order
  const config = {
    name: claim.workerName,
    basedir: settings.basedir,
    log: log(settings.log, claim.workerName),
    hatchery_name: order.hatchery,
    api_endpoint: settings.apiUrl,
    ...(settings.apiInsecure ? { api_endpoint_insecure: true } : {}),
    api_token: Redacted.value(order.token),
    ...cdn(settings.cdn, order.cdn),
    model: claim.modelName,
    ...job(claim.jobId),
    ...(claim.region === "" ? {} : { region: claim.region }),
    ...(Object.keys(settings.injectEnvVars).length === 0 ? {} : { inject_env_vars: settings.injectEnvVars })
  }
  return Redacted.make(Base64.encode(JSON.stringify(config)))
}
