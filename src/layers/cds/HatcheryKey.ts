/** The hatchery's RSA key: CDS gets the public half at signin and verifies worker tokens with it (cds-contract 2.2, 8). */
import { createPrivateKey, createPublicKey, sign } from "node:crypto"
import { Effect, Redacted, Result } from "effect"
import * as Base64 from "effect/encoding/Base64"
import { ConfigInvalid } from "../../schema/Errors.ts"

export interface HatcheryKey {
  /** Base64 of the public key's PEM text in PKCS#1 form; CDS takes no other. */
  readonly publicKey: string
  /** RSASSA-PKCS1-v1_5 with SHA-512. Synchronous, so that the same seed gives the same order of events. */
  readonly signRS512: (text: string) => Uint8Array
}

const unusable = new ConfigInvalid({
  problems: [
    {
      path: "hatchery.vsphere.commonConfiguration.rsaPrivateKey",
      value: "<redacted>",
      rule: "must be an unencrypted RSA private key in PEM form (PKCS#1 or PKCS#8)"
    }
  ]
})

/** Reads an unencrypted RSA private key, PKCS#1 or PKCS#8 PEM. */
export const parse = (pem: Redacted.Redacted<string>): Effect.Effect<HatcheryKey, ConfigInvalid> =>
  Effect.try({
    try: () => {
      const key = createPrivateKey(Redacted.value(pem))
      const publicPem = createPublicKey(key).export({ type: "pkcs1", format: "pem" })
      return {
        publicKey: Base64.encode(publicPem.toString()),
        signRS512: (text: string) => sign("sha512", Buffer.from(text), key)
      }
    },
    catch: () => unusable
  })

/** Whether this is the public key of a CDS API as its signin tells it: base64 of a PEM. */
export const isPublicKey = (base64: string): boolean => {
  const pem = Result.getOrElse(Base64.decodeString(base64), () => "")
  return Result.isSuccess(Result.try(() => createPublicKey(pem)))
}
