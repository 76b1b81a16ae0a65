/**
 * `Inventory` over one subscription. One fiber reads update sets for ever: a lost answer is asked for again, a lost subscription means
 * a full re-read in a new epoch, an error never ends it. `Mirror` and `TaskBoard` hold what it learns.
 */
import { Cause, Clock, Duration, Effect, Exit, Layer, Queue, Schedule, Stream } from "effect"
import { ownerOf } from "../../schema/Annotation.ts"
import type { VimError } from "../../schema/Errors.ts"
import { VSphereError } from "../../schema/Errors.ts"
import { readable } from "../../schema/Machine.ts"
import type { MachineFacts, MachineRef } from "../../schema/Machine.ts"
import type { InventoryChange } from "../../services/Inventory.ts"
import { Inventory } from "../../services/Inventory.ts"
import { Settings } from "../../services/Settings.ts"
import { Certainty } from "./Certainty.ts"
import { callFailed, taskFailed } from "./faults.ts"
import { Mirror } from "./Mirror.ts"
import { Placement } from "./Placement.ts"
import { readContent, readObject } from "./retrieval.ts"
import type { Subscription } from "./Subscription.ts"
import { subscribe } from "./Subscription.ts"
import { TaskBoard } from "./TaskBoard.ts"
import { VimSession } from "./VimSession.ts"
import { Waiters } from "./Waiters.ts"
import { machinePaths } from "./wire/MachineProperties.ts"
import { ResourceProperties } from "./wire/ResourceProperties.ts"
import { taskEnd, taskPaths } from "./wire/Task.ts"
import type { UpdateSet } from "./wire/Updates.ts"

/** Between a suspicious shrink and the re-read that confirms it or not; twice as long after each one that does not, up to `longestBackoff`. */
const confirmAfter = 5_000
const longestBackoff = Duration.seconds(30)
const backoff = (failures: number) => Duration.min(Duration.seconds(2 ** (failures - 1)), longestBackoff)
const untilAnswered = Schedule.min([Schedule.exponential("1 second"), Schedule.spaced(longestBackoff)])

const virtualMachine = (ref: MachineRef) => ({ type: "VirtualMachine", value: ref })

const isNotFound = (error: VimError): boolean => error._tag === "VimFault" && error.fault === "ManagedObjectNotFound"

const gone = (operation: string, ref: MachineRef) =>
  new VSphereError({ operation, kind: "gone", message: `machine ${ref} is not in the inventory` })

const notEnded = (ref: string, within: Duration.Input) =>
  new VSphereError({
    operation: "task",
    kind: "unknown",
    message: `task ${ref} has not ended within ${Duration.format(Duration.fromInputUnsafe(within))}`
  })

const notSeen = (ref: string) => (error: VimError) =>
  new VSphereError({
    operation: "task",
    kind: "unknown",
    message: `task ${ref} cannot be seen any more: ${callFailed("RetrievePropertiesEx")(error).message}`
  })

export const layer: Layer.Layer<Inventory, never, VimSession | Settings | Placement> = Layer.effect(
  Inventory,
  Effect.gen(function* () {
    const vim = yield* VimSession
    const placement = yield* Placement
    const settings = yield* Settings

    const subscribers = new Set<Queue.Queue<InventoryChange, Cause.Done>>()
    const untils = new Waiters<MachineFacts, VSphereError>()
    const tasks = new TaskBoard()
    const resources = new ResourceProperties()
    let paths = machinePaths

    const emit = (change: InventoryChange) => {
      for (const queue of subscribers) Queue.offerUnsafe(queue, change)
      if (change._tag === "Seen") untils.tell(change.facts.ref, change.facts)
      else if (change._tag === "Gone") untils.fail(change.facts.ref, gone("until", change.facts.ref))
      else for (const ref of untils.keys) if (!mirror.machines.has(ref)) untils.fail(ref, gone("until", ref))
    }
    const mirror = new Mirror({
      maxUnexplainedGone: settings.maxUnexplainedGone,
      owned: (facts) => ownerOf(facts) === settings.cds.name,
      emit
    })
    const certainty = yield* Certainty.make(mirror, settings.times.viewAgeMs)

    /** The end of a task wakes who waits for it at once, who then finds here what the same answer tells of machines: so tasks come last. */
    const apply = (page: UpdateSet, now: number) => {
      const updates = page.filterSet.flatMap(({ objectSet }) => objectSet)
      for (const update of updates)
        if (update.obj.type === "VirtualMachine") mirror.apply(update)
        else if (update.obj.type !== "Task") resources.apply(update)
      for (const update of updates) if (update.obj.type === "Task") tasks.apply(update, now)
    }

    /** One update set, all its pages. Answers the version that it brought the mirror to. */
    const readSet = Effect.fnUntraced(function* (subscription: Subscription, from: string) {
      let version = from
      let more = true
      while (more) {
        const page = yield* subscription.next(version, mirror.complete).pipe(
          Effect.tapError((error) => certainty.failed(error)),
          Effect.retry({ while: (error) => error._tag === "VimUnreachable", schedule: untilAnswered })
        )
        const now = yield* Clock.currentTimeMillis
        if (page !== undefined) apply(page, now)
        version = page?.version ?? version
        more = page?.truncated ?? false
        certainty.answered(now)
      }
      return version
    })

    /** False when vCenter does not know the machine any more; true when it does, or cannot tell. */
    const isKnown = (ref: MachineRef) =>
      readObject(vim, virtualMachine(ref), ["name"]).pipe(
        Effect.as(true),
        Effect.catch((error) => Effect.succeed(!isNotFound(error)))
      )

    /** True when a machine that the view has lost is still known. More than may go at once are doubted without asking, until the re-read. */
    const denied = Effect.gen(function* () {
      const lost = mirror.unexplained()
      if (mirror.complete && lost.length > settings.maxUnexplainedGone) return false
      for (const ref of lost) if (yield* isKnown(ref)) return true
      return false
    })

    /** One subscription, from its first read until it is lost (a failure) or its view has to be confirmed. */
    const readEpoch = Effect.fnUntraced(function* () {
      mirror.begin()
      tasks.begin()
      resources.begin()
      yield* certainty.changed
      const datacenter = yield* placement.datacenter
      // A wrong setting ends the start elsewhere; here it costs no more than these figures.
      const placed = yield* placement.current.pipe(
        Effect.catchIf(
          (error) => error._tag === "ConfigInvalid",
          () => Effect.undefined
        )
      )
      const subscription = yield* subscribe(vim, datacenter, placed)
      paths = subscription.paths
      let version = ""
      do {
        const first = !mirror.complete
        version = yield* readSet(subscription, version)
        mirror.settle(yield* Clock.currentTimeMillis, yield* denied)
        if (first && mirror.complete) {
          tasks.complete()
          yield* resources.report
        }
        yield* certainty.changed
      } while (mirror.suspects.size === 0 && !mirror.isContradicted(yield* Clock.currentTimeMillis))
    }, Effect.scoped)

    const follow = Effect.gen(function* () {
      let failures = 0
      let denials = 0
      while (true) {
        const exit = yield* Effect.exit(readEpoch())
        if (Exit.isSuccess(exit)) {
          denials = mirror.complete ? 0 : denials + 1
          yield* Effect.sleep(Duration.min(Duration.millis(confirmAfter * 2 ** denials), longestBackoff))
          continue
        }
        if (Cause.hasInterruptsOnly(exit.cause)) return yield* Effect.interrupt
        if (Cause.hasDies(exit.cause)) yield* Effect.logError("the inventory's subscription broke", exit.cause)
        yield* certainty.failed(Cause.squash(exit.cause) as Error)
        yield* placement.forget
        failures = mirror.complete ? 1 : failures + 1
        yield* Effect.sleep(backoff(failures))
      }
    })

    const lookForTask = (ref: string) => Effect.map(readObject(vim, { type: "Task", value: ref }, taskPaths), taskEnd)

    const awaitTask = Effect.fnUntraced(function* (ref: string) {
      while (true) {
        const told = yield* tasks.next(ref)
        if (told !== undefined) return told
        const found = yield* lookForTask(ref).pipe(
          Effect.retry({ while: (error) => error._tag === "VimUnreachable", schedule: untilAnswered })
        )
        if (found !== undefined) return found
      }
    })

    yield* Effect.forkScoped(follow)
    yield* Effect.forkScoped(certainty.watch)
    yield* Effect.addFinalizer(() => Effect.forEach(subscribers, (queue) => Queue.end(queue), { discard: true }))

    return Inventory.of({
      view: Effect.map(Clock.currentTimeMillis, (now) => ({
        epoch: mirror.epoch,
        complete: mirror.complete,
        current: certainty.isCurrent(now),
        goodAt: certainty.goodAt,
        machines: mirror.machines,
        named: (name) => mirror.named(name)
      })),
      resources: Effect.sync(() => resources.read),
      changes: Stream.unwrap(
        Effect.acquireRelease(
          Effect.map(Queue.unbounded<InventoryChange, Cause.Done>(), (queue) => {
            for (const facts of mirror.machines.values())
              Queue.offerUnsafe(queue, { _tag: "Seen", facts, previous: undefined })
            if (mirror.complete) Queue.offerUnsafe(queue, { _tag: "Complete", epoch: mirror.epoch })
            subscribers.add(queue)
            return queue
          }),
          (queue) => Effect.sync(() => subscribers.delete(queue))
        ).pipe(Effect.map(Stream.fromQueue))
      ),
      until: (ref, holds) =>
        Effect.suspend(() => {
          const facts = mirror.machines.get(ref)
          if (facts !== undefined && readable(facts) && holds(facts)) return Effect.succeed(facts)
          if (facts === undefined && mirror.complete) return Effect.fail(gone("until", ref))
          return untils.wait(ref, (told) => readable(told) && holds(told))
        }),
      task: Effect.fn("Inventory.task")(function* (ref, within) {
        yield* Effect.annotateCurrentSpan({ "vim.task": ref })
        const end = yield* awaitTask(ref).pipe(
          Effect.timeoutOrElse({ duration: within, orElse: () => lookForTask(ref) }),
          Effect.mapError(notSeen(ref)),
          Effect.filterOrFail(
            (end) => end !== undefined,
            () => notEnded(ref, within)
          )
        )
        if (end._tag === "Failure") return yield* taskFailed("task", end.fault)
        return { result: end.result }
      }),
      clonesEnded: Effect.suspend(() =>
        Effect.forEach(tasks.clones, (ref) => Effect.ignore(awaitTask(ref)), {
          concurrency: "unbounded",
          discard: true
        })
      ),
      lacksClone: Effect.gen(function* () {
        const cloned = tasks.cloned(yield* Clock.currentTimeMillis)
        for (const ref of cloned) if (!mirror.machines.has(ref) && (yield* isKnown(ref))) return true
        return false
      }),
      reread: Effect.fn("Inventory.reread")(function* (ref) {
        yield* Effect.annotateCurrentSpan({ "vm.ref": ref })
        return yield* Effect.acquireUseRelease(
          Effect.sync(() => mirror.beginDirectRead(ref)),
          (read) => Effect.map(readContent(vim, virtualMachine(ref), paths), (content) => mirror.found(read, content)),
          (read) => Effect.sync(() => mirror.endDirectRead(read))
        ).pipe(
          Effect.tapError((error) =>
            isNotFound(error) ? Effect.map(Clock.currentTimeMillis, (now) => mirror.notFound(ref, now)) : Effect.void
          ),
          Effect.mapError(callFailed("RetrievePropertiesEx"))
        )
      }),
      expectGone: (ref) =>
        Effect.asVoid(
          Effect.acquireRelease(
            Effect.sync(() => mirror.expectGone(ref)),
            (end) => Effect.sync(end)
          )
        ),
      doubt: certainty.doubt,
      certain: certainty.certain,
      distrust: (reason) => certainty.distrust(reason)
    })
  })
)
