/** The configuration file on disk: read, decoded, its warnings told. */
import { Effect, Layer, Result } from "effect"
import { createPrivateKey, generateKeyPairSync } from "node:crypto"
import { readFileSync } from "node:fs"
import { dirname, resolve } from "node:path"
import { newFile } from "../../schema/config/newFile.ts"
import { decode, outline, type Config, type Outside } from "../../schema/Config.ts"
import { ConfigInvalid, type ConfigProblem } from "../../schema/Errors.ts"
import { Settings } from "../../services/Settings.ts"

const readText = (path: string): Result.Result<string, string> =>
  Result.try({
    try: () => readFileSync(path, "utf8"),
    catch: (cause) => `the file cannot be read: ${cause instanceof Error ? cause.message : String(cause)}`
  })

/** Worker tokens are RS512, for which the standard wants 2048 bits (RFC 7518 section 3.3). */
const smallestKey = 2048

const checkKey = (pem: string): string | undefined => {
  const key = Result.try(() => createPrivateKey(pem))
  if (Result.isFailure(key) || key.success.asymmetricKeyType !== "rsa")
    return "not an unencrypted RSA private key in PEM, PKCS#1 or PKCS#8; make one with openssl genrsa 4096"
  const bits = key.success.asymmetricKeyDetails?.modulusLength ?? 0
  return bits < smallestKey ? `an RSA key of ${bits} bits; use ${smallestKey} or more` : undefined
}

/** Files named in the configuration are found beside it. */
const outsideOf = (path: string): Outside => ({
  readFile: (name) => readText(resolve(dirname(path), name)),
  checkKey,
  environment: process.env
})

/** Reads the file. Fails with every problem at once; `strict` counts what has no effect among them. */
export const load = (path: string, strict = false): Effect.Effect<Config, ConfigInvalid> =>
  Effect.suspend(() =>
    Result.match(readText(path), {
      onFailure: (rule) => Effect.fail(new ConfigInvalid({ problems: [{ path: "--config", value: path, rule }] })),
      onSuccess: (text) => Effect.fromResult(decode(text, outsideOf(path), strict))
    })
  )

/** A file to be filled in, with a fresh key for the workers' tokens in it. */
export const fresh = (): string => {
  const { privateKey } = generateKeyPairSync("rsa", { modulusLength: smallestKey })
  const pem = privateKey.export({ type: "pkcs8", format: "pem" }).toString()
  return newFile(outline(), new Map([["hatchery.vsphere.commonConfiguration.rsaPrivateKey", pem]]))
}

export const line = ({ path, value, rule }: ConfigProblem): string => `${path} = ${value}: ${rule}`

/** The settings of a configuration that was read. Tells its warnings once, a line each. */
export const layer = ({ settings, warnings }: Config): Layer.Layer<Settings> =>
  Layer.effect(
    Settings,
    Effect.as(
      Effect.forEach(warnings, (warning) => Effect.logWarning(line(warning)), { discard: true }),
      settings
    )
  )
