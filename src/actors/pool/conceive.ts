/**
 * A machine that is going to be: uuid, address and name are chosen, and the capacity for a worker is reserved, before anything is sent (design,
 * "Intent before action"). What was had on the way is free again when it does not come to an actor.
 */
import { Clock, Effect, type Tracer } from "effect"
import type { Size } from "../../schema/Machine.ts"
import { Capacity } from "../../services/Capacity.ts"
import { Ids } from "../../services/Ids.ts"
import { IpPool } from "../../services/IpPool.ts"
import { Settings } from "../../services/Settings.ts"
import { VSphere } from "../../services/VSphere.ts"
import { Registry } from "../Registry.ts"
import { type Conception, newborn } from "../vm/newborn.ts"
import type { Claim } from "../vm/State.ts"

/** What it is cloned from, and made for. */
export type Source = Pick<Conception, "template" | "model" | "builds">

export type Purpose<E> =
  /** No worker's yet: its name, which may tell its address. */
  | { readonly named: (ip: string | undefined) => Effect.Effect<string> }
  /** A worker's: the claim is made last, and `size` is the flavor's; the template's where there is none. */
  | { readonly claim: Effect.Effect<Claim, E>; readonly size: Size | undefined }

export const makeConceive = Effect.gen(function* () {
  const capacity = yield* Capacity
  const ids = yield* Ids
  const ips = yield* IpPool
  const registry = yield* Registry
  const { times } = yield* Settings
  const vsphere = yield* VSphere

  /** The handle of the machine's actor, which asks for the clone and carries on `trace`. */
  return Effect.fnUntraced(function* <E = never>(source: Source, purpose: Purpose<E>, trace?: Tracer.Span) {
    const { size } = yield* vsphere.template(source.template)
    const id = yield* ids.uuid
    const made = Effect.gen(function* () {
      if ("claim" in purpose) yield* capacity.reserve(id, purpose.size ?? size)
      const addressing = yield* ips.lease(id)
      const ip = addressing._tag === "Static" ? addressing.ip : undefined
      const chosen = yield* nameAndClaim(purpose, ip)
      const now = yield* Clock.currentTimeMillis
      return yield* registry.spawn(newborn({ ...source, ...chosen, id, ip, size, now }, times), trace)
    })
    return yield* Effect.onError(made, () => Effect.andThen(ips.release(id), capacity.release(id)))
  })
})

/** A clone for a worker has the worker's name from the start. */
const nameAndClaim = <E>(
  purpose: Purpose<E>,
  ip: string | undefined
): Effect.Effect<Pick<Conception, "poolName" | "claim">, E> =>
  "claim" in purpose
    ? Effect.map(purpose.claim, (claim) => ({ poolName: claim.workerName, claim }))
    : Effect.map(purpose.named(ip), (poolName) => ({ poolName, claim: undefined }))
