import { assert, describe, it } from "@effect/vitest"
import { readFileSync } from "node:fs"
import { draw, page, withDrawing } from "../../scripts/state-machine.ts"
import { table } from "../../src/actors/vm/transition.ts"

const written = readFileSync(page, "utf8")

describe("the page about a machine's life", () => {
  it('shows the table as it is; "npm run docs:state-machine" draws it again', () => {
    assert.strictEqual(written, withDrawing(written))
  })

  it("has a row for each cell and names each event that a state ignores", () => {
    const rows = Object.values(table).flatMap(({ cells }) => Object.keys(cells))
    assert.isAbove(rows.length, 80)
    assert.strictEqual(
      draw()
        .match(/^\| \w+ \| [^|]+ \| [^|]+ \|$/gm)
        ?.filter(isCell).length,
      rows.length
    )
  })

  it("draws or lists each way from one state into another", () => {
    const ways = Object.entries(table).flatMap(([from, { cells }]) =>
      Object.entries(cells as Record<string, { readonly to: ReadonlyArray<string> }>).flatMap(([event, { to }]) =>
        to.filter((state) => state !== from).map((state) => ({ from, event, to: state }))
      )
    )
    const missing = ways.filter(({ from, event, to }) => !isShown(from, event, to))
    assert.deepStrictEqual(missing, [])
  })
})

const [, picture = ""] = draw().split("## The life in one picture")
const [shown = ""] = picture.split("## Deadlines and works")

/** A row of the tables per state, not of the list of ways that are not drawn, nor a head. */
function isCell(line: string): boolean {
  return !shown.includes(line) && !line.startsWith("| Event |")
}

const isShown = (from: string, event: string, to: string): boolean =>
  shown
    .split("\n")
    .some(
      (line) =>
        (line.includes(` ${from} --> ${to}: `) && has(line.split(": ")[1], event)) ||
        (line.startsWith(`| ${event} | ${to} | `) && has(line.split(" | ")[2], from))
    )

const has = (list: string | undefined, item: string): boolean =>
  list?.replace(" |", "").split(", ").includes(item) ?? false
