/** The guest of one machine, entered with one login: whether it is ready, and its programs, which are started, found again and followed. */
import { Effect } from "effect"
import type { MachineRef } from "../../../schema/Machine.ts"
import { Guest, type GuestLogin, type GuestProgram } from "../../../services/Guest.ts"
import { patience, untilSent } from "./kit.ts"

export const makeGuestOf = Effect.map(Guest, (guest) => (ref: MachineRef, login: GuestLogin) => {
  /** Those of that pid, or all. A worker may be among them: whatever the question comes to, it is asked again for as long as the state lasts. */
  const processes = (pid?: number) => Effect.retry(guest.processes(ref, login, pid), patience)

  return {
    processes,

    ready: (expectedIp: string | undefined) => guest.ready(ref, expectedIp, login),

    start: (program: GuestProgram) => untilSent(guest.start(ref, login, program)),

    /** The exit code of a program, once it has ended: looked at after pauses, in milliseconds, that double from the first to the longest. */
    ended: Effect.fnUntraced(function* (pid: number, pauses: { readonly first: number; readonly longest: number }) {
      for (let pause = pauses.first; ; pause = Math.min(pauses.longest, pause * 2)) {
        yield* Effect.sleep(pause)
        const [found] = yield* processes(pid)
        if (found?.exitCode !== undefined) return found.exitCode
      }
    }),

    /** The end of the first of these files in which something stands; empty when there is none, or it cannot be had. */
    logEnd: (...paths: ReadonlyArray<string>): Effect.Effect<string> =>
      Effect.firstSuccessOf(
        paths.map((path) => Effect.filterOrFail(guest.tail(ref, login, path, 2_000), (text) => text.trim() !== ""))
      ).pipe(Effect.orElseSucceed(() => ""))
  }
})

export type GuestOfMachine = ReturnType<Effect.Success<typeof makeGuestOf>>
