import { assert, describe, it } from "@effect/vitest"
import { readdirSync, readFileSync } from "node:fs"
import { dirname, join, relative, resolve } from "node:path"

const root = resolve(import.meta.dirname, "../src")

/** What each room may import of ours, beside itself. Files directly under `src` may import the command line alone. */
const allowed: Readonly<Record<string, ReadonlyArray<string>>> = {
  schema: [],
  services: ["schema"],
  actors: ["services", "schema"],
  layers: ["services", "schema"],
  cli: ["actors", "layers", "services", "schema"],
  "": ["cli"]
}

const sources = readdirSync(root, { recursive: true, withFileTypes: true })
  .filter((entry) => entry.isFile() && entry.name.endsWith(".ts"))
  .map((entry) => join(entry.parentPath, entry.name))

const roomOf = (file: string): string => {
  const [room = "", ...rest] = relative(root, file).split("/")
  return rest.length === 0 ? "" : room
}

/** Everything named in `import`, `export ... from` and `import()`, types included. */
const importsOf = (file: string): ReadonlyArray<string> =>
  [...readFileSync(file, "utf8").matchAll(/(?:\bfrom\s*|\bimport\s*\(?\s*)"([^"]+)"/g)].map(([, name]) => name!)

const relativeImports = sources.flatMap((file) =>
  importsOf(file)
    .filter((name) => name.startsWith("."))
    .map((name) => ({ file: relative(root, file), from: roomOf(file), to: roomOf(resolve(dirname(file), name)) }))
)

const packagesOf = (room: string): ReadonlyArray<string> =>
  sources
    .filter((file) => roomOf(file) === room)
    .flatMap(importsOf)
    .filter((name) => !name.startsWith("."))

describe("the rooms of the house", () => {
  it("are all known", () => {
    assert.deepStrictEqual(
      [...new Set(sources.map(roomOf))].filter((room) => !(room in allowed)),
      []
    )
  })

  it("import only from the rooms below them", () => {
    const trespasses = relativeImports.filter(({ from, to }) => from !== to && !allowed[from]?.includes(to))
    assert.deepStrictEqual(trespasses, [])
    assert.isAbove(relativeImports.length, 100)
  })

  it("import what is inside the house with its suffix, so that the sources run as they are", () => {
    const bare = sources.flatMap((file) =>
      importsOf(file).filter((name) => name.startsWith(".") && !/\.(ts|json)$/.test(name))
    )
    assert.deepStrictEqual(bare, [])
  })

  it("touch nothing outside the process but from the layers and the command line", () => {
    const outside = ["schema", "services", "actors"].flatMap((room) =>
      packagesOf(room).filter((name) => name !== "effect" && !name.startsWith("effect/"))
    )
    assert.deepStrictEqual(outside, [])
  })
})
