/**
 * Draws a machine's life from the transition table itself: a diagram, the deadlines, and a table per state. `npm run docs:state-machine`
 * puts the drawing into docs/state-machine.md, between the markers.
 */
import { readFileSync, writeFileSync } from "node:fs"
import { allowance } from "../src/actors/vm/deadlines.ts"
import type { EventTag } from "../src/actors/vm/Event.ts"
import type { Claim, StateOf, StateTag, VmState } from "../src/actors/vm/State.ts"
import { table, workOf } from "../src/actors/vm/transition.ts"
import { defaultTimes } from "../src/schema/config/defaults.ts"
import type { TimeSettings } from "../src/schema/Settings.ts"

export const page = new URL("../docs/state-machine.md", import.meta.url)

const begin = "<!-- drawn from the table: begin -->"
const end = "<!-- drawn from the table: end -->"

interface Edge {
  readonly from: StateTag
  readonly event: EventTag
  readonly to: StateTag
}

interface WrittenCell {
  readonly to: ReadonlyArray<StateTag>
  readonly says: string
}

const states = Object.keys(table) as ReadonlyArray<StateTag>

const cellsOf = (state: StateTag) =>
  Object.entries(table[state].cells) as unknown as ReadonlyArray<readonly [EventTag, WrittenCell]>

const edges: ReadonlyArray<Edge> = states.flatMap((from) =>
  cellsOf(from).flatMap(([event, { to }]) =>
    to.filter((target) => target !== from).map((target) => ({ from, event, to: target }))
  )
)

const claim: Claim = {
  jobId: "1",
  region: "",
  projectKey: "",
  workerName: "",
  modelName: "",
  login: undefined,
  size: undefined,
  startedAt: 0
}

/** One of each state; where a deadline or a work depends on more than the state's name, one of each kind, with what sets it apart. */
const kinds: { readonly [S in StateTag]: Readonly<Record<string, Omit<StateOf<S>, "_tag">>> } = {
  Cloning: { "": { lost: false }, ", answer lost": { lost: true } },
  Booting: { "": {} },
  Settling: { "": {} },
  Provisioned: { "": {} },
  Reserved: { "": { claim, cancelled: undefined } },
  Renamed: { "": { claim, cancelled: undefined, resumed: false } },
  Powered: { "": { claim, on: false } },
  Running: {
    "": { claim, signedIn: false, resumed: false },
    ", signed in": { claim, signedIn: true, resumed: false }
  },
  Returning: { "": {} },
  Preparing: { "": {}, ", taken over": { resumed: true } },
  Converting: { "": {} },
  Templated: { "": {} },
  Held: { "": { was: { _tag: "Booting" }, remaining: 0 } },
  Reaping: { "": { claim: undefined, settlement: "none" } },
  Reaped: { "": {} },
  Ceded: { "": {} }
}

/** Milliseconds as people write them. */
const duration = (ms: number): string => {
  const [hours, minutes, seconds] = [Math.floor(ms / 3_600_000), Math.floor(ms / 60_000) % 60, (ms / 1_000) % 60]
  return [
    [hours, "h"],
    [minutes, "min"],
    [seconds, "s"]
  ]
    .filter(([count]) => count !== 0)
    .map(([count, unit]) => `${count} ${unit}`)
    .join(" ")
}

/** Which settings a deadline is the sum of: found by moving each of them by one. */
const sumOf = (state: VmState): string => {
  const whole = allowance(state, defaultTimes) ?? 0
  const names = Object.keys(defaultTimes) as ReadonlyArray<keyof TimeSettings>
  const terms = names.flatMap((name) => {
    const moved = (allowance(state, { ...defaultTimes, [name]: defaultTimes[name] + 1 }) ?? 0) - whole
    return moved === 0 ? [] : [`${moved === 1 ? "" : `${moved} × `}\`${name}\``]
  })
  return terms.length === 0 ? "fixed" : terms.join(" + ")
}

/** Cells that lead the same way from nearly everywhere would hide the life behind their lines: they are listed, not drawn. */
const isDrawn = ({ from, event, to }: Edge): boolean => {
  if (from === "Held" || to === "Held" || to === "Ceded" || event === "Conceded" || event === "Reap") return false
  if (event === "Gone") return from === "Reaping"
  return event !== "Seen" || to === "Reaping" || from === "Cloning"
}

const unique = <A>(items: ReadonlyArray<A>): ReadonlyArray<A> => [...new Set(items)]

const eventsBetween = (some: ReadonlyArray<Edge>, from: StateTag, to: StateTag): ReadonlyArray<EventTag> =>
  unique(some.filter((edge) => edge.from === from && edge.to === to).map(({ event }) => event))

const diagram = (): ReadonlyArray<string> => {
  const drawn = edges.filter(isDrawn)
  const lines = states.flatMap((from) =>
    states.flatMap((to) => {
      const events = eventsBetween(drawn, from, to)
      return events.length === 0 ? [] : [`  ${from} --> ${to}: ${events.join(", ")}`]
    })
  )
  return ["```mermaid", "stateDiagram-v2", "  [*] --> Cloning", ...lines, "  Reaped --> [*]", "```"]
}

/** The rest of the edges, by event and target. */
const listed = (): ReadonlyArray<string> => {
  const rest = edges.filter((edge) => !isDrawn(edge))
  return [
    "| Event | State' | from |",
    "|---|---|---|",
    ...unique(rest.map(({ event }) => event)).flatMap((event) =>
      states.flatMap((to) => {
        const from = rest.filter((edge) => edge.event === event && edge.to === to).map((edge) => edge.from)
        return from.length === 0 ? [] : [`| ${event} | ${to} | ${from.join(", ")} |`]
      })
    )
  ]
}

const deadlineRow = (name: string, state: VmState): string => {
  const ms = allowance(state, defaultTimes)
  const [sum, time] = ms === undefined ? ["none: the end", ""] : [sumOf(state), duration(ms)]
  const work = workOf(state)
  return `| ${name} | ${sum} | ${time} | ${work === undefined ? "" : `\`${work}\``} |`
}

const deadlines = (): ReadonlyArray<string> => [
  "| State | Deadline | by default | Work |",
  "|---|---|---|---|",
  ...states.flatMap((tag) =>
    Object.entries(kinds[tag]).map(([apart, data]) => deadlineRow(tag + apart, { _tag: tag, ...data } as VmState))
  )
]

const target = (from: StateTag, to: ReadonlyArray<StateTag>): string =>
  unique(to.length === 0 ? ["stays"] : to.map((state) => (state === from ? "stays" : state))).join(", ")

const row = (state: StateTag): ReadonlyArray<string> => {
  const { says, ignores } = table[state]
  const cells = cellsOf(state).map(([event, cell]) => `| ${event} | ${target(state, cell.to)} | ${cell.says} |`)
  return [
    `### ${state}`,
    "",
    `${says.charAt(0).toUpperCase()}${says.slice(1)}.`,
    "",
    ...(cells.length === 0 ? [] : ["| Event | State' | Words |", "|---|---|---|", ...cells, ""]),
    cells.length === 0 ? "Every event is ignored." : `Ignored: ${ignores.join(", ")}.`,
    ""
  ]
}

export const draw = (): string =>
  [
    "## The life in one picture",
    "",
    ...diagram(),
    "",
    "Not drawn, because they lead the same way from nearly everywhere:",
    "",
    ...listed(),
    "",
    "## Deadlines and works",
    "",
    ...deadlines(),
    "",
    "## State × Event → State'",
    "",
    ...states.flatMap(row)
  ].join("\n")

/** The page with the drawing between its markers. */
export const withDrawing = (text: string): string => {
  const [before, rest = ""] = text.split(begin)
  const [, after] = rest.split(end)
  if (after === undefined) throw new Error(`the page has no "${begin}" and "${end}"`)
  return `${before}${begin}\n\n${draw()}\n${end}${after}`
}

if (import.meta.main) writeFileSync(page, withDrawing(readFileSync(page, "utf8")))
