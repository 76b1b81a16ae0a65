/** Reads what CDS sent through a Schema. The message of a failure names the places that are wrong and the rules there, never the values found. */
import { Effect, Schema, SchemaIssue } from "effect"
import { CdsError } from "../../schema/Errors.ts"

const places = SchemaIssue.makeFormatterStandardSchemaV1({
  leafHook: () => "",
  checkHook: ({ filter }) => String(filter.annotations?.expected ?? "")
})

const describe = (issue: SchemaIssue.Issue): string => {
  const wrong = places(issue).issues.map(({ path, message: rule }) => {
    const place = path?.map(String).join(".") || "the answer"
    return rule === "" ? place : `${place} (${rule})`
  })
  return [...new Set(wrong)].join(", ")
}

/** Decodes a JSON value. Fails with kind `malformed`. */
export const decode = <S extends Schema.ConstraintDecoder<unknown>>(
  call: string,
  schema: S
): ((value: unknown) => Effect.Effect<S["Type"], CdsError>) => {
  const decoder = Schema.decodeUnknownEffect(schema, { errors: "all" })
  return (value) =>
    decoder(value).pipe(
      Effect.mapError(
        ({ issue }) =>
          new CdsError({ call, kind: "malformed", message: `not what the protocol says: ${describe(issue)}` })
      )
    )
}

/** Decodes the body of an answer; an empty one counts as `null`. */
export const decodeBody = <S extends Schema.ConstraintDecoder<unknown>>(call: string, schema: S) => {
  const decodeText = decode(call, Schema.fromJsonString(schema))
  return ({ body }: { readonly body: string }) => decodeText(body.trim() === "" ? "null" : body)
}
