/** Seed 001 section 3, with the common block of every hatchery (cds-contract 1): the file, its keys, the variables over it. */
import { assert, describe, it } from "@effect/vitest"
import { Redacted, Result } from "effect"
import * as Toml from "effect/encoding/Toml"
import * as Schema from "effect/Schema"
import * as SchemaRepresentation from "effect/SchemaRepresentation"
import { readFileSync } from "node:fs"
import { fresh } from "../../src/layers/config/ConfigFile.ts"
import { describe as says, described } from "../../src/schema/config/descriptions.ts"
import { jsonSchema } from "../../src/schema/config/jsonSchema.ts"
import type { Outline } from "../../src/schema/config/Section.ts"
import { outline, type Config } from "../../src/schema/Config.ts"
import { common, file, leavesOf, problems, read, vsphere, type Leaf, type Variables } from "./configFile.ts"

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

const generated = readFileSync(new URL("engine-generated.toml", import.meta.url), "utf8")

/** The text with these keys filled in, wherever they stand empty. */
const filled = (text: string, values: Readonly<Record<string, string>>): string =>
  Object.entries(values).reduce(
    (sum, [key, value]) => sum.replace(new RegExp(`^(# )?${key} = ""$`, "m"), `${key} = "${value}"`),
    text
  )

const account = { user: "cds", password: "vcenter-password", endpoint: "vcenter.example", datacenterString: "dc" }

describe("3 A file that the CDS engine has generated", () => {
  it("lacks nothing but what stands there empty", () => {
    assert.deepStrictEqual(
      problems(generated).map((line) => line.split(" = ")[0]),
      ["endpoint", "user", "password", "datacenterString"].map((key) => `${vsphere}.${key}`)
    )
  })

  it("is read without a warning when that is filled in, and says what the absence of its keys says", () => {
    const { settings, log, warnings } = read(filled(generated, account), {}, true)
    assert.deepStrictEqual(warnings, [])
    const short = read(file({ [common]: `name = "cds-hatchery-vsphere-one"` }))
    assert.deepStrictEqual(log, short.log)
    const { cds, worker, ...others } = settings
    const { cds: shortCds, worker: shortWorker, ...shortOthers } = short.settings
    assert.deepStrictEqual(others, shortOthers)
    assert.deepStrictEqual(worker, { ...shortWorker, apiUrl: "http://localhost:8081" })
    assert.deepStrictEqual(
      { ...cds, publicConfig: {}, token: undefined },
      { ...shortCds, publicConfig: {}, tokenV2: undefined, apiUrl: "http://localhost:8081" }
    )
  })
})

const fill = (text: string): string =>
  filled(text, { ...account, name: "hatch", tokenV2: "token-v2" }).replace(
    '# http(s)://host[:port]; mandatory\nurl = ""',
    'url = "http://cds.example:8081"'
  )

/** What was read, but for the key that was made. */
const shown = ({ settings, log, warnings }: Config) => ({
  settings: { ...settings, cds: { ...settings.cds, rsaPrivateKey: "" } },
  log,
  warnings
})

const same = (one: Config, other: Config): void => {
  assert.deepStrictEqual(shown(one), shown(other))
}

describe("3 A new file", () => {
  const written = fresh()

  it("says of each key what it is for, and has its default", () => {
    for (const { table, name, isInList } of leavesOf(outline())) {
      const idle = table.startsWith("telemetry") || table.includes("logOptions") || name === "headerXForwardedFor"
      assert.strictEqual(written.includes(says(table, name) ?? "(no description)"), !idle, `${table}.${name}`)
      if (!idle) assert.match(written, new RegExp(`^(# )?${isInList ? " *" : ""}${name} = `, "m"))
    }
  })

  it("is described key by key, and no key is described that is not there", () => {
    const paths = (keys: Outline, table: string): ReadonlyArray<string> =>
      [...keys].flatMap(([name, { inner }]) => {
        const path = table === "" ? name : `${table}.${name}`
        return [path, ...paths(inner ?? new Map(), path)]
      })
    assert.deepStrictEqual(described.toSorted(), paths(outline(), "").toSorted())
  })

  it("lacks nothing but its mandatory keys, and is good under strict when they are filled in", () => {
    const lacking = problems(written).map((line) => line.split(" = ")[0])
    assert.deepStrictEqual(
      lacking.toSorted(),
      [
        ...Object.keys(account).map((key) => `${vsphere}.${key}`),
        ...["api.http.url", "api.tokenV2", "name"].map((key) => `${common}.${key}`)
      ].toSorted()
    )
    same(read(fill(written), {}, true), read(file()))
  })

  it("says the same when all its comments are taken away", () => {
    same(read(fill(written.replaceAll(/^# (\w+ = .*)$/gm, "$1")), {}, true), read(file()))
  })
})

describe("3 The JSON Schema of the file", () => {
  const { $schema, ...schema } = jsonSchema(outline())
  const validator = SchemaRepresentation.fromJsonSchemaDocument(
    { dialect: "draft-2020-12", schema, definitions: {} },
    { patterns: "apply" }
  ) as Schema.Codec<unknown>
  const accepts = (text: string): boolean =>
    Result.isSuccess(Schema.decodeUnknownResult(validator)(Result.getOrThrow(Toml.parse(text))))

  it("is one of the draft that it names", () =>
    assert.strictEqual($schema, "https://json-schema.org/draft/2020-12/schema"))

  it("accepts what the reader accepts: a short file, a generated one, a new one, flavors by name", () => {
    const flavors = `${file()}\n[hatchery.vsphere.flavors.small]\ncpus = 2\nmemoryMB = 4096`
    for (const text of [file(), filled(generated, account), flavors]) {
      assert.isTrue(accepts(text), text)
      read(text)
    }
  })

  const wrong: Record<Exclude<Leaf["key"]["kind"], "table" | "tables">, string> = {
    text: "[1]",
    secret: "[1]",
    whole: "1.5",
    number: "[1]",
    flag: '"maybe"',
    texts: "[1]",
    duration: '"soon"'
  }

  const leaves = leavesOf(outline()).filter(({ isInList }) => !isInList)

  const bothRefuse = (text: string, problem: string): void => {
    assert.include(problems(text).join("\n"), problem)
    assert.isFalse(accepts(text), problem)
  }

  it("refuses a value of the wrong kind, key by key, as the reader does", () => {
    for (const { path, table, name, key } of leaves)
      bothRefuse(file({ [table]: `${name} = ${wrong[key.kind as keyof typeof wrong]}` }), `${path} = `)
  })

  it("refuses numbers outside of their range, key by key, as the reader does", () => {
    for (const { path, table, name, key } of leaves.filter(({ key }) => key.kind === "whole"))
      for (const value of [key.min! - 1, key.max! + 1])
        bothRefuse(file({ [table]: `${name} = ${value}` }), `${path} = ${value}`)
  })

  it("refuses the absence of each mandatory key, as the reader does", () => {
    const mandatory = leaves.filter(({ key }) => key.required)
    assert.strictEqual(mandatory.length, 7)
    for (const { path, table, name } of mandatory) {
      const start = file().indexOf(`[${table}]`)
      const text =
        file().slice(0, start) +
        file()
          .slice(start)
          .replace(new RegExp(`^${name} = .*$`, "m"), "")
      bothRefuse(text, `${path} = (absent): mandatory`)
    }
  })
})
