import { assert, describe, it } from "@effect/vitest"
import { Redacted, Result } from "effect"
import { decode, defaultLog, defaults, type Config, type Outside } from "../../src/schema/Config.ts"

const outside: Outside = {
  readFile: (path) =>
    path === "ca.pem" ? Result.succeed("-----BEGIN CERTIFICATE-----\n...") : Result.fail("no such file"),
  checkKey: (pem) => (pem === "good key" ? undefined : "not an RSA private key in PEM"),
  environment: {}
}

/** A file with the mandatory keys; a test puts its own lines into `[hatchery.vsphere]` or after all. */
const file = (vsphere = "", rest = "", provision = ""): string => `
[api]
  unknownToUs = true
[hatchery.kubernetes]
  namespace = 1
[hatchery.vsphere]
  user = "cds"
  endpoint = "vcenter.example"
  password = "pass#/word"
  datacenterString = "dc"
  ${vsphere}
  [hatchery.vsphere.commonConfiguration]
    name = "hatch"
    rsaPrivateKey = "good key"
    [hatchery.vsphere.commonConfiguration.api]
      tokenV2 = "secret-token"
      [hatchery.vsphere.commonConfiguration.api.http]
        url = "http://cds.example:8081/"
    [hatchery.vsphere.commonConfiguration.provision]
      ${provision}
${rest}`

const networkEntry = (gateway: string): string =>
  `[[hatchery.vsphere.networks]]\niprange = "10.9.0.0/24"\n${gateway}\nsubnetMask = "255.255.0.0"`

const config = (text: string, strict = false): Config =>
  Result.match(decode(text, outside, strict), {
    onSuccess: (value) => value,
    onFailure: (invalid) => assert.fail(invalid.message)
  })

const refusal = (text: string, strict = false): string =>
  Result.match(decode(text, outside, strict), {
    onSuccess: () => assert.fail("the file was accepted"),
    onFailure: (invalid) => invalid.message
  })

const attempts = (value: number) =>
  config(file("", "", `maxAttemptsNumberBeforeFailure = ${value}`)).settings.maxAttempts

describe("a configuration file", () => {
  it("takes the defaults of the specification for absent keys", () => {
    const { settings, warnings } = config(file())
    assert.deepStrictEqual(warnings, [])
    assert.deepStrictEqual(settings.times, defaults.times)
    assert.strictEqual(settings.times.workerTtlMs, 7_200_000)
    assert.strictEqual(settings.maxWorker, 10)
    assert.strictEqual(settings.maxAttempts, 5)
    assert.strictEqual(settings.poolSize, 1)
    assert.strictEqual(settings.vsphere.cardName, "e1000")
    assert.deepStrictEqual(settings.vsphere.networks, [])
    assert.strictEqual(settings.http.port, 8086)
  })

  it("matches keys without regard to case", () => {
    const { settings } = config(file("WORKERTTL = 5\nIpRange = '10.0.0.0/30'").replace("user =", "USER ="))
    assert.strictEqual(settings.times.workerTtlMs, 300_000)
    assert.strictEqual(settings.vsphere.user, "cds")
    assert.strictEqual(settings.vsphere.networks[0]?.ipRange, "10.0.0.0/30")
  })

  it("refuses a key that stands twice in different case", () => {
    assert.include(refusal(file("maxCpus = 1\nMAXCPUS = 2")), "hatchery.vsphere.MAXCPUS = 2: the key stands twice")
  })

  it("normalises addresses: https and /sdk for the vCenter, no slash at the end for CDS", () => {
    const { settings } = config(file())
    assert.strictEqual(settings.vsphere.endpoint, "https://vcenter.example/sdk")
    assert.strictEqual(settings.cds.apiUrl, "http://cds.example:8081")
    assert.strictEqual(settings.worker.apiUrl, "http://cds.example:8081")
    const given = config(file().replace("vcenter.example", "http://127.0.0.1:8989/other")).settings
    assert.strictEqual(given.vsphere.endpoint, "http://127.0.0.1:8989/other")
  })

  it("lists every problem at once, a line each, with path, value and rule", () => {
    const message = refusal(
      file(
        'iprange = "10.0.0.0/33"\ncardName = "ne2000"\nmaxCpus = -1\ndns = "dns.example"\nworkerTTL = "soon"'
      ).replace('user = "cds"', "")
    )
    assert.deepStrictEqual(
      message.split("\n").map((line) => line.split(" = ")[0]),
      ["user", "cardName", "iprange", "dns", "workerTTL", "maxCpus"].map((key) => `hatchery.vsphere.${key}`)
    )
    assert.include(message, 'iprange = "10.0.0.0/33": "10.0.0.0/33" is not an IPv4 block; write a.b.c.d/n')
    assert.include(message, "hatchery.vsphere.user = (absent): mandatory")
  })

  it("says what is missing from an empty file", () => {
    assert.strictEqual(
      refusal(""),
      "hatchery.vsphere = (absent): mandatory: the section [hatchery.vsphere] of this hatchery"
    )
    const message = refusal("[hatchery.vsphere]")
    for (const key of ["user", "endpoint", "password", "datacenterString"])
      assert.include(message, `hatchery.vsphere.${key} = (absent): mandatory`)
    for (const key of ["name", "rsaPrivateKey", "api.http.url", "api.tokenV2"])
      assert.include(message, `hatchery.vsphere.commonConfiguration.${key} = (absent): mandatory`)
  })

  it.each([
    ["10.0.0.0/24, 10.1.0.0/30", true],
    ["10.0.0.5/30", true],
    ["10.0.0.0/8", true],
    ["10.0.0.0/7", false],
    ["0.0.0.0/0", false],
    ["10.0.0.1", false],
    ["10.0.0.1-10.0.0.9", false],
    ["10.0.0.0/24,", false],
    ["2001:db8::/64", false],
    ["300.0.0.0/24", false]
  ])("reads the range %s: %s", (range, good) => {
    assert.strictEqual(Result.isSuccess(decode(file(`iprange = "${range}"`), outside)), good)
  })

  it("takes networks[] in place of the three keys of old, and wants each entry complete", () => {
    const legacy = 'iprange = "10.0.0.0/24"\ngateway = "10.0.0.1"\n'
    assert.deepStrictEqual(config(file(legacy)).settings.vsphere.networks, [
      { ipRange: "10.0.0.0/24", gateway: "10.0.0.1", subnetMask: "255.255.255.0" }
    ])
    assert.deepStrictEqual(config(file(legacy, networkEntry('gateway = "10.9.0.1"'))).settings.vsphere.networks, [
      { ipRange: "10.9.0.0/24", gateway: "10.9.0.1", subnetMask: "255.255.0.0" }
    ])
    assert.include(refusal(file("", networkEntry(""))), "hatchery.vsphere.networks[0].gateway = (absent): mandatory")
  })

  it("refuses a mask with holes", () => {
    assert.include(refusal(file('subnetMask = "255.0.255.0"')), "subnetMask")
  })

  it("holds the concurrency limits under maxWorker, unless it is unlimited", () => {
    assert.include(
      refusal(file("", "", "maxWorker = 3\nmaxConcurrentProvisioning = 4")),
      "provision.maxConcurrentProvisioning = 4: cannot be more than maxWorker (3)"
    )
    assert.strictEqual(
      config(file("", "", "maxWorker = 0\nmaxConcurrentProvisioning = 40")).settings.maxConcurrentProvisioning,
      40
    )
    assert.strictEqual(config(file("", "", "maxWorker = 3")).settings.maxConcurrentProvisioning, 3)
    assert.strictEqual(
      config(file("", "", "maxWorker = 3\nmaxConcurrentProvisioning = 0")).settings.maxConcurrentProvisioning,
      3
    )
  })

  it("takes no attempts before failure for the default, as the Go hatchery does, and -1 for no limit", () => {
    assert.deepStrictEqual([0, 3, -1].map(attempts), [5, 3, -1])
  })

  it("reads flavors as a list and as a map, and knows the default one without regard to case", () => {
    const list = '[[hatchery.vsphere.flavors]]\nname = "Small"\ncpus = 2\nmemoryMB = 4096'
    const map = "[hatchery.vsphere.flavors.Small]\ncpus = 2\nmemoryMB = 4096"
    for (const rest of [list, map])
      assert.deepStrictEqual(config(file('defaultFlavor = "small"', rest)).settings.flavors, [
        { name: "Small", cpus: 2, memoryMB: 4096 }
      ])
    assert.include(refusal(file('defaultFlavor = "large"', list)), "no such flavor; known are Small")
    assert.include(refusal(file("", `${list}\n${list}`)), "stands twice")
  })

  it("reads the warm pool and the guest credentials, by template and by V1 model", () => {
    const { settings } = config(
      file(
        "",
        `[[hatchery.vsphere.workerProvisioning]]
modelVMWare = "debian12"
number = 3
[[hatchery.vsphere.workerProvisioning]]
modelPath = "group/model"
number = 1
[[hatchery.vsphere.models]]
modelVMWare = "debian12"
username = "worker"
password = "guest-secret"`
      )
    )
    assert.deepStrictEqual(settings.provision, [{ template: "debian12", number: 3 }])
    assert.strictEqual(settings.credentials[0]?.username, "worker")
    assert.strictEqual(Redacted.value(settings.credentials[0]!.password), "guest-secret")
    assert.deepStrictEqual(settings.modelProvision, [{ modelPath: "group/model", number: 1 }])
    const entry = (lines: string) => file("", `[[hatchery.vsphere.workerProvisioning]]\n${lines}`)
    assert.include(refusal(entry("number = 1")), "workerProvisioning[0].modelVMWare = (absent): mandatory")
    assert.include(refusal(entry('modelVMWare = "a"')), "workerProvisioning[0].number = (absent): mandatory")
  })

  it("warns of unknown keys without their values, and refuses them under strict", () => {
    const text = file('passwrd = "oops"', "[hatchery.vsphere.tls]\nverify = true", "maxWorkers = 1")
    const { warnings } = config(text)
    assert.deepStrictEqual(warnings.map(({ path }) => path).toSorted(), [
      "hatchery.vsphere.commonConfiguration.provision.maxWorkers",
      "hatchery.vsphere.passwrd",
      "hatchery.vsphere.tls.verify"
    ])
    const message = refusal(text, true)
    assert.include(message, "hatchery.vsphere.passwrd")
    assert.notInclude(message, "oops")
  })

  it("says line and column of a syntax error, without the text that may be a secret", () => {
    const message = refusal('[hatchery.vsphere]\npassword = hunter2\nuser = "x"')
    assert.match(message, /^line 2, column \d+ = \(not TOML\): Invalid value/)
    assert.notInclude(message, "hunter2")
  })

  it("scales every deadline under rookery", () => {
    const keys = {
      workerTTL: "workerTtlMs",
      workerRegistrationTTL: "workerRegistrationTtlMs",
      provisioningInterval: "provisioningIntervalMs",
      reaperInterval: "reaperIntervalMs",
      finishedWorkerGracePeriod: "finishedWorkerGraceMs",
      lateCallGrace: "lateCallMs",
      cloneTimeout: "cloneMs",
      taskTimeout: "taskMs",
      guestOperationsTimeout: "guestOperationsMs",
      guestAddressTimeout: "guestAddressMs",
      guestProbeTimeout: "guestProbeMs",
      shutdownTimeout: "shutdownMs",
      viewMaxAge: "viewAgeMs",
      drainTimeout: "drainMs"
    } as const
    const lines = Object.keys(keys).map((key) => `${key} = "1m30s"`)
    const { settings } = config(
      file("workerTTL = 5", `[hatchery.vsphere.rookery]\n${lines.join("\n")}\npollInterval = "250ms"`)
    )
    for (const name of Object.values(keys)) assert.strictEqual(settings.times[name], 90_000, name)
    assert.strictEqual(settings.cds.pollIntervalMs, 250)
    assert.include(refusal(file("", '[hatchery.vsphere.rookery]\npollInterval = "250"')), "with its unit")
    assert.include(refusal(file("", '[hatchery.vsphere.rookery]\npollInterval = "0s"')), "above zero")
  })

  it("reads the TLS keys and the CA file", () => {
    const tls = (lines: string) => file("", `[hatchery.vsphere.tls]\n${lines}`)
    assert.include(config(tls('ca = "ca.pem"')).settings.vsphere.tls.ca, "BEGIN CERTIFICATE")
    assert.include(refusal(tls('ca = "gone.pem"')), 'tls.ca = "gone.pem": no such file')
    assert.include(refusal(tls('thumbprint = "ab:cd"')), "40 or 64 hex digits")
    assert.include(refusal(tls('insecure = true\nca = "ca.pem"')), "contradicts")
    assert.isFalse(config(file()).settings.vsphere.tls.insecure)
  })

  it("refuses a key that cannot sign and never shows a secret", () => {
    const message = refusal(file().replace("good key", "bad key").replace('"secret-token"', "[1]"))
    assert.include(message, "rsaPrivateKey = <redacted>: not an RSA private key")
    assert.include(message, "tokenV2 = <redacted>")
    assert.notInclude(message, "bad key")
    const url = refusal(file().replace("vcenter.example", "cds:pw@vcenter.example"))
    assert.include(url, "write it without user and password")
    assert.notInclude(url, "pw@")
  })

  it("tells CDS the configuration under CDS's names and without secrets or keys of ours", () => {
    const { settings } = config(
      file(
        'iprange = "10.0.0.0/24"',
        '[hatchery.vsphere.rookery]\ndrainTimeout = "1s"',
        'maxWorker = 2\ninjectEnvVars = ["A=top"]\nworkerCdn.tcp.enableTLS = true'
      )
    )
    const told = settings.cds.publicConfig as Record<string, any>
    assert.deepInclude(told, { user: "cds", datacenterString: "dc", iprange: "10.0.0.0/24", workerTTL: 120 })
    assert.deepInclude(told.commonConfiguration, { name: "hatch", url: "http://localhost:8086" })
    assert.deepInclude(told.commonConfiguration.provision, { maxWorker: 2, registerFrequency: 60 })
    assert.deepInclude(told.commonConfiguration.provision.workerCdn, { tcp: { url: "", enable_tls: true } })
    const text = JSON.stringify(told)
    for (const secret of ["secret-token", "pass#", "good key", "top", "rookery", "drainTimeout", "rsaPrivateKey"])
      assert.notInclude(text, secret)
    assert.deepStrictEqual(settings.worker.injectEnvVars, { A: "top" })
  })

  it("takes numbers, switches and lists written as text, as CDS does", () => {
    const { settings } = config(
      file("", "", 'maxWorker = "7"\ninjectEnvVars = "A=1,B=2"\ndisableV2QueuePolling = "true"')
    )
    assert.strictEqual(settings.maxWorker, 7)
    assert.deepStrictEqual(settings.worker.injectEnvVars, { A: "1", B: "2" })
    assert.isTrue(settings.cds.disableV2QueuePolling)
  })

  it("reads the log section", () => {
    assert.deepStrictEqual(config(file()).log, defaultLog)
    const { log } = config(file("", '[log]\nlevel = "debug"\nformat = "json"'))
    assert.deepStrictEqual(log, { ...defaultLog, level: "debug", format: "json" })
    assert.include(refusal(file("", '[log]\nformat = "xml"')), "log.format")
  })
})
