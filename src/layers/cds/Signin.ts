/** What the signins of V1 and V2 have in common: each is also the hatchery's registration, and a renewal sends the same body again (cds-contract 2). */
import { Clock, Effect, Option, Redacted } from "effect"
import { CdsError } from "../../schema/Errors.ts"
import type { ConfigInvalid } from "../../schema/Errors.ts"
import type { Answer, CdsHttp } from "./CdsHttp.ts"
import * as ConsumerToken from "./ConsumerToken.ts"
import { isPublicKey } from "./HatcheryKey.ts"
import { renewalTime } from "./Session.ts"
import type { Held, Session } from "./Session.ts"
import type { Trouble } from "./Trouble.ts"
import { ErrorId } from "./wire/Failure.ts"

export interface Registration<A> {
  readonly kind: ConsumerToken.Kind
  readonly token: Redacted.Redacted<string>
  readonly path: string
  /** With the consumer token as `token`. */
  readonly body: unknown
  readonly decode: (answer: Answer) => Effect.Effect<A, CdsError>
  /** Which setting CDS refuses by this answer. */
  readonly refused: (error: CdsError) => ConfigInvalid
}

const malformed = (message: string) => new CdsError({ call: "signin", kind: "malformed", message })

/** With these ids CDS refuses what the configuration says; anything else may pass when it is tried later. */
const refusals: ReadonlySet<number | undefined> = new Set([
  ErrorId.unauthorized,
  ErrorId.forbidden,
  ErrorId.notFound,
  ErrorId.wrongRequest
])

/** Signs in once. Answers what `decode` read, and when it is to be renewed. */
export const make = <A extends Pick<Held, "token">>(
  http: CdsHttp,
  { kind, token, path, body, decode, refused }: Registration<A>
): Effect.Effect<A & Held, CdsError | ConfigInvalid> =>
  Effect.gen(function* () {
    yield* ConsumerToken.check(kind, token)
    const answer = yield* http
      .exchange({ name: "signin", method: "POST", path, body }, undefined)
      .pipe(Effect.mapError(({ error }) => (refusals.has(error.id) ? refused(error) : error)))

    if (!isPublicKey(answer.headers["x-api-pub-signing-key"] ?? "")) {
      return yield* malformed(
        "the answer has no usable X-Api-Pub-Signing-Key header; is a proxy in front of CDS removing it?"
      )
    }
    const found = yield* decode(answer)
    const renewAt = renewalTime(Redacted.value(found.token), yield* Clock.currentTimeMillis)
    if (Option.isNone(renewAt)) return yield* malformed("the session token is not a JWT")
    return { ...found, renewAt: renewAt.value }
  }).pipe(Effect.withSpan("Cds.signin"))

const pause = "10 seconds"

/** Signs in until it works or CDS refuses what the configuration says. */
export const untilSignedIn = (
  session: Session,
  trouble: Trouble,
  apiUrl: string
): Effect.Effect<void, ConfigInvalid> => {
  const signin: Effect.Effect<void, ConfigInvalid> = session.held.pipe(
    Effect.andThen(trouble.clear("api")),
    Effect.catchTag("CdsError", (error) =>
      trouble
        .note("api", `signin: ${error.message}`)
        .pipe(
          Effect.andThen(Effect.logWarning(`waiting for the CDS API at ${apiUrl}: ${error.message}`)),
          Effect.andThen(Effect.sleep(pause)),
          Effect.andThen(Effect.suspend(() => signin))
        )
    )
  )
  return signin
}
