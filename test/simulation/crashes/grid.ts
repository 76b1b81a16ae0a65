/**
 * The crash grid: at each call of each flow a process is cut off before sending, after sending without the answer, with the call still under way,
 * and after the answer; then another one is started. The calls are those that the flow's process sends when nobody stops it, so that none can be forgotten.
 */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import type { CrashPoint } from "../../support/world.ts"
import type { Flow } from "./Flow.ts"
import { flows } from "./flows.ts"
import { play } from "./play.ts"

const moments = ["before", "unanswered", "late", "answered"] as const

/** `12:unanswered`, as it is given by `CELL`. */
const nameOf = ({ at, when }: CrashPoint): string => `${at}:${when}`

/** A question that comes late changes nothing. */
const isQuestion = (call: string): boolean =>
  /^(GET |Retrieve|WaitForUpdates|CreateFilter|CreateContainerView|ListProcesses|InitiateFileTransfer|Find|download$)/.test(
    call
  )

/** The cells of a flow whose process sends these calls. */
export const cellsOf = ({ cellsFrom }: Flow, calls: ReadonlyArray<string>): ReadonlyArray<CrashPoint> => {
  const skipped = cellsFrom === undefined ? 0 : calls.indexOf(cellsFrom)
  return calls
    .slice(skipped)
    .flatMap((call, index) =>
      moments.filter((when) => when !== "late" || !isQuestion(call)).map((when) => ({ at: skipped + index + 1, when }))
    )
}

/** With `CELL` in the environment only that cell, whose event logs are printed. */
const isWanted = (share: number, of: number) => (cell: CrashPoint, index: number) =>
  process.env["CELL"] === undefined ? index % of === share : nameOf(cell) === process.env["CELL"]

/** What went wrong in a flow and in its cells, a line each. */
const failuresOf = Effect.fnUntraced(function* (flow: Flow, share: number, of: number) {
  const { calls, broken } = yield* play(flow)
  if (broken.length > 0) return broken.map((text) => `undisturbed: ${text}`)
  const failures: Array<string> = []
  for (const cell of cellsOf(flow, calls).filter(isWanted(share, of))) {
    const { broken: found, told } = yield* play(flow, cell)
    if (process.env["CELL"] !== undefined) console.log([...told, ...found].join("\n"))
    if (found.length > 0)
      failures.push(`CELL=${nameOf(cell)} ${calls[cell.at - 1]}: ${[...new Set(found)].slice(0, 3).join("; ")}`)
  }
  return failures
})

/** The tests of the `share`-th of so many shares, counted from 0: shares run side by side. With `FLOW` only flows whose name has that in it. */
export const grid = (share: number, of: number): void => {
  describe("a process that is cut off at any of its calls leaves nothing behind once another is started", () => {
    for (const [name, flow] of flows.filter(([name]) => name.includes(process.env["FLOW"] ?? "")))
      it.live(
        `${name} (${share + 1} of ${of})`,
        () => Effect.map(failuresOf(flow, share, of), (failures) => assert.deepStrictEqual(failures, [])),
        300_000
      )
  })
}
