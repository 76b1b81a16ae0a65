/** A V1 worker model on the wire, and its secrets (cds-contract 7.1). */
import { Schema } from "effect"
import type { ModelV1 } from "../../../schema/ModelV1.ts"
import { list, text, Time } from "./fields.ts"
import { toRequirements, WireRequirement } from "./Requirement.ts"

const flag = Schema.optionalKey(Schema.NullOr(Schema.Boolean))

/** What a model is known by. */
export const WireModelName = Schema.Struct({
  name: Schema.NonEmptyString,
  group: Schema.Struct({ name: Schema.NonEmptyString })
})

export const WireModelV1 = Schema.Struct({
  ...WireModelName.fields,
  id: Schema.Int,
  type: Schema.String,
  need_registration: flag,
  check_registration: flag,
  user_last_modified: Time,
  nb_spawn_err: Schema.optionalKey(Schema.NullOr(Schema.Finite)),
  is_deprecated: flag,
  disabled: flag,
  registered_os: text,
  registered_arch: text,
  registered_capabilities: list(WireRequirement),
  model_virtual_machine: Schema.optionalKey(
    Schema.NullOr(
      Schema.Struct({
        image: text,
        flavor: text,
        pre_cmd: text,
        cmd: text,
        post_cmd: text,
        user: text,
        password: text
      })
    )
  )
})

export const toModelV1 = (wire: typeof WireModelV1.Type): ModelV1 => {
  const machine = wire.model_virtual_machine
  return {
    id: wire.id,
    name: wire.name,
    group: wire.group.name,
    type: wire.type,
    image: machine?.image ?? "",
    flavor: machine?.flavor ?? "",
    preCmd: machine?.pre_cmd ?? "",
    cmd: machine?.cmd ?? "",
    postCmd: machine?.post_cmd ?? "",
    user: machine?.user ?? "",
    password: machine?.password ?? "",
    needRegistration: wire.need_registration ?? false,
    checkRegistration: wire.check_registration ?? false,
    lastModified: String(Math.floor(Date.parse(wire.user_last_modified) / 1_000)),
    spawnErrors: wire.nb_spawn_err ?? 0,
    deprecated: wire.is_deprecated ?? false,
    disabled: wire.disabled ?? false,
    registeredOs: wire.registered_os || undefined,
    registeredArch: wire.registered_arch || undefined,
    registeredCapabilities: toRequirements(wire.registered_capabilities)
  }
}

export const WireSecrets = Schema.NullOr(
  Schema.Array(Schema.Struct({ name: Schema.String, value: Schema.RedactedFromValue(Schema.String) }))
)
