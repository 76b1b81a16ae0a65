/** The signin of a V2 hatchery, which is also its registration (cds-contract 2.3). A renewal sends the same body again. */
import { Clock, Effect, Option, Redacted, Schema } from "effect"
import { CdsError, ConfigInvalid } from "../../schema/Errors.ts"
import type { CdsSettings } from "../../schema/Settings.ts"
import type { CdsHttp } from "./CdsHttp.ts"
import * as ConsumerToken from "./ConsumerToken.ts"
import { decodeBody } from "./decode.ts"
import { isPublicKey } from "./HatcheryKey.ts"
import type { HatcheryKey } from "./HatcheryKey.ts"
import { renewalTime } from "./Session.ts"
import type { Held } from "./Session.ts"
import { ErrorId } from "./wire/Failure.ts"

const WireSignin = Schema.Struct({
  token: Schema.RedactedFromValue(Schema.NonEmptyString),
  region: Schema.NonEmptyString
})

const decodeSignin = decodeBody("signin", WireSignin)

const malformed = (message: string) => new CdsError({ call: "signin", kind: "malformed", message })

/** With these ids CDS refuses what the configuration says; anything else may pass when it is tried later. */
const refusals: ReadonlySet<number | undefined> = new Set([
  ErrorId.unauthorized,
  ErrorId.forbidden,
  ErrorId.notFound,
  ErrorId.wrongRequest
])

/** CDS answers a wrong name and a wrong token with the same id; only its explanation, where it gives one, speaks of the name. */
const refused = (settings: CdsSettings, { message }: CdsError): ConfigInvalid =>
  /\bname\b/.test(message)
    ? new ConfigInvalid({
        problems: [
          {
            path: "hatchery.vsphere.commonConfiguration.name",
            value: settings.name,
            rule: `must be the name under which the hatchery of tokenV2 was created; CDS says ${message}`
          }
        ]
      })
    : ConsumerToken.invalid(
        "<redacted>",
        `is refused by CDS (${message}): the token must be the latest one of hatchery ${settings.name}, and that hatchery must be granted on a region`
      )

export const make = (
  http: CdsHttp,
  settings: CdsSettings,
  key: HatcheryKey,
  version: string
): Effect.Effect<Held, CdsError | ConfigInvalid> =>
  Effect.gen(function* () {
    const consumer = yield* ConsumerToken.check(settings.tokenV2)
    const body = {
      token: Redacted.value(consumer),
      name: settings.name,
      type: "vsphere",
      http_url: settings.url,
      config: settings.publicConfig,
      public_key: key.publicKey,
      version
    }
    const call = { name: "signin", method: "POST", path: "/v2/auth/consumer/hatchery/signin", body } as const
    const answer = yield* http
      .exchange(call, undefined)
      .pipe(Effect.mapError(({ error }) => (refusals.has(error.id) ? refused(settings, error) : error)))

    if (!isPublicKey(answer.headers["x-api-pub-signing-key"] ?? "")) {
      return yield* malformed(
        "the answer has no usable X-Api-Pub-Signing-Key header; is a proxy in front of CDS removing it?"
      )
    }
    const { token, region } = yield* decodeSignin(answer)
    const renewAt = renewalTime(Redacted.value(token), yield* Clock.currentTimeMillis)
    if (Option.isNone(renewAt)) return yield* malformed("the session token is not a JWT")
    return { token, region, renewAt: renewAt.value }
  }).pipe(Effect.withSpan("Cds.signin"))
