/**
 * A claim that is under way gives way to another machine of ours that is on with its job (promise 1). Nothing is claimed for such a job, but the
 * other may show later: by a late write of a process that is gone, or because somebody powered it on again.
 */
import { Effect } from "effect"
import { VSphereError } from "../../../schema/Errors.ts"
import type { JobId } from "../../../schema/Job.ts"
import { isOff } from "../../../schema/Machine.ts"
import type { WorkContext } from "./kit.ts"

/** How often another machine is looked for while vCenter clones. */
const lookEvery = "1 second"

const isOn = (other: string): string => `its job is on ${other}, which is not off yet`

/** Before a machine is powered on for the job: one that is off waits until the other is off too, one that is on goes. */
export const alone = ({ vm, onElsewhere }: WorkContext, jobId: JobId): Effect.Effect<void, VSphereError> =>
  Effect.suspend(() => {
    const other = onElsewhere(jobId)
    if (other === undefined) return Effect.void
    const { facts } = vm()
    const kind = facts === undefined || isOff(facts) ? "busy" : "invalid"
    return Effect.fail(new VSphereError({ operation: "PowerOnVM_Task", kind, message: isOn(other) }))
  })

/** While a clone is made for the job, which vCenter powers on at its end: ends when it is no longer wanted, which the actor is told. */
export const outdone = Effect.fnUntraced(function* ({ onElsewhere, tell }: WorkContext, jobId: JobId) {
  let other = onElsewhere(jobId)
  for (; other === undefined; other = onElsewhere(jobId)) yield* Effect.sleep(lookEvery)
  yield* tell({ _tag: "Refused", reason: isOn(other) })
})
