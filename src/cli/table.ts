/** The live table of machines: pure text, and the two ways to show it. */
import { Clock, Console, Effect, Stream } from "effect"
import * as Terminal from "effect/Terminal"
import { EventLog, type LogEvent } from "../services/EventLog.ts"
import { Monitor, type MachineRow } from "../services/Monitor.ts"

export interface Size {
  readonly columns: number
  readonly rows: number
}

interface Column {
  readonly title: string
  readonly width: number
  readonly cell: (row: MachineRow, now: number) => string
}

/** `850ms` is noise: whole seconds, minutes from two minutes on. */
const span = (ms: number): string => {
  const seconds = Math.max(0, Math.round(ms / 1000))
  return seconds < 120 ? `${seconds}s` : `${Math.floor(seconds / 60)}m${String(seconds % 60).padStart(2, "0")}s`
}

const columns: ReadonlyArray<Column> = [
  { title: "NAME", width: 44, cell: ({ name }) => name },
  { title: "STATE", width: 11, cell: ({ state }) => state },
  { title: "AGE", width: 7, cell: ({ since }, now) => span(now - since) },
  { title: "DEADLINE", width: 8, cell: ({ deadline }, now) => (deadline === undefined ? "-" : span(deadline - now)) },
  { title: "JOB", width: 8, cell: ({ job }) => job?.slice(0, 8) ?? "-" },
  { title: "IP", width: 15, cell: ({ ip }) => ip ?? "-" }
]

const fit = (text: string, width: number): string =>
  text.length > width ? `${text.slice(0, width - 1)}…` : text.padEnd(width)

const lineOf = (cells: ReadonlyArray<string>): string =>
  cells
    .map((cell, index) => fit(cell, columns[index]!.width))
    .join("  ")
    .trimEnd()

/** A headline, the titles, and a line for each machine, cut to the size of the screen. Busy machines come first. */
export const render = (
  headline: string,
  machines: ReadonlyArray<MachineRow>,
  now: number,
  size: Size
): ReadonlyArray<string> => {
  const room = Math.max(1, size.rows - 4)
  const ordered = machines.toSorted(
    (a, b) => Number(a.job === undefined) - Number(b.job === undefined) || a.name.localeCompare(b.name)
  )
  const shown = ordered.slice(0, room).map((row) => lineOf(columns.map(({ cell }) => cell(row, now))))
  const rest = ordered.length > room ? [`... and ${ordered.length - room} more`] : []
  return [headline, lineOf(columns.map(({ title }) => title)), ...shown, ...rest].map((line) =>
    line.slice(0, size.columns)
  )
}

/** Up over the last drawing, and erase to the end of the screen. */
const erase = (lines: number): string => (lines === 0 ? "" : `\u001b[${lines}A`) + "\u001b[0J"

/** Redraws the table four times a second until it is interrupted; the last drawing stays. */
export const redraw = Effect.fnUntraced(function* (headline: Effect.Effect<string>) {
  const terminal = yield* Terminal.Terminal
  const monitor = yield* Monitor
  let drawn = 0
  const draw = Effect.gen(function* () {
    // A terminal that does not tell its size says 0.
    const size = { columns: (yield* terminal.columns) || 120, rows: (yield* terminal.rows) || 24 }
    const lines = render(yield* headline, yield* monitor.machines, yield* Clock.currentTimeMillis, size)
    yield* Effect.orDie(terminal.display(`${erase(drawn)}${lines.join("\n")}\n`))
    drawn = lines.length
  })
  return yield* draw.pipe(Effect.andThen(Effect.sleep("250 millis")), Effect.forever, Effect.ensuring(draw))
})

/** `12:00:01 brisk-gould Reserved → Renamed job=1a2b3c4d` */
export const transitionLine = ({ at, subject, text, data = {} }: LogEvent): string => {
  const { name = subject, ...others } = data
  const details = Object.entries(others).flatMap(([key, value]) => (value === undefined ? [] : [`${key}=${value}`]))
  return [new Date(at).toISOString().slice(11, 19), name, text, ...details].join(" ")
}

/** Prints a line for each transition and alarm until it is interrupted. */
export const printLines = Effect.flatMap(EventLog, ({ changes }) =>
  changes.pipe(
    Stream.filter(({ kind }) => kind === "transition" || kind === "alarm"),
    Stream.runForEach((event) => Console.log(transitionLine(event)))
  )
)
