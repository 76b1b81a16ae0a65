/** What callers did that the protocol does not allow, or that a hatchery must never do, even where the API itself lets it pass. */

export type Rule =
  /** Signin carries no `Authorization` (cds-contract 0.1). */
  | "authorization-on-signin"
  /** The `jwt_token` cookie is never kept (0.1). */
  | "cookie-kept"
  /** `Content-Type`, `Date` and `X-CDS-RemoteTime` as 0.1 says, on each call of a hatchery. */
  | "headers"
  /** `public_key` is a PKCS#1 PEM (2.2). */
  | "public-key"
  /** A hatchery takes a job that it holds already, having been told so. */
  | "double-take"
  /** A job was taken, and neither run, released nor failed before the scheduling timeout, or the end of its booking. */
  | "abandoned-take"
  /** A release while a worker runs the job, or after its end, would run it again (vsphere-behaviour, defect 68). */
  | "release-while-building"
  | "release-after-end"
  /** A V1 booking is released by a hatchery that does not hold it; the API lets any do that (5.1). */
  | "foreign-release"
  /** A V1 spawn info whose message the API does not know, or that lacks arguments (5.3). */
  | "spawn-info"
  /** A worker goes on with a job that another worker has taken since, or starts on one. */
  | "two-workers"

export interface Violation {
  readonly at: number
  readonly rule: Rule
  /** A job id, worker name or hatchery name. */
  readonly subject: string
  readonly text: string
}
