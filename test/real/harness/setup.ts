/**
 * Before the first file: says what these tests judge and what they cannot, and builds our program from the sources as they are, and VMware's
 * simulator, once for all files: two at a time would overwrite each other's. Vitest calls it (`globalSetup`).
 */
import { Effect } from "effect"
import { spawnSync } from "node:child_process"
import { resolve } from "node:path"
import { wireNote } from "../../conformance/sections.ts"
import * as Go from "./Go.ts"
import * as Vcenter from "./Vcenter.ts"

const root = resolve(import.meta.dirname, "../../..")

export const setup = async (): Promise<void> => {
  process.stdout.write(`${wireNote()}\n`)
  const { status, stdout, stderr } = spawnSync("npm", ["run", "--silent", "build"], { cwd: root, encoding: "utf8" })
  if (status !== 0) throw new Error(`npm run build failed:\n${stdout}${stderr}`)
  if (Go.goMissing() === undefined) await Effect.runPromise(Vcenter.build)
}
