/** The operations of the simulated vCenter by name, and the one way in: session check, carrying out, copying, counting. */
import { Effect } from "effect"
import { VimFault, VimUnreachable } from "../../../schema/Errors.ts"
import type { VimOperation, WireValue } from "../../vsphere/Vim.ts"
import * as Args from "./Args.ts"
import type { Core } from "./Core.ts"
import { cloneTask } from "./operations/CloneOperation.ts"
import * as Collecting from "./operations/CollectorOperations.ts"
import * as Guest from "./operations/GuestOperations.ts"
import type { Handler } from "./operations/Handler.ts"
import * as Power from "./operations/PowerOperations.ts"
import { reconfigureTask } from "./operations/ReconfigureOperation.ts"
import * as Service from "./operations/ServiceOperations.ts"
import * as Template from "./operations/TemplateOperations.ts"
import { userSession } from "./Session.ts"
import { attempt } from "./Task.ts"
import { Fault, copy, refuse } from "./Wire.ts"
import type { WireObject } from "./Wire.ts"

type Public = "RetrieveServiceContent" | "Login"

const handlers: Record<Exclude<VimOperation, Public>, Handler> = {
  Logout: Service.logout,
  CurrentTime: Service.currentTime,
  CreateContainerView: Collecting.createContainerView,
  DestroyView: Collecting.destroyView,
  CreatePropertyCollector: Collecting.createPropertyCollector,
  DestroyPropertyCollector: Collecting.destroyPropertyCollector,
  CreateFilter: Collecting.createFilter,
  WaitForUpdatesEx: Collecting.waitForUpdates,
  CancelWaitForUpdates: Collecting.cancelWait,
  RetrievePropertiesEx: Collecting.retrieveProperties,
  ContinueRetrievePropertiesEx: Collecting.continueRetrieve,
  CloneVM_Task: cloneTask,
  ReconfigVM_Task: reconfigureTask,
  PowerOnVM_Task: Power.powerOnTask,
  PowerOffVM_Task: Power.powerOffTask,
  ShutdownGuest: Power.shutdownGuest,
  Destroy_Task: Power.destroyTask,
  CreateSnapshot_Task: Template.createSnapshotTask,
  MarkAsTemplate: Template.markAsTemplate,
  Rename_Task: Template.renameTask,
  CancelTask: Power.cancelTask,
  StartProgramInGuest: Guest.startProgram,
  ListProcessesInGuest: Guest.listProcesses,
  InitiateFileTransferFromGuest: Guest.transferFromGuest
}

/** An answer, and the cookie that the client is to have from now on; an empty one ends it. */
export interface Answer {
  readonly result: WireValue
  readonly setSession?: string
}

const login = (core: Core, args: WireObject, cookie: string | undefined): Answer => {
  for (const session of core.sessions.all())
    if (session.cookie === cookie) refuse("InvalidLogin", "The session is logged in already.")
  const session = core.sessions.login(Args.text(args["userName"]) ?? "", Args.text(args["password"]) ?? "")
  return { result: userSession(core, session), setSession: session.cookie }
}

const perform = (
  core: Core,
  operation: VimOperation,
  args: WireObject,
  cookie: string | undefined
): Effect.Effect<Answer, Fault> => {
  if (operation === "RetrieveServiceContent") return Effect.sync(() => ({ result: Service.serviceContent(core) }))
  if (operation === "Login") return attempt(() => login(core, args, cookie))
  return attempt(() => {
    const session = core.sessions.get(cookie)
    const self = Args.required("_this", Args.ref(args["_this"]))
    const result = handlers[operation](core, { operation, self, args, session })
    return Effect.isEffect(result) ? result : Effect.succeed(result)
  }).pipe(
    Effect.flatMap((result) => result),
    Effect.catchDefect((defect) => (defect instanceof Fault ? Effect.fail(defect) : Effect.die(defect))),
    Effect.map((result) => (operation === "Logout" ? { result, setSession: "" } : { result }))
  )
}

const unreachable = (operation: string, reason: string, sent: boolean) =>
  new VimUnreachable({ operation, reason, sent })

/** One call of a client, with the faults that were asked for. Fails as a transport to a real vCenter would. */
export const request = Effect.fnUntraced(function* (
  core: Core,
  operation: VimOperation,
  given: WireObject,
  cookie: string | undefined
): Effect.fn.Return<Answer, VimFault | VimUnreachable> {
  if (core.now() < core.faults.downUntil()) return yield* unreachable(operation, "connection refused", false)
  const dropped = core.faults.take("CallDropped", operation)
  if (dropped !== undefined) return yield* unreachable(operation, "connection reset", dropped.sent)
  const slow = core.faults.take("SlowCall", operation)
  const refused = core.faults.take("CallFails", operation)
  const lost = core.faults.take("AnswerLost", operation)
  if (slow !== undefined) yield* Effect.sleep(slow.delayMs)

  const { value, bytes } = copy(given)
  const args = Args.object(value)
  const target = Args.ref(args["_this"])?.value ?? "-"
  const outcome = (fault: string | undefined, bytesOut: number) => {
    core.traffic.called(operation, bytes, bytesOut, fault)
    core.traffic.note(`${core.now()} ${operation} ${target} ${fault ?? "ok"}`)
  }
  const work =
    refused === undefined
      ? perform(core, operation, args, cookie)
      : Effect.fail(new Fault({ fault: refused.fault, message: `${refused.fault} (asked for by the simulation)` }))
  const answer = yield* work.pipe(
    Effect.tapError(({ fault }) => Effect.sync(() => outcome(fault, 200))),
    Effect.mapError(({ fault, message }) => new VimFault({ operation, fault, message }))
  )
  const out = copy(answer.result)
  outcome(undefined, out.bytes)
  if (lost !== undefined) return yield* unreachable(operation, "connection reset", true)
  return { ...answer, result: out.value }
})
