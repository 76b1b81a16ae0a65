import { assert, describe, it } from "@effect/vitest"
import { Effect, Redacted } from "effect"
import { Result } from "effect"
import { decode, type Config } from "../../../src/schema/Config.ts"
import { ConfigInvalid } from "../../../src/schema/Errors.ts"
import { cases } from "./cases.ts"
import type { Chance } from "./Chance.ts"
import { mutateText } from "./mutate.ts"

/** Texts that stand for secrets in the sample; none may show in a problem or a warning. */
const secrets = ["Pw-vcenter-7Qz", "Pw-guest-8Rk", "tok-consumer-9Wd", "tok-old-5Gh", "key-rsa-3Tn", "var-env-6Lm"]

const sample = `
[log]
level = "info"
format = "json"
[hatchery.vsphere]
user = "ci@vsphere.local"
password = "${secrets[0]}"
endpoint = "https://vcenter.example.org"
datacenterString = "DC0"
networkString = "VM Network"
iprange = "10.0.0.0/24,10.0.2.0/25"
gateway = "10.0.0.1"
subnetMask = "255.255.255.0"
dns = "10.0.0.2"
workerTTL = 120
workerProvisioningPoolSize = 2
maxCpus = 64
[[hatchery.vsphere.workerProvisioning]]
modelVMWare = "debian12"
number = 3
[[hatchery.vsphere.models]]
modelVMWare = "debian12"
username = "worker"
password = "${secrets[1]}"
[hatchery.vsphere.flavors.small]
cpus = 2
memoryMB = 4096
[hatchery.vsphere.rookery]
drainTimeout = "1m30s"
[hatchery.vsphere.commonConfiguration]
name = "hatch"
url = "http://127.0.0.1:8086"
rsaPrivateKey = """${secrets[4]}"""
[hatchery.vsphere.commonConfiguration.http]
addr = "127.0.0.1"
port = 8086
[hatchery.vsphere.commonConfiguration.api]
token = "${secrets[3]}"
tokenV2 = "${secrets[2]}"
http.url = "https://cds.example.org"
[hatchery.vsphere.commonConfiguration.provision]
maxWorker = 10
injectEnvVars = ["TOKEN=${secrets[5]}", "B=2"]
`

const outside = { readFile: () => Result.fail("the file cannot be read"), checkKey: () => undefined, environment: {} }

const wrongValues = [
  "1",
  "-1",
  "9223372036854775807",
  "99999999999999999999999",
  "1e400",
  "inf",
  "nan",
  "true",
  '""',
  '"x"',
  '"\\u0000"',
  "[]",
  '[[1], ["a"]]',
  "{}",
  '{ a = 1, "" = 2 }',
  "2026-01-02",
  "2026-01-02T03:04:05Z",
  "03:04:05",
  "''' '''"
]

/** One line has another value, its value in another shape, a key that nobody knows, or stands twice; a secret stays under its key. */
const mutateLine = (chance: Chance, text: string): string => {
  const lines = text.split("\n")
  const at = chance.below(lines.length)
  const [key = "", value = ""] = lines[at]!.split(" = ")
  const line = chance.pick([
    `${key} = ${chance.pick(wrongValues)}`,
    `${key} = [${value}]`,
    `${key} = [1, ${value}]`,
    `${key} = { inner = ${value} }`,
    `${key}.${key} = ${value}`,
    `${key.toUpperCase()} = ${value}`,
    `${lines[at]}\n${lines[at]}`,
    `unknown = ${value}`,
    ""
  ])
  return lines.with(at, line).join("\n")
}

const times = (chance: Chance, mutate: (chance: Chance, text: string) => string): string => {
  let text = sample
  for (let left = 1 + chance.below(3); left > 0; left--) text = mutate(chance, text)
  return text
}

const anything = (chance: Chance): string =>
  times(chance, (_, text) => (chance.is(0.6) ? mutateText(chance, text) : mutateLine(chance, text)))

/** All that is said about a configuration. */
const said = (result: Result.Result<Config, ConfigInvalid>): string =>
  Result.match(result, {
    onFailure: (invalid) => {
      assert.instanceOf(invalid, ConfigInvalid)
      assert.isAbove(invalid.problems.length, 0)
      return invalid.message
    },
    onSuccess: ({ settings, warnings }) => JSON.stringify([warnings, settings.cds.publicConfig])
  })

const decoded = (text: string) =>
  Effect.sync(() => [false, true].map((strict) => said(decode(text, outside, strict))).join("\n"))

const decodedInSecret = (text: string) =>
  Effect.map(decoded(text), (told) => {
    for (const secret of secrets) assert.notInclude(told, secret)
  })

/** Found by fuzzing, or close to what was. */
const corpus: ReadonlyArray<string> = [
  `a = ${"[".repeat(20_000)}`,
  `a = ${"[".repeat(3_000)}${"]".repeat(3_000)}\n${sample}`,
  `${"a.".repeat(20_000)}a = 1`,
  sample.replace(/injectEnvVars = .*/, `injectEnvVars = [1, "TOKEN=${secrets[5]}"]`),
  sample.replace(/injectEnvVars = .*/, `injectEnvVars = { TOKEN = "${secrets[5]}" }`),
  sample.replace(/maxCpus = .*/, "maxCpus = 9223372036854775807"),
  sample.replace(/^password = .*/m, `password = ["${secrets[0]}"]`),
  sample.replace(/^password = /m, "passwrod = "),
  sample.replace(/^password = .*/m, `password = "${secrets[0]}`),
  sample.replace("https://vcenter.example.org", `https://u:${secrets[0]}@vcenter.example.org`),
  ""
]

describe("a malformed configuration", () => {
  it.effect("is refused with its problems, or read", () => cases(500, anything, (text) => Effect.asVoid(decoded(text))))

  it.effect("tells no secret in a problem or warning, whatever shape the secret has", () =>
    cases(500, (chance) => times(chance, mutateLine), decodedInSecret)
  )

  for (const [nth, text] of corpus.entries())
    it.effect(`is refused without harm: found case ${nth}`, () => decodedInSecret(text))

  it("is none in the sample", () => {
    const { settings } = Result.getOrThrow(decode(sample, outside))
    assert.strictEqual(Redacted.value(settings.vsphere.password), secrets[0])
  })
})
