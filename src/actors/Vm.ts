/**
 * The actor of one machine: a fiber, a mailbox, its state in a field. It takes an event, asks the table (`vm/transition.ts`), does the
 * actions in order and runs the work of the state it entered; the work's end is an event again.
 */
import { Cause, Clock, Effect, Exit, Fiber, Queue, Tracer } from "effect"
import type { JobId } from "../schema/Job.ts"
import type { MachineId } from "../schema/Machine.ts"
import { Carriers, jobsOf } from "./Carriers.ts"
import type { Action, Work } from "./vm/Action.ts"
import type { VmEvent } from "./vm/Event.ts"
import type { Vm } from "./vm/State.ts"
import { claimOf, isEnd, nameOf, resumed } from "./vm/State.ts"
import type { Env, Step } from "./vm/table.ts"
import { enter } from "./vm/table.ts"
import { step, workOf } from "./vm/transition.ts"
import { supervised } from "./Supervisor.ts"

interface Message {
  readonly event: VmEvent
  /** Set on the end of a work: an end that belongs to an earlier entry is dropped. */
  readonly entry?: number
}

/** The outside of an actor. `vm` and `lease` are read by others and written by the actor and the dispatcher only. */
export class VmHandle {
  readonly id: MachineId
  readonly mailbox: Queue.Queue<Message>
  /** The job's span, parent of all that is done for it; ended by the actor. */
  trace: Tracer.Span | undefined = undefined
  /** The deadline that the actor was told last. */
  toldDeadline: number | undefined = undefined

  private known: Vm
  private leasedFor: JobId | undefined = undefined
  private readonly carriers: Carriers

  constructor(vm: Vm, mailbox: Queue.Queue<Message>, carriers: Carriers) {
    this.id = vm.id
    this.mailbox = mailbox
    this.known = vm
    this.carriers = carriers
    for (const job of jobsOf(this)) carriers.add(job, this)
  }

  get vm(): Vm {
    return this.known
  }

  set vm(vm: Vm) {
    this.carriers.change(this, () => (this.known = vm))
  }

  /** The job this machine is leased for, from the moment it is chosen until the actor has taken the claim over. */
  get lease(): JobId | undefined {
    return this.leasedFor
  }

  set lease(job: JobId | undefined) {
    this.carriers.change(this, () => (this.leasedFor = job))
  }
}

/** What an actor needs of the world; the registry binds it once for all. */
export interface Doing {
  readonly env: Effect.Effect<Env>
  /** Runs the work of the state; the event is its end, none means that others will tell. */
  readonly work: (handle: VmHandle, work: Work) => Effect.Effect<VmEvent | undefined>
  readonly act: (handle: VmHandle, action: Action) => Effect.Effect<void>
  readonly told: (before: Vm, event: VmEvent, after: Vm) => Effect.Effect<void>
  /** Has the actor told when its deadline comes. */
  readonly arm: (handle: VmHandle) => Effect.Effect<void>
}

/** `carriers` hears which jobs the machine is for, from now on. */
export const makeHandle = (vm: Vm, carriers = new Carriers()): Effect.Effect<VmHandle> =>
  Effect.map(Queue.unbounded<Message>(), (mailbox) => new VmHandle(vm, mailbox, carriers))

export const send = (handle: VmHandle, event: VmEvent): Effect.Effect<void> =>
  Effect.sync(() => {
    Queue.offerUnsafe(handle.mailbox, { event })
  })

/** The whole life of an actor. Ends with its machine's. */
export const run = (handle: VmHandle, doing: Doing): Effect.Effect<void> => {
  let lives = 0
  const life = Effect.suspend(() => live(handle, doing, lives++ > 0))
  return supervised(`actor of ${nameOf(handle.vm)}`)(life).pipe(
    Effect.catchTag("GaveUp", ({ last }) => Effect.andThen(giveUp(handle, doing, last), run(handle, doing)))
  )
}

/** One life, from its start or from a crash to the next. */
const live = (handle: VmHandle, doing: Doing, crashed: boolean): Effect.Effect<void> => {
  const working: Working = { entry: 0, fiber: undefined }
  return Effect.onError(loop(handle, doing, working, crashed), () => leave(working))
}

const loop = Effect.fnUntraced(function* (handle: VmHandle, doing: Doing, working: Working, crashed: boolean) {
  if (crashed) handle.vm = { ...handle.vm, state: resumed(handle.vm.state) }
  handle.toldDeadline = undefined
  yield* begin(handle, doing, working, handle.vm, undefined)
  while (!isEnd(handle.vm.state)) {
    yield* doing.arm(handle)
    const message = yield* Queue.take(handle.mailbox)
    const env = yield* doing.env
    if (isOld(message, handle.vm, working, env)) continue
    const before = handle.vm
    const taken = step(before, message.event, env)
    handle.vm = taken.vm
    yield* doing.told(before, message.event, taken.vm)
    yield* perform(handle, doing, working, before, message.event, taken)
  }
  yield* endTrace(handle, Exit.void)
})

/** The end of a work that was left, or a deadline that has moved since. */
const isOld = ({ event, entry }: Message, { deadline }: Vm, working: Working, { now }: Env): boolean =>
  (entry !== undefined && entry !== working.entry) ||
  (event._tag === "Deadline" && (deadline === undefined || deadline > now))

interface Working {
  entry: number
  fiber: Fiber.Fiber<void> | undefined
}

const perform = Effect.fnUntraced(function* (
  handle: VmHandle,
  doing: Doing,
  working: Working,
  before: Vm,
  event: VmEvent,
  taken: Step
) {
  const { trace } = handle
  for (const action of taken.actions) {
    const acting = doing.act(handle, action)
    yield* trace === undefined ? acting : Effect.withParentSpan(acting, trace)
  }
  if (handle.lease !== undefined && event._tag === "Reserve") handle.lease = undefined
  if (taken.entered || workOf(before.state) !== workOf(taken.vm.state))
    yield* begin(handle, doing, working, before, event)
  const jobless = claimOf(taken.vm.state) === undefined
  if (jobless && (claimOf(before.state) !== undefined || event._tag === "Reserve")) yield* endTrace(handle, Exit.void)
})

/** Ends the work that is going on; an end of it that comes late is old. */
const leave = (working: Working): Effect.Effect<void> =>
  Effect.suspend(() => {
    const { fiber } = working
    working.entry++
    working.fiber = undefined
    return fiber === undefined ? Effect.void : Fiber.interrupt(fiber)
  })

/** Leaves the work of the state before and starts the one of the state now, each entry under a span of its own. */
const begin = Effect.fnUntraced(function* (
  handle: VmHandle,
  doing: Doing,
  working: Working,
  before: Vm,
  event: VmEvent | undefined
) {
  yield* leave(working)
  const { vm } = handle
  const work = workOf(vm.state)
  const entry = working.entry
  const body =
    work === undefined
      ? Effect.void
      : doing.work(handle, work).pipe(
          Effect.catchCause((cause) =>
            Cause.hasInterruptsOnly(cause)
              ? Effect.interrupt
              : Effect.logError(`${work} of ${nameOf(vm)} crashed`, cause).pipe(
                  Effect.as<VmEvent>({ _tag: "Failed", reason: String(Cause.squash(cause)), unknown: true })
                )
          ),
          Effect.flatMap((end) =>
            Effect.sync(() => {
              if (end !== undefined) Queue.offerUnsafe(handle.mailbox, { event: end, entry })
            })
          )
        )
  const spanned = Effect.withSpan(body, `Vm ${before.state._tag} → ${vm.state._tag}`, {
    ...(handle.trace === undefined ? { root: true } : { parent: handle.trace }),
    attributes: {
      "vm.id": vm.id,
      "vm.name": nameOf(vm),
      "vm.template": vm.template,
      "vm.event": event?._tag ?? "start",
      ...(vm.ref === undefined ? {} : { "vm.ref": vm.ref }),
      ...(claimOf(vm.state) === undefined ? {} : { "job.id": claimOf(vm.state)?.jobId }),
      ...(vm.reason === undefined ? {} : { "vm.reason": vm.reason })
    }
  })
  if (work === undefined) yield* spanned
  else working.fiber = yield* Effect.forkChild(spanned)
})

const endTrace = (handle: VmHandle, exit: Exit.Exit<unknown, unknown>): Effect.Effect<void> =>
  Effect.map(Clock.currentTimeNanos, (now) => {
    handle.trace?.end(now, exit)
    handle.trace = undefined
  })

/**
 * An actor that crashes for good: its machine is marked for reaping, except where a worker runs; there the TTL goes on watching
 * (design, "Supervision").
 */
const giveUp = Effect.fnUntraced(function* (handle: VmHandle, doing: Doing, last: string) {
  yield* doing.act(handle, { _tag: "Alarm", text: `its actor crashes again and again: ${last}` })
  const { state } = handle.vm
  if (state._tag === "Running") {
    const left = (handle.vm.deadline ?? 0) - (yield* Clock.currentTimeMillis)
    yield* Effect.sleep(Math.max(0, left))
  }
  const before = handle.vm
  const env = yield* doing.env
  const reason = `its actor crashed: ${last}`
  const taken = enter(before, { _tag: "Reaping", claim: claimOf(state), settlement: "release" }, env, { reason })
  handle.vm = taken.vm
  yield* doing.told(before, { _tag: "Reap", reason, settlement: "release" }, taken.vm)
})
