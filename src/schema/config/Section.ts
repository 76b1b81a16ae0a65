/**
 * One table of the configuration file, read key by key. Keys match without regard to case, as CDS's own reader does. Each thing that is
 * wrong goes to the report and a default stands in, so that one reading finds every problem. What was read, secrets left out, is
 * `told`: the object that CDS gets at signin.
 */
import { Redacted, Result } from "effect"
import type { ConfigProblem } from "../Errors.ts"
import { parseDuration } from "./duration.ts"

/** Problems forbid the start; warnings are about what would be ignored. */
export interface Report {
  readonly problems: Array<ConfigProblem>
  readonly warnings: Array<ConfigProblem>
}

export type Table = Readonly<Record<string, unknown>>

export const isTable = (value: unknown): value is Table =>
  typeof value === "object" && value !== null && !Array.isArray(value) && !(value instanceof Date)

/** How a key is told to CDS: under another name, or not at all. A value that is `hidden` is not shown where it is wrong, either. */
export interface Telling {
  readonly json?: string
  readonly untold?: boolean
  readonly hidden?: boolean
}

export interface Whole extends Telling {
  readonly min?: number
  readonly max?: number
}

export interface Text extends Telling {
  /** What it may say, where that is a list of words. */
  readonly words?: ReadonlyArray<string>
}

export interface List extends Telling {
  readonly skipBlank?: boolean
}

/** A key as its reader asks for it. */
export interface Key {
  readonly kind: "text" | "secret" | "whole" | "number" | "flag" | "texts" | "duration" | "table" | "tables"
  readonly required?: boolean
  /** What stands in for it; a time in milliseconds. */
  readonly absent?: unknown
  readonly min?: number
  readonly max?: number
  readonly words?: ReadonlyArray<string>
  /** The keys of a table, or of a list's tables. */
  readonly inner?: Outline
  /** A list of tables that may be written as tables called by their names: the key that the name stands for. */
  readonly namedBy?: string
  /** A list whose entries without anything filled in are left out. */
  readonly skipsBlank?: boolean
}

/** The keys that were asked for, in order, as the reader spells them. */
export type Outline = ReadonlyMap<string, Key>

/** Credentials inside an address are not shown. */
const show = (value: unknown): string =>
  value === undefined ? "(absent)" : JSON.stringify(value).replace(/[^\s/"]+@/g, "<redacted>@")

const isBlank = (table: Table): boolean => Object.values(table).every((value) => value === "" || value === 0)

export class Section {
  /** Dotted path as the reference spells it, `hatchery.vsphere`. */
  readonly path: string
  readonly report: Report
  readonly told: Record<string, unknown> = {}
  readonly #outline = new Map<string, Key>()
  readonly #values = new Map<string, { readonly key: string; readonly value: unknown }>()
  readonly #unread = new Set<string>()
  readonly #inner: Array<Section> = []

  constructor(path: string, table: Table, report: Report) {
    this.path = path
    this.report = report
    for (const [key, value] of Object.entries(table)) {
      const folded = key.toLowerCase()
      if (this.#values.has(folded)) this.problem(key, value, "the key stands twice in different case; keep one")
      this.#values.set(folded, { key, value })
      this.#unread.add(folded)
    }
  }

  /** Says what is wrong with a key. Give `undefined` as the value of a key that is missing. */
  problem(key: string, value: unknown, rule: string): void {
    this.report.problems.push({ path: this.at(key), value: show(value), rule })
  }

  #wrong(key: string, value: unknown, rule: string, { hidden = false }: Telling): void {
    if (hidden) this.secretProblem(key, rule)
    else this.problem(key, value, rule)
  }

  secretProblem(key: string, rule: string): void {
    this.report.problems.push({ path: this.at(key), value: "<redacted>", rule })
  }

  warn(key: string, value: unknown, rule: string): void {
    this.report.warnings.push({ path: this.at(key), value: show(value), rule })
  }

  get outline(): Outline {
    return this.#outline
  }

  #asked(key: string, asked: Key): void {
    this.#outline.set(key, { ...this.#outline.get(key), ...asked })
  }

  at(key: string): string {
    return this.path === "" ? key : `${this.path}.${key}`
  }

  raw(key: string): unknown {
    this.#unread.delete(key.toLowerCase())
    return this.#values.get(key.toLowerCase())?.value
  }

  /** Empty counts as absent. */
  text(key: string, absent: string, { words, ...telling }: Text = {}): string {
    this.#asked(key, { kind: "text", absent, ...(words === undefined ? {} : { words }) })
    const value = this.raw(key)
    const text = typeof value === "number" || typeof value === "boolean" ? String(value) : value
    if (text !== undefined && typeof text !== "string") this.#wrong(key, value, `write a text: ${key} = "..."`, telling)
    return this.#tell(key, (typeof text === "string" && text.trim()) || absent, telling)
  }

  required(key: string, meaning: string): string {
    const value = this.text(key, "")
    this.#asked(key, { kind: "text", required: true })
    if (value === "") this.problem(key, this.raw(key), `mandatory: ${meaning}`)
    return value
  }

  /** Undefined when the key is absent or empty. Never told, never shown. */
  secret(key: string): Redacted.Redacted<string> | undefined {
    this.#asked(key, { kind: "secret" })
    const value = this.raw(key)
    if (value !== undefined && typeof value !== "string") this.secretProblem(key, `write a text: ${key} = "..."`)
    return typeof value === "string" && value !== "" ? Redacted.make(value, { label: key }) : undefined
  }

  /** A secret that must be there; empty stands in when it is not. */
  requiredSecret(key: string, meaning: string): Redacted.Redacted<string> {
    const value = this.secret(key)
    this.#asked(key, { kind: "secret", required: true })
    if (value === undefined) this.problem(key, undefined, `mandatory: ${meaning}`)
    return value ?? Redacted.make("", { label: key })
  }

  whole(key: string, absent: number, { min = 0, max = 2 ** 31 - 1, ...telling }: Whole = {}): number {
    this.#asked(key, { kind: "whole", absent, min, max })
    const value = this.raw(key) ?? absent
    const number = typeof value === "string" && /^\s*-?\d+\s*$/.test(value) ? Number(value) : value
    const good = typeof number === "number" && Number.isInteger(number) && number >= min && number <= max
    if (!good) this.problem(key, value, `write a whole number from ${min} to ${max}`)
    return this.#tell(key, good ? number : absent, telling)
  }

  /** A whole number that must be there; `min` stands in when it is not. */
  requiredWhole(key: string, meaning: string, { min = 0, ...whole }: Whole = {}): number {
    const missing = this.raw(key) === undefined
    if (missing) this.problem(key, undefined, `mandatory: ${meaning}`)
    const value = this.whole(key, min, { min, ...whole })
    this.#asked(key, { kind: "whole", required: true })
    return value
  }

  number(key: string, absent: number, telling: Telling = {}): number {
    this.#asked(key, { kind: "number", absent })
    const value = this.raw(key) ?? absent
    const number = typeof value === "string" && value.trim() !== "" ? Number(value) : value
    const good = typeof number === "number" && Number.isFinite(number)
    if (!good) this.problem(key, value, "write a number")
    return this.#tell(key, good ? number : absent, telling)
  }

  flag(key: string, absent: boolean, telling: Telling = {}): boolean {
    this.#asked(key, { kind: "flag", absent })
    const value = this.raw(key) ?? absent
    const flag = value === "true" ? true : value === "false" ? false : value
    if (typeof flag !== "boolean") this.problem(key, value, "write true or false")
    return this.#tell(key, typeof flag === "boolean" ? flag : absent, telling)
  }

  /** A list of texts; one text with commas counts as a list, as for CDS. */
  texts(key: string, absent: ReadonlyArray<string> = [], telling: Telling = {}): ReadonlyArray<string> {
    this.#asked(key, { kind: "texts", absent })
    const value = this.raw(key) ?? []
    const list = typeof value === "string" ? value.split(",").map((item) => item.trim()) : value
    const good = Array.isArray(list) && list.every((item) => typeof item === "string")
    if (!good) this.#wrong(key, value, `write a list of texts: ${key} = ["..."]`, telling)
    const texts: ReadonlyArray<string> = good ? list.filter((item) => item !== "") : []
    return this.#tell(key, texts.length > 0 ? texts : absent, telling)
  }

  /** A time in milliseconds, written as `"90s"`, `"1m30s"` or `"250ms"`. Ours only, never told. */
  duration(key: string, absentMs: number): number {
    this.#asked(key, { kind: "duration", absent: absentMs })
    const value = this.raw(key)
    if (value === undefined) return absentMs
    const parsed = typeof value === "string" ? parseDuration(value) : undefined
    if (parsed === undefined) this.problem(key, value, 'write a time with its unit, above zero, such as "90s" or "10m"')
    return parsed ?? absentMs
  }

  /** One of these words. */
  word<A extends string>(key: string, words: ReadonlyArray<A>, absent: A, telling: Telling = {}): A {
    const value = this.text(key, absent, { ...telling, words })
    const found = words.find((word) => word === value)
    if (found === undefined && value !== "") this.problem(key, value, `write one of ${words.join(", ")}`)
    return found ?? absent
  }

  /** A text that `parse` understands; undefined when there is none and `absent` is empty. */
  parsed<A>(key: string, parse: (text: string) => Result.Result<A, string>, absent = ""): A | undefined {
    const value = this.text(key, absent)
    if (value === "") return undefined
    const result = parse(value)
    if (Result.isSuccess(result)) return result.success
    this.problem(key, value, result.failure)
    return undefined
  }

  /** A table inside this one; an empty one stands in when it is absent. */
  section(key: string, telling: Telling = {}): Section {
    const value = this.raw(key) ?? {}
    if (!isTable(value)) this.problem(key, value, `write a table: [${this.at(key)}]`)
    const section = new Section(this.at(key), isTable(value) ? value : {}, this.report)
    this.#asked(key, { kind: "table", inner: section.outline })
    this.#inner.push(section)
    this.#tell(key, section.told, telling)
    return section
  }

  /** A list of tables: `[[path.key]]`. Entries in which nothing is filled in can be left out, as the CDS engine writes them. */
  sections(key: string, { skipBlank = false, ...telling }: List = {}): ReadonlyArray<Section> {
    const value = this.raw(key) ?? []
    const good = Array.isArray(value) && value.every(isTable)
    if (!good) this.problem(key, value, `write a list of tables: [[${this.at(key)}]]`)
    const tables: ReadonlyArray<Table> = good ? value : []
    const sections = tables.flatMap((table, index) =>
      skipBlank && isBlank(table) ? [] : [new Section(`${this.at(key)}[${index}]`, table, this.report)]
    )
    this.#asked(key, { kind: "tables", inner: sections[0]?.outline ?? new Map(), skipsBlank: skipBlank })
    this.#inner.push(...sections)
    this.#tell(
      key,
      sections.map((section) => section.told),
      telling
    )
    return sections
  }

  /** A list of tables with their name in `nameKey`, or tables called by their names as written. */
  named(key: string, nameKey: string, meaning: string): ReadonlyArray<readonly [name: string, section: Section]> {
    if (isTable(this.raw(key))) return this.section(key).#tables()
    const named = this.sections(key).map((section) => [section.required(nameKey, meaning), section] as const)
    this.#asked(key, { kind: "tables", namedBy: nameKey })
    return named
  }

  #tables(): ReadonlyArray<readonly [name: string, section: Section]> {
    return [...this.#values.values()]
      .filter(({ value }) => isTable(value))
      .map(({ key }) => [key, this.section(key)] as const)
  }

  /** Warns of each key that nobody has read, here and in the tables read from here. Call it last. */
  end(): void {
    for (const section of this.#inner) section.end()
    for (const folded of this.#unread) {
      const { key, value } = this.#values.get(folded)!
      this.report.warnings.push({
        path: this.at(key),
        value: isTable(value) || Array.isArray(value) ? "(table or list)" : "<not shown>",
        rule: "unknown key, it has no effect; correct its spelling or remove it"
      })
    }
  }

  #tell<A>(key: string, value: A, { json = key, untold = false }: Telling): A {
    if (!untold) this.told[json] = value
    return value
  }
}
