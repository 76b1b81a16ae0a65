import { assert, describe, it } from "@effect/vitest"
import { existsSync, readFileSync } from "node:fs"
import { collect, page, write } from "../scripts/conformance.ts"
import { sections } from "./conformance/sections.ts"

describe("the page of the specification and its tests", () => {
  it('lists the tests as they are; "npm run docs:conformance" writes it again', { timeout: 120_000 }, () => {
    const tests = collect()
    assert.isAbove(tests.length, 150)
    assert.strictEqual(readFileSync(page, "utf8"), write(tests))
  })

  it("takes no file whose name begins with no section's number", () => {
    const files = ["03-configuration.test.ts", "99-more.test.ts"]
    assert.throws(() => write(files.map((file) => ({ name: "a > b", file }))), "99-more.test.ts belongs to no section")
  })

  it("names files of the wire that are there", () => {
    const missing = sections
      .flatMap(({ wire }) => wire)
      .filter((file) => !existsSync(new URL(`real/${file}`, import.meta.url)))
    assert.deepStrictEqual(missing, [])
  })
})
