/** The hatchery's consumer tokens, looked at before they are sent, so that what is wrong with one is said plainly (cds-contract 2.1). */
import { Clock, Effect, Option, Redacted, Schema } from "effect"
import { ConfigInvalid } from "../../schema/Errors.ts"
import { payload } from "./Jwt.ts"

/** One of the two tokens that a hatchery may have. */
export interface Kind {
  /** Where it stands in the configuration. */
  readonly path: string
  /** The `type` in its payload. */
  readonly type: string
  readonly how: string
}

const api = "hatchery.vsphere.commonConfiguration.api"

export const v1: Kind = {
  path: `${api}.token`,
  type: "signinBuiltinConsumerToken",
  how: "take the token that CDS gives when a consumer is created for the hatchery, or regenerate it there"
}

export const v2: Kind = {
  path: `${api}.tokenV2`,
  type: "signinHatcheryConsumerToken",
  how: "take the token that CDS gives when the hatchery is created, or regenerate it there"
}

/** `expire` in seconds since the epoch, 0 for never. */
const Payload = Schema.Struct({ type: Schema.String, expire: Schema.optionalKey(Schema.Finite) })

export const invalid = ({ path }: Pick<Kind, "path">, value: string, rule: string) =>
  new ConfigInvalid({ problems: [{ path, value, rule }] })

export const missing = invalid(v2, "", `is needed to take V2 jobs, or ${v1.path} to take V1 jobs: ${v2.how}`)

/** Fails where the token is no consumer token of this kind, or has expired. */
export const check = Effect.fnUntraced(function* (
  kind: Kind,
  token: Redacted.Redacted<string>
): Effect.fn.Return<void, ConfigInvalid> {
  const found = Option.getOrUndefined(payload(Redacted.value(token), Payload))
  if (found === undefined) return yield* invalid(kind, "<redacted>", `is not a CDS consumer token: ${kind.how}`)
  if (found.type !== kind.type) {
    return yield* invalid(kind, "<redacted>", `is a token of type ${found.type}, it needs ${kind.type}: ${kind.how}`)
  }
  const expiresAt = (found.expire ?? 0) * 1000
  if (expiresAt > 0 && expiresAt <= (yield* Clock.currentTimeMillis)) {
    return yield* invalid(kind, "<redacted>", `expired on ${new Date(expiresAt).toISOString()}: regenerate it in CDS`)
  }
})
