/** What machines tell the other actors: a hub, so that nobody holds a reference on anybody. */
import { Context, Effect, Layer, PubSub } from "effect"
import type { Stream } from "effect"
import { Stream as Streams } from "effect"
import type { MachineId } from "../schema/Machine.ts"
import type { ModelStamp } from "../schema/ModelV1.ts"
import type { Claim } from "./vm/State.ts"

export type Signal =
  | { readonly _tag: "ReturnJob"; readonly claim: Claim; readonly reason: string; readonly failed: boolean }
  /** A machine of this pool became ready, or left the ready ones. */
  | { readonly _tag: "PoolGrew"; readonly pool: string }
  | { readonly _tag: "PoolShrank"; readonly pool: string }
  | { readonly _tag: "Hatched"; readonly pool: string }
  | { readonly _tag: "HatchFailed"; readonly pool: string; readonly reason: string }
  /** The template of the V1 model with this path (its pool) is there, or could not be built; `model`: in which version. */
  | { readonly _tag: "Built"; readonly pool: string; readonly model: ModelStamp | undefined }
  /** `own`: the model is to blame, not vCenter. */
  | {
      readonly _tag: "BuildFailed"
      readonly pool: string
      readonly model: ModelStamp | undefined
      readonly reason: string
      readonly own: boolean
    }
  /** A place among the workers, or among those that start, is free again. */
  | { readonly _tag: "CapacityFreed"; readonly machine: MachineId }

export class Signals extends Context.Service<
  Signals,
  {
    readonly send: (signal: Signal) => Effect.Effect<void>
    readonly all: Stream.Stream<Signal>
  }
>()("rookery/actors/Signals") {
  static readonly layer = Layer.effect(
    Signals,
    Effect.gen(function* () {
      const hub = yield* PubSub.unbounded<Signal>()
      return Signals.of({
        send: (signal) => Effect.asVoid(PubSub.publish(hub, signal)),
        all: Streams.fromPubSub(hub)
      })
    })
  )
}
