import { assert, describe, it } from "@effect/vitest"
import { Redacted } from "effect"
import { defaults } from "../../src/schema/config/defaults.ts"
import type { WorkerSettings } from "../../src/schema/Settings.ts"
import { workerConfig } from "../../src/schema/WorkerConfig.ts"

const claim = { workerName: "stoic-keldysh", modelName: "deb", jobId: "job-1", region: "r1" }
const cdn = { httpUrl: "http://cdn", tcpUrl: "cdn:8090", tcpTls: false }

const decoded = (settings: Partial<WorkerSettings>, hatcheryCdn = cdn, own: Partial<typeof claim> = {}) => {
  const config = workerConfig({
    settings: { ...defaults.worker, apiUrl: "http://api", ...settings },
    hatchery: "my-hatch",
    claim: { ...claim, ...own },
    cdn: hatcheryCdn,
    token: Redacted.make("jwt")
  })
  assert.strictEqual(String(config), "<redacted>")
  return JSON.parse(Buffer.from(Redacted.value(config), "base64").toString("utf8"))
}

const log = {
  Level: "",
  Format: "",
  TextFields: null,
  SkipTextFields: null,
  GraylogHost: "",
  GraylogPort: "0",
  GraylogProtocol: "",
  GraylogExtraKey: "",
  GraylogExtraValue: "",
  GraylogFieldCDSServiceType: "worker",
  GraylogFieldCDSServiceName: "stoic-keldysh",
  GraylogFieldCDSVersion: "",
  GraylogFieldCDSOS: "",
  GraylogFieldCDSArch: "",
  SyslogHost: "",
  SyslogPort: "0",
  SyslogProtocol: "tcp",
  SyslogExtraTag: ""
}

describe("CDS_CONFIG", () => {
  it("has exactly the keys that a worker of a V2 job reads, without those that are empty", () => {
    assert.deepStrictEqual(decoded({}), {
      name: "stoic-keldysh",
      basedir: "",
      log,
      hatchery_name: "my-hatch",
      api_endpoint: "http://api",
      api_token: "jwt",
      cdn_endpoint: "http://cdn",
      gelf_service_addr: "cdn:8090",
      model: "deb",
      run_job_id: "job-1",
      region: "r1"
    })
    assert.notProperty(decoded({}, cdn, { region: "" }), "region")
  })

  it("books a V1 job by its number, and has no job for a worker that registers its model", () => {
    const forV1 = decoded({}, cdn, { jobId: "777", modelName: "shared.infra/deb" })
    assert.deepInclude(forV1, { model: "shared.infra/deb", booked_job_id: 777 })
    assert.notProperty(forV1, "run_job_id")
    assert.doesNotHaveAnyKeys(decoded({}, cdn, { jobId: "" }), ["booked_job_id", "run_job_id"])
  })

  it("carries everything that the configuration gives the worker", () => {
    const config = decoded({
      basedir: "/srv",
      apiInsecure: true,
      cdn: { httpUrl: "http://own", tcpUrl: "own:1", tcpTls: true },
      injectEnvVars: { PROXY: "héllo" },
      log: {
        level: "debug",
        graylog: { host: "g", port: 12202, extraKey: "k", extraValue: "v" },
        syslog: { host: "s", port: 514, protocol: "udp", extraTag: "t" }
      }
    })
    assert.deepInclude(config, {
      basedir: "/srv",
      api_endpoint_insecure: true,
      cdn_endpoint: "http://own",
      gelf_service_addr: "own:1",
      gelf_service_addr_enable_tls: true,
      inject_env_vars: { PROXY: "héllo" }
    })
    assert.deepInclude(config.log, { Level: "debug", GraylogHost: "g", GraylogPort: "12202", GraylogExtraValue: "v" })
    assert.deepInclude(config.log, { SyslogHost: "s", SyslogPort: "514", SyslogProtocol: "udp", SyslogExtraTag: "t" })
  })

  it("takes the TLS flag from the same place as the TCP address", () => {
    const own = { httpUrl: "", tcpUrl: "own:1", tcpTls: false }
    assert.notProperty(decoded({ cdn: own }, { ...cdn, tcpTls: true }), "gelf_service_addr_enable_tls")
    const none = { httpUrl: "http://own", tcpUrl: "", tcpTls: false }
    assert.deepInclude(decoded({ cdn: none }, { ...cdn, tcpTls: true }), {
      cdn_endpoint: "http://own",
      gelf_service_addr: "cdn:8090",
      gelf_service_addr_enable_tls: true
    })
  })
})
