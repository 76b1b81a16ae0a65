/** Seed 001 section 3, with the common block of every hatchery (cds-contract 1): the file, its keys, the variables over it. */
import { assert, describe, it } from "@effect/vitest"
import { Redacted } from "effect"
import { outline } from "../../src/schema/Config.ts"
import { workerConfig } from "../../src/schema/WorkerConfig.ts"
import { keys, lists } from "./keys.ts"
import { common, file, leavesOf, problems, read, vsphere, type Variables } from "./configFile.ts"

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

const zero = (table: string, key: string) => read(file({ [table]: `${key} = 0` }))

const within = (table: string) => (key: string) => [table, key] as const

/** Which of the two APIs may be spoken to with these lines. */
const apis = (lines: string): ReadonlyArray<string> => {
  const { token, tokenV2 } = read(file({ [`${common}.api`]: lines })).settings.cds
  return [...(token === undefined ? [] : ["V1"]), ...(tokenV2 === undefined ? [] : ["V2"])]
}

const debian = (list: string, login: string) => `[[${vsphere}.${list}]]\nmodelVMWare = "debian12"\n${login}`

describe("3.1, 3.1.1, 3.2, 3.3, 3.4, 12, 13 Every key", () => {
  it("has its row here", () => {
    const rows = Object.entries(keys).flatMap(([table, rows]) => Object.keys(rows).map((key) => `${table}.${key}`))
    const entries = Object.entries(lists).flatMap(([table, [lines]]) =>
      lines.split("\n").map((line) => `${table}.${line.split(" = ")[0]}`)
    )
    assert.deepStrictEqual(
      [...rows, ...entries].toSorted(),
      leavesOf(outline())
        .map(({ path }) => path)
        .toSorted()
    )
  })

  it("has its default where it is absent", () => {
    const config = read(file())
    for (const [table, rows] of Object.entries(keys))
      for (const [key, [, , absent, shows]] of Object.entries(rows))
        assert.deepStrictEqual(shows(config), absent, `${table}.${key}`)
  })

  it("has its effect, and nobody warns of it", () => {
    for (const [table, rows] of Object.entries(keys))
      for (const [key, [written, becomes, , shows]] of Object.entries(rows)) {
        const config = read(file({ [table]: `${key} = ${written}` }))
        assert.deepStrictEqual(shows(config), becomes, `${table}.${key}`)
        if (key !== "tracingEnabled") assert.deepStrictEqual(config.warnings, [], `${table}.${key}`)
      }
  })

  it("of a list's entry has its effect", () => {
    for (const [table, [lines, becomes, shows]] of Object.entries(lists)) {
      const config = read(file({ [`[${table}]`]: lines }))
      assert.deepStrictEqual(shows(config), becomes, table)
      assert.deepStrictEqual(config.warnings, [], table)
    }
  })

  it("that is 0 has its default where a time or a limit of 0 makes no sense, as with the engine", () => {
    const times = [
      "workerTTL",
      "workerRegistrationTTL",
      "workerProvisioningInterval",
      "workerProvisioningPoolSize",
      "killAwolServersInterval",
      "finishedWorkerGracePeriod"
    ]
    const limits = ["maxConcurrentProvisioning", "maxConcurrentRegistering", "registerFrequency"]
    for (const [table, key] of [...times.map(within(vsphere)), ...limits.map(within(`${common}.provision`))]) {
      const [, , absent, shows] = keys[table]![key]!
      assert.deepStrictEqual(shows(zero(table, key)), absent, key)
    }
    assert.strictEqual(zero(`${common}.api`, "requestTimeout").settings.cds.requestTimeoutMs, 60_000)
  })
})

/** What a file must not say, where it stands, and what is told of it. */
const refusals: ReadonlyArray<readonly [table: string, lines: string, rule: string]> = [
  [
    `${common}.provision`,
    "maxWorker = 3\nmaxConcurrentProvisioning = 4",
    "maxConcurrentProvisioning = 4: cannot be more than"
  ],
  [
    `${common}.provision`,
    "maxWorker = 1\nmaxConcurrentRegistering = 2",
    "maxConcurrentRegistering = 2: cannot be more than"
  ],
  [`${common}.provision`, 'injectEnvVars = ["NAME"]', 'injectEnvVars = <redacted>: write each entry as "NAME=value"'],
  [vsphere, 'iprange = "10.0.0.1-10.0.0.9"', "is not an IPv4 block"],
  [vsphere, 'gateway = "router"', "write an IPv4 address"],
  [vsphere, 'subnetMask = "255.0.255.0"', "write a subnet mask such as"],
  [vsphere, 'dns = "dns.example"', "write an IPv4 address"],
  [vsphere, 'defaultFlavor = "huge"', "no such flavor; define it under flavors"],
  [
    `[${vsphere}.networks]`,
    'iprange = "10.0.0.0/24"\nsubnetMask = "255.255.255.0"',
    "networks[0].gateway = (absent): mandatory"
  ],
  [`[${vsphere}.workerProvisioning]`, "number = 1", "mandatory: the name of a vSphere template, or modelPath"],
  [`[${vsphere}.workerProvisioning]`, 'modelPath = "x"\nnumber = 1', "write the V1 model as group/name"],
  [`[${vsphere}.workerProvisioning]`, 'modelVMWare = "x"', "number = (absent): mandatory"],
  [`[${vsphere}.models]`, 'modelVMWare = "x"\nusername = "u"', "password = <redacted>: mandatory beside username"],
  [`[${vsphere}.models]`, 'modelVMWare = "x"\npassword = "p"', "username = (absent): mandatory beside password"],
  [`[${vsphere}.guestCredentials]`, 'modelVMWare = "x"\nusername = "u"', "password = (absent): mandatory"],
  [`[${vsphere}.flavors]`, 'name = "x"\ncpus = 0\nmemoryMB = 1', "cpus = 0: write a whole number from 1"],
  [`[${vsphere}.flavors]`, 'name = "x"\ncpus = 1', "memoryMB = (absent): mandatory"],
  [`${common}.api`, 'tokenV2 = ""', "api.tokenV2 = (absent): mandatory"],
  ["log.graylog", 'host = "g"', "port = 0: mandatory beside host"],
  ["log.graylog", 'extraKey = "a,b"\nextraValue = "1"', "write as many values as extraKey has names (2)"],
  ["log", 'skipTextFields = ["handler"]', 'write each entry as "field=value"']
]

describe("3 What hangs together", () => {
  const provision = `${common}.provision`

  it.each(refusals.map(([table, lines, rule]) => [rule, table, lines] as const))(
    "is told: %s",
    (rule, table, lines) => {
      const told = problems(file({ [table]: lines }))
      assert.strictEqual(told.length, 1, told.join("\n"))
      assert.include(told[0]!, rule)
    }
  )

  it("unlimited maxWorker (0) sets no bound to the other limits", () => {
    const lines = "maxWorker = 0\nmaxConcurrentProvisioning = 40\nmaxConcurrentRegistering = 30"
    assert.deepInclude(read(file({ [provision]: lines })).settings, {
      maxWorker: 0,
      maxConcurrentProvisioning: 40,
      maxConcurrentRegistering: 30
    })
  })

  it("networks stand in place of iprange, gateway and subnetMask, which still must be right", () => {
    const network = `[[${vsphere}.networks]]\niprange = "10.9.0.0/24"\ngateway = "10.9.0.1"\nsubnetMask = "255.255.0.0"`
    const legacy = (range: string) => `${file({ [vsphere]: `iprange = "${range}"` })}\n${network}`
    assert.deepStrictEqual(
      read(legacy("10.0.0.0/24")).settings.vsphere.networks.map(({ ipRange }) => ipRange),
      ["10.9.0.0/24"]
    )
    assert.include(problems(legacy("10.0.0.0/33"))[0]!, "is not an IPv4 block")
  })

  it("a login left out of models is that of guestCredentials; one in both is that of models", () => {
    const old = debian("guestCredentials", 'username = "old"\npassword = "p"')
    const logins = (models: string) =>
      read(`${file()}\n${old}\n${debian("models", models)}`).settings.credentials.map(({ username }) => username)
    assert.deepStrictEqual(logins('preStartScript = "true"'), ["old"])
    assert.deepStrictEqual(logins('username = "new"\npassword = "p"'), ["new", "old"])
  })

  it("V1 alone, V2 alone and both may be configured", () => {
    assert.deepStrictEqual(apis('token = "t"\ntokenV2 = ""'), ["V1"])
    assert.deepStrictEqual(apis(""), ["V2"])
    assert.deepStrictEqual(apis('token = "t"'), ["V1", "V2"])
  })

  it("a level that the engine does not know is info, and said to be", () => {
    const { log, warnings } = read(file({ log: 'level = "notice"' }))
    assert.strictEqual(log.level, "info")
    assert.deepStrictEqual(
      warnings.map(({ path }) => path),
      ["log.level"]
    )
  })
})

describe("3.1.1 The worker's settings", () => {
  it("arrive in its CDS_CONFIG", () => {
    const provision = `${common}.provision`
    const { settings } = read(
      file({
        [provision]: 'workerBasedir = "/w"\ninjectEnvVars = ["A=1"]',
        [`${provision}.workerApiHttp`]: 'url = "http://inner"\ninsecure = true',
        [`${provision}.workerCdn`]: 'url = "http://cdn"',
        [`${provision}.workerCdn.tcp`]: 'url = "cdn:8090"\nenableTLS = true',
        [`${provision}.workerLogsOptions`]: 'level = "debug"',
        [`${provision}.workerLogsOptions.graylog`]: 'host = "g"\nport = 1\nextraKey = "k"\nextraValue = "v"',
        [`${provision}.workerLogsOptions.syslog`]: 'host = "s"\nport = 2\nprotocol = "udp"\nextraTag = "t"'
      })
    )
    const claim = { workerName: "w", modelName: "m", jobId: "j", region: "" }
    const token = Redacted.make("jwt")
    const config = workerConfig({ settings: settings.worker, hatchery: "hatch", claim, cdn: settings.cds.cdn, token })
    const { log, ...others } = JSON.parse(Buffer.from(Redacted.value(config), "base64").toString("utf8"))
    assert.deepInclude(others, {
      basedir: "/w",
      inject_env_vars: { A: "1" },
      api_endpoint: "http://inner",
      api_endpoint_insecure: true,
      cdn_endpoint: "http://cdn",
      gelf_service_addr: "cdn:8090",
      gelf_service_addr_enable_tls: true
    })
    assert.deepInclude(log, {
      Level: "debug",
      GraylogHost: "g",
      GraylogPort: "1",
      GraylogExtraKey: "k",
      GraylogExtraValue: "v",
      SyslogHost: "s",
      SyslogPort: "2",
      SyslogProtocol: "udp",
      SyslogExtraTag: "t"
    })
  })
})
