/** Every known defect has a test here, or a line in README.md that says why not. */
import { readdirSync, readFileSync } from "node:fs"
import { fileURLToPath } from "node:url"
import { assert, describe, it } from "@effect/vitest"

const folder = fileURLToPath(new URL(".", import.meta.url))
const read = (file: string): string => readFileSync(`${folder}/${file}`, "utf8")

const numbers = (text: string, each: RegExp): ReadonlyArray<string> =>
  [...text.matchAll(each)].flatMap(([, found]) => found!.split(", "))

const tested = readdirSync(folder)
  .filter((file) => file.endsWith(".test.ts"))
  .flatMap((file) => numbers(read(file), /regression\(\s*"([\w, ]+)"/g))

const excused = numbers(read("README.md"), /^\| (O?\d+) +\|/gm)

const known = [
  ...Array.from({ length: 85 }, (_, index) => String(index + 1)),
  ...Array.from({ length: 11 }, (_, index) => `O${index + 1}`)
]

describe("the regressions", () => {
  it("leave no known defect out, and excuse none that is tested", () => {
    assert.deepStrictEqual(
      known.filter((number) => !tested.includes(number) && !excused.includes(number)),
      []
    )
    assert.deepStrictEqual(
      excused.filter((number) => tested.includes(number)),
      []
    )
  })
})
