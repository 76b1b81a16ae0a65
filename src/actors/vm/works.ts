/**
 * The works of the states: what a machine's actor has done while it is somewhere. The end of a work is an event; none means that the
 * inventory or CDS will tell. Everything here may be interrupted anywhere and started again.
 */
import { Effect } from "effect"
import type { Work } from "./Action.ts"
import { makeClaiming } from "./works/claim.ts"
import { makeHatching } from "./works/hatch.ts"
import { type Course, ending, type WorkContext } from "./works/kit.ts"
import { makeBuilding } from "./works/build.ts"
import { makeReaping } from "./works/reap.ts"
import { makeSettling } from "./works/settle.ts"
import { makeWorking } from "./works/worker.ts"

export const makeWorks = Effect.gen(function* () {
  const { settleJob, settleLate, inquire } = yield* makeSettling
  const works: { readonly [W in Work]: (context: WorkContext) => Course } = {
    ...(yield* makeHatching),
    ...(yield* makeClaiming),
    ...(yield* makeWorking),
    ...(yield* makeBuilding),
    ...(yield* makeReaping),
    inquire
  }
  return { work: (name: Work, context: WorkContext) => ending(works[name](context)), settleJob, settleLate }
})
