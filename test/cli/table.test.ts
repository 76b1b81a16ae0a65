import { assert, describe, it } from "@effect/vitest"
import { render, transitionLine } from "../../src/cli/table.ts"
import type { MachineRow } from "../../src/services/Monitor.ts"

const machine = (name: string, more: Partial<MachineRow> = {}): MachineRow => ({
  id: name,
  ref: undefined,
  name,
  state: "provisioned",
  since: 0,
  deadline: undefined,
  template: "debian12",
  job: undefined,
  ip: "10.0.0.4",
  reason: undefined,
  ...more
})

const wide = { columns: 200, rows: 50 }

describe("the table of machines", () => {
  it("shows name, state, age, next deadline, job and address, busy machines first", () => {
    const rows = [
      machine("a-ready-one"),
      machine("z-busy-one", { state: "running", since: 70_000, deadline: 275_000, job: "1a2b3c4d-5e6f" })
    ]
    const [headline, titles, ...lines] = render("3 jobs", rows, 75_000, wide)
    assert.strictEqual(headline, "3 jobs")
    assert.deepStrictEqual(titles?.split(/ +/), ["NAME", "STATE", "AGE", "DEADLINE", "JOB", "IP"])
    assert.deepStrictEqual(
      lines.map((line) => line.split(/ +/)),
      [
        ["z-busy-one", "running", "5s", "3m20s", "1a2b3c4d", "10.0.0.4"],
        ["a-ready-one", "provisioned", "75s", "-", "-", "10.0.0.4"]
      ]
    )
  })

  it("never takes more room than the screen has", () => {
    const rows = Array.from({ length: 30 }, (_, index) => machine(`${"long-name-".repeat(9)}${index}`))
    const lines = render("x".repeat(90), rows, 0, { columns: 60, rows: 12 })
    assert.isBelow(lines.length, 12)
    for (const line of lines) assert.isAtMost(line.length, 60)
    assert.strictEqual(lines.at(-1), "... and 22 more")
  })

  it("tells a transition in one plain line", () => {
    const data = { name: "calm-gould", job: "1a2b", reason: undefined }
    assert.strictEqual(
      transitionLine({ at: 3_661_000, kind: "transition", subject: "uuid", text: "Reserved → Renamed", data }),
      "01:01:01 calm-gould Reserved → Renamed job=1a2b"
    )
  })
})
