/** The signin of a V2 hatchery, which tells its region (cds-contract 2.3). */
import { Redacted, Schema } from "effect"
import { ConfigInvalid } from "../../../schema/Errors.ts"
import type { CdsError } from "../../../schema/Errors.ts"
import type { CdsSettings } from "../../../schema/Settings.ts"
import type { CdsHttp } from "../CdsHttp.ts"
import * as ConsumerToken from "../ConsumerToken.ts"
import { decodeBody } from "../decode.ts"
import type { HatcheryKey } from "../HatcheryKey.ts"
import * as Signin from "../Signin.ts"

const WireSignin = Schema.Struct({
  token: Schema.RedactedFromValue(Schema.NonEmptyString),
  region: Schema.NonEmptyString
})

/** CDS answers a wrong name and a wrong token with the same id; only its explanation, where it gives one, speaks of the name. */
const refused =
  ({ name }: CdsSettings) =>
  ({ message }: CdsError): ConfigInvalid =>
    /\bname\b/.test(message)
      ? new ConfigInvalid({
          problems: [
            {
              path: "hatchery.vsphere.commonConfiguration.name",
              value: name,
              rule: `must be the name under which the hatchery of tokenV2 was created; CDS says ${message}`
            }
          ]
        })
      : ConsumerToken.invalid(
          ConsumerToken.v2,
          "<redacted>",
          `is refused by CDS (${message}): the token must be the latest one of hatchery ${name}, and that hatchery must be granted on a region`
        )

export const make = (
  http: CdsHttp,
  settings: CdsSettings,
  token: Redacted.Redacted<string>,
  key: HatcheryKey,
  version: string
) =>
  Signin.make(http, {
    kind: ConsumerToken.v2,
    token,
    path: "/v2/auth/consumer/hatchery/signin",
    body: {
      token: Redacted.value(token),
      name: settings.name,
      type: "vsphere",
      http_url: settings.url,
      config: settings.publicConfig,
      public_key: key.publicKey,
      version
    },
    decode: decodeBody("signin", WireSignin),
    refused: refused(settings)
  })
