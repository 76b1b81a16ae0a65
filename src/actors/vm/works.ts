/**
 * The works of the states: what a machine's actor has done while it is somewhere, one small effect each. The end of a work is an event;
 * none means that the inventory or CDS will tell. Everything here may be interrupted anywhere and started again.
 */
import { Cause, Effect, Redacted, Schedule } from "effect"
import type { Conceded } from "../../schema/Errors.ts"
import type { CdsError, GuestError, VSphereError } from "../../schema/Errors.ts"
import { parse } from "../../schema/Annotation.ts"
import { isFinal, type JobWithModel } from "../../schema/Job.ts"
import type { MachineFacts, MachineRef } from "../../schema/Machine.ts"
import { script } from "../../schema/Bootstrap.ts"
import { workerConfig } from "../../schema/WorkerConfig.ts"
import { Cds } from "../../services/Cds.ts"
import { Guest, type GuestLogin } from "../../services/Guest.ts"
import { Inventory } from "../../services/Inventory.ts"
import { IpPool } from "../../services/IpPool.ts"
import { Settings } from "../../services/Settings.ts"
import { type MachineChange, VSphere } from "../../services/VSphere.ts"
import type { Work } from "./Action.ts"
import { annotate, type Entry, nameFor } from "./annotate.ts"
import type { VmEvent } from "./Event.ts"
import type { Claim, Settlement, Vm } from "./State.ts"
import { claimOf, nameOf } from "./State.ts"
import type { Env } from "./table.ts"

export interface WorkContext {
  /** The machine now: facts may have come since the work began. */
  readonly vm: () => Vm
  readonly env: Effect.Effect<Env>
  /** Tells the actor something while the work goes on. */
  readonly tell: (event: VmEvent) => Effect.Effect<void>
  /** True when another machine of ours carries this job. */
  readonly carriedElsewhere: (jobId: string) => boolean
}

const done: VmEvent = { _tag: "Done" }

/** Pauses between tries of something that may pass later: 1 s, doubling, at most 30 s, for as long as the state lasts. */
const patience = Schedule.min([Schedule.exponential("1 second"), Schedule.spaced("30 seconds")])

/** Repeats what is harmless to repeat while vCenter or the network is in the way; the state's deadline ends it. */
const persist = <A, E extends VSphereError | CdsError | GuestError | Conceded, R>(self: Effect.Effect<A, E, R>) =>
  Effect.retry(self, {
    schedule: patience,
    while: (error) =>
      error._tag !== "Conceded" && (error.kind === "busy" || error.kind === "unreachable" || error.kind === "unknown")
  })

/** Whatever went wrong becomes the work's end. */
const ending = <R>(
  self: Effect.Effect<
    VmEvent | undefined,
    { readonly _tag: string; readonly message: string; readonly kind?: string; readonly reason?: string },
    R
  >
): Effect.Effect<VmEvent | undefined, never, R> =>
  Effect.catch(self, (error): Effect.Effect<VmEvent> =>
    Effect.succeed(
      error._tag === "Conceded"
        ? { _tag: "Conceded", reason: error.reason ?? error.message }
        : { _tag: "Failed", reason: error.reason ?? error.message, unknown: error.kind === "unknown" }
    )
  )

export const makeWorks = Effect.gen(function* () {
  const vsphere = yield* VSphere
  const guest = yield* Guest
  const inventory = yield* Inventory
  const cds = yield* Cds
  const ips = yield* IpPool
  const settings = yield* Settings

  /** The machine is still what we last knew: ours, and written last by this process or in the generation we took over. */
  const stillOurs =
    (vm: Vm, env: Env) =>
    (facts: MachineFacts): boolean => {
      const annotation = parse(facts.annotation)
      if (annotation?.hatcheryName !== env.hatchery) return false
      if (annotation.journal === undefined) return facts.annotation === vm.facts?.annotation
      return annotation.journal.instance === env.instance || annotation.journal.generation === vm.generation
    }

  const refOf = (vm: Vm): Effect.Effect<MachineRef> =>
    vm.ref === undefined ? Effect.die(`the machine ${nameOf(vm)} has no reference yet`) : Effect.succeed(vm.ref)

  /** One guarded reconfigure that writes the journal, with what else changes in the same call. */
  const record = Effect.fnUntraced(function* (work: WorkContext, entry: Entry, more: MachineChange = {}) {
    const vm = work.vm()
    const ref = yield* refOf(vm)
    const env = yield* work.env
    const name = nameFor(vm, entry)
    const change = { ...more, annotation: annotate(vm, entry, env), ...(name === nameOf(vm) ? {} : { name }) }
    yield* persist(vsphere.reconfigure(ref, stillOurs(vm, env), change))
  })

  /** Guest login: the configuration's entry for the template, then the model's (seed 6.2.3). After a restart CDS is asked for the model. */
  const loginFor = Effect.fnUntraced(function* (template: string, claim: Claim) {
    const configured = settings.credentials.find((entry) => entry.template === template)
    if (configured !== undefined) return { username: configured.username, password: configured.password }
    if (claim.login !== undefined) return claim.login
    const { model } = yield* persist(cds.job(claim.region, claim.jobId))
    if (model === undefined || model.username === "") return undefined
    return { username: model.username, password: Redacted.make(model.password) }
  })

  const clone = Effect.fnUntraced(function* (work: WorkContext) {
    const vm = work.vm()
    const env = yield* work.env
    const addressing = yield* ips.lease(vm.id)
    const ref = yield* vsphere
      .clone({
        id: vm.id,
        name: vm.poolName,
        template: vm.template,
        annotation: annotate(vm, { state: "booting", claim: undefined }, env),
        addressing,
        flavor: undefined
      })
      .pipe(Effect.retry({ schedule: patience, while: (error) => error.kind === "unreachable" }))
    return { _tag: "Cloned", ref } as const
  })

  const boot = Effect.fnUntraced(function* (work: WorkContext) {
    const vm = work.vm()
    yield* guest.ready(yield* refOf(vm), vm.ip, undefined)
    return done
  })

  const settle = Effect.fnUntraced(function* (work: WorkContext) {
    const ref = yield* refOf(work.vm())
    yield* persist(vsphere.shutdown(ref))
    yield* record(work, { state: "provisioned", claim: undefined })
    return done
  })

  const claim = Effect.fnUntraced(function* (work: WorkContext) {
    const claimed = claimOf(work.vm().state)
    yield* record(work, { state: "renamed", claim: claimed }, claimed?.size === undefined ? {} : { size: claimed.size })
    return done
  })

  /** What a job that is not to be taken (any more) says: one that shows as taken by us is ours already. */
  const standing = ({ job }: JobWithModel): VmEvent =>
    job.status === "Scheduling" && job.hatcheryName === settings.cds.name
      ? done
      : {
          _tag: "Refused",
          reason: `the job is ${job.status}${job.hatcheryName === "" ? "" : ` at ${job.hatcheryName}`}`
        }

  /** After a restart CDS is asked before anything is taken, and after a refusal too: an answer may have been lost. */
  const take = Effect.fnUntraced(function* (work: WorkContext) {
    const { state } = work.vm()
    if (state._tag !== "Renamed") return undefined
    const { region, jobId } = state.claim
    const read = persist(cds.job(region, jobId))
    const taking = persist(cds.take(region, jobId)).pipe(
      Effect.as<VmEvent>(done),
      Effect.catchIf(
        (error) => error.kind === "notFound",
        () => Effect.map(read, standing)
      )
    )
    const asking = Effect.flatMap(read, (found) =>
      found.job.status === "Waiting" ? taking : Effect.succeed(standing(found))
    )
    return yield* (state.resumed ? asking : taking).pipe(
      Effect.catchIf(
        (error) => error.kind === "notFound" || error.kind === "refused",
        (error) => Effect.succeed<VmEvent>({ _tag: "Refused", reason: `CDS refused the job: ${error.message}` })
      )
    )
  })

  const power = Effect.fnUntraced(function* (work: WorkContext) {
    const vm = work.vm()
    const claimed = claimOf(vm.state)
    if (claimed === undefined) return undefined
    const ref = yield* refOf(vm)
    yield* persist(vsphere.powerOn(ref))
    const login = yield* loginFor(vm.template, claimed)
    if (login === undefined) return noLogin(vm)
    yield* guest.ready(ref, vm.ip, login)
    yield* record(work, { state: "running", claim: claimed })
    return done
  })

  const noLogin = (vm: Vm): VmEvent => ({
    _tag: "Failed",
    reason: `no guest login for "${vm.template}": set hatchery.vsphere.guestCredentials (modelVMWare, username, password)`,
    unknown: false
  })

  /** Starts the worker once, and follows its start script until it ends. The first sign of the worker at CDS ends this work. */
  const bootstrap = Effect.fnUntraced(function* (work: WorkContext) {
    const vm = work.vm()
    const { state } = vm
    if (state._tag !== "Running") return undefined
    const ref = yield* refOf(vm)
    const before = state.resumed ? yield* startedBefore(ref, vm.template, state.claim) : undefined
    if (before === "elsewhere") return undefined
    const login = yield* loginFor(vm.template, state.claim)
    if (login === undefined) return noLogin(vm)
    return yield* follow(ref, login, before ?? (yield* start(ref, login, state.claim)))
  })

  const start = Effect.fnUntraced(function* (ref: MachineRef, login: GuestLogin, claimed: Claim) {
    const { workerName, modelName, jobId, region } = claimed
    const { apiUrl, apiInsecure } = settings.worker
    const cdn = yield* persist(cds.cdn)
    const token = yield* cds.workerToken({ workerName, modelName, jobId })
    const config = workerConfig({
      settings: settings.worker,
      hatchery: settings.cds.name,
      claim: { workerName, modelName, jobId, region },
      cdn,
      token
    })
    const { model } = yield* persist(cds.job(region, jobId)).pipe(Effect.orElseSucceed(() => ({ model: undefined })))
    const program = {
      script: script({ workerName, apiUrl, apiInsecure, osArch: model?.osArch ?? "linux/amd64" }),
      env: {
        CDS_CONFIG: config,
        ...Object.fromEntries(Object.entries(settings.worker.injectEnvVars).map(([k, v]) => [k, Redacted.make(v)]))
      }
    }
    return yield* guest.start(ref, login, program).pipe(
      Effect.retry({ schedule: patience, while: (error) => error.kind === "busy" || error.kind === "unreachable" }),
      Effect.catchIf(
        (error) => error.kind === "unknown",
        (error) =>
          Effect.flatMap(find(ref, login, workerName), (pid) =>
            pid === undefined ? Effect.fail(error) : Effect.succeed(pid)
          )
      )
    )
  })

  /** The bootstrap names the worker in its text, so that it can be found again. */
  const find = (ref: MachineRef, login: GuestLogin, workerName: string) =>
    Effect.map(
      persist(guest.processes(ref, login, undefined)),
      (all) => all.find((process) => process.commandLine.includes(workerName))?.pid
    )

  /**
   * After a restart: the pid of a bootstrap that was started, undefined when it never was, "elsewhere" when its job has gone on without it
   * or nothing can be found out. Then a worker may be at work: it is left alone until it shows at CDS, or its deadline.
   */
  const startedBefore = Effect.fnUntraced(
    function* (ref: MachineRef, template: string, claimed: Claim) {
      const login = yield* loginFor(template, claimed)
      if (login === undefined) return "elsewhere" as const
      const pid = yield* find(ref, login, claimed.workerName)
      if (pid !== undefined) return pid
      if (claimed.jobId === "" || claimed.region === "") return "elsewhere" as const
      const { job } = yield* persist(cds.job(claimed.region, claimed.jobId))
      return job.status === "Scheduling" && job.hatcheryName === settings.cds.name ? undefined : ("elsewhere" as const)
    },
    Effect.orElseSucceed(() => "elsewhere" as const)
  )

  const follow = Effect.fnUntraced(function* (ref: MachineRef, login: GuestLogin, pid: number) {
    let pause = 2_000
    while (true) {
      yield* Effect.sleep(pause)
      pause = Math.min(30_000, pause * 2)
      const found = yield* persist(guest.processes(ref, login, pid))
      const exitCode = found[0]?.exitCode
      if (exitCode === undefined) continue
      return { _tag: "Exited", exitCode, log: exitCode === 0 ? "" : yield* logTail(ref, login) } as const
    }
  })

  const logTail = (ref: MachineRef, login: GuestLogin): Effect.Effect<string> =>
    guest.tail(ref, login, "/tmp/worker.log", 2_000).pipe(
      Effect.filterOrFail((text) => text.trim() !== ""),
      Effect.catch(() => guest.tail(ref, login, "/tmp/cds-worker-setup.log", 2_000)),
      Effect.orElseSucceed(() => "")
    )

  const unclaim = Effect.fnUntraced(function* (work: WorkContext) {
    const vm = work.vm()
    const resized = vm.size !== undefined && vm.facts !== undefined && vm.facts.numCpu !== vm.size.cpus
    const remembered = vm.size !== undefined && vm.facts !== undefined && vm.facts.memoryMB !== vm.size.memoryMB
    const size = vm.size !== undefined && (resized || remembered) ? { size: vm.size } : {}
    yield* record(work, { state: "provisioned", claim: undefined }, { name: vm.poolName, ...size })
    return done
  })

  /** Removal: written down, the job settled, off, destroyed; each step waits for a view that can be trusted. Its going comes by the inventory. */
  const reap = Effect.fnUntraced(
    function* (work: WorkContext) {
      const vm = work.vm()
      if (vm.state._tag !== "Reaping") return undefined
      yield* inventory.certain
      const ref = vm.ref ?? (yield* lookUp(vm))
      if (ref === undefined) return { _tag: "Gone" } as const
      const { claim: claimed, settlement } = vm.state
      const known = { ...work, vm: () => ({ ...work.vm(), ref }) }
      yield* record(known, { state: "reaping", claim: claimed, reason: vm.reason, settlement })
      if (claimed !== undefined) {
        yield* settleJob(work, claimed, settlement, vm.reason ?? "its machine is removed")
        yield* work.tell({ _tag: "Settled" })
      }
      yield* inventory.certain
      yield* persist(vsphere.powerOff(ref))
      yield* persist(vsphere.destroy(ref))
      return undefined
    },
    Effect.catchIf(
      (error) => error._tag === "VSphereError" && error.kind === "gone",
      () => Effect.undefined
    )
  )

  const lookUp = (vm: Vm): Effect.Effect<MachineRef | undefined> =>
    Effect.map(inventory.view, ({ machines }) => {
      for (const facts of machines.values()) if (facts.id === vm.id) return facts.ref
      return undefined
    })

  /**
   * What becomes of the job (defects 68, 69, 74). CDS does not test the status of a release, so it is read first; a job that another machine
   * of ours carries by now is left alone. CDS takes back what is left by itself after 600 s, so this is tried for two minutes only.
   */
  const settleJob = Effect.fnUntraced(function* (
    work: Pick<WorkContext, "carriedElsewhere">,
    claimed: Claim,
    settlement: Settlement,
    reason: string
  ) {
    if (settlement === "none" || claimed.jobId === "" || work.carriedElsewhere(claimed.jobId)) return
    const region = claimed.region === "" ? yield* cds.region : claimed.region
    const settled = Effect.gen(function* () {
      const { job } = yield* cds.job(region, claimed.jobId)
      if (isFinal(job.status) || job.hatcheryName !== settings.cds.name) return
      if (settlement === "fail") return yield* cds.fail(region, claimed.jobId, reason)
      if (job.status === "Scheduling") return yield* cds.release(region, claimed.jobId)
    })
    yield* persist(settled).pipe(
      Effect.timeout("2 minutes"),
      Effect.catchCause((cause) =>
        Cause.hasInterruptsOnly(cause)
          ? Effect.interrupt
          : Effect.logWarning(`the job ${claimed.jobId} is left to CDS`, cause)
      )
    )
  })

  const works: { readonly [W in Work]: (work: WorkContext) => Effect.Effect<VmEvent | undefined> } = {
    clone: (work) => ending(clone(work)),
    boot: (work) => ending(boot(work)),
    settle: (work) => ending(settle(work)),
    claim: (work) => ending(claim(work)),
    take: (work) => ending(take(work)),
    power: (work) => ending(power(work)),
    bootstrap: (work) => ending(bootstrap(work)),
    unclaim: (work) => ending(unclaim(work)),
    reap: (work) => ending(reap(work))
  }
  return { works, settleJob }
})
