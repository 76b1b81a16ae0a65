/** Faults by name, and switches: how a test makes the simulated API misbehave. All of it is JSON, so that a control port can carry it. */
import { Schema } from "effect"

const target = {
  /** Only this method. */
  method: Schema.optionalKey(Schema.String),
  /** Only paths (query included) that contain this text, e.g. `/hatchery/take`. */
  path: Schema.optionalKey(Schema.String),
  /** How many requests it meets; once unless given. */
  times: Schema.optionalKey(Schema.Int)
}

/**
 * - `answer`: this HTTP status without doing the work; 401, 403, 404, 409, 410, 500 and 503 carry their CDS error ids;
 * - `slow`: the work begins this many milliseconds late;
 * - `dropped`: the connection ends before the work is done;
 * - `lost`: the connection ends after the work was done;
 * - `malformed`: the work is done and the answer is a page of HTML;
 * - `headerless`: the answer lacks this header, e.g. `X-Api-Pub-Signing-Key`.
 */
export const Fault = Schema.Union([
  Schema.Struct({ kind: Schema.Literal("answer"), status: Schema.Int, ...target }),
  Schema.Struct({ kind: Schema.Literal("slow"), ms: Schema.Finite, ...target }),
  Schema.Struct({ kind: Schema.Literal("dropped"), ...target }),
  Schema.Struct({ kind: Schema.Literal("lost"), ...target }),
  Schema.Struct({ kind: Schema.Literal("malformed"), ...target }),
  Schema.Struct({ kind: Schema.Literal("headerless"), header: Schema.String, ...target })
])
export type Fault = typeof Fault.Type

type FaultOf<K extends Fault["kind"]> = Extract<Fault, { readonly kind: K }>

/** The faults that still wait for a request, in the order in which they were set. */
export class Faults {
  #pending: Array<{ readonly fault: Fault; left: number }> = []

  set(fault: Fault): void {
    this.#pending.push({ fault, left: fault.times ?? 1 })
  }

  clear(): void {
    this.#pending = []
  }

  /** True while some fault is to meet such a request. */
  awaits(method: string, url: string): boolean {
    return this.#pending.some(({ fault }) => meets(fault, method, url))
  }

  /** The first fault of this kind that meets the request; it counts as used. */
  use<K extends Fault["kind"]>(kind: K, method: string, url: string): FaultOf<K> | undefined {
    const found = this.#pending.find(({ fault }) => fault.kind === kind && meets(fault, method, url))
    if (found === undefined) return undefined
    found.left -= 1
    if (found.left <= 0) this.#pending = this.#pending.filter((other) => other !== found)
    return found.fault as FaultOf<K>
  }
}

const meets = ({ method, path }: Fault, usedMethod: string, url: string): boolean =>
  (method === undefined || method === usedMethod) && (path === undefined || url.includes(path))

/** Lasting states of the API that a test may change at any moment. */
export const Switches = Schema.Struct({
  /** False: `/v2/config/cdn` and `/config/cdn` answer 404 as while no CDN is registered. */
  cdn: Schema.Boolean,
  /** Empty lists are written as `null` everywhere; otherwise only `GET /v2/worker` does that. */
  nullLists: Schema.Boolean,
  /** How `runs-on` is written: `auto` gives an object only where memory or flavor is set. */
  runsOn: Schema.Literals(["auto", "string", "object"]),
  /** Copies of each websocket event; 0 loses them all. */
  eventCopies: Schema.Int,
  /** True: filters sent on `/ws` are answered KO and not used. */
  koFilters: Schema.Boolean
})
export type Switches = { -readonly [K in keyof typeof Switches.Type]: (typeof Switches.Type)[K] }

export const defaultSwitches: Switches = {
  cdn: true,
  nullLists: false,
  runsOn: "auto",
  eventCopies: 1,
  koFilters: false
}
