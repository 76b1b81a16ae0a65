/** A new configuration file: every key with what it is for and its default, drawn from what the reader asks for. */
import { describe, isIdle, within } from "./descriptions.ts"
import { printDuration } from "./duration.ts"
import type { Key, Outline } from "./Section.ts"

/** Values for mandatory keys that are known already, by their paths. */
export type Known = ReadonlyMap<string, string>

const isTable = ({ kind }: Key): boolean => kind === "table" || kind === "tables"

const literal = (text: string): string => (text.includes("\n") ? `"""\n${text.trimEnd()}\n"""` : JSON.stringify(text))

const valueOf = ({ kind, absent }: Key): string => {
  if (kind === "duration") return literal(printDuration(Number(absent)))
  return kind === "text" || kind === "secret" ? literal(String(absent ?? "")) : JSON.stringify(absent)
}

/** Mandatory keys stand there to be filled in, the others as comments. */
const linesOf = (table: string, name: string, key: Key, known: Known): ReadonlyArray<string> => {
  const given = known.get(within(table, name))
  const line = `${name} = ${given === undefined ? valueOf(key) : literal(given)}`
  const says = describe(table, name) ?? ""
  return key.required === true ? [`# ${says}; mandatory`, line] : [`# ${says}`, `# ${line}`]
}

/** An entry of a list as a comment, to be copied. */
const sampleOf = (table: string, keys: Outline): ReadonlyArray<string> => [
  `# [[${table}]]`,
  ...[...keys].map(([name, key]) => `#   ${name} = ${valueOf(key)} # ${describe(table, name) ?? ""}`)
]

const tableOf = (table: string, says: string, keys: Outline, known: Known): ReadonlyArray<string> => {
  const used = [...keys].filter(([name]) => !isIdle(within(table, name)))
  const own = used.filter(([, key]) => !isTable(key)).flatMap(([name, key]) => linesOf(table, name, key, known))
  const head = own.length === 0 ? [] : ["", `# ${says}`, `[${table}]`]
  const inner = used.filter(([, key]) => isTable(key))
  return [
    ...head,
    ...own,
    ...inner.flatMap(([name, { kind, inner = new Map() }]) => {
      const path = within(table, name)
      const says = describe(table, name) ?? ""
      return kind === "tables" ? ["", `# ${says}`, ...sampleOf(path, inner)] : tableOf(path, says, inner, known)
    })
  ]
}

export const newFile = (outline: Outline, known: Known): string =>
  `${tableOf("", "", outline, known).join("\n").trim()}\n`
