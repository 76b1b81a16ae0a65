/**
 * Tells each machine's actor when its state's deadline has come. One fiber for all of them: a machine that waits has no timer of its own,
 * which is the larger half of what an idle actor would weigh.
 */
import { Clock, Effect, Queue } from "effect"
import type { MachineId } from "../schema/Machine.ts"
import { supervised } from "./Supervisor.ts"
import { send, type VmHandle } from "./Vm.ts"

export interface Deadlines {
  /** The machine's deadline may have moved. */
  readonly arm: (handle: VmHandle) => Effect.Effect<void>
}

/** Whatever crashes here is started again for ever: without it states would have no end (promise 5). */
const always = { max: Infinity, within: "1 minute" } as const

/** Works until the scope ends. */
export const makeDeadlines = Effect.fnUntraced(function* (machines: ReadonlyMap<MachineId, VmHandle>) {
  const nudge = yield* Queue.sliding<void>(1)
  /** When the machines are looked at next, in milliseconds since the epoch. */
  let nextLook = Infinity

  /** Tells those whose deadline has come, each deadline once, and finds the next one. */
  const look = Effect.gen(function* () {
    const now = yield* Clock.currentTimeMillis
    nextLook = Infinity
    for (const handle of machines.values()) {
      const { deadline } = handle.vm
      if (deadline === undefined || deadline === handle.toldDeadline) continue
      if (deadline > now) {
        nextLook = Math.min(nextLook, deadline)
        continue
      }
      handle.toldDeadline = deadline
      yield* send(handle, { _tag: "Deadline" })
    }
    return nextLook - now
  })

  const turn = Effect.flatMap(look, (left) =>
    left === Infinity ? Queue.take(nudge) : Effect.timeoutOption(Queue.take(nudge), left)
  )
  yield* Effect.forkScoped(supervised("Deadlines", always)(Effect.forever(turn)))

  const arm: Deadlines["arm"] = ({ vm: { deadline } }) =>
    Effect.sync(() => {
      if (deadline !== undefined && deadline < nextLook) Queue.offerUnsafe(nudge, undefined)
    })
  return { arm } satisfies Deadlines
})
