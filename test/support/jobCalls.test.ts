import { assert, describe, it } from "@effect/vitest"
import { readFileSync } from "node:fs"
import { drawn, rows } from "./jobCalls.ts"

describe("what one job asks of vCenter", () => {
  it("stands in docs/operations.md as the recordings are held against it", () => {
    const page = readFileSync(new URL("../../docs/operations.md", import.meta.url), "utf8")
    assert.include(page, drawn)
  })

  it("has no read twice but the exit code's", () => {
    const repeated = rows.filter(
      ({ operation, reads, most }) =>
        (reads.length > 0 || /^(List|Find|Read)/.test(operation)) && Object.values(most).some((count) => count > 1)
    )
    assert.deepStrictEqual(
      repeated.map(({ operation }) => operation),
      ["ListProcessesInGuest"]
    )
  })
})
