import { assert, describe, it } from "@effect/vitest"
import { globSync, readFileSync } from "node:fs"
import { resolve } from "node:path"

const root = resolve(import.meta.dirname, "..")

interface Manifest {
  readonly dependencies: Readonly<Record<string, string>>
  readonly peerDependencies?: Readonly<Record<string, string>>
}

const manifestIn = (folder: string): Manifest => JSON.parse(readFileSync(resolve(root, folder, "package.json"), "utf8"))

const atRunTime = Object.keys(manifestIn(".").dependencies)

/** The packages that the sources name, without Node's own. */
const imported = new Set(
  globSync("src/**/*.ts", { cwd: root })
    .flatMap((file) => [
      ...readFileSync(resolve(root, file), "utf8").matchAll(/(?:\bfrom\s*|\bimport\s*\(?\s*)"([^".][^"]*)"/g)
    ])
    .map(([, name]) => /^(@[^/]+\/)?[^/]+/.exec(name!)![0])
    .filter((name) => !name.startsWith("node:"))
)

describe("the packages at run time", () => {
  it("are all that the sources import", () => {
    assert.deepStrictEqual(
      [...imported].filter((name) => !atRunTime.includes(name)),
      []
    )
  })

  it("are there for the sources, or for a package that the sources import", () => {
    const asked = new Set(
      [...imported].flatMap((name) => Object.keys(manifestIn(`node_modules/${name}`).peerDependencies ?? {}))
    )
    assert.deepStrictEqual(
      atRunTime.filter((name) => !imported.has(name) && !asked.has(name)),
      []
    )
  })
})
