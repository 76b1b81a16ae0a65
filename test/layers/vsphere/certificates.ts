/** An authority and a server certificate of 127.0.0.1 signed by it, made on the spot: just as much DER as X.509 needs. */
import { generateKeyPairSync, sign } from "node:crypto"
import type { KeyObject } from "node:crypto"

const der = (tag: number, ...content: ReadonlyArray<Uint8Array>): Buffer => {
  const body = Buffer.concat(content)
  const bytes = body.length < 256 ? [body.length] : [body.length >> 8, body.length & 0xff]
  const length = body.length < 128 ? bytes : [0x80 | bytes.length, ...bytes]
  return Buffer.concat([Buffer.from([tag, ...length]), body])
}
const sequence = (...content: ReadonlyArray<Uint8Array>) => der(0x30, ...content)
const oid = (...bytes: ReadonlyArray<number>) => der(0x06, Buffer.from(bytes))
const text = (tag: number, value: string) => der(tag, Buffer.from(value))
const yes = der(0x01, Buffer.from([0xff]))

const ecdsaWithSha256 = sequence(oid(0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02))
const name = (commonName: string) => sequence(der(0x31, sequence(oid(0x55, 0x04, 0x03), text(0x0c, commonName))))
const validity = sequence(text(0x17, "200101000000Z"), text(0x17, "491231235959Z"))
const isAuthority = sequence(oid(0x55, 0x1d, 0x13), yes, der(0x04, sequence(yes)))
const isLoopback = sequence(oid(0x55, 0x1d, 0x11), der(0x04, sequence(der(0x87, Buffer.from([127, 0, 0, 1])))))

const certificate = (subject: string, key: KeyObject, signer: KeyObject, extension: Buffer): string => {
  const tbs = sequence(
    der(0xa0, der(0x02, Buffer.from([2]))),
    der(0x02, Buffer.from([subject.length])),
    ecdsaWithSha256,
    name("Test authority"),
    validity,
    name(subject),
    key.export({ type: "spki", format: "der" }),
    der(0xa3, sequence(extension))
  )
  const signature = der(0x03, Buffer.from([0]), sign("sha256", tbs, signer))
  const base64 = sequence(tbs, ecdsaWithSha256, signature).toString("base64")
  return `-----BEGIN CERTIFICATE-----\n${base64.replaceAll(/.{64}/g, "$&\n")}\n-----END CERTIFICATE-----\n`
}

/** PEM texts. */
export const makeCertificates = () => {
  const authority = generateKeyPairSync("ec", { namedCurve: "P-256" })
  const server = generateKeyPairSync("ec", { namedCurve: "P-256" })
  return {
    ca: certificate("Test authority", authority.publicKey, authority.privateKey, isAuthority),
    cert: certificate("loopback", server.publicKey, authority.privateKey, isLoopback),
    key: server.privateKey.export({ type: "pkcs8", format: "pem" }).toString()
  }
}
