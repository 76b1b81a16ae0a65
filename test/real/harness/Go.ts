/** Go programs of the judges: whether they can be built here, and building them once. */
import { Effect, Semaphore } from "effect"
import { spawnSync } from "node:child_process"
import { mkdirSync } from "node:fs"
import { join, resolve } from "node:path"
import { HarnessError } from "./HarnessError.ts"
import * as Process from "./Process.ts"

const root = resolve(import.meta.dirname, "../../..")
const cache = join(root, "node_modules/.cache/rookery")

/** Why Go judges cannot run on this machine; undefined where they can. */
export const goMissing = (): string | undefined => {
  if (process.platform !== "linux") return `guests need Linux, this is ${process.platform}`
  const version = spawnSync("go", ["env", "GOVERSION"], { encoding: "utf8" })
  if (version.error !== undefined || version.status !== 0) return "Go is not installed"
  const [, major, minor] = /^go(\d+)\.(\d+)/.exec(version.stdout) ?? []
  return Number(major) > 1 || Number(minor) >= 25
    ? undefined
    : `Go 1.25 or newer is needed, found ${version.stdout.trim()}`
}

/** Runs the go command in a folder of this project to its end. Modules come from Go's proxy and stay in Go's own caches. */
export const go = (folder: string, args: ReadonlyArray<string>): Effect.Effect<ReadonlyArray<string>, HarnessError> =>
  Effect.scoped(
    Effect.gen(function* () {
      const running = yield* Process.start({ command: "go", args, cwd: join(root, folder) })
      const { code } = yield* running.exit
      if (code === 0) return running.lines
      return yield* new HarnessError({
        message: `go ${args.join(" ")} failed:\n${running.lines.slice(-40).join("\n")}`
      })
    })
  )

const built = new Set<string>()
const oneAtATime = Semaphore.makeUnsafe(1)

/** Builds the program in that folder, once in this process and where it is not up to date, and answers its path. */
export const build = (folder: string, name: string): Effect.Effect<string, HarnessError> =>
  Effect.suspend(() => {
    const binary = join(cache, name)
    if (built.has(binary)) return Effect.succeed(binary)
    mkdirSync(cache, { recursive: true })
    return Effect.map(go(folder, ["build", "-p", "2", "-buildvcs=false", "-o", binary, "."]), () => {
      built.add(binary)
      return binary
    })
  }).pipe(oneAtATime.withPermits(1))
