/**
 * The API's signing key and the tokens made and read with it. Signing is synchronous so that everything above it runs on a test clock;
 * times come in as arguments.
 */
import { constants, createPublicKey, generateKeyPairSync, sign, verify } from "node:crypto"
import type { KeyObject } from "node:crypto"

export interface ApiKeys {
  readonly privateKey: KeyObject
  readonly publicKey: KeyObject
}

export const makeKeys = (): ApiKeys => generateKeyPairSync("rsa", { modulusLength: 2048 })

/** Value of `X-Api-Pub-Signing-Key` and of `public_key`: base64 of the PKCS#1 PEM text ("RSA PUBLIC KEY"). */
export const encodePublicKey = (key: KeyObject): string =>
  Buffer.from(key.export({ type: "pkcs1", format: "pem" })).toString("base64")

/** Reads a hatchery's `public_key`; undefined when it is not base64 of a PKCS#1 PEM, as the API refuses any other PEM type. */
export const decodePublicKey = (text: string): KeyObject | undefined => {
  const pem = Buffer.from(text, "base64").toString("utf8")
  if (!pem.trimStart().startsWith("-----BEGIN RSA PUBLIC KEY-----")) return undefined
  try {
    return createPublicKey(pem)
  } catch {
    return undefined
  }
}

const encodePart = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString("base64url")

const decodePart = (part: string): unknown => {
  try {
    return JSON.parse(Buffer.from(part, "base64url").toString("utf8"))
  } catch {
    return undefined
  }
}

/** The parts of a compact token, none of them verified; undefined when it is not one. */
export const readToken = (token: string): { readonly header: unknown; readonly payload: unknown } | undefined => {
  const [header, payload, signature, ...rest] = token.split(".")
  if (header === undefined || payload === undefined || signature === undefined || rest.length > 0) return undefined
  const parts = { header: decodePart(header), payload: decodePart(payload) }
  return parts.header === undefined || parts.payload === undefined ? undefined : parts
}

const pss = { padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: constants.RSA_PSS_SALTLEN_DIGEST }

/** Consumer tokens of the V1 and the V2 side of a hatchery. */
export type ConsumerTokenType = "signinBuiltinConsumerToken" | "signinHatcheryConsumerToken"

/** What a consumer token says (cds-contract 2.1). Times are unix seconds; `expire` 0 means never. */
export interface ConsumerClaims {
  /** The V2 hatchery's unless given. */
  readonly type?: ConsumerTokenType
  readonly consumerId: string
  readonly iat: number
  readonly expire: number
}

/** A hatchery's consumer token: PS512, with `alg` alone in its header. */
export const signConsumerToken = (keys: ApiKeys, claims: ConsumerClaims): string => {
  const payload = {
    type: claims.type ?? "signinHatcheryConsumerToken",
    expire: claims.expire,
    data: { consumer_id: claims.consumerId, iat: claims.iat }
  }
  const signed = `${encodePart({ alg: "PS512" })}.${encodePart(payload)}`
  return `${signed}.${sign("sha512", Buffer.from(signed), { key: keys.privateKey, ...pss }).toString("base64url")}`
}

/** An RS512 token of the API, e.g. a session. */
export const signJwt = (keys: ApiKeys, claims: Readonly<Record<string, unknown>>): string => {
  const signed = `${encodePart({ alg: "RS512", typ: "JWT" })}.${encodePart(claims)}`
  return `${signed}.${sign("RSA-SHA512", Buffer.from(signed), keys.privateKey).toString("base64url")}`
}

const digests: Readonly<Record<string, string>> = { RS256: "RSA-SHA256", RS384: "RSA-SHA384", RS512: "RSA-SHA512" }

/** Verifies a token signed by a hatchery. Any RS algorithm passes, PSS does not (cds-contract 8). */
export const verifyJwt = (key: KeyObject, token: string): boolean => {
  const header = readToken(token)?.header
  const algorithm = typeof header === "object" && header !== null && "alg" in header ? String(header.alg) : ""
  const digest = digests[algorithm]
  if (digest === undefined) return false
  const end = token.lastIndexOf(".")
  return verify(digest, Buffer.from(token.slice(0, end)), key, Buffer.from(token.slice(end + 1), "base64url"))
}
