import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Logger } from "effect"
import { generateKeyPairSync } from "node:crypto"
import { mkdtempSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { layer, load } from "../../../src/layers/config/ConfigFile.ts"
import { Settings } from "../../../src/services/Settings.ts"

const folder = mkdtempSync(join(tmpdir(), "rookery-config-"))

const pem = (type: "pkcs1" | "pkcs8", bits = 2048): string =>
  generateKeyPairSync("rsa", { modulusLength: bits }).privateKey.export({ type, format: "pem" }).toString()

const ecKey = generateKeyPairSync("ec", { namedCurve: "P-256" })
  .privateKey.export({ type: "pkcs8", format: "pem" })
  .toString()

const write = (key: string, more = ""): string => {
  const path = join(folder, "config.toml")
  writeFileSync(
    path,
    `[hatchery.vsphere]
user = "u"
endpoint = "vc.example"
password = "p"
datacenterString = "dc"
${more}
[hatchery.vsphere.commonConfiguration]
name = "h"
rsaPrivateKey = """
${key}"""
api.tokenV2 = "t"
api.http.url = "http://cds.example"
`
  )
  return path
}

describe("a configuration on disk", () => {
  it.effect("accepts RSA keys in both forms of PEM", () =>
    Effect.gen(function* () {
      for (const form of ["pkcs1", "pkcs8"] as const) {
        const { settings } = yield* load(write(pem(form)))
        assert.strictEqual(settings.cds.name, "h")
      }
    })
  )

  it.effect("refuses keys that cannot sign, without showing them", () =>
    Effect.gen(function* () {
      for (const [key, rule] of [
        [pem("pkcs8", 1024), "1024 bits"],
        [ecKey, "not an unencrypted RSA"],
        ["nonsense", "not an unencrypted RSA"]
      ] as const) {
        const { message } = yield* Effect.flip(load(write(key)))
        assert.include(message, "hatchery.vsphere.commonConfiguration.rsaPrivateKey = <redacted>")
        assert.include(message, rule)
        assert.notInclude(message, key)
      }
    })
  )

  it.effect("finds the CA file beside the configuration", () =>
    Effect.gen(function* () {
      writeFileSync(join(folder, "ca.pem"), "-----BEGIN CERTIFICATE-----\n")
      const { settings } = yield* load(write(pem("pkcs8"), 'tls.ca = "ca.pem"'))
      assert.include(settings.vsphere.tls.ca, "BEGIN CERTIFICATE")
    })
  )

  it.effect("names the file that cannot be read", () =>
    Effect.gen(function* () {
      const path = join(folder, "gone.toml")
      const { message } = yield* Effect.flip(load(path))
      assert.include(message, `--config = ${path}: the file cannot be read`)
    })
  )

  it.effect("tells what has no effect when it is put into force", () =>
    Effect.gen(function* () {
      const told: Array<string> = []
      const logger = Logger.layer([Logger.make(({ message }) => told.push(String(message)))])
      const config = yield* load(write(pem("pkcs8"), "maxCpu = 3"))
      const settings = yield* Effect.provide(Settings, Layer.provide(layer(config), logger))
      assert.strictEqual(settings.maxCpus, 0)
      assert.deepStrictEqual(
        told.map((text) => text.split(" = ")[0]),
        ["hatchery.vsphere.maxCpu"]
      )
    })
  )
})
