/** Sessions: what a bearer token stands for (cds-contract 2.4, 6.4). */
import { signJwt } from "./Keys.ts"
import type { ApiKeys } from "./Keys.ts"
import { refuse } from "./Refusal.ts"
import type { Refusal } from "./Refusal.ts"

export interface Session {
  readonly id: string
  readonly token: string
  readonly holder:
    | { readonly kind: "hatchery"; readonly hatcheryName: string }
    | { readonly kind: "worker"; readonly workerId: string }
    /** The V1 side: a hatchery's builtin consumer, and a worker of V1. */
    | { readonly kind: "consumer"; readonly consumerId: string }
    | { readonly kind: "workerV1"; readonly workerId: string }
  readonly expiresAt: number
}

export class Sessions {
  readonly #byToken = new Map<string, Session>()
  readonly #keys: ApiKeys

  constructor(keys: ApiKeys) {
    this.#keys = keys
  }

  /** Opens a session for that long. Its token is RS512 with the claims of cds-contract 2.4. */
  open(id: string, subject: string, holder: Session["holder"], now: number, lifeMs: number): Session {
    const iat = Math.floor(now / 1000)
    const exp = iat + Math.floor(lifeMs / 1000)
    const token = signJwt(this.#keys, { ID: id, TokenID: "", iss: "cds-api", sub: subject, jti: id, iat, exp })
    const session = { id, token, holder, expiresAt: exp * 1000 }
    this.#byToken.set(token, session)
    for (const [old, { holder: other, expiresAt }] of this.#byToken) {
      if (other.kind !== holder.kind) continue
      if (now < expiresAt) break
      this.#byToken.delete(old)
    }
    return session
  }

  /** The session of an `Authorization` header; 401 when there is none that counts. */
  of(authorization: string | undefined, now: number): Session | Refusal {
    const token = authorization?.startsWith("Bearer ") === true ? authorization.slice("Bearer ".length) : undefined
    const session = token === undefined ? undefined : this.#byToken.get(token)
    return session === undefined || now >= session.expiresAt ? refuse("unauthenticated") : session
  }

  /** Ends one session. */
  end(token: string): void {
    this.#byToken.delete(token)
  }

  /** Ends the sessions of all holders that match. */
  revoke(matches: (holder: Session["holder"]) => boolean): void {
    for (const [token, { holder }] of this.#byToken) if (matches(holder)) this.#byToken.delete(token)
  }
}
