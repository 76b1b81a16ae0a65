/** Direct reads through the shared property collector: a few objects by reference, or those of a short-lived view. */
import { Effect, Exit } from "effect"
import type { VimError } from "../../schema/Errors.ts"
import { VimFault } from "../../schema/Errors.ts"
import type { WireValue } from "./Vim.ts"
import { VimSession } from "./VimSession.ts"
import type { ObjectContent } from "./wire/Updates.ts"
import { RetrieveAnswer } from "./wire/Updates.ts"
import { decodeAnswer, Ref } from "./wire/Values.ts"

export type VimCalls = Pick<VimSession["Service"], "call" | "content">

/** Which properties of which types, in the order of the schema's PropertySpec. */
export interface Wanted {
  readonly type: string
  readonly paths: ReadonlyArray<string>
}

const propSet = (wanted: ReadonlyArray<Wanted>) =>
  wanted.map(({ type, paths }) => ({ type, all: false, pathSet: paths }))

/** A PropertyFilterSpec of these objects. */
export const objectsSpec = (
  objects: ReadonlyArray<{ readonly ref: Ref; readonly paths: ReadonlyArray<string> }>
): WireValue => ({
  propSet: propSet(objects.map(({ ref, paths }) => ({ type: ref.type, paths }))),
  objectSet: objects.map(({ ref }) => ({ obj: ref, skip: false }))
})

/** A PropertyFilterSpec of one object. */
const objectSpec = (ref: Ref, paths: ReadonlyArray<string>): WireValue => objectsSpec([{ ref, paths }])

/**
 * A PropertyFilterSpec of everything in a view. `follow` goes one step on from each object of a type in the view, e.g. from a machine to
 * its recent tasks.
 */
export const viewSpec = (
  view: Ref,
  wanted: ReadonlyArray<Wanted>,
  follow?: { readonly type: string; readonly path: string }
): WireValue => ({
  propSet: propSet(wanted),
  objectSet: [
    {
      obj: view,
      skip: true,
      selectSet: [
        {
          _type: "TraversalSpec",
          name: "view",
          type: "ContainerView",
          path: "view",
          skip: false,
          ...(follow === undefined
            ? {}
            : {
                selectSet: [
                  { _type: "TraversalSpec", name: follow.path, type: follow.type, path: follow.path, skip: false }
                ]
              })
        }
      ]
    }
  ]
})

const decodeRetrieved = decodeAnswer("RetrievePropertiesEx", RetrieveAnswer)
const decodeView = decodeAnswer("CreateContainerView", Ref)

/** All pages of RetrievePropertiesEx. */
const retrieve = Effect.fnUntraced(function* (
  vim: VimCalls,
  spec: WireValue
): Effect.fn.Return<ReadonlyArray<ObjectContent>, VimError> {
  const collector = (yield* vim.content).propertyCollector
  const objects: Array<ObjectContent> = []
  let page = yield* vim
    .call("RetrievePropertiesEx", { _this: collector, specSet: [spec], options: {} })
    .pipe(Effect.flatMap(decodeRetrieved))
  while (page !== undefined) {
    objects.push(...page.objects)
    if (page.token === undefined) break
    page = yield* vim
      .call("ContinueRetrievePropertiesEx", { _this: collector, token: page.token })
      .pipe(Effect.flatMap(decodeRetrieved))
  }
  return objects
})

/** One object: what can be read of it, and what cannot. Fails with the fault ManagedObjectNotFound when there is no such object. */
export const readContent = Effect.fnUntraced(function* (
  vim: VimCalls,
  ref: Ref,
  paths: ReadonlyArray<string>
): Effect.fn.Return<ObjectContent, VimError> {
  const [object] = yield* retrieve(vim, objectSpec(ref, paths))
  if (object === undefined)
    return yield* new VimFault({
      operation: "RetrievePropertiesEx",
      fault: "ManagedObjectNotFound",
      message: `${ref.type} ${ref.value} is not there`
    })
  return object
})

/** Objects of one type: what can be read of each. Fails as `readContent` does when one of them is not there. */
export const readObjects = (
  vim: VimCalls,
  refs: ReadonlyArray<Ref>,
  paths: ReadonlyArray<string>
): Effect.Effect<ReadonlyArray<ObjectContent>, VimError> =>
  retrieve(vim, {
    propSet: propSet([...new Set(refs.map(({ type }) => type))].map((type) => ({ type, paths }))),
    objectSet: refs.map((obj) => ({ obj, skip: false }))
  })

/** The properties of one object by path, those that can be read. Fails as `readContent` does. */
export const readObject = (
  vim: VimCalls,
  ref: Ref,
  paths: ReadonlyArray<string>
): Effect.Effect<ReadonlyMap<string, unknown>, VimError> =>
  Effect.map(readContent(vim, ref, paths), ({ propSet }) => new Map(propSet.map(({ name, val }) => [name, val])))

/**
 * A recursive container view that ends with the scope. An interruption leaves it to the end of the session: a stop that has logged out
 * already must not log in again for it.
 */
export const containerView = Effect.fnUntraced(function* (vim: VimCalls, container: Ref, types: ReadonlyArray<string>) {
  const { viewManager } = yield* vim.content
  if (viewManager === undefined)
    return yield* new VimFault({
      operation: "CreateContainerView",
      fault: "NoPermission",
      message: "the account may not use the ViewManager"
    })
  return yield* Effect.acquireRelease(
    vim
      .call("CreateContainerView", { _this: viewManager, container, type: types, recursive: true })
      .pipe(Effect.flatMap(decodeView)),
    (view, exit) =>
      Exit.hasInterrupts(exit)
        ? Effect.void
        : Effect.ignore(vim.call("DestroyView", { _this: view }, { deadline: "5 seconds" }))
  )
})

/** The wanted properties of all objects of the wanted types below a container. */
export const retrieveBelow = (
  vim: VimCalls,
  container: Ref,
  wanted: ReadonlyArray<Wanted>
): Effect.Effect<ReadonlyArray<ObjectContent>, VimError> =>
  Effect.scoped(
    Effect.flatMap(
      containerView(
        vim,
        container,
        wanted.map(({ type }) => type)
      ),
      (view) => retrieve(vim, viewSpec(view, wanted))
    )
  )
