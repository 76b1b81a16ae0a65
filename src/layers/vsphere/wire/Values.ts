/**
 * The building stones of vCenter's answers, in the wire shapes of `Vim.ts`: a number or boolean may be text, a date text or Date, a
 * primitive may be wrapped as `{ _type, _value }`, and a list may be absent, a lone element or an `ArrayOf...` object.
 */
import { Effect, Option, Predicate, Schema, SchemaGetter } from "effect"
import { VimMalformed } from "../../../schema/Errors.ts"

const longestReason = 300

const isRecord = (value: unknown): value is { readonly [key: string]: unknown } =>
  Predicate.isObject(value) && !(value instanceof Date)

/** The primitive inside an anyType wrapper, or the value itself. An empty element has no `_value`: it is the empty text. */
const bare = (value: unknown): unknown => {
  if (!isRecord(value)) return value
  if ("_value" in value) return value["_value"]
  return value["_type"] === "xsd:string" ? "" : value
}

const asNumber = (value: unknown): unknown =>
  typeof value === "string" && value.trim() !== "" ? Number(value) : typeof value === "bigint" ? Number(value) : value

const asFlag = (value: unknown): unknown =>
  value === "true" || value === "1" ? true : value === "false" || value === "0" ? false : value

const asInstant = (value: unknown): unknown =>
  value instanceof Date ? value.getTime() : typeof value === "string" ? Date.parse(value) : value

const asList = (value: unknown): ReadonlyArray<unknown> => {
  if (value === undefined || value === null) return []
  if (Array.isArray(value)) return value
  const type = isRecord(value) ? value["_type"] : undefined
  if (!isRecord(value) || typeof type !== "string" || !type.startsWith("ArrayOf")) return [value]
  return asList(Object.entries(value).find(([key]) => key !== "_type")?.[1])
}

/** A schema that answers only: nothing of these is ever encoded. */
const reading = <T>(to: Schema.Codec<T>, convert: (value: unknown) => unknown) =>
  Schema.Unknown.pipe(
    Schema.decodeTo(to, {
      decode: SchemaGetter.transform((value: unknown) => convert(bare(value)) as T),
      encode: SchemaGetter.transform((value: T): unknown => value)
    })
  )

const asText = (value: unknown): unknown =>
  typeof value === "number" || typeof value === "boolean" ? String(value) : value

export const Text = reading(Schema.String, asText)
export const Num = reading(Schema.Finite, asNumber)
export const Flag = reading(Schema.Boolean, asFlag)
/** Milliseconds since the epoch. */
export const Instant = reading(Schema.Finite, asInstant)

/** One of a set of texts. */
export const oneOf = <const L extends ReadonlyArray<string>>(literals: L) => reading(Schema.Literals(literals), asText)

/** A managed object reference. */
export const Ref = Schema.Struct({ type: Text, value: Text })
export type Ref = typeof Ref.Type

/** A list in any of its shapes; an absent key is an empty list. */
export const list = <S extends Schema.Constraint>(item: S) =>
  Schema.optionalKey(Schema.Unknown).pipe(
    Schema.decodeTo(Schema.Array(item), {
      decode: SchemaGetter.transformOptional((value: Option.Option<unknown>) =>
        Option.some(asList(Option.getOrUndefined(value)) as ReadonlyArray<S["Encoded"]>)
      ),
      encode: SchemaGetter.transformOptional(
        (value: Option.Option<ReadonlyArray<S["Encoded"]>>): Option.Option<unknown> => value
      )
    })
  )

/** Decodes the answer of an operation; a shape that the API does not document is VimMalformed. */
export const decodeAnswer = <S extends Schema.ConstraintDecoder<unknown>>(operation: string, schema: S) => {
  const decode = Schema.decodeUnknownEffect(schema)
  return (answer: unknown): Effect.Effect<S["Type"], VimMalformed> =>
    decode(answer).pipe(
      Effect.mapError((error) => new VimMalformed({ operation, reason: String(error.message).slice(0, longestReason) }))
    )
}
