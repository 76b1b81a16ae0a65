/**
 * The works of the states: what a machine's actor has done while it is somewhere. The end of a work is an event; none means that the
 * inventory or CDS will tell. Everything here may be interrupted anywhere and started again.
 */
import { Effect } from "effect"
import type { Work } from "./Action.ts"
import type { VmEvent } from "./Event.ts"
import { makeClaiming } from "./works/claim.ts"
import { makeHatching } from "./works/hatch.ts"
import { ending, type WorkContext } from "./works/kit.ts"
import { makeBuilding } from "./works/build.ts"
import { makeReaping } from "./works/reap.ts"
import { makeWorking } from "./works/worker.ts"

export const makeWorks = Effect.gen(function* () {
  const { clone, boot, settle } = yield* makeHatching
  const { claim, take, unclaim } = yield* makeClaiming
  const { power, bootstrap } = yield* makeWorking
  const { prepare, convert } = yield* makeBuilding
  const { seek, reap, inquire, settleJob } = yield* makeReaping
  const works: { readonly [W in Work]: (work: WorkContext) => Effect.Effect<VmEvent | undefined> } = {
    clone: (work) => ending(clone(work)),
    seek: (work) => ending(seek(work)),
    boot: (work) => ending(boot(work)),
    settle: (work) => ending(settle(work)),
    claim: (work) => ending(claim(work)),
    take: (work) => ending(take(work)),
    power: (work) => ending(power(work)),
    bootstrap: (work) => ending(bootstrap(work)),
    inquire: (work) => ending(inquire(work)),
    unclaim: (work) => ending(unclaim(work)),
    prepare: (work) => ending(prepare(work)),
    convert: (work) => ending(convert(work)),
    reap: (work) => ending(reap(work))
  }
  return { works, settleJob }
})
