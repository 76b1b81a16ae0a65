/**
 * The file as JSON Schema, for editors, drawn from what the reader asks for. It knows names, types, ranges and mandatory keys; what hangs
 * together (limits, addresses, one key or another) only the reader knows. The reader is more lenient too: it takes keys in any case, and
 * numbers, switches and lists as text.
 */
import { describe, within } from "./descriptions.ts"
import { printDuration } from "./duration.ts"
import type { Key, Outline } from "./Section.ts"

export type JsonSchema = Readonly<Record<string, unknown>>

const times = "^\\s*(\\d+(\\.\\d+)?(ms|s|m|h|d)\\s*)+$"

/** A default, except where it says nothing. */
const standIn = (absent: unknown): JsonSchema => (absent === undefined || absent === "" ? {} : { default: absent })

/** An entry in which nothing is filled in is left out. */
const blank: JsonSchema = { type: "object", additionalProperties: { enum: ["", 0] } }

const listOf = (path: string, { inner = new Map(), skipsBlank, namedBy }: Key): JsonSchema => {
  const entry = objectOf(path, inner)
  const list = { type: "array", items: skipsBlank === true ? { anyOf: [entry, blank] } : entry }
  if (namedBy === undefined) return list
  const unnamed = new Map([...inner].filter(([key]) => key !== namedBy))
  return { anyOf: [list, { type: "object", additionalProperties: objectOf(path, unnamed) }] }
}

const typeOf = (path: string, key: Key): JsonSchema => {
  const { kind, required = false, absent, min, max, words, inner = new Map() } = key
  switch (kind) {
    case "table":
      return objectOf(path, inner)
    case "tables":
      return listOf(path, key)
    case "text":
    case "secret":
      return {
        type: "string",
        ...(required ? { minLength: 1 } : {}),
        ...(words === undefined ? {} : { enum: [...words, ""] }),
        ...standIn(absent)
      }
    case "whole":
      return { type: "integer", minimum: min, maximum: max, ...(required ? {} : standIn(absent)) }
    case "number":
      return { type: "number", ...standIn(absent) }
    case "flag":
      return { type: "boolean", ...standIn(absent) }
    case "texts":
      return { type: "array", items: { type: "string" }, ...standIn(absent) }
    case "duration":
      return { type: "string", pattern: times, default: printDuration(Number(absent)) }
  }
}

/** A table is mandatory where something in it is. */
const isRequired = ({ kind, required = false, inner = new Map() }: Key): boolean =>
  required || (kind === "table" && [...inner.values()].some(isRequired))

const objectOf = (path: string, keys: Outline): JsonSchema => {
  const properties = [...keys].map(([name, key]) => {
    const says = describe(path, name)
    return [name, { ...(says === undefined ? {} : { description: says }), ...typeOf(within(path, name), key) }] as const
  })
  const required = [...keys].filter(([, key]) => isRequired(key)).map(([name]) => name)
  return {
    type: "object",
    properties: Object.fromEntries(properties),
    ...(required.length === 0 ? {} : { required })
  }
}

export const jsonSchema = (outline: Outline): JsonSchema => ({
  $schema: "https://json-schema.org/draft/2020-12/schema",
  title: "Configuration of a CDS engine with hatchery:vsphere, as Rookery reads it",
  ...objectOf("", outline)
})
