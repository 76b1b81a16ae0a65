/** The signin of a V1 hatchery, as a service of CDS (cds-contract 2.2). */
import { Redacted, Schema } from "effect"
import type { CdsError, ConfigInvalid } from "../../../schema/Errors.ts"
import type { SettingsShape } from "../../../schema/Settings.ts"
import type { CdsHttp } from "../CdsHttp.ts"
import * as ConsumerToken from "../ConsumerToken.ts"
import { decodeBody } from "../decode.ts"
import type { HatcheryKey } from "../HatcheryKey.ts"
import * as Signin from "../Signin.ts"
import { zeroTime } from "../wire/fields.ts"

const WireSignin = Schema.Struct({
  token: Schema.RedactedFromValue(Schema.NonEmptyString),
  service: Schema.Struct({ id: Schema.Int })
})

type Own = Pick<SettingsShape, "cds" | "region" | "ignoreJobWithNoRegion">

const common = "hatchery.vsphere.commonConfiguration"

/** A consumer may be bound to a name, a region and a flag; CDS's explanation says which of them differs. */
const refused =
  ({ cds: { name }, region, ignoreJobWithNoRegion }: Own) =>
  ({ message }: CdsError): ConfigInvalid => {
    const differs = (path: string, value: string) =>
      ConsumerToken.invalid(
        { path },
        value,
        `must be what the consumer of the token was created for; CDS says ${message}`
      )
    if (message.includes("service ignore job")) {
      return differs(`${common}.provision.ignoreJobWithNoRegion`, String(ignoreJobWithNoRegion))
    }
    if (message.includes("service region")) return differs(`${common}.provision.region`, region)
    if (message.includes("service name")) return differs(`${common}.name`, name)
    return ConsumerToken.invalid(
      ConsumerToken.v1,
      "<redacted>",
      `is refused by CDS (${message}): it must be the latest token of a consumer for hatchery ${name}`
    )
  }

/**
 * The region is the configured one alone: that of the V2 signin is another thing, and a consumer bound to a region refuses any other. Only the
 * first registration sets region and flag; later ones change neither.
 */
export const make = (http: CdsHttp, settings: Own, token: Redacted.Redacted<string>, key: HatcheryKey) => {
  const { cds, region, ignoreJobWithNoRegion } = settings
  return Signin.make(http, {
    kind: ConsumerToken.v1,
    token,
    path: "/auth/consumer/builtin/signin",
    body: {
      token: Redacted.value(token),
      service: {
        id: 0,
        name: cds.name,
        type: "hatchery",
        http_url: cds.url,
        config: cds.publicConfig,
        public_key: key.publicKey,
        region: region === "" ? null : region,
        ignore_job_with_no_region: ignoreJobWithNoRegion ? true : null,
        last_heartbeat: zeroTime,
        monitoring_status: { now: zeroTime, lines: null },
        version: "",
        up_to_date: false
      }
    },
    decode: decodeBody("signin", WireSignin),
    refused: refused(settings)
  })
}
