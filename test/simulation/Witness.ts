/**
 * Watches what the hatcheries send to vCenter, and holds each call that changes something against the state of the simulators at the moment of
 * sending: whose machine it is, what runs in it, and whether the view was fit to be acted upon.
 */
import { Clock, Context, Effect, Layer } from "effect"
import { Vim } from "../../src/layers/vsphere/Vim.ts"
import { Registry } from "../../src/actors/Registry.ts"
import { Inventory } from "../../src/services/Inventory.ts"
import type { Machine } from "../../src/layers/simulated/vcenter/Machine.ts"
import { annotationOf, type Observe, type Site, type Stage } from "./Stage.ts"

type Seat = Omit<Site, "world">

/** Calls that vCenter does not guard by a change version. */
const unguarded: ReadonlySet<string> = new Set([
  "PowerOnVM_Task",
  "PowerOffVM_Task",
  "ShutdownGuest",
  "Destroy_Task",
  "StartProgramInGuest"
])
/** A power-off by the description of its task. */
const powerOff = "VirtualMachine.powerOff"
/** The calls that end a machine or what runs in it. A first boot that is shut down into the pool is no end. */
const destructive: ReadonlySet<string> = new Set(["PowerOffVM_Task", "Destroy_Task"])

/** How long a change of somebody else may take to reach a hatchery's mirror, beside the time a call takes; milliseconds. */
const mirrorLagMs = 2_000
/** A doubt that came up while an act was on its way does not stop it; milliseconds. */
const doubtLagMs = 20_000

const reference = (args: unknown): string | undefined => {
  const { _this, vm } = args as Record<string, { readonly type?: string; readonly value?: string } | undefined>
  return vm?.value ?? _this?.value
}

export const brokenPromise = (stage: Stage, now: number, text: string): void => {
  stage.broken.push(`${now / 1000} s: ${text}`)
}

/** The worker of this machine, when it works on its job now by CDS's own account. */
export const atWork = (stage: Stage, machine: Machine) => {
  const annotation = annotationOf(machine)
  const { state } = stage.cds
  const jobId = annotation?.jobId ?? ""
  const job = state.jobs.get(jobId) ?? state.v1.jobs.get(jobId)
  if (annotation === undefined || job === undefined) return undefined
  if (job.status !== "Building" || job.workerName !== annotation.workerName || !stage.working.has(machine.ref.value))
    return undefined
  const workers = [...state.workers.values(), ...state.v1.workers.values()]
  const worker = workers.find(({ name }) => name === annotation.workerName)
  return worker?.status === "Building" ? { job, startedAt: annotation.workerStartTime ?? 0 } : undefined
}

/** When a V1 worker took the job: nothing keeps it from doing so while its machine is on, so that a hatchery can have asked a moment before. */
const takenAt = ({ cds }: Stage, job: string): number => cds.state.v1.jobs.get(job)?.startedAt ?? -Infinity

const judge = Effect.fnUntraced(function* (stage: Stage, seat: Seat, ttlMs: number, operation: string, args: unknown) {
  const ref = reference(args)
  const machine = stage.vcenter.machines().find((one) => one.ref.value === ref)
  if (machine === undefined || !machine.configured) return
  const now = yield* Clock.currentTimeMillis
  const meddledAt = stage.meddled.get(machine.ref.value) ?? -Infinity
  const lag = mirrorLagMs + 2 * stage.plan.latencyMs
  const owner = annotationOf(machine)?.hatcheryName
  const say = (text: string) => brokenPromise(stage, now, `${seat.name} sends ${operation} to ${machine.name}: ${text}`)
  if (owner !== seat.name && now - Math.max(meddledAt, stage.restoredAt) > lag)
    say(`it belongs to ${owner ?? "nobody"}`)
  if (!destructive.has(operation)) return
  if (operation === "Destroy_Task") stage.doomed.add(machine.ref.value)
  // To ask once more for a power-off that is under way changes nothing. No call of CDS keeps a V1 worker from signing in until it has come.
  const goesOff = operation === "PowerOffVM_Task" && stage.vcenter.underWay(machine.ref.value).includes(powerOff)
  const found = goesOff ? undefined : atWork(stage, machine)
  const work = found !== undefined && now - takenAt(stage, found.job.id) <= lag ? undefined : found
  if (work !== undefined && now - work.startedAt < ttlMs) say(`its worker works on the job ${work.job.id}`)
  if (operation === "PowerOffVM_Task" && annotationOf(machine)?.journal?.state !== "reaping") return
  const doubt = seat.process === undefined ? undefined : yield* Context.get(seat.process.context, Inventory).doubt
  if (doubt !== undefined && now - doubt.since > doubtLagMs)
    say(`the inventory is in doubt for ${(now - doubt.since) / 1000} s: ${doubt.reason}`)
})

/** A machine comes into Cloning without an event: when its clone is asked for. */
const meetClone = (stage: Stage, { name, process, instance }: Seat, args: unknown): void => {
  const { spec } = args as { readonly spec?: { readonly config?: { readonly instanceUuid?: string } } }
  const id = spec?.config?.instanceUuid ?? ""
  stage.cloners.set(id, instance)
  const site = stage.sites.find((one) => one.name === name)
  if (site === undefined || process === undefined) return
  const handle = Context.get(process.context, Registry).machines.get(id)
  if (handle !== undefined) stage.meet(site, handle.vm)
}

export const observe: Observe = (stage, seat, world) => ({
  ...world,
  transports: (line) => {
    const whole = world.transports(line)
    const watched = Effect.map(Vim, (vim): Vim["Service"] => ({
      ...vim,
      call: (operation, args) =>
        Effect.suspend(() => {
          if (line.cut) return vim.call(operation, args)
          if (operation === "CloneVM_Task") meetClone(stage(), seat, args)
          return unguarded.has(operation)
            ? Effect.andThen(
                judge(stage(), seat, world.settings.times.workerTtlMs, operation, args),
                vim.call(operation, args)
              )
            : vim.call(operation, args)
        })
    }))
    return Layer.merge(whole, Layer.effect(Vim, watched).pipe(Layer.provide(whole)))
  }
})
