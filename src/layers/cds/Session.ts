/**
 * A session of the CDS API: held, renewed by one caller at a time, dropped on 401 (cds-contract 0.2). V1 and V2 each have one; what
 * differs between them is the `signin` that is given here.
 */
import { Clock, Deferred, Duration, Effect, Exit, Option, Schema, Semaphore } from "effect"
import type { Redacted } from "effect"
import { CdsError } from "../../schema/Errors.ts"
import type { ConfigInvalid } from "../../schema/Errors.ts"
import { CallFailed } from "./CdsHttp.ts"
import type { Answer, Call, CdsHttp } from "./CdsHttp.ts"
import { payload } from "./Jwt.ts"
import type { Trouble } from "./Trouble.ts"

export interface Held {
  readonly token: Redacted.Redacted<string>
  /** Clock time in milliseconds from which the session is no longer used. */
  readonly renewAt: number
}

/** `H` is what the signin tells beside the session. */
export interface Session<H extends Held = Held> {
  /** The session, signed in for it where there is none or it is about to expire. */
  readonly held: Effect.Effect<H, CdsError | ConfigInvalid>
  /** What the last signin gave, in use or not; waits for the first. */
  readonly latest: Effect.Effect<H>
  /** Drops the session unless a newer one is held already. */
  readonly drop: (refused: Held) => Effect.Effect<void>
  /** A call in this session. A session that is refused is renewed and the call made once more. */
  readonly call: (call: Call) => Effect.Effect<Answer, CallFailed>
  /** A last call in the session that is held, which ends it; nothing where none is held. */
  readonly end: (call: Call) => Effect.Effect<void, CallFailed>
}

const Times = Schema.Struct({ iat: Schema.optionalKey(Schema.Finite), exp: Schema.optionalKey(Schema.Finite) })

const margin = Duration.toMillis("1 minute")

/**
 * When a session JWT received at `now` is to be renewed: before its lifetime (`exp - iat`) has passed on our own clock, by a minute or a
 * tenth of it. Counting from the receipt, a clock that differs from CDS's changes nothing. None where the text is no JWT.
 */
export const renewalTime = (token: string, now: number): Option.Option<number> =>
  Option.map(payload(token, Times), ({ iat, exp }) => {
    if (exp === undefined) return Number.POSITIVE_INFINITY
    const lifetime = iat === undefined ? exp * 1000 - now : (exp - iat) * 1000
    return now + lifetime - Math.min(margin, lifetime / 10)
  })

/** A signin that did not go through, told to the caller of some other call. */
export const asCdsError =
  (call: string) =>
  (error: CdsError | ConfigInvalid): CdsError =>
    error instanceof CdsError ? error : new CdsError({ call, kind: "unauthenticated", message: error.message })

const notSignedIn = (call: string) => (error: CdsError | ConfigInvalid) =>
  new CallFailed({ error: asCdsError(call)(error), uncertain: false })

const isUnauthenticated = ({ error }: CallFailed) => error.kind === "unauthenticated"

/** CDS that says no is in contact. */
const isContact = ({ kind }: CdsError) => kind === "notFound" || kind === "refused"

export const make = Effect.fnUntraced(function* <H extends Held>(
  http: CdsHttp,
  trouble: Trouble,
  signin: Effect.Effect<H, CdsError | ConfigInvalid>
): Effect.fn.Return<Session<H>> {
  const turn = yield* Semaphore.make(1)
  const first = yield* Deferred.make<H>()
  let latest: H | undefined
  let current: H | undefined
  let outcomes = 0
  let last: Exit.Exit<H, CdsError | ConfigInvalid> | undefined

  /** Whoever waited for its turn while another signed in shares that outcome, a failed one included. */
  const renew = Effect.suspend(() => {
    const seen = outcomes
    const renewed = Effect.gen(function* () {
      if (last === undefined || outcomes === seen) {
        last = yield* Effect.exit(signin)
        outcomes += 1
        current = Exit.isSuccess(last) ? last.value : undefined
        if (current !== undefined) {
          latest = current
          Deferred.doneUnsafe(first, Effect.succeed(current))
        }
      }
      return yield* last
    })
    return Semaphore.withPermit(turn, renewed)
  })

  const held = Effect.flatMap(Clock.currentTimeMillis, (now) =>
    current !== undefined && now < current.renewAt ? Effect.succeed(current) : renew
  )

  const drop = (refused: Held) =>
    Effect.sync(() => {
      if (current === refused) current = undefined
    })

  const once = Effect.fnUntraced(function* (call: Call) {
    const session = yield* Effect.mapError(held, notSignedIn(call.name))
    return yield* http
      .exchange(call, session.token)
      .pipe(Effect.tapError((failed) => (isUnauthenticated(failed) ? drop(session) : Effect.void)))
  })

  const again = (call: Call) => (first: CallFailed) =>
    Effect.mapError(
      once(call),
      ({ error, uncertain }) => new CallFailed({ error, uncertain: uncertain || first.uncertain })
    )

  return {
    held,
    latest: Effect.map(Deferred.await(first), (held) => latest ?? held),
    drop,
    end: (call) =>
      Effect.suspend(() => {
        const held = current
        current = undefined
        return held === undefined ? Effect.void : Effect.asVoid(http.exchange(call, held.token))
      }),
    call: (call) =>
      once(call).pipe(
        Effect.catchIf((failed) => isUnauthenticated(failed) && failed.error.status === 401, again(call)),
        Effect.tap(trouble.clear("api")),
        Effect.tapError(({ error }) =>
          isContact(error) ? trouble.clear("api") : trouble.report("api", `${error.call}: ${error.message}`)
        )
      )
  }
})
