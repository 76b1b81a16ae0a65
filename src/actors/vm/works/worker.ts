/** Starting the worker in the guest: power on, ready, the bootstrap once, and following it until the worker shows at CDS. */
import { Effect, Result } from "effect"
import { registerLog, secondStart, setupLog, workerLog } from "../../../schema/Bootstrap.ts"
import type { MachineRef } from "../../../schema/Machine.ts"
import { Cds } from "../../../services/Cds.ts"
import type { GuestProgram } from "../../../services/Guest.ts"
import { Settings } from "../../../services/Settings.ts"
import { VSphere } from "../../../services/VSphere.ts"
import { WorkerModels } from "../../models/WorkerModels.ts"
import type { Claim } from "../State.ts"
import { claimOf, isAskable } from "../State.ts"
import { alone } from "./giveWay.ts"
import { type GuestOfMachine, makeGuestOf } from "./guestOf.ts"
import { done, failure, persist, refOf, type WorkContext } from "./kit.ts"
import { makeWorkerLogin, noWorkerLogin } from "./login.ts"
import { makeRecord } from "./record.ts"
import { makeWorkerProgram } from "./workerProgram.ts"

/** The bootstrap names the worker in its text, so that it can be found again: its pid. One that came second did nothing. */
const find = (guest: GuestOfMachine, workerName: string) =>
  Effect.map(
    guest.processes(),
    (all) => all.find(({ commandLine, exitCode }) => commandLine.includes(workerName) && exitCode !== secondStart)?.pid
  )

/** Where the answer is lost the bootstrap is looked for: it is never sent again. */
const start = (guest: GuestOfMachine, program: GuestProgram, workerName: string) =>
  Effect.catchIf(
    guest.start(program),
    (error) => error.kind === "unknown",
    (error) =>
      find(guest, workerName).pipe(
        Effect.filterOrFail(
          (pid) => pid !== undefined,
          () => error
        )
      )
  )

const follow = Effect.fnUntraced(function* (guest: GuestOfMachine, first: number, { workerName, registers }: Claim) {
  let pid = first
  while (true) {
    const exitCode = yield* guest.ended(pid, { first: 2_000, longest: 30_000 })
    const other = exitCode === secondStart ? yield* find(guest, workerName) : undefined
    if (other === undefined) {
      const log = exitCode === 0 ? "" : yield* guest.logEnd(registers === true ? registerLog : workerLog, setupLog)
      return { _tag: "Exited", exitCode, log } as const
    }
    pid = other
  }
})

export const makeWorking = Effect.gen(function* () {
  const cds = yield* Cds
  const models = yield* WorkerModels
  const settings = yield* Settings
  const vsphere = yield* VSphere
  const guestOf = yield* makeGuestOf
  const loginFor = yield* makeWorkerLogin
  const programFor = yield* makeWorkerProgram
  const record = yield* makeRecord

  const power = Effect.fnUntraced(function* (work: WorkContext) {
    const vm = work.vm()
    const claimed = claimOf(vm.state)
    if (claimed === undefined) return undefined
    const ref = yield* refOf(vm)
    yield* persist(Effect.andThen(alone(work, claimed.jobId), vsphere.powerOn(ref)))
    const login = yield* loginFor(vm.template, claimed)
    if (login === undefined) return noWorkerLogin(vm.template, claimed)
    yield* guestOf(ref, login).ready(vm.ip)
    yield* record(work, { state: "running", claim: claimed })
    return done
  })

  /** A job's user reads last that its V1 model is deprecated, when the worker is started (cds-contract 10.4). */
  const tellDeprecated = Effect.fnUntraced(function* ({ jobId, region, model, modelName }: Claim) {
    const known = model === undefined || jobId === "" ? undefined : yield* models.get(model.path)
    if (known?.deprecated === true)
      yield* Effect.ignore(cds.tell(region, jobId, { _tag: "DeprecatedModel", modelName }))
  })

  /** Starts the worker once, and follows its start script until it ends. The first sign of the worker at CDS ends this work. */
  const bootstrap = Effect.fnUntraced(function* (work: WorkContext) {
    const vm = work.vm()
    const { template, state } = vm
    if (state._tag !== "Running") return undefined
    const { claim } = state
    const ref = yield* refOf(vm)
    const before = state.resumed ? yield* startedBefore(ref, template, claim) : undefined
    if (before === "elsewhere" || (before === undefined && work.carriedElsewhere(claim.jobId))) return undefined
    const login = yield* loginFor(template, claim)
    if (login === undefined) return noWorkerLogin(template, claim)
    const guest = guestOf(ref, login)
    if (before !== undefined) return yield* follow(guest, before, claim)
    const program = yield* programFor(template, claim)
    if (Result.isFailure(program)) return failure(`its worker cannot be started: ${program.failure}`)
    const pid = yield* start(guest, program.success, claim.workerName)
    yield* Effect.forkChild(tellDeprecated(claim))
    return yield* follow(guest, pid, claim)
  })

  /**
   * After a restart: the pid of a bootstrap that was started, undefined when it never was, "elsewhere" when its job has gone on without it
   * or nothing can be found out. Then a worker may be at work: it is left alone until it shows at CDS, or its deadline.
   */
  const startedBefore = Effect.fnUntraced(
    function* (ref: MachineRef, template: string, claimed: Claim) {
      // The Go hatchery claimed it, and names its worker in no command line: a second start script would switch the machine off below the first.
      if (claimed.modelName === "") return "elsewhere" as const
      const login = yield* loginFor(template, claimed)
      if (login === undefined) return "elsewhere" as const
      const pid = yield* find(guestOf(ref, login), claimed.workerName)
      if (pid !== undefined) return pid
      // To register a model twice is harmless.
      if (claimed.registers === true) return undefined
      if (!isAskable(claimed)) return "elsewhere" as const
      const { job } = yield* persist(cds.job(claimed.region, claimed.jobId))
      return job.status === "Scheduling" && job.hatcheryName === settings.cds.name ? undefined : ("elsewhere" as const)
    },
    Effect.orElseSucceed(() => "elsewhere" as const)
  )

  /** Its worker goes on where this fails, and the next sight of the machine tells. */
  const mark = (work: WorkContext) =>
    record(work, { state: "running", claim: claimOf(work.vm().state) }).pipe(Effect.ignore, Effect.as(done))

  return { power, bootstrap, mark }
})
