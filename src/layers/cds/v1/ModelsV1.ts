/** V1 worker models as CDS keeps them (cds-contract 7.1). */
import { Effect, Option, Redacted, Schema } from "effect"
import * as Base64 from "effect/encoding/Base64"
import { CdsError } from "../../../schema/Errors.ts"
import { pathOf } from "../../../schema/ModelV1.ts"
import type { ModelListing, ModelV1, UnreadableModel } from "../../../schema/ModelV1.ts"
import { decodeBody } from "../decode.ts"
import { readEach, type Unread } from "../entries.ts"
import { segment } from "../segment.ts"
import type { Session } from "../Session.ts"
import { toModelV1, WireModelName, WireModelV1, WireSecrets } from "../wire/ModelV1.ts"

const listed = readEach("models", WireModelV1)
const decodeName = Schema.decodeUnknownOption(WireModelName)
const decodeSecrets = decodeBody("modelPassword", WireSecrets)

/** What stands in a model for a value that CDS keeps apart. */
const placeholder = /\{\{\s*\.(secrets\.\w+)\s*\}\}/g

const modelPath = ({ group, name }: ModelV1) => `/worker/model/${segment(group)}/${segment(name)}`

const unreadableOf = ({ entry, reason }: Unread): UnreadableModel => {
  const wire = Option.getOrUndefined(decodeName(entry))
  return { path: wire === undefined ? undefined : pathOf({ group: wire.group.name, name: wire.name }), reason }
}

export const make = (session: Pick<Session, "call">) => {
  const call = (name: string, method: "GET" | "PUT", path: string, body?: unknown) =>
    Effect.mapError(session.call({ name, method, path, body }), ({ error }) => error)

  const models = call("models", "GET", "/worker/model/enabled").pipe(
    Effect.flatMap(listed),
    Effect.map(({ found, unread }): ModelListing => ({
      models: found.map(toModelV1),
      unreadable: unread.map(unreadableOf)
    }))
  )

  const modelPassword = Effect.fnUntraced(function* (model: ModelV1) {
    const wanted = [...model.password.matchAll(placeholder)].map(([, name = ""]) => name)
    if (wanted.length === 0) return Redacted.make(model.password)
    const answer = yield* call("modelPassword", "GET", `${modelPath(model)}/secret`)
    const secrets = new Map(((yield* decodeSecrets(answer)) ?? []).map(({ name, value }) => [name, value]))
    const lacking = wanted.find((name) => !secrets.has(name))
    if (lacking !== undefined) {
      const message = `the model ${pathOf(model)} has no secret ${lacking}: set its password again`
      return yield* new CdsError({ call: "modelPassword", kind: "refused", message })
    }
    const valueOf = (_: string, name: string) => Redacted.value(secrets.get(name) ?? Redacted.make(""))
    return Redacted.make(model.password.replace(placeholder, valueOf))
  })

  /** A booking shows nowhere, so a refusal that may be the echo of our own counts as one: it ends after six minutes. */
  const bookModel = (model: ModelV1) => Effect.asVoid(call("bookModel", "PUT", `${modelPath(model)}/book`))

  const failModel = (model: ModelV1, error: string, log: string) => {
    const body = { Error: error, Logs: log === "" ? null : Base64.encode(log) }
    return Effect.asVoid(call("failModel", "PUT", `${modelPath(model)}/error`, body))
  }

  return { models, modelPassword, bookModel, failModel }
}
