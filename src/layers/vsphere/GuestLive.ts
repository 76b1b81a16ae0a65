/**
 * `Guest` through VMware Tools: readiness is waited for in the inventory's subscription, programs are started, watched and read by the
 * guest operations managers. Programs are only started in machines that are ours.
 */
import { Effect, Layer, Redacted, Schema } from "effect"
import type { VimError } from "../../schema/Errors.ts"
import { VimFault } from "../../schema/Errors.ts"
import type { MachineRef } from "../../schema/Machine.ts"
import type { GuestLogin, GuestProgram } from "../../services/Guest.ts"
import { Guest } from "../../services/Guest.ts"
import type { Inventory } from "../../services/Inventory.ts"
import { Settings } from "../../services/Settings.ts"
import { scrub } from "../scrub.ts"
import { guestFailed, guestRefused } from "./guestFaults.ts"
import { makeReadiness } from "./GuestReadiness.ts"
import { MachineCalls, machineRef } from "./MachineCalls.ts"
import { readObject } from "./retrieval.ts"
import type { WireValue } from "./Vim.ts"
import { VimSession } from "./VimSession.ts"
import { FileTransfer, guestProcess, Pid, ProcessList } from "./wire/GuestProcess.ts"
import { decodeAnswer, Ref } from "./wire/Values.ts"

const Managers = Schema.Struct({ processManager: Ref, fileManager: Ref })
const decodeManagers = decodeAnswer("RetrievePropertiesEx", Managers)
const decodePid = decodeAnswer("StartProgramInGuest", Pid)
const decodeProcesses = decodeAnswer("ListProcessesInGuest", ProcessList)
const decodeTransfer = decodeAnswer("InitiateFileTransferFromGuest", FileTransfer)

const authentication = ({ username, password }: GuestLogin): WireValue => ({
  _type: "NamePasswordAuthentication",
  interactiveSession: false,
  username,
  password: Redacted.value(password)
})

/** One word of a POSIX shell. */
const quoted = (text: string): string => `'${text.replaceAll("'", String.raw`'\''`)}'`

/**
 * A GuestProgramSpec. Tools on Linux give program path and arguments to a shell as one command line, so the script is quoted once; the
 * values that must not be seen travel as environment only.
 */
const programSpec = ({ script, env }: GuestProgram): WireValue => ({
  _type: "GuestProgramSpec",
  programPath: "/bin/sh",
  arguments: `-c ${quoted(script)}`,
  envVariables: Object.entries(env).map(([name, value]) => `${name}=${Redacted.value(value)}`)
})

/** The end of a file as text. Where it was cut off, a long word at the beginning goes: it may be half a token. */
const tailText = (bytes: Uint8Array, maxBytes: number): string => {
  const text = new TextDecoder().decode(bytes)
  return bytes.length < maxBytes ? text : text.replace(/^[\w+/=.-]{16,}/, "")
}

const make = Effect.gen(function* () {
  const { worker } = yield* Settings
  const secrets = [...Object.values(worker.injectEnvVars), worker.log.graylog.extraValue]
  const vim = yield* VimSession
  const calls = yield* MachineCalls

  const managers = Effect.flatMap(vim.content, ({ guestOperationsManager }) =>
    guestOperationsManager === undefined
      ? Effect.fail(
          new VimFault({
            operation: "RetrieveServiceContent",
            fault: "NoPermission",
            message: "the account may not use guest operations"
          })
        )
      : readObject(vim, guestOperationsManager, ["processManager", "fileManager"]).pipe(
          Effect.flatMap((properties) => decodeManagers(Object.fromEntries(properties)))
        )
  )
  let known: typeof Managers.Type | undefined
  const guestManagers = Effect.suspend(() =>
    known === undefined ? Effect.tap(managers, (found) => Effect.sync(() => (known = found))) : Effect.succeed(known)
  )

  const launch = Effect.fnUntraced(function* (ref: MachineRef, login: GuestLogin, program: GuestProgram) {
    yield* calls.ours("StartProgramInGuest", ref).pipe(Effect.mapError(guestRefused(ref)))
    const send = Effect.gen(function* (): Effect.fn.Return<number, VimError> {
      const { processManager } = yield* guestManagers
      const answer = yield* vim.call("StartProgramInGuest", {
        _this: processManager,
        vm: machineRef(ref),
        auth: authentication(login),
        spec: programSpec(program)
      })
      return yield* decodePid(answer)
    })
    return yield* send.pipe(Effect.mapError(guestFailed(ref, "StartProgramInGuest")))
  })

  const ready = yield* makeReadiness(launch)

  return Guest.of({
    ready,
    start: Effect.fn("Guest.start")(launch),
    processes: Effect.fn("Guest.processes")(function* (ref, login, pid) {
      yield* Effect.annotateCurrentSpan({ "vm.ref": ref })
      const list = Effect.gen(function* (): Effect.fn.Return<typeof ProcessList.Type, VimError> {
        const { processManager } = yield* guestManagers
        const answer = yield* vim.call("ListProcessesInGuest", {
          _this: processManager,
          vm: machineRef(ref),
          auth: authentication(login),
          ...(pid === undefined ? {} : { pids: [pid] })
        })
        return yield* decodeProcesses(answer === undefined ? {} : { processes: answer })
      })
      const { processes } = yield* list.pipe(Effect.mapError(guestFailed(ref, "ListProcessesInGuest")))
      return processes.map(guestProcess)
    }),
    tail: Effect.fn("Guest.tail")(function* (ref, login, path, maxBytes) {
      yield* Effect.annotateCurrentSpan({ "vm.ref": ref, "guest.path": path })
      const read = Effect.gen(function* (): Effect.fn.Return<Uint8Array, VimError> {
        const { fileManager } = yield* guestManagers
        const args = { _this: fileManager, vm: machineRef(ref), auth: authentication(login), guestFilePath: path }
        const { url } = yield* Effect.flatMap(vim.call("InitiateFileTransferFromGuest", args), decodeTransfer)
        return yield* vim.download(url, maxBytes)
      })
      const bytes = yield* read.pipe(Effect.mapError(guestFailed(ref, "InitiateFileTransferFromGuest")))
      return scrub(tailText(bytes, maxBytes), [...secrets, Redacted.value(login.password)])
    })
  })
})

export const layer: Layer.Layer<Guest, never, VimSession | Inventory | Settings> = Layer.effect(Guest, make).pipe(
  Layer.provide(MachineCalls.layer)
)
