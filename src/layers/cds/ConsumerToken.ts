/** The hatchery's consumer token (`api.tokenV2`), looked at before it is sent, so that what is wrong with it is said plainly (cds-contract 2.1). */
import { Clock, Effect, Option, Redacted, Schema } from "effect"
import { ConfigInvalid } from "../../schema/Errors.ts"
import { payload } from "./Jwt.ts"

export const path = "hatchery.vsphere.commonConfiguration.api.tokenV2"

const kind = "signinHatcheryConsumerToken"

/** `expire` in seconds since the epoch, 0 for never. */
const Payload = Schema.Struct({ type: Schema.String, expire: Schema.optionalKey(Schema.Finite) })

const how = "take the token that CDS gives when the hatchery is created, or regenerate it there"

export const invalid = (value: string, rule: string) => new ConfigInvalid({ problems: [{ path, value, rule }] })

/** Fails where the token is missing, is no consumer token of a hatchery, or has expired. */
export const check = Effect.fnUntraced(function* (
  token: Redacted.Redacted<string> | undefined
): Effect.fn.Return<Redacted.Redacted<string>, ConfigInvalid> {
  if (token === undefined) return yield* invalid("", `is needed to take V2 jobs: ${how}`)
  const found = Option.getOrUndefined(payload(Redacted.value(token), Payload))
  if (found === undefined) return yield* invalid("<redacted>", `is not a CDS consumer token: ${how}`)
  if (found.type !== kind) {
    return yield* invalid("<redacted>", `is a token of type ${found.type}, a hatchery needs ${kind}: ${how}`)
  }
  const expiresAt = (found.expire ?? 0) * 1000
  if (expiresAt > 0 && expiresAt <= (yield* Clock.currentTimeMillis)) {
    return yield* invalid("<redacted>", `expired on ${new Date(expiresAt).toISOString()}: regenerate it in CDS`)
  }
  return token
})
