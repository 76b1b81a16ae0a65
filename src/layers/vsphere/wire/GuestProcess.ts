/** What the guest operations managers answer. */
import { Schema } from "effect"
import type { GuestProcess } from "../../../services/Guest.ts"
import { Instant, list, Num, Text } from "./Values.ts"

/** The pid that StartProgramInGuest answers. */
export const Pid = Num

const ProcessInfo = Schema.Struct({
  pid: Num,
  cmdLine: Text,
  startTime: Schema.optionalKey(Instant),
  endTime: Schema.optionalKey(Instant),
  exitCode: Schema.optionalKey(Num)
})

/** ListProcessesInGuest; nothing at all when no process matches. */
export const ProcessList = Schema.Struct({ processes: list(ProcessInfo) })

/** An exit code of zero may be left out of the answer: a process with an end has one. */
export const guestProcess = (info: typeof ProcessInfo.Type): GuestProcess => ({
  pid: info.pid,
  commandLine: info.cmdLine,
  startedAt: info.startTime,
  exitCode: info.endTime === undefined ? info.exitCode : (info.exitCode ?? 0)
})

/** InitiateFileTransferFromGuest: where the file can be read once. */
export const FileTransfer = Schema.Struct({ size: Num, url: Text })
