/** Long-running programs of the stack. None outlives the process that started it, not even when that one is killed. */
import { Effect, type Scope } from "effect"
import { appendFileSync } from "node:fs"
import { createServer, type AddressInfo } from "node:net"
import { HarnessError } from "../harness/HarnessError.ts"
import * as Process from "../harness/Process.ts"

export interface Options extends Omit<Process.Start, "command" | "args"> {
  /** An account to run as; needs root. */
  readonly account?: string
  /** A file to append what the program printed to, when it ends. */
  readonly log?: string
}

/** Like `Process.start`. The kernel interrupts the program (SIGINT, which all of the stack's programs take as an order to stop) when its parent is gone. */
export const start = (
  command: string,
  args: ReadonlyArray<string>,
  { account, log, ...options }: Options = {}
): Effect.Effect<Process.Running, HarnessError, Scope.Scope> =>
  Effect.gen(function* () {
    let running: Process.Running | undefined
    // Added before the program's own, so that it runs after the program's end.
    if (log !== undefined)
      yield* Effect.addFinalizer(() => Effect.sync(() => appendFileSync(log, running?.lines.join("\n") ?? "")))
    running = yield* Process.start({
      ...options,
      command: "setpriv",
      args: [
        ...(account === undefined ? [] : [`--reuid=${account}`, `--regid=${account}`, "--clear-groups"]),
        "--pdeathsig=INT",
        command,
        ...args
      ]
    })
    return running
  })

/** Runs a program to its end and answers what it printed, on both outputs. */
export const run = (
  command: string,
  args: ReadonlyArray<string>,
  options: Options = {}
): Effect.Effect<string, HarnessError> =>
  Effect.scoped(
    Effect.gen(function* () {
      const running = yield* start(command, args, options)
      const { code } = yield* running.exit
      if (code === 0) return running.lines.join("\n")
      return yield* new HarnessError({
        message: `${[command, ...args].join(" ")} failed:\n${running.lines.slice(-20).join("\n")}`
      })
    })
  )

/** So many ports of 127.0.0.1 that nobody listens on at the moment. */
export const freePorts = (count: number): Effect.Effect<ReadonlyArray<number>> =>
  Effect.promise(async () => {
    const servers = await Promise.all(
      Array.from(
        { length: count },
        () =>
          new Promise<ReturnType<typeof createServer>>((resolve, reject) => {
            const server = createServer().once("error", reject)
            server.listen(0, "127.0.0.1", () => resolve(server))
          })
      )
    )
    const ports = servers.map((server) => (server.address() as AddressInfo).port)
    await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))))
    return ports
  })
