/** What the CDS API answers when it says no: HTTP status and error id belong together (cds-contract 0.3). */
import { Data } from "effect"

const kinds = {
  unknown: { status: 500, id: 1, text: "internal server error" },
  unauthenticated: { status: 401, id: 10, text: "not authenticated" },
  forbidden: { status: 403, id: 11, text: "forbidden" },
  notFound: { status: 404, id: 38, text: "resource not found" },
  unavailable: { status: 503, id: 60, text: "service unavailable" },
  wrongRequest: { status: 400, id: 74, text: "wrong request" },
  alreadyEnded: { status: 410, id: 92, text: "job already ended" },
  locked: { status: 409, id: 147, text: "resource locked" },
  invalidData: { status: 400, id: 149, text: "invalid data" },
  upgradeRequired: { status: 426, id: 193, text: "websocket upgrade required" },
  alreadyBooked: { status: 403, id: 89, text: "job already booked" },
  alreadyTaken: { status: 410, id: 91, text: "job already taken" },
  modelBooked: { status: 403, id: 115, text: "worker model already booked" },
  notBooked: { status: 400, id: 135, text: "job not booked" }
} as const

export type RefusalKind = keyof typeof kinds

export class Refusal extends Data.TaggedError("Refusal")<{
  readonly status: number
  readonly id: number
  readonly text: string
  /** The optional detail that the API puts under `from`. */
  readonly from?: string
}> {}

export const refuse = (kind: RefusalKind, from?: string): Refusal =>
  new Refusal({ ...kinds[kind], ...(from === undefined ? {} : { from }) })

/** The refusal that usually has this HTTP status, the first of the list above; any other status gets the id of an unknown error. */
export const refusalOfStatus = (status: number, from?: string): Refusal => {
  const known = Object.values(kinds).find((kind) => kind.status === status) ?? { ...kinds.unknown, status }
  return new Refusal({ ...known, ...(from === undefined ? {} : { from }) })
}
