/** Compact JWS tokens: reading the payload of CDS's own, which are not ours to verify (cds-contract 0.2, 2.1), and writing ours. */
import { Option, Result, Schema } from "effect"
import * as Base64Url from "effect/encoding/Base64Url"

/** The payload of a compact JWS; none where the text is not one or `schema` does not hold. */
export const payload = <S extends Schema.ConstraintDecoder<unknown>>(
  token: string,
  schema: S
): Option.Option<S["Type"]> => {
  const parts = token.split(".")
  if (parts.length !== 3) return Option.none()
  return Result.getSuccess(Base64Url.decodeString(parts[1] ?? "")).pipe(
    Option.flatMap(Schema.decodeOption(Schema.fromJsonString(schema)))
  )
}

/** A compact JWS of these claims. `sign` answers the signature of the text it is given. */
export const compact = (alg: string, claims: unknown, sign: (text: string) => Uint8Array): string => {
  const text = [{ alg, typ: "JWT" }, claims].map((part) => Base64Url.encode(JSON.stringify(part))).join(".")
  return `${text}.${Base64Url.encode(sign(text))}`
}
