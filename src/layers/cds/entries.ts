/** Lists that CDS sends, read entry by entry: one that is not understood does not hide the others. */
import { Effect, Schema } from "effect"
import type { CdsError } from "../../schema/Errors.ts"
import type { Answer } from "./CdsHttp.ts"
import { decode, decodeBody } from "./decode.ts"

const WireList = Schema.NullOr(Schema.Array(Schema.Unknown))

/** An entry as it came, and why it is not understood. */
export interface Unread {
  readonly entry: unknown
  readonly reason: string
}

/** Reads the body of an answer, where `null` is no entry: what is understood, and what is not. Fails with kind `malformed` where it is no list. */
export const readEach = <S extends Schema.ConstraintDecoder<unknown>>(call: string, schema: S) => {
  const decodeList = decodeBody(call, WireList)
  const decodeEntry = decode(call, schema)
  const read = (entry: unknown) =>
    Effect.mapError(decodeEntry(entry), ({ message: reason }): Unread => ({ entry, reason }))
  return (answer: Answer) =>
    Effect.flatMap(decodeList(answer), (list) =>
      Effect.map(Effect.partition(list ?? [], read), ([found, unread]) => ({ found, unread }))
    )
}

/** As `readEach`, where an entry that is not understood can be done without. */
export const entries = <S extends Schema.ConstraintDecoder<unknown>>(call: string, schema: S) => {
  const readAll = readEach(call, schema)
  return (answer: Answer): Effect.Effect<ReadonlyArray<S["Type"]>, CdsError> =>
    readAll(answer).pipe(
      Effect.tap(({ unread }) =>
        Effect.forEach(unread, ({ reason }) => Effect.logWarning(`CDS ${call}: an entry is left out: ${reason}`))
      ),
      Effect.map(({ found }) => found)
    )
}
