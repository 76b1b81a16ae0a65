/** Programs under test and judges as child processes that end with their scope. */
import { Effect, type Scope } from "effect"
import { type ChildProcess, spawn } from "node:child_process"
import { createInterface } from "node:readline"
import type { Readable } from "node:stream"
import { HarnessError } from "./HarnessError.ts"

export interface Start {
  readonly command: string
  readonly args?: ReadonlyArray<string>
  readonly cwd?: string
  /** Added to this process's own variables; undefined takes one away. */
  readonly env?: Readonly<Record<string, string | undefined>>
  /** Milliseconds that SIGTERM is given at the end of the scope before SIGKILL. */
  readonly graceMs?: number
}

export interface Exit {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
}

export interface Running {
  readonly pid: number
  /** Every line of both outputs so far, in the order of arrival. */
  readonly lines: ReadonlyArray<string>
  /** The first line that matches, of those that came already or of those to come. Fails when the process ends before. */
  readonly line: (pattern: RegExp, withinMs?: number) => Effect.Effect<string, HarnessError>
  readonly exit: Effect.Effect<Exit>
  readonly kill: (signal: NodeJS.Signals) => Effect.Effect<void>
}

/** Starts a program. At the end of the scope this one process is stopped, and no other. */
export const start = (options: Start): Effect.Effect<Running, HarnessError, Scope.Scope> =>
  Effect.map(
    Effect.acquireRelease(spawned(options), (watched) => stop(watched, options.graceMs ?? 5000)),
    (watched) => ({
      pid: watched.pid,
      lines: watched.lines,
      line: (pattern, withinMs = 60_000) => line(watched, pattern, withinMs),
      exit: Effect.promise(() => watched.ended),
      kill: (signal) =>
        Effect.sync(() => {
          if (watched.exit === undefined) watched.child.kill(signal)
        })
    })
  )

/** Starts `node` of this process on a script, e.g. `dist/main.js`. */
export const startNode = (script: string, args: ReadonlyArray<string>, options: Omit<Start, "command" | "args"> = {}) =>
  start({ ...options, command: process.execPath, args: [script, ...args] })

interface Watched {
  readonly child: ChildProcess
  readonly name: string
  readonly pid: number
  readonly lines: Array<string>
  readonly listeners: Set<() => void>
  readonly ended: Promise<Exit>
  exit: Exit | undefined
}

const spawned = (options: Start): Effect.Effect<Watched, HarnessError> =>
  Effect.callback((resume) => {
    const { command, args = [] } = options
    const child = spawn(command, args, {
      ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
      env: { ...process.env, ...options.env },
      stdio: ["pipe", "pipe", "pipe"]
    })
    child.once("error", (error) =>
      resume(Effect.fail(new HarnessError({ message: `${command} cannot be started: ${error.message}` })))
    )
    child.once("spawn", () => resume(Effect.succeed(watch(child, [command, ...args].join(" ")))))
  })

const watch = (child: ChildProcess, name: string): Watched => {
  const { promise, resolve } = Promise.withResolvers<Exit>()
  const watched: Watched = {
    child,
    name,
    pid: child.pid ?? 0,
    lines: [],
    listeners: new Set(),
    ended: promise,
    exit: undefined
  }
  const notify = () => watched.listeners.forEach((listener) => listener())
  const collect = (stream: Readable) =>
    createInterface({ input: stream }).on("line", (text) => {
      watched.lines.push(text)
      notify()
    })
  collect(child.stdout!)
  collect(child.stderr!)
  child.stdin!.on("error", () => undefined)
  child.once("close", (code, signal) => {
    watched.exit = { code, signal }
    resolve(watched.exit)
    notify()
  })
  return watched
}

const line = (watched: Watched, pattern: RegExp, withinMs: number): Effect.Effect<string, HarnessError> =>
  Effect.callback<string, HarnessError>((resume) => {
    let read = 0
    const look = () => {
      while (read < watched.lines.length) {
        const text = watched.lines[read++]!
        if (pattern.test(text)) return resume(Effect.succeed(text))
      }
      if (watched.exit !== undefined) resume(Effect.fail(missing(watched, pattern, `ended (${ending(watched.exit)})`)))
    }
    watched.listeners.add(look)
    look()
    return Effect.sync(() => watched.listeners.delete(look))
  }).pipe(
    Effect.timeoutOrElse({
      duration: withinMs,
      orElse: () => Effect.fail(missing(watched, pattern, `printed none within ${withinMs} ms`))
    })
  )

const missing = (watched: Watched, pattern: RegExp, what: string) =>
  new HarnessError({
    message: `no line ${pattern}: ${watched.name} ${what}. Its last lines:\n${watched.lines.slice(-20).join("\n")}`
  })

const ending = (exit: Exit) => (exit.signal === null ? `code ${exit.code}` : exit.signal)

const stop = (watched: Watched, graceMs: number): Effect.Effect<void> =>
  Effect.gen(function* () {
    if (watched.exit !== undefined) return
    watched.child.stdin!.end()
    watched.child.kill("SIGTERM")
    const ended = Effect.promise(() => watched.ended)
    yield* Effect.timeoutOrElse(ended, {
      duration: graceMs,
      orElse: () =>
        Effect.andThen(
          Effect.sync(() => watched.child.kill("SIGKILL")),
          ended
        )
    })
  })
