/** Views and the property collector. */
import { Effect } from "effect"
import type { WireValue } from "../../../vsphere/Vim.ts"
import * as Args from "../Args.ts"
import type { Core } from "../Core.ts"
import { select } from "../Filter.ts"
import type { ManagedObject } from "../ManagedObject.ts"
import { canceled, collect, makeCollector } from "../PropertyCollector.ts"
import { collectorOf } from "../Session.ts"
import type { Session } from "../Session.ts"
import { readSpec } from "../Traversal.ts"
import { Fault } from "../Wire.ts"
import type { WireObject } from "../Wire.ts"
import { refArg } from "./Handler.ts"
import type { Handler } from "./Handler.ts"

/** A wait without a limit is held this long, as vCenter's own time limit for a request would have it. */
const longestWaitMs = 30 * 60_000

export const createContainerView: Handler = (core, { args, session, ...call }) => {
  const types = Args.list(args["type"]).flatMap((type) => Args.text(type) ?? [])
  const container = refArg({ args, session, ...call }, "container")
  const view = core.views.create(container, types, Args.boolean(args["recursive"]))
  session.views.add(view)
  return view
}

export const destroyView: Handler = (core, { self, session }) => {
  core.store.get(self)
  core.views.destroy(self)
  for (const view of session.views) if (view.value === self.value) session.views.delete(view)
  return undefined
}

export const createPropertyCollector: Handler = (core, { session }) => {
  const collector = makeCollector(core, { type: "PropertyCollector", value: `session-collector-${core.nextId()}` })
  session.collectors.set(collector.ref.value, collector)
  return collector.ref
}

export const destroyPropertyCollector: Handler = (_, { self, session }) => {
  collectorOf(session, self).destroy(canceled())
  session.collectors.delete(self.value)
  return undefined
}

export const createFilter: Handler = (_, { self, session, args }) =>
  collectorOf(session, self).createFilter(readSpec(args["spec"]))

export const waitForUpdates: Handler = (core, { self, session, args }) => {
  const { maxWaitSeconds, maxObjectUpdates } = Args.object(args["options"])
  const seconds = Args.number(maxWaitSeconds)
  return collectorOf(session, self).wait(
    Args.text(args["version"]) ?? "",
    seconds === undefined ? longestWaitMs : seconds * 1_000,
    Math.min(core.options.pageSize, Args.number(maxObjectUpdates) ?? core.options.pageSize)
  )
}

export const cancelWait: Handler = (_, { self, session }) => {
  collectorOf(session, self).cancel(canceled())
  return undefined
}

const objectContent = (core: Core, object: ManagedObject, paths: ReadonlyArray<string>): WireObject => {
  const { values, unreadable } = collect(core, object, paths)
  return {
    obj: object.ref,
    propSet: values.filter(({ val }) => val !== undefined).map(({ name, val }) => ({ name, val })),
    ...(unreadable.length === 0 ? {} : { missingSet: unreadable })
  }
}

/** The first page, and a token for the rest where there is one. Nothing at all is no answer, as with vCenter. */
const page = (core: Core, session: Session, objects: ReadonlyArray<WireValue>, size: number): WireValue => {
  if (objects.length === 0) return undefined
  if (objects.length <= size) return { objects }
  const token = String(core.nextId())
  session.pages.set(token, objects.slice(size))
  return { token, objects: objects.slice(0, size) }
}

export const retrieveProperties: Handler = (core, { session, args }) => {
  const wanted = Args.number(Args.object(args["options"])["maxObjects"]) ?? core.options.pageSize
  const objects = Args.list(args["specSet"]).flatMap((part) => {
    const spec = readSpec(part)
    return select(core.store, spec).map((object) => objectContent(core, object, spec.pathsOf(object.kind) ?? []))
  })
  return page(core, session, objects, Math.min(core.options.pageSize, wanted))
}

export const continueRetrieve: Handler = (core, { session, args }) => {
  const token = Args.text(args["token"]) ?? ""
  const rest = session.pages.get(token)
  if (rest === undefined)
    return Effect.fail(new Fault({ fault: "InvalidArgument", message: "The token is not known.", detail: { token } }))
  session.pages.delete(token)
  return page(core, session, rest, core.options.pageSize)
}
