/** A folder of a run of its own, and those that runs left behind which were killed. */
import { Effect, Exit, type Scope } from "effect"
import { chmodSync, copyFileSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"

const prefix = "rookery-cds-"

/**
 * Makes an empty folder that goes with the scope. The process that made it stands in its name, so that the next run can tell a
 * leftover. When the scope fails the files in `logs` are kept, and standard error says where.
 */
export const scratch: Effect.Effect<string, never, Scope.Scope> = Effect.acquireRelease(
  Effect.sync(() => {
    sweep()
    const folder = mkdtempSync(join(tmpdir(), `${prefix}${process.pid}-`))
    // The database's account must pass through to its own folder in here.
    chmodSync(folder, 0o711)
    mkdirSync(logsOf(folder))
    return folder
  }),
  (folder, exit) =>
    Effect.sync(() => {
      if (Exit.isFailure(exit)) keepLogs(folder)
      rmSync(folder, { recursive: true, force: true })
    })
)

const keepLogs = (folder: string): void => {
  const kept = mkdtempSync(join(tmpdir(), `${prefix}logs-`))
  for (const name of readdirSync(logsOf(folder))) copyFileSync(join(logsOf(folder), name), join(kept, name))
  console.error(`The logs of the real CDS are in ${kept}`)
}

/** Where the programs' outputs are written when they end. */
export const logsOf = (folder: string): string => join(folder, "logs")

const sweep = (): void => {
  for (const name of readdirSync(tmpdir())) {
    const owner = name.startsWith(prefix) ? Number.parseInt(name.slice(prefix.length)) : Number.NaN
    if (Number.isInteger(owner) && !isAlive(owner)) rmSync(join(tmpdir(), name), { recursive: true, force: true })
  }
}

const isAlive = (pid: number): boolean => {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM"
  }
}
