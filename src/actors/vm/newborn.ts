/** A machine that does not exist yet: what is chosen before anything is sent (design, "Intent before action"). */
import type { ModelStamp } from "../../schema/ModelV1.ts"
import type { MachineId, Size } from "../../schema/Machine.ts"
import type { TimeSettings } from "../../services/Settings.ts"
import { allowance } from "./deadlines.ts"
import type { Claim, Vm, VmState } from "./State.ts"

export interface Conception {
  readonly id: MachineId
  readonly template: string
  /** The V1 model that it is made for. */
  readonly model?: ModelStamp | undefined
  /** The name in the pool; a clone for a job has its worker's from the start. */
  readonly poolName: string
  readonly ip: string | undefined
  /** The template's, where it is known. */
  readonly size?: Size
  /** It becomes the template of `model`. */
  readonly builds?: true
  /** The job that it is cloned for; none for the pool. */
  readonly claim: Claim | undefined
  readonly now: number
}

export const newborn = (
  { id, template, model, builds, poolName, ip, size, claim, now }: Conception,
  times: TimeSettings
): Vm => {
  const state: VmState = {
    _tag: "Cloning",
    lost: false,
    ...(claim === undefined ? {} : { claim }),
    ...(builds === undefined ? {} : { builds })
  }
  return {
    id,
    ref: undefined,
    template,
    model,
    poolName,
    ip,
    generation: 0,
    size,
    createdAt: now,
    facts: undefined,
    state,
    since: now,
    deadline: now + (allowance(state, times) ?? 0),
    reason: undefined
  }
}
