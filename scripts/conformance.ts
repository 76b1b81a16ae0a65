/**
 * Lists each section of the specification with the names of its tests. `npm run docs:conformance` writes docs/conformance.md from what vitest
 * finds in test/conformance, without running it.
 */
import { execFileSync } from "node:child_process"
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { basename, join } from "node:path"
import { fileURLToPath } from "node:url"
import { sections, unseen, type Section } from "../test/conformance/sections.ts"

export const page = new URL("../docs/conformance.md", import.meta.url)

const root = fileURLToPath(new URL("..", import.meta.url))

/** A test, as vitest lists it: `group > test`. */
export interface Listed {
  readonly name: string
  readonly file: string
}

/** The tests are collected by running their files' outermost code: names that are made there come out as they will be printed. */
export const collect = (): ReadonlyArray<Listed> => {
  const folder = mkdtempSync(join(tmpdir(), "rookery-conformance-"))
  const list = join(folder, "list.json")
  const environment = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith("VITEST")))
  try {
    const vitest = join(root, "node_modules/vitest/vitest.mjs")
    const args = [vitest, "list", "--staticParse=false", `--json=${list}`, "test/conformance/"]
    execFileSync(process.execPath, args, { cwd: root, env: environment, stdio: "pipe" })
    return JSON.parse(readFileSync(list, "utf8"))
  } finally {
    rmSync(folder, { recursive: true })
  }
}

const belongsTo = (file: string, section: Section): boolean =>
  basename(file).startsWith(`${section.file}-`) || basename(file).startsWith(`${section.file}.test`)

/** Each section with its tests. Fails on a file whose name begins with no section's number. */
const sorted = (tests: ReadonlyArray<Listed>) => {
  const lost = tests.find(({ file }) => !sections.some((section) => belongsTo(file, section)))
  if (lost !== undefined)
    throw new Error(`${basename(lost.file)} belongs to no section: begin its name as in test/conformance/sections.ts`)
  return sections.map((section) => ({ section, tests: tests.filter(({ file }) => belongsTo(file, section)) }))
}

const unique = (items: ReadonlyArray<string>): ReadonlyArray<string> => [...new Set(items)].toSorted()

/** Names are no Markdown. */
const plain = (text: string): string => text.replaceAll(/[\\`*_<[]/g, "\\$&")

const wireOf = ({ wire }: Section): string => wire.map((file) => `\`${file}\``).join(", ")

const anchor = ({ number, title }: Section): string =>
  `${number} ${title}`
    .toLowerCase()
    .replaceAll(/[^a-z0-9 -]/g, "")
    .replaceAll(" ", "-")

const fileLines = (file: string, tests: ReadonlyArray<Listed>): ReadonlyArray<string> => {
  const names = tests.filter((test) => test.file === file).map(({ name }) => name.split(" > "))
  const groups = [...new Set(names.map(([group = ""]) => group))]
  return [
    `\`test/conformance/${basename(file)}\``,
    "",
    ...groups.flatMap((group) => [
      `- ${plain(group)}`,
      ...names.filter(([one]) => one === group).map(([, ...rest]) => `  - ${plain(rest.join(": "))}`)
    ]),
    ""
  ]
}

const sectionLines = ({ section, tests }: ReturnType<typeof sorted>[number]): ReadonlyArray<string> => [
  `## ${section.number} ${section.title}`,
  "",
  ...(tests.length === 0 ? ["No file of its own yet.", ""] : []),
  ...unique(tests.map(({ file }) => file)).flatMap((file) => fileLines(file, tests)),
  ...(section.wire.length === 0 ? [] : [`On the wire, in \`test/real\`: ${wireOf(section)}.`, ""])
]

export const write = (tests: ReadonlyArray<Listed>): string => {
  const all = sorted(tests)
  return [
    "# The specification and its tests",
    "",
    "Drawn from the tests themselves by `npm run docs:conformance`. They run on the simulated core under the test clock; what is judged on the wire",
    "too, by VMware's own vCenter simulator, the real CDS API or the Go hatchery, has its file in the last column.",
    "",
    "| Section | Tests | On the wire also |",
    "|---|---|---|",
    ...all.map(
      ({ section, tests }) =>
        `| [${section.number} ${section.title}](#${anchor(section)}) | ${tests.length || "none yet"} | ${wireOf(section)} |`
    ),
    `| together | ${tests.length} | |`,
    "",
    "Not shown on the wire, because VMware's simulator is not like a vCenter:",
    "",
    ...unseen.map((text) => `- ${text}`),
    "",
    ...all.flatMap(sectionLines)
  ].join("\n")
}

if (import.meta.main) writeFileSync(page, write(collect()))
