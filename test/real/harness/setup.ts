/**
 * Before the first file: says what these tests judge and what they cannot, and builds our program from the sources as they are, once for all
 * files. Vitest calls it (`globalSetup`).
 */
import { spawnSync } from "node:child_process"
import { resolve } from "node:path"
import { wireNote } from "../../conformance/sections.ts"

const root = resolve(import.meta.dirname, "../../..")

export const setup = (): void => {
  process.stdout.write(`${wireNote()}\n`)
  const { status, stdout, stderr } = spawnSync("npm", ["run", "--silent", "build"], { cwd: root, encoding: "utf8" })
  if (status !== 0) throw new Error(`npm run build failed:\n${stdout}${stderr}`)
}
