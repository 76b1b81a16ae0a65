/** What happened, in order, as data: each transition and each decision. The same seed gives the same log, byte for byte. */
import { Context } from "effect"
import type { Effect, Stream } from "effect"

export interface LogEvent {
  /** Clock time in milliseconds. */
  readonly at: number
  readonly kind: "transition" | "decision" | "alarm" | "inventory"
  /** Machine id, job id or component. */
  readonly subject: string
  readonly text: string
  readonly data?: Readonly<Record<string, string | number | boolean | undefined>>
}

export class EventLog extends Context.Service<
  EventLog,
  {
    readonly append: (event: Omit<LogEvent, "at">) => Effect.Effect<void>
    /** The newest events, oldest first. */
    readonly recent: Effect.Effect<ReadonlyArray<LogEvent>>
    readonly changes: Stream.Stream<LogEvent>
  }
>()("rookery/services/EventLog") {}
