/** A copy of the project in a folder of its own, to be broken and tested there. Its packages are those of the project. */
import { spawn } from "node:child_process"
import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join, resolve } from "node:path"
import type { Patch, Property } from "./Mutation.ts"

const project = resolve(import.meta.dirname, "../..")
const copied = ["src", "test", "scripts", "package.json", "tsconfig.json", "vitest.config.ts"]
/** Tests that start processes of their own: none of them is run in a copy. */
const realParts = join(project, "test/real")

/** What came of one property: undefined when it held, else the first line of its failure. */
export type Outcome = ReadonlyMap<Property, string | undefined>

/** The part of Vitest's JSON report that is looked at. */
interface Report {
  readonly testResults: ReadonlyArray<{
    readonly name: string
    readonly message: string
    readonly assertionResults: ReadonlyArray<{
      readonly title: string
      readonly status: string
      readonly failureMessages: ReadonlyArray<string>
    }>
  }>
}

/**
 * Patches a copy and runs these tests alone in it. Throws when a patch does not fit, when a test is not there, or when it failed because the
 * source does not even run.
 */
export const tested = async (patches: ReadonlyArray<Patch>, properties: ReadonlyArray<Property>): Promise<Outcome> => {
  const folder = mkdtempSync(join(tmpdir(), "rookery-mutation-"))
  try {
    fill(folder)
    for (const patch of patches) apply(folder, patch)
    const report = await reportOf(folder, properties)
    return new Map(properties.map((property) => [property, outcomeOf(folder, property, report)]))
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

const fill = (folder: string): void => {
  for (const name of copied)
    cpSync(join(project, name), join(folder, name), { recursive: true, filter: (path) => path !== realParts })
  symlinkSync(join(project, "node_modules"), join(folder, "node_modules"))
}

const apply = (folder: string, { file, find, replace }: Patch): void => {
  const path = join(folder, file)
  const [before, after, ...more] = readFileSync(path, "utf8").split(find)
  if (after === undefined || more.length > 0) throw new Error(`${file} has not this text exactly once: ${find}`)
  writeFileSync(path, `${before}${replace}${after}`)
}

const reportOf = async (folder: string, properties: ReadonlyArray<Property>): Promise<Report> => {
  const report = join(folder, "report.json")
  const files = [...new Set(properties.map(({ file }) => file))]
  const titles = properties.map(({ title }) => title.replace(/[\\^$.*+?()[\]{}|]/g, "\\$&")).join("|")
  const args = ["run", ...files, "--testNamePattern", titles, "--maxWorkers=1"]
  const said = await vitest(folder, [...args, "--reporter=json", `--outputFile=${report}`])
  if (!existsSync(report)) throw new Error(`no report of the tests: ${said}`)
  return JSON.parse(readFileSync(report, "utf8")) as Report
}

const outcomeOf = (folder: string, { file, title }: Property, { testResults }: Report): string | undefined => {
  const found = testResults.find(({ name }) => name === join(folder, file))
  const tests = found?.assertionResults.filter((test) => test.title === title) ?? []
  const [test] = tests
  if (test === undefined || tests.length > 1)
    throw new Error(`${file} has ${tests.length} tests "${title}" ${found?.message ?? ""}`)
  if (test.status === "passed") return undefined
  const [failure = ""] = test.failureMessages
  if (test.status !== "failed" || /^(Reference|Syntax|Type)Error/.test(failure))
    throw new Error(`"${title}" could not be tested: ${test.status} ${failure}`)
  return failure.split("\n")[0]
}

/** Vitest in that folder; answers what it said. */
const vitest = (folder: string, args: ReadonlyArray<string>): Promise<string> =>
  new Promise((done, failed) => {
    const env = Object.fromEntries(Object.entries(process.env).filter(([key]) => !key.startsWith("VITEST")))
    const child = spawn(process.execPath, ["node_modules/vitest/vitest.mjs", ...args], { cwd: folder, env })
    const said: Array<string> = []
    child.stdout.on("data", (text) => said.push(String(text)))
    child.stderr.on("data", (text) => said.push(String(text)))
    child.on("error", failed)
    child.on("close", () => done(said.join("")))
  })
