/**
 * The one subscription: a property collector of our own with one filter over a container view of the datacenter's machines, and over
 * the recent tasks of each, and a second filter over the resource pool and the datastore. It lives as long as its scope; a session that ends
 * takes it along.
 */
import { Effect, Exit } from "effect"
import type { Scope } from "effect"
import type { VimError } from "../../schema/Errors.ts"
import type { VimCalls, Wanted } from "./retrieval.ts"
import type { Placed } from "./Placement.ts"
import { containerView, objectsSpec, viewSpec } from "./retrieval.ts"
import { machinePaths, recentPaths } from "./wire/MachineProperties.ts"
import { datastorePaths, poolPaths } from "./wire/ResourceProperties.ts"
import { taskPaths } from "./wire/Task.ts"
import type { UpdateSet } from "./wire/Updates.ts"
import { UpdateAnswer } from "./wire/Updates.ts"
import { decodeAnswer, Ref } from "./wire/Values.ts"

const maxObjectUpdates = 250
/** How long vCenter may hold a wait without a change, and how long we wait for its answer (design, "Inventory is one subscription"). */
const maxWaitSeconds = 30
const waitDeadline = "45 seconds"

export interface Subscription {
  /** The leaf properties that this vCenter knows. */
  readonly paths: ReadonlyArray<string>
  /**
   * The next page after `version` ("" = from the beginning), undefined when there is none. Waits for a change only when `wait` is set.
   * The same version may be asked for again when an answer was lost.
   */
  readonly next: (version: string, wait: boolean) => Effect.Effect<UpdateSet | undefined, VimError>
}

const decodeCollector = decodeAnswer("CreatePropertyCollector", Ref)
const decodeUpdates = decodeAnswer("WaitForUpdatesEx", UpdateAnswer)

export const subscribe = Effect.fnUntraced(function* (
  vim: VimCalls,
  datacenter: Ref,
  placed: Pick<Placed, "pool" | "datastore"> | undefined
): Effect.fn.Return<Subscription, VimError, Scope.Scope> {
  const { propertyCollector } = yield* vim.content
  const view = yield* containerView(vim, datacenter, ["VirtualMachine"])
  const collector = yield* Effect.acquireRelease(
    vim.call("CreatePropertyCollector", { _this: propertyCollector }).pipe(Effect.flatMap(decodeCollector)),
    (collector, exit) =>
      Exit.hasInterrupts(exit)
        ? Effect.void
        : Effect.ignore(vim.call("DestroyPropertyCollector", { _this: collector }, { deadline: "5 seconds" }))
  )
  const filter = (paths: ReadonlyArray<string>) => {
    const wanted: ReadonlyArray<Wanted> = [
      { type: "VirtualMachine", paths },
      { type: "Task", paths: taskPaths }
    ]
    return vim
      .call("CreateFilter", {
        _this: collector,
        spec: viewSpec(view, wanted, { type: "VirtualMachine", path: "recentTask" }),
        partialUpdates: false
      })
      .pipe(Effect.as(paths))
  }
  const paths = yield* filter(machinePaths).pipe(
    Effect.catchIf(
      (error) => error._tag === "VimFault" && error.fault === "InvalidProperty",
      () =>
        Effect.andThen(
          Effect.logWarning(`this vCenter does not know ${[...recentPaths].join(", ")}`),
          filter(machinePaths.filter((path) => !recentPaths.has(path)))
        )
    )
  )
  if (placed !== undefined) {
    const spec = objectsSpec([
      { ref: placed.pool, paths: poolPaths },
      { ref: placed.datastore, paths: datastorePaths }
    ])
    yield* vim.call("CreateFilter", { _this: collector, spec, partialUpdates: false }).pipe(
      Effect.catchIf(
        (error) => error._tag === "VimFault" && error.fault !== "ManagedObjectNotFound",
        (error) => Effect.logWarning(`resource pool and datastore cannot be followed: ${error.message}`)
      )
    )
  }
  return {
    paths,
    next: (version, wait) =>
      vim
        .call(
          "WaitForUpdatesEx",
          {
            _this: collector,
            version,
            options: { maxWaitSeconds: wait ? maxWaitSeconds : 0, maxObjectUpdates }
          },
          { deadline: waitDeadline }
        )
        .pipe(Effect.flatMap(decodeUpdates))
  }
})
