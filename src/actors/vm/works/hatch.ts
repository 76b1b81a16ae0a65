/** Hatching: the clone, its first boot, its way into the pool. A clone for a job takes the job while vCenter clones. */
import { Deferred, Effect } from "effect"
import { Guest } from "../../../services/Guest.ts"
import { IpPool } from "../../../services/IpPool.ts"
import { VSphere } from "../../../services/VSphere.ts"
import { annotate } from "../annotate.ts"
import type { VmEvent } from "../Event.ts"
import { type Claim, claimOf, isBuild, nameOf } from "../State.ts"
import { outdone } from "./giveWay.ts"
import { done, patience, persist, refOf, type WorkContext } from "./kit.ts"
import { makeRecord } from "./record.ts"
import { makeTaking } from "./take.ts"

export const makeHatching = Effect.gen(function* () {
  const guest = yield* Guest
  const ips = yield* IpPool
  const vsphere = yield* VSphere
  const record = yield* makeRecord
  const taking = yield* makeTaking

  const clone = (work: WorkContext, accepted: Effect.Effect<void>, unwanted: Effect.Effect<void>) =>
    Effect.gen(function* () {
      const vm = work.vm()
      const claim = claimOf(vm.state)
      const addressing = yield* ips.lease(vm.id)
      const state = isBuild(vm.state) ? "preparing" : "booting"
      const annotation = annotate(vm, { state, claim }, yield* work.env)
      const plan = { id: vm.id, name: nameOf(vm), template: vm.template, annotation, addressing, flavor: claim?.size }
      const ref = yield* vsphere
        .clone(plan, accepted, unwanted)
        .pipe(Effect.retry({ schedule: patience, while: (error) => error.kind === "unreachable" }))
      return { _tag: "Cloned", ref } as const
    })

  /** The clone call with its annotation is the intent; the take follows when vCenter has accepted it, and the machine waits for its answer. */
  const cloneForJob = (work: WorkContext, claim: Claim) =>
    Effect.gen(function* () {
      const scope = yield* Effect.scope
      const answered = yield* Deferred.make<VmEvent>()
      const take = Effect.flatMap(taking(claim, false), (answer) =>
        Effect.andThen(answer._tag === "Done" ? Effect.void : work.tell(answer), Deferred.succeed(answered, answer))
      )
      const made = yield* clone(work, Effect.asVoid(Effect.forkIn(take, scope)), outdone(work, claim.jobId))
      yield* Deferred.await(answered)
      return made
    }).pipe(Effect.scoped)

  return {
    clone: (work: WorkContext) => {
      const claim = claimOf(work.vm().state)
      return claim === undefined || claim.registers === true
        ? clone(work, Effect.void, Effect.never)
        : cloneForJob(work, claim)
    },

    boot: Effect.fnUntraced(function* (work: WorkContext) {
      const vm = work.vm()
      yield* guest.ready(yield* refOf(vm), vm.ip, undefined)
      return done
    }),

    settle: Effect.fnUntraced(function* (work: WorkContext) {
      const ref = yield* refOf(work.vm())
      yield* persist(vsphere.shutdown(ref))
      yield* record(work, { state: "provisioned", claim: undefined })
      return done
    })
  }
})
