/** The event socket of one of the two APIs, opened in its session. */
import { Clock, Effect, Redacted } from "effect"
import type { CdsSocket } from "./CdsSocket.ts"
import { goTime } from "./GoTime.ts"
import { asCdsError } from "./Session.ts"
import type { Session } from "./Session.ts"

/** A session that is refused at the upgrade is dropped, so that the next try signs in again. */
export const open = (socket: CdsSocket["Service"], session: Session, apiUrl: string, path: string, greeting?: string) =>
  Effect.gen(function* () {
    const held = yield* session.held
    const date = goTime(yield* Clock.currentTimeMillis)
    const url = `${apiUrl.replace(/^http/, "ws").replace(/\/+$/, "")}${path}`
    const headers = { authorization: `Bearer ${Redacted.value(held.token)}`, date, "x-cds-remotetime": date }
    return yield* socket
      .connect(url, headers, greeting)
      .pipe(Effect.tapError(({ kind }) => (kind === "unauthenticated" ? session.drop(held) : Effect.void)))
  }).pipe(Effect.mapError(asCdsError("events")))
