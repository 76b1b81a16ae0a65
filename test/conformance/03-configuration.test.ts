/** Seed 001 section 3, with the common block of every hatchery (cds-contract 1): the file, its keys, the variables over it. */
import { assert, describe, it } from "@effect/vitest"
import { Redacted } from "effect"
import { common, file, problems, read, vsphere, type Variables } from "./configFile.ts"

const variable = (key: string) => `CDS_HATCHERY_VSPHERE_${key.toUpperCase()}`

describe("3 Environment variables", () => {
  it("stand over the file where the engine's own do", () => {
    const environment: Variables = {
      CDS_LOG_LEVEL: "debug",
      CDS_LOG_FORMAT: "json",
      CDS_LOG_GRAYLOG_HOST: "logs.example",
      CDS_LOG_GRAYLOG_PORT: "12202",
      CDS_LOG_GRAYLOG_PROTOCOL: "udp",
      CDS_LOG_GRAYLOG_EXTRAKEY: "X-TOKEN",
      CDS_LOG_GRAYLOG_EXTRAVALUE: "stream",
      [variable("workerTTL")]: "7",
      [variable("workerRegistrationTTL")]: "3",
      [variable("workerProvisioningInterval")]: "11",
      [variable("workerProvisioningPoolSize")]: "4",
      [variable("killAwolServersInterval")]: "12",
      [variable("finishedWorkerGracePeriod")]: "13",
      [variable("iprange")]: "10.7.0.0/24",
      [variable("gateway")]: "10.7.0.1",
      [variable("subnetMask")]: "255.255.0.0",
      [variable("dns")]: "10.7.0.2",
      [variable("maxCpus")]: "64",
      [variable("maxMemoryMB")]: "65536",
      [variable("defaultFlavor")]: "small",
      [variable("countSmallerFlavorToKeep")]: "2"
    }
    const flavors = "[[hatchery.vsphere.flavors]]\nname = 'small'\ncpus = 1\nmemoryMB = 1"
    const written = file({ [vsphere]: `WORKERTTL = 5\nIPRange = "10.1.0.0/24"`, log: `level = "error"` })
    const { settings, log, warnings } = read(`${written}\n${flavors}`, environment)
    assert.deepStrictEqual(warnings, [])
    assert.deepInclude(log, { level: "debug", format: "json" })
    assert.deepInclude(log.graylog, { host: "logs.example", port: 12_202, protocol: "udp" })
    assert.strictEqual(Redacted.value(log.graylog!.extra.get("X-TOKEN")!), "stream")
    assert.deepInclude(settings.times, {
      workerTtlMs: 7 * 60_000,
      workerRegistrationTtlMs: 3 * 60_000,
      provisioningIntervalMs: 11_000,
      reaperIntervalMs: 12_000,
      finishedWorkerGraceMs: 13_000
    })
    assert.deepInclude(settings, {
      poolSize: 4,
      maxCpus: 64,
      maxMemoryMB: 65_536,
      defaultFlavor: "small",
      countSmallerFlavorToKeep: 2
    })
    assert.deepStrictEqual(settings.vsphere.networks, [
      { ipRange: "10.7.0.0/24", gateway: "10.7.0.1", subnetMask: "255.255.0.0" }
    ])
    assert.deepStrictEqual(settings.vsphere.dns, ["10.7.0.2"])
    assert.deepInclude(settings.cds.publicConfig, { workerTTL: 7, iprange: "10.7.0.0/24" })
  })

  it.each([
    ["CDS_HATCHERY_VSPHERE_HATCHERYCOMMONCONFIGURATION_NAME", `${common}.name`],
    ["CDS_HATCHERY_VSPHERE_HATCHERYCOMMONCONFIGURATION_API_TOKENV2", `${common}.api.tokenV2`],
    ["CDS_HATCHERY_VSPHERE_HATCHERYCOMMONCONFIGURATION_PROVISION_MAXWORKER", `${common}.provision.maxWorker`],
    ["CDS_HATCHERY_VSPHERE_VSPHEREUSER", `${vsphere}.user`],
    ["CDS_HATCHERY_VSPHERE_VSPHEREPASSWORD", `${vsphere}.password`],
    ["CDS_HATCHERY_VSPHERE_VSPHEREENDPOINT", `${vsphere}.endpoint`],
    ["CDS_HATCHERY_VSPHERE_VSPHEREDATACENTERSTRING", `${vsphere}.datacenterString`],
    ["CDS_HATCHERY_VSPHERE_VSPHEREDATASTORESTRING", `${vsphere}.datastoreString`],
    ["CDS_HATCHERY_VSPHERE_VSPHERENETWORKSTRING", `${vsphere}.networkString`],
    ["CDS_HATCHERY_VSPHERE_VSPHERECARDNAME", `${vsphere}.cardName`],
    ["CDS_HATCHERY_VSPHERE_GUESTCREDENTIALS_GUESTCREDENTIALS0_USERNAME", `${vsphere}.guestCredentials`],
    ["CDS_HATCHERY_VSPHERE_WORKERPROVISIONING_WORKERPROVISIONING0_NUMBER", `${vsphere}.workerProvisioning`]
  ])("%s is ignored, as by the engine, and said to be: the file's key is %s", (name, key) => {
    const { settings, warnings } = read(file(), { [name]: "oops-secret" })
    assert.deepStrictEqual({ ...settings, cds: undefined }, { ...read(file()).settings, cds: undefined })
    assert.strictEqual(settings.cds.name, "hatch")
    assert.deepStrictEqual(
      warnings.map(({ path }) => path),
      [name]
    )
    assert.include(warnings[0]!.rule, `write ${key} in the file`)
    assert.notInclude(JSON.stringify(warnings), "oops")
  })

  it("of other services and empty ones count for nothing", () => {
    const environment = { CDS_API_NAME: "api", CDS_SERVICE: "hatchery:vsphere", [variable("workerTTL")]: "", PATH: "/" }
    assert.deepStrictEqual(read(file(), environment), read(file()))
  })

  it("that are wrong are told by their own names", () => {
    assert.deepStrictEqual(problems(file(), { [variable("workerTTL")]: "soon", CDS_LOG_FORMAT: "xml" }), [
      'CDS_LOG_FORMAT = "xml": write one of text, json, discard',
      `${variable("workerTTL")} = "soon": write a whole number from 0 to 2147483`
    ])
  })

  it("do not stand in for the section of this hatchery", () => {
    assert.match(problems("", { [variable("workerTTL")]: "7" })[0]!, /mandatory/)
  })
})
