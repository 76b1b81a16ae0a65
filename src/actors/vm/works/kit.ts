/** What the works share: what they are given, how long they persist, how they end. */
import { Effect, Schedule } from "effect"
import type {
  CdsError,
  Conceded,
  GuestError,
  GuestNotReady,
  IpExhausted,
  VSphereError
} from "../../../schema/Errors.ts"
import type { MachineRef } from "../../../schema/Machine.ts"
import type { VmEvent } from "../Event.ts"
import type { Vm } from "../State.ts"
import { nameOf } from "../State.ts"
import type { Env } from "../table.ts"

export interface WorkContext {
  /** The machine now: facts may have come since the work began. */
  readonly vm: () => Vm
  readonly env: Effect.Effect<Env>
  /** Tells the actor something while the work goes on. */
  readonly tell: (event: VmEvent) => Effect.Effect<void>
  /** True when another machine of ours carries this job. */
  readonly carriedElsewhere: (jobId: string) => boolean
  /** The name of another machine of ours that is on with this job, whether it carries it or has to go. */
  readonly onElsewhere: (jobId: string) => string | undefined
}

export const done: VmEvent = { _tag: "Done" }

/** Pauses between tries of something that may pass later: 1 s, doubling, at most 30 s, for as long as the state lasts. */
export const patience = Schedule.min([Schedule.exponential("1 second"), Schedule.spaced("30 seconds")])

/** Repeats what is harmless to repeat while vCenter or the network is in the way; the state's deadline ends it. */
export const persist = <A, E extends VSphereError | CdsError | GuestError | Conceded, R>(
  self: Effect.Effect<A, E, R>
) =>
  Effect.retry(self, {
    schedule: patience,
    while: (error) =>
      error._tag !== "Conceded" && (error.kind === "busy" || error.kind === "unreachable" || error.kind === "unknown")
  })

/** Repeats what must not be done twice, as long as it was not done: vCenter refused it for now, or nothing reached it. */
export const untilSent = <A, E extends VSphereError | GuestError, R>(self: Effect.Effect<A, E, R>) =>
  Effect.retry(self, { schedule: patience, while: ({ kind }) => kind === "busy" || kind === "unreachable" })

/** The end of a work that cannot succeed; whatever it did took place or did not, nothing is unknown. */
export const failure = (reason: string): VmEvent => ({ _tag: "Failed", reason, unknown: false })

/** A work on its way: it ends with an event, with none, or with what went wrong. */
export type Course = Effect.Effect<
  VmEvent | undefined,
  CdsError | Conceded | GuestError | GuestNotReady | IpExhausted | VSphereError
>

/** Whatever went wrong becomes the work's end. */
export const ending = (course: Course): Effect.Effect<VmEvent | undefined> =>
  Effect.catch(course, (error): Effect.Effect<VmEvent> => {
    if (error._tag === "Conceded") return Effect.succeed({ _tag: "Conceded", reason: error.reason, facts: error.facts })
    if (!("kind" in error)) return Effect.succeed(failure(error.reason))
    return Effect.succeed({ _tag: "Failed", reason: error.message, unknown: error.kind === "unknown" })
  })

export const refOf = (vm: Vm): Effect.Effect<MachineRef> =>
  vm.ref === undefined ? Effect.die(`the machine ${nameOf(vm)} has no reference yet`) : Effect.succeed(vm.ref)
