/** Starting the worker in the guest: power on, ready, the bootstrap once, and following it until the worker shows at CDS. */
import { Effect, Redacted, Result } from "effect"
import { registerLog, script, scriptOf, secondStart, setupLog, workerLog } from "../../../schema/Bootstrap.ts"
import { isV1 } from "../../../schema/Job.ts"
import type { MachineRef } from "../../../schema/Machine.ts"
import { workerConfig } from "../../../schema/WorkerConfig.ts"
import { Cds } from "../../../services/Cds.ts"
import { Guest, type GuestLogin } from "../../../services/Guest.ts"
import { Settings } from "../../../services/Settings.ts"
import { VSphere } from "../../../services/VSphere.ts"
import { makeJobModel } from "../../jobModel.ts"
import { WorkerModels } from "../../WorkerModels.ts"
import type { VmEvent } from "../Event.ts"
import type { Claim, Vm } from "../State.ts"
import { claimOf, isAskable } from "../State.ts"
import { done, failure, patience, persist, refOf, untilSent, type WorkContext } from "./kit.ts"
import { makeModelLogin, noModelLogin } from "./login.ts"
import { makeRecord } from "./record.ts"

const noLogin = ({ template }: Vm, { model }: Claim): VmEvent =>
  model === undefined
    ? failure(
        `no guest login for "${template}": set hatchery.vsphere.guestCredentials (modelVMWare, username, password)`
      )
    : noModelLogin(model.path)

export const makeWorking = Effect.gen(function* () {
  const cds = yield* Cds
  const guest = yield* Guest
  const settings = yield* Settings
  const vsphere = yield* VSphere
  const jobModel = yield* makeJobModel
  const modelLogin = yield* makeModelLogin
  const models = yield* WorkerModels
  const record = yield* makeRecord

  /** Guest login: the configuration's entry for the template or V1 model, then the model's (seed 6.2.3). After a restart CDS is asked for it. */
  const loginFor = Effect.fnUntraced(function* (template: string, claim: Claim) {
    if (claim.model !== undefined) return yield* modelLogin(claim.model.path)
    const configured = settings.credentials.find((entry) => entry.template === template)
    if (configured !== undefined) return { username: configured.username, password: configured.password }
    if (claim.login !== undefined) return claim.login
    const model = yield* persist(jobModel.modelV2(claim.region, claim.jobId))
    if (model === undefined || model.username === "") return undefined
    return { username: model.username, password: Redacted.make(model.password) }
  })

  const power = Effect.fnUntraced(function* (work: WorkContext) {
    const vm = work.vm()
    const claimed = claimOf(vm.state)
    if (claimed === undefined) return undefined
    const ref = yield* refOf(vm)
    yield* persist(vsphere.powerOn(ref))
    const login = yield* loginFor(vm.template, claimed)
    if (login === undefined) return noLogin(vm, claimed)
    yield* guest.ready(ref, vm.ip, login)
    yield* record(work, { state: "running", claim: claimed })
    return done
  })

  /** Starts the worker once, and follows its start script until it ends. The first sign of the worker at CDS ends this work. */
  const bootstrap = Effect.fnUntraced(function* (work: WorkContext) {
    const vm = work.vm()
    const { state } = vm
    if (state._tag !== "Running") return undefined
    const ref = yield* refOf(vm)
    const before = state.resumed ? yield* startedBefore(ref, vm.template, state.claim) : undefined
    if (before === "elsewhere" || (before === undefined && work.carriedElsewhere(state.claim.jobId))) return undefined
    const login = yield* loginFor(vm.template, state.claim)
    if (login === undefined) return noLogin(vm, state.claim)
    if (before !== undefined) return yield* follow(ref, login, before, state.claim)
    const text = yield* scriptFor(vm.template, state.claim)
    if (Result.isFailure(text)) return failure(`its worker cannot be started: ${text.failure.message}`)
    return yield* follow(ref, login, yield* start(ref, login, state.claim, text.success), state.claim)
  })

  /** What is run in the guest: a V1 model's own commands, else the download and start of the worker. */
  const scriptFor = Effect.fnUntraced(function* (template: string, claim: Claim) {
    const { workerName, model, registers, region, jobId } = claim
    const { apiUrl, apiInsecure } = settings.worker
    if (model !== undefined) {
      const known = yield* models.get(model.path)
      return known === undefined
        ? Result.fail({ message: `CDS has no V1 model ${model.path} any more` })
        : scriptOf(known, { workerName, apiUrl, registers })
    }
    const preStart = settings.preStartScripts.get(template)
    if (isV1(jobId)) return Result.succeed(script({ workerName, apiUrl, apiInsecure, preStart }))
    const read = yield* persist(cds.job(region, jobId)).pipe(Effect.orElseSucceed(() => undefined))
    const osArch = read?.model?.osArch ?? "linux/amd64"
    return Result.succeed(script({ workerName, apiUrl, apiInsecure, osArch, preStart }))
  })

  const start = Effect.fnUntraced(function* (ref: MachineRef, login: GuestLogin, claimed: Claim, text: string) {
    const { workerName, modelName, jobId, region } = claimed
    const cdn = yield* persist(cds.cdn)
    const model = claimed.model === undefined ? undefined : yield* models.get(claimed.model.path)
    const token = yield* cds.workerToken({ workerName, modelName, jobId, model })
    const config = workerConfig({
      settings: settings.worker,
      hatchery: settings.cds.name,
      claim: { workerName, modelName, jobId, region: isV1(jobId) || model !== undefined ? settings.region : region },
      cdn,
      token
    })
    const program = {
      script: text,
      env: {
        CDS_CONFIG: config,
        ...Object.fromEntries(Object.entries(settings.worker.injectEnvVars).map(([k, v]) => [k, Redacted.make(v)]))
      }
    }
    return yield* guest.start(ref, login, program).pipe(
      untilSent,
      Effect.catchIf(
        (error) => error.kind === "unknown",
        (error) =>
          find(ref, login, workerName).pipe(
            Effect.filterOrFail(
              (pid) => pid !== undefined,
              () => error
            )
          )
      )
    )
  })

  /** A worker may be at work: whatever a question about it comes to, it is asked again for as long as the state lasts. */
  const processes = (ref: MachineRef, login: GuestLogin, pid: number | undefined) =>
    Effect.retry(guest.processes(ref, login, pid), patience)

  /** The bootstrap names the worker in its text, so that it can be found again. One that came second did nothing. */
  const find = (ref: MachineRef, login: GuestLogin, workerName: string) =>
    Effect.map(
      processes(ref, login, undefined),
      (all) =>
        all.find(({ commandLine, exitCode }) => commandLine.includes(workerName) && exitCode !== secondStart)?.pid
    )

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
      const pid = yield* find(ref, login, claimed.workerName)
      if (pid !== undefined) return pid
      // To register a model twice is harmless.
      if (claimed.registers === true) return undefined
      if (!isAskable(claimed)) return "elsewhere" as const
      const { job } = yield* persist(cds.job(claimed.region, claimed.jobId))
      return job.status === "Scheduling" && job.hatcheryName === settings.cds.name ? undefined : ("elsewhere" as const)
    },
    Effect.orElseSucceed(() => "elsewhere" as const)
  )

  const follow = Effect.fnUntraced(function* (ref: MachineRef, login: GuestLogin, first: number, claim: Claim) {
    let pid = first
    let pause = 2_000
    while (true) {
      yield* Effect.sleep(pause)
      pause = Math.min(30_000, pause * 2)
      const found = yield* processes(ref, login, pid)
      const exitCode = found[0]?.exitCode
      if (exitCode === undefined) continue
      const other = exitCode === secondStart ? yield* find(ref, login, claim.workerName) : undefined
      if (other !== undefined) {
        pid = other
        continue
      }
      return { _tag: "Exited", exitCode, log: exitCode === 0 ? "" : yield* logTail(ref, login, claim) } as const
    }
  })

  const logTail = (ref: MachineRef, login: GuestLogin, { registers }: Claim): Effect.Effect<string> =>
    guest.tail(ref, login, registers === true ? registerLog : workerLog, 2_000).pipe(
      Effect.filterOrFail((text) => text.trim() !== ""),
      Effect.catch(() => guest.tail(ref, login, setupLog, 2_000)),
      Effect.orElseSucceed(() => "")
    )

  return { power, bootstrap }
})
