/**
 * Tasks: queued while too many run, running, then success or error; each hangs in the `recentTask` of its entity until ten minutes after
 * its end, and then is gone.
 */
import { Cause, Effect, Exit } from "effect"
import type { WireValue } from "../../vsphere/Vim.ts"
import type { Core } from "./Core.ts"
import { isMachine } from "./Machine.ts"
import type { Machine } from "./Machine.ts"
import type { ManagedObject } from "./ManagedObject.ts"
import { makeKind, row } from "./ManagedObject.ts"
import { Fault, dateTime, localized, refuse } from "./Wire.ts"
import type { Ref } from "./Wire.ts"

export interface Task extends ManagedObject {
  readonly descriptionId: string
  readonly entity: Ref
  readonly entityName: string
  readonly cancelable: boolean
  readonly state: "queued" | "running" | "success" | "error"
  readonly cancelled: boolean
  readonly error: Fault | undefined
  readonly result: Ref | undefined
  readonly queuedAt: number
  readonly startedAt: number | undefined
  readonly completedAt: number | undefined
}

const of = row<Task>()
const date = (millis: number | undefined) => (millis === undefined ? undefined : dateTime(millis))

const taskKind = makeKind<Task>({
  name: "Task",
  bases: ["ExtensibleManagedObject"],
  rows: [
    of("info.key", "string", "ref", (task) => task.ref.value),
    of("info.task", "ManagedObjectReference", "ref"),
    of("info.name", "string", "descriptionId", (task) => `${task.descriptionId.split(".")[1]}VM_Task`),
    of("info.descriptionId", "string", "descriptionId"),
    of("info.entity", "ManagedObjectReference", "entity"),
    of("info.entityName", "string", "entityName"),
    of("info.state", "TaskInfoState", "state"),
    of("info.cancelled", "boolean", "cancelled"),
    of("info.cancelable", "boolean", "cancelable"),
    of("info.error", "LocalizedMethodFault", "error", (task): WireValue => task.error && localized(task.error)),
    of("info.result", "ManagedObjectReference", "result"),
    of("info.queueTime", "dateTime", "queuedAt", (task) => date(task.queuedAt)),
    of("info.startTime", "dateTime", "startedAt", (task) => date(task.startedAt)),
    of("info.completeTime", "dateTime", "completedAt", (task) => date(task.completedAt))
  ],
  nodes: { info: "TaskInfo" }
})

export interface TaskRequest {
  /** As vSphere names it, e.g. `VirtualMachine.clone`. */
  readonly descriptionId: string
  readonly entity: Machine
  readonly operation: string
  /** No other exclusive task of the machine at the same time: TaskInProgress. */
  readonly exclusive: boolean
  readonly cancelable: boolean
  /** The work; `pause` takes the time, and is where a fault that was asked for strikes. */
  readonly work: (pause: (millis: number) => Effect.Effect<void, Fault>) => Effect.Effect<Ref | undefined, Fault>
}

export interface Tasks {
  readonly start: (request: TaskRequest) => Ref
  readonly cancel: (task: Task) => void
  /** Drops all tasks, as a restored vCenter does. */
  readonly clear: () => void
  readonly running: () => number
  /** What is being done to a machine, or waits for its turn, by `descriptionId`. */
  readonly on: (machine: string) => ReadonlyArray<string>
}

const keptMs = 10 * 60_000

/** A fault that synchronous code threw becomes the failure of the effect; any other throw stays a defect. */
export const attempt = <A>(work: () => A): Effect.Effect<A, Fault> =>
  Effect.suspend(() => {
    try {
      return Effect.succeed(work())
    } catch (error) {
      return error instanceof Fault ? Effect.fail(error) : Effect.die(error)
    }
  })

/** Forgets the task: out of its entity's `recentTask`, and gone. */
const expire = (core: Core, task: Task) => {
  const entity = core.store.find(task.entity)
  if (isMachine(entity)) {
    core.store.unlinked(entity, "recentTask", task)
    core.store.update(entity, { recentTasks: entity.recentTasks.filter((ref) => ref.value !== task.ref.value) })
  }
  core.store.remove(task)
}

export const makeTasks = (core: Core): Tasks => {
  const waiting: Array<() => void> = []
  const ended: Array<Task> = []
  const live = new Set<Task>()
  let running = 0

  const sweep = Effect.gen(function* () {
    while (ended.length > 0) {
      yield* Effect.sleep(Math.max(0, (ended[0]!.completedAt ?? 0) + keptMs - core.now()))
      const task = ended.shift()
      if (task !== undefined) expire(core, task)
    }
  })

  const finish = (task: Task, outcome: Pick<Task, "state"> & Partial<Task>) => {
    if (task.completedAt !== undefined) return
    live.delete(task)
    core.store.update(task, { ...outcome, completedAt: core.now() })
    const entity = core.store.find(task.entity)
    if (isMachine(entity) && entity.busy === task.ref.value) core.store.update(entity, { busy: undefined })
    ended.push(task)
    if (ended.length === 1) core.run("tasks/sweep", sweep)
  }

  const settle = (task: Task, exit: Exit.Exit<Ref | undefined, Fault>) => {
    if (Exit.isSuccess(exit)) return finish(task, { state: "success", result: exit.value })
    const error = exit.cause.reasons.find(Cause.isFailReason)?.error
    finish(task, {
      state: "error",
      error: error ?? new Fault({ fault: "SystemError", message: "A general system error occurred" })
    })
  }

  const pump = () => {
    while (running < core.options.concurrency && waiting.length > 0) waiting.shift()!()
  }

  const begin = (task: Task, request: TaskRequest) => {
    running += 1
    const doom = core.faults.take("TaskFails", request.operation, request.entity.name)
    let more = core.faults.take("TaskSlow", request.operation, request.entity.name)?.delayMs ?? 0
    const held = Effect.suspend(() => {
      const ms = more
      more = 0
      return ms === 0 ? Effect.void : Effect.sleep(ms)
    })
    const pause = (millis: number) =>
      core
        .pause(millis)
        .pipe(
          Effect.andThen(held),
          Effect.andThen(
            doom === undefined
              ? Effect.void
              : Effect.fail(new Fault({ fault: doom.fault, message: `${doom.fault} (asked for by the simulation)` }))
          )
        )
    core.store.update(task, { state: "running", startedAt: core.now() })
    core.run(
      task.ref.value,
      request.work(pause).pipe(
        Effect.onExit((exit) => Effect.sync(() => settle(task, exit))),
        Effect.ensuring(
          Effect.sync(() => {
            running -= 1
            pump()
          })
        ),
        Effect.ignore
      )
    )
  }

  return {
    running: () => running,
    on: (machine) => [...live].flatMap((task) => (task.entity.value === machine ? [task.descriptionId] : [])),
    start: (request) => {
      const { entity } = request
      const task = core.store.put<Task>({
        ref: { type: "Task", value: `task-${core.nextId()}` },
        kind: taskKind,
        descriptionId: request.descriptionId,
        entity: entity.ref,
        entityName: entity.name,
        cancelable: request.cancelable,
        state: "queued",
        cancelled: false,
        error: undefined,
        result: undefined,
        queuedAt: core.now(),
        startedAt: undefined,
        completedAt: undefined
      })
      live.add(task)
      core.store.update(entity, { recentTasks: [...entity.recentTasks, task.ref] })
      core.store.linked(entity, "recentTask", task)
      if (request.exclusive && entity.busy !== undefined) {
        const message = "The operation is not allowed in the current state: another task is already in progress."
        finish(task, { state: "error", error: new Fault({ fault: "TaskInProgress", message }) })
        return task.ref
      }
      if (request.exclusive) core.store.update(entity, { busy: task.ref.value })
      waiting.push(() => {
        if (task.completedAt === undefined) begin(task, request)
      })
      pump()
      return task.ref
    },
    cancel: (task) => {
      if (task.completedAt !== undefined) return
      if (!task.cancelable) refuse("NotSupported", "The task cannot be cancelled.")
      const message = "The task was canceled by a user."
      finish(task, { state: "error", cancelled: true, error: new Fault({ fault: "RequestCanceled", message }) })
      core.stop(task.ref.value)
    },
    clear: () => {
      waiting.length = 0
      for (const task of live) core.stop(task.ref.value)
      for (const task of [...live, ...ended]) core.store.remove(task)
      live.clear()
      ended.length = 0
    }
  }
}
