/** What becomes of a job, or of a registration, when its machine goes. */
import { Cause, Effect } from "effect"
import type { CdsError } from "../../../schema/Errors.ts"
import { isFinal } from "../../../schema/Job.ts"
import { isOff } from "../../../schema/Machine.ts"
import { Cds } from "../../../services/Cds.ts"
import { Settings } from "../../../services/Settings.ts"
import type { Claim, Settlement, Vm } from "../State.ts"
import { patience, persist, type WorkContext } from "./kit.ts"
import { makeRegistration } from "./registration.ts"

/** What settles a job when its machine goes has ended by then (`settleJob`), and what was sent to CDS has come. */
const inDoubt = "3 minutes"

export const makeSettling = Effect.gen(function* () {
  const cds = yield* Cds
  const settings = yield* Settings
  const registration = yield* makeRegistration

  /**
   * True when the job is in the queue again; one that CDS does not know any more is settled. A worker without one was to register its model. CDS does
   * not test the status of a release, so the job is read before each: it may have a worker by now or, given back already and that answer lost,
   * another machine of ours.
   */
  const settle = Effect.fnUntraced(function* (
    { carriedElsewhere }: Pick<WorkContext, "carriedElsewhere">,
    claimed: Claim,
    settlement: Settlement,
    reason: string,
    log = ""
  ) {
    if (claimed.jobId === "") {
      if (claimed.model !== undefined) yield* registration.failed(claimed.model, reason, log)
      return false
    }
    const region = claimed.region === "" ? yield* cds.region : claimed.region
    const found = yield* Effect.catchIf(cds.job(region, claimed.jobId), isUnknown, () => Effect.undefined)
    if (found === undefined || carriedElsewhere(claimed.jobId)) return false
    const { job } = found
    if (isFinal(job.status) || job.hatcheryName !== settings.cds.name) return job.status === "Waiting"
    if (settlement === "fail") return yield* Effect.as(cds.fail(region, claimed.jobId, reason), false)
    return job.status === "Scheduling" ? yield* Effect.as(cds.release(region, claimed.jobId), true) : false
  })

  /**
   * What becomes of the job, or of the registration (defects 68, 69, 74). A job that another machine of ours carries by now is left alone. CDS takes
   * back what is left by itself after 600 s, so this is tried for two minutes only. True when the job may be in the queue again.
   */
  const settleJob = Effect.fnUntraced(function* (
    work: Pick<WorkContext, "carriedElsewhere">,
    claimed: Claim,
    settlement: Settlement,
    reason: string,
    log = ""
  ) {
    const idle = claimed.jobId === "" ? claimed.registers !== true : work.carriedElsewhere(claimed.jobId)
    if (settlement === "none" || idle) return false
    return yield* persist(settle(work, claimed, settlement, reason, log)).pipe(
      Effect.timeout("2 minutes"),
      Effect.catchCause((cause) =>
        Cause.hasInterruptsOnly(cause)
          ? Effect.interrupt
          : Effect.as(Effect.logWarning(`${subjectOf(claimed)} is left to CDS`, cause), claimed.jobId !== "")
      )
    )
  })

  /**
   * A V1 job that lost its machine is looked at once more: CDS may have carried out a booking after that was given up, and nobody else runs the
   * job for as long as it lasts, which is as long as a machine may take. A V2 job is taken back by CDS.
   */
  const settleLate = (work: Pick<WorkContext, "carriedElsewhere">, claimed: Claim) =>
    settle(work, claimed, "release", "its machine is gone").pipe(persist, Effect.delay(inDoubt), Effect.ignore)

  /**
   * A worker's time to sign in is over. It may have done so unseen, while CDS did not answer: so CDS is asked until it does. A worker that
   * it does not know is shut out by giving its job back at once, as none signs in for a job that is not being scheduled; but see `signedInLate`.
   */
  const inquire = Effect.fnUntraced(function* (work: WorkContext) {
    const { state } = work.vm()
    if (state._tag !== "Running") return undefined
    const { claim: claimed, ended } = state
    const workers = yield* Effect.retry(cds.workers, patience)
    const worker = workers.find(({ name }) => name === claimed.workerName)
    if (worker !== undefined) return { _tag: worker.status === "Disabled" ? "Disabled" : "SignedIn" } as const
    const reason =
      ended === true
        ? "its worker's start script ended with exit code 0, the machine stayed on, and the worker did not sign in"
        : (work.vm().reason ?? "its worker did not sign in within workerRegistrationTTL")
    if (claimed.jobId !== "") yield* Effect.ignore(persist(settle(work, claimed, "release", reason)))
    return { _tag: "Refused", reason } as const
  })

  /** A V1 worker signs in for a job that was given back, too: CDS is asked before each try to power its machine off (promise 4). */
  const signedInLate = Effect.fnUntraced(function* ({ state, facts }: Vm) {
    if (state._tag !== "Reaping" || state.late !== true || facts === undefined || isOff(facts)) return false
    const worker = (yield* cds.workers).find(({ name }) => name === state.claim?.workerName)
    return worker !== undefined && worker.status !== "Disabled"
  })

  return { settleJob, settleLate, inquire, signedInLate }
})

const isUnknown = ({ kind }: CdsError): boolean => kind === "notFound"

const subjectOf = ({ jobId, model }: Claim): string =>
  jobId === "" ? `the registration of ${model?.path ?? "a model"}` : `the job ${jobId}`
