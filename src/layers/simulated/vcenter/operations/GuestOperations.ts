/** StartProgramInGuest, ListProcessesInGuest, InitiateFileTransferFromGuest. */
import * as Args from "../Args.ts"
import type { Core } from "../Core.ts"
import type { Process } from "../GuestSystem.ts"
import type { Machine } from "../Machine.ts"
import { mustBePowered, mustBeReachable } from "../Power.ts"
import { dateTime, refuse } from "../Wire.ts"
import type { WireObject } from "../Wire.ts"
import { machineOf, refArg } from "./Handler.ts"
import type { Call, Handler } from "./Handler.ts"

/** The machine, once its guest can be worked in with the account that came along. */
const guestOf = (core: Core, call: Call): { readonly machine: Machine; readonly user: string } => {
  const machine = machineOf(core, refArg(call, "vm"))
  mustBeReachable(machine)
  mustBePowered(machine, "poweredOn")
  if (!machine.guest.ready) refuse("GuestOperationsUnavailable", "The guest operations agent could not be contacted.")
  const auth = Args.object(call.args["auth"])
  const user = Args.text(auth["username"]) ?? ""
  if (
    machine.login === undefined ||
    user !== machine.login.user ||
    Args.text(auth["password"]) !== machine.login.password
  )
    refuse(
      "InvalidGuestLogin",
      "Failed to authenticate with the guest operating system using the supplied credentials."
    )
  return { machine, user }
}

/** `["A=1"]` as `{ A: "1" }`. */
const readEnvironment = (call: Call): Readonly<Record<string, string>> =>
  Object.fromEntries(
    Args.list(Args.object(call.args["spec"])["envVariables"]).flatMap((item) => {
      const text = Args.text(item) ?? ""
      const at = text.indexOf("=")
      return at < 1 ? [] : [[text.slice(0, at), text.slice(at + 1)]]
    })
  )

export const startProgram: Handler = (core, call) => {
  const { machine, user } = guestOf(core, call)
  const spec = Args.object(call.args["spec"])
  return core.guests.start(machine, {
    user,
    programPath: Args.required("spec.programPath", Args.text(spec["programPath"])),
    arguments: Args.text(spec["arguments"]) ?? "",
    workingDirectory: Args.text(spec["workingDirectory"]),
    env: readEnvironment(call)
  })
}

const processInfo = (process: Process): WireObject => ({
  name: process.name,
  pid: process.pid,
  owner: process.owner,
  cmdLine: process.commandLine,
  startTime: dateTime(process.startedAt),
  ...(process.ended === undefined ? {} : { endTime: dateTime(process.ended.at), exitCode: process.ended.exitCode })
})

export const listProcesses: Handler = (core, call) => {
  const { machine } = guestOf(core, call)
  const pids = Args.list(call.args["pids"]).map(Args.number)
  const processes = core.guests.processes(machine)
  return processes.filter(({ pid }) => pids.length === 0 || pids.includes(pid)).map(processInfo)
}

export const transferFromGuest: Handler = (core, call) => {
  const { machine } = guestOf(core, call)
  const path = Args.required("guestFilePath", Args.text(call.args["guestFilePath"]))
  const text = core.guests.file(machine, path)
  if (text === undefined) return refuse("FileNotFound", `File ${path} was not found`, { file: path })
  return {
    attributes: { _type: "GuestPosixFileAttributes", ownerId: 0, groupId: 0, permissions: 420 },
    size: Buffer.byteLength(text),
    url: `https://*${core.guests.offer(machine, path)}`
  }
}
