/** Lists that CDS sends, read entry by entry: one that is not understood does not hide the others. */
import { Effect, Schema } from "effect"
import type { CdsError } from "../../schema/Errors.ts"
import type { Answer } from "./CdsHttp.ts"
import { decode, decodeBody } from "./decode.ts"

const WireList = Schema.NullOr(Schema.Array(Schema.Unknown))

/** Reads the body of an answer, where `null` is no entry. Fails with kind `malformed` where it is no list. */
export const entries = <S extends Schema.ConstraintDecoder<unknown>>(call: string, schema: S) => {
  const decodeList = decodeBody(call, WireList)
  const decodeEntry = decode(call, schema)
  const readable = (entry: unknown): Effect.Effect<ReadonlyArray<S["Type"]>> =>
    decodeEntry(entry).pipe(
      Effect.map((found) => [found]),
      Effect.catch((error) => Effect.as(Effect.logWarning(`CDS ${call}: an entry is left out: ${error.message}`), []))
    )
  return (answer: Answer): Effect.Effect<ReadonlyArray<S["Type"]>, CdsError> =>
    decodeList(answer).pipe(
      Effect.flatMap((list) => Effect.forEach(list ?? [], readable)),
      Effect.map((found) => found.flat())
    )
}
