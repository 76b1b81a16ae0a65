/** Taking a job at CDS, and knowing whether it is ours. */
import { Effect } from "effect"
import type { JobWithModel } from "../../../schema/Job.ts"
import { Cds } from "../../../services/Cds.ts"
import { Settings } from "../../../services/Settings.ts"
import type { VmEvent } from "../Event.ts"
import type { Claim } from "../State.ts"
import { done, persist } from "./kit.ts"

export const makeTaking = Effect.gen(function* () {
  const cds = yield* Cds
  const settings = yield* Settings

  /** What a job that is not to be taken (any more) says: one that shows as taken by us is ours already, and our worker may be at it. */
  const standing = ({ job }: JobWithModel, workerName: string): VmEvent => {
    if (job.status === "Scheduling" && job.hatcheryName === settings.cds.name) return done
    if (job.status === "Building" && job.workerName === workerName) return { _tag: "SignedIn" }
    return {
      _tag: "Refused",
      reason: `the job is ${job.status}${job.hatcheryName === "" ? "" : ` at ${job.hatcheryName}`}`
    }
  }

  /** After a restart CDS is asked before anything is taken, and after a refusal too: an answer may have been lost. */
  return Effect.fnUntraced(function* ({ region, jobId, workerName }: Claim, resumed: boolean) {
    const read = persist(cds.job(region, jobId))
    const taking = persist(cds.take(region, jobId)).pipe(
      Effect.as<VmEvent>(done),
      Effect.catchIf(
        (error) => error.kind === "notFound",
        () => Effect.map(read, (found) => standing(found, workerName))
      )
    )
    const asking = Effect.flatMap(read, (found) =>
      found.job.status === "Waiting" ? taking : Effect.succeed(standing(found, workerName))
    )
    return yield* (resumed ? asking : taking).pipe(
      Effect.catch((error) =>
        Effect.succeed<VmEvent>({ _tag: "Refused", reason: `CDS refused the job: ${error.message}` })
      )
    )
  })
})
