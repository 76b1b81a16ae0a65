/** Claiming a ready machine for a job, and undoing it. */
import { Effect } from "effect"
import type { Vm } from "../State.ts"
import { claimOf } from "../State.ts"
import { done, type WorkContext } from "./kit.ts"
import { makeRecord } from "./record.ts"
import { makeTaking } from "./take.ts"

/** The size to go back to when a flavor was applied. */
const sizeBefore = ({ size, facts }: Vm) =>
  size === undefined || facts === undefined || (facts.numCpu === size.cpus && facts.memoryMB === size.memoryMB)
    ? {}
    : { size }

export const makeClaiming = Effect.gen(function* () {
  const record = yield* makeRecord
  const taking = yield* makeTaking
  return {
    /** Name, annotation with the job, and size in one call. */
    claim: Effect.fnUntraced(function* (work: WorkContext) {
      const claim = claimOf(work.vm().state)
      yield* record(work, { state: "renamed", claim }, claim?.size === undefined ? {} : { size: claim.size })
      return done
    }),

    /**
     * A claim that was taken over is written anew first: a reconfigure of its last owner may be on its way, and then one of the two does not
     * come about. The job would be taken for a machine that forgets it.
     */
    take: Effect.fnUntraced(function* (work: WorkContext) {
      const { state } = work.vm()
      if (state._tag !== "Renamed") return undefined
      if (state.resumed && work.carriedElsewhere(state.claim.jobId))
        return { _tag: "Refused", reason: "its job is on another machine by now" } as const
      if (state.resumed) yield* record(work, { state: "renamed", claim: state.claim })
      return state.claim.registers === true ? done : yield* taking(state.claim, state.resumed)
    }),

    unclaim: Effect.fnUntraced(function* (work: WorkContext) {
      const vm = work.vm()
      yield* record(work, { state: "provisioned", claim: undefined }, { name: vm.poolName, ...sizeBefore(vm) })
      return done
    })
  }
})
