/** Removal, and what becomes of the job. */
import { Cause, Effect } from "effect"
import type { CdsError } from "../../../schema/Errors.ts"
import { isFinal } from "../../../schema/Job.ts"
import { isOff, type MachineRef } from "../../../schema/Machine.ts"
import { Cds } from "../../../services/Cds.ts"
import { Inventory } from "../../../services/Inventory.ts"
import { Settings } from "../../../services/Settings.ts"
import { VSphere } from "../../../services/VSphere.ts"
import type { VmEvent } from "../Event.ts"
import type { Claim, Settlement, Vm } from "../State.ts"
import { nameOf } from "../State.ts"
import { failure, patience, persist, type WorkContext } from "./kit.ts"
import { makeRecord } from "./record.ts"
import { makeRegistration } from "./registration.ts"

/** A call has come to vCenter within this, or never will: four times as long as its answer is waited for. */
const arrival = "1 minute"
/** What settles a job when its machine goes has ended by then (`settleJob`), and what was sent to CDS has come. */
const inDoubt = "3 minutes"

export const makeReaping = Effect.gen(function* () {
  const cds = yield* Cds
  const inventory = yield* Inventory
  const settings = yield* Settings
  const vsphere = yield* VSphere
  const record = yield* makeRecord
  const registration = yield* makeRegistration

  /** The machine of an actor that does not know it yet. One whose uuid cannot be read, or does not show yet, is known by its name. */
  const lookUp = (vm: Vm): Effect.Effect<MachineRef | undefined> =>
    Effect.map(inventory.view, ({ machines }) => {
      for (const facts of machines.values())
        if (facts.id === vm.id || (facts.id === "" && facts.name === nameOf(vm))) return facts.ref
      return undefined
    })

  /**
   * Looks for a machine that was asked for and has not shown, in a view that can be trusted. None: it will never be. A view that does not show what
   * came of some clone may lack this one, and its address is not free.
   */
  const find = Effect.fnUntraced(function* (vm: Vm) {
    yield* inventory.certain
    const ref = yield* lookUp(vm)
    if (ref !== undefined) return ref
    yield* inventory.clonesEnded
    while (yield* inventory.lacksClone) yield* Effect.sleep(arrival)
    yield* inventory.certain
    return yield* lookUp(vm)
  })

  /**
   * Whether a clone whose answer was lost was ever asked for. If so its machine shows, and the inventory tells the rest; if not, there is no
   * sense in keeping its address and its slot until the deadline.
   */
  const seek = Effect.fnUntraced(function* (work: WorkContext) {
    yield* Effect.sleep(arrival)
    while ((yield* find(work.vm())) !== undefined) yield* Effect.sleep(arrival)
    return failure("vCenter has neither the clone nor its task")
  })

  /**
   * vCenter does not know the machine. Its leaving will be told while the view shows it; of one that was never shown, or found by its name,
   * nobody tells.
   */
  const departed = Effect.fnUntraced(function* (work: WorkContext): Effect.fn.Return<VmEvent | undefined> {
    yield* inventory.certain
    const { ref } = work.vm()
    if (ref === undefined) return { _tag: "Failed", reason: "it went while it was looked for", unknown: true }
    return (yield* inventory.view).machines.has(ref) ? undefined : { _tag: "Gone" }
  })

  /**
   * Removal: written down, off, the job settled, destroyed; each step, and each try of it, waits for a view that can be trusted. The job
   * looks for another machine when this one is off, not before (promise 1). Its going comes by the inventory.
   */
  const reap = Effect.fnUntraced(
    function* (work: WorkContext) {
      const vm = work.vm()
      if (vm.state._tag !== "Reaping") return undefined
      yield* inventory.certain
      const ref = vm.ref ?? (yield* find(vm))
      if (ref === undefined) return { _tag: "Gone" } as const
      const { claim: claimed, settlement } = vm.state
      const known = { ...work, vm: () => ({ ...work.vm(), ref }) }
      yield* record(known, { state: "reaping", claim: claimed, reason: vm.reason, settlement })
      const log = claimed?.registers === true && settlement !== "none" ? yield* registrationLog(claimed, ref) : ""
      const off = Effect.gen(function* () {
        yield* inventory.certain
        if (yield* signedInLate(work.vm())) return false
        yield* vsphere.powerOff(ref)
        return true
      })
      if (!(yield* persist(off))) return { _tag: "SignedIn" } as const
      if (claimed !== undefined) {
        const waits = yield* settleJob(work, claimed, settlement, vm.reason ?? "its machine is removed", log)
        yield* work.tell({ _tag: "Settled", waits })
      }
      yield* persist(Effect.andThen(inventory.certain, vsphere.destroy(ref)))
      return undefined
    },
    (removed, work) =>
      Effect.catchIf(
        removed,
        (error) => error._tag === "VSphereError" && error.kind === "gone",
        () => departed(work)
      )
  )

  /** A V1 worker signs in for a job that was given back, too: CDS is asked before each try to power its machine off (promise 4). */
  const signedInLate = Effect.fnUntraced(function* ({ state, facts }: Vm) {
    if (state._tag !== "Reaping" || state.late !== true || facts === undefined || isOff(facts)) return false
    const worker = (yield* cds.workers).find(({ name }) => name === state.claim?.workerName)
    return worker !== undefined && worker.status !== "Disabled"
  })

  const registrationLog = ({ model }: Claim, ref: MachineRef) =>
    model === undefined ? Effect.succeed("") : registration.log(model.path, ref)

  /**
   * True when the job is in the queue again; one that CDS does not know any more is settled. A worker without one was to register its model. CDS does not test the status of a release, so the job
   * is read before each: it may have a worker by now or, given back already and that answer lost, another machine of ours.
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
    const isUnknown = ({ kind }: CdsError) => kind === "notFound"
    const found = yield* Effect.catchIf(cds.job(region, claimed.jobId), isUnknown, () => Effect.undefined)
    if (found === undefined || carriedElsewhere(claimed.jobId)) return false
    const { job } = found
    if (isFinal(job.status) || job.hatcheryName !== settings.cds.name) return job.status === "Waiting"
    if (settlement === "fail") return yield* Effect.as(cds.fail(region, claimed.jobId, reason), false)
    return job.status === "Scheduling" ? yield* Effect.as(cds.release(region, claimed.jobId), true) : false
  })

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

  return { seek, reap, inquire, settleJob, settleLate }
})

const subjectOf = ({ jobId, model }: Claim): string =>
  jobId === "" ? `the registration of ${model?.path ?? "a model"}` : `the job ${jobId}`
