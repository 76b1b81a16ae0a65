/** Malformed variants of well-formed texts: XML, JSON, and any text at all. */
import type { Chance } from "./Chance.ts"

/** What stands in places where something else is expected. */
export const oddities: ReadonlyArray<string> = [
  "",
  " ",
  "0",
  "-1",
  "1e309",
  "NaN",
  "9223372036854775808",
  "99999999999999999999999999999999999999",
  "true",
  "null",
  "2026-13-45T99:99:99Z",
  "+275760-09-13T00:00:00Z",
  "\u0000",
  "\u{1F426}\u200B\u202E",
  "\uD800",
  "..",
  "../../etc/passwd",
  "__proto__",
  "constructor",
  "${jndi:ldap://x}",
  "$(id)`id`;'\"",
  "x".repeat(20_000)
]

const fragments: ReadonlyArray<string> = [
  "<",
  ">",
  "&",
  "&amp",
  "&nothing;",
  "&#0;",
  "&#x110000;",
  "]]>",
  "<![CDATA[",
  "<!--",
  "-->",
  "<?xml?>",
  "</",
  "<!DOCTYPE a>",
  '"',
  "'",
  "\\",
  "{",
  "}",
  "[",
  "]",
  ",",
  ":",
  "=",
  "\n",
  "\u0000",
  "\uFEFF"
]

/** A stretch of the text. */
const stretch = (chance: Chance, text: string): readonly [start: number, end: number] => {
  const start = chance.below(text.length + 1)
  return [start, Math.min(text.length, start + chance.below(chance.is(0.5) ? 8 : 200))]
}

const textChanges: ReadonlyArray<(chance: Chance, text: string) => string> = [
  (chance, text) => text.slice(0, chance.below(text.length + 1)),
  (chance, text) => text.slice(chance.below(text.length + 1)),
  (chance, text) => {
    const [start, end] = stretch(chance, text)
    return text.slice(0, start) + text.slice(end)
  },
  (chance, text) => {
    const [start, end] = stretch(chance, text)
    return text.slice(0, end) + text.slice(start)
  },
  (chance, text) => {
    const [start] = stretch(chance, text)
    return text.slice(0, start) + chance.pick(fragments) + text.slice(start)
  },
  (chance, text) => {
    const [start, end] = stretch(chance, text)
    return text.slice(0, start) + chance.pick(oddities) + text.slice(end)
  },
  (chance, text) => {
    const [start] = stretch(chance, text)
    return text.slice(0, start) + String.fromCharCode(chance.below(0x300)) + text.slice(start + 1)
  }
]

/** Any text: cut off, doubled, overwritten somewhere. */
export const mutateText = (chance: Chance, text: string): string => chance.pick(textChanges)(chance, text)

const replaceOne = (
  chance: Chance,
  text: string,
  pattern: RegExp,
  replacement: (found: RegExpMatchArray) => string
) => {
  const all = [...text.matchAll(pattern)]
  if (all.length === 0) return text
  const found = chance.pick(all)
  return text.slice(0, found.index) + replacement(found) + text.slice(found.index + found[0].length)
}

const openTag = /<([\w:.-]+)((?:\s[^<>]*?)?)>/g
const leaf = /<([\w:.-]+)((?:\s[^<>]*?)?)>([^<]*)<\/\1>/g
const small = /<([\w:.-]+)(?:\s[^<>]*?)?>(?:(?!<\/?\1[\s>])[\s\S])*?<\/\1>/g
const typeAttribute = /((?:xsi:)?type)="([^"]*)"/g

const names = (text: string) => [...text.matchAll(openTag)].map(([, name = "x"]) => name)

const xmlChanges: ReadonlyArray<(chance: Chance, xml: string) => string> = [
  // The text of a leaf is something else.
  (chance, xml) =>
    replaceOne(
      chance,
      xml,
      leaf,
      ([, name, attributes]) => `<${name}${attributes}>${escape(chance.pick(oddities))}</${name}>`
    ),
  // A leaf has children, an inner element has none.
  (chance, xml) => replaceOne(chance, xml, leaf, ([all, name]) => `<${name}>${all}${all}</${name}>`),
  (chance, xml) => replaceOne(chance, xml, small, ([, name]) => `<${name}/>`),
  // An element is missing, or stands more often than once.
  (chance, xml) => replaceOne(chance, xml, small, () => ""),
  (chance, xml) => replaceOne(chance, xml, small, ([all]) => all.repeat(2 + chance.below(30))),
  // An element under another one's name.
  (chance, xml) => {
    const other = chance.pick([...names(xml), "__proto__", "constructor", "_type", "_value"])
    return replaceOne(chance, xml, small, ([all, name]) =>
      all.replaceAll(`<${name}`, `<${other}`).replaceAll(`</${name}>`, `</${other}>`)
    )
  },
  // Another type, none, or nil.
  (chance, xml) => {
    const types = [...xml.matchAll(typeAttribute)].map(([, , type = ""]) => type)
    const other = chance.pick([
      ...types,
      "xsd:int",
      "xsd:boolean",
      "xsd:dateTime",
      "ArrayOfString",
      "ArrayOf",
      "Nothing",
      ""
    ])
    return replaceOne(chance, xml, typeAttribute, ([, attribute]) => `${attribute}="${other}"`)
  },
  (chance, xml) => replaceOne(chance, xml, typeAttribute, () => ""),
  (chance, xml) => replaceOne(chance, xml, openTag, ([, name, attributes]) => `<${name}${attributes} xsi:nil="true">`),
  // Deep nesting, in known and unknown elements.
  (chance, xml) => {
    const depth = chance.pick([3, 50, 150, 250, 5_000])
    return replaceOne(chance, xml, small, ([all, name]) => {
      const wrap = chance.pick([name, "deep"])
      return `<${wrap}>`.repeat(depth) + all + `</${wrap}>`.repeat(depth)
    })
  },
  (chance, xml) => {
    const attributes = Array.from({ length: chance.pick([10, 300]) }, (_, n) => ` a${n}="${n}" xmlns:p${n}="u"`).join(
      ""
    )
    return replaceOne(chance, xml, openTag, ([, name, own]) => `<${name}${own}${attributes}>`)
  }
]

const escape = (text: string): string => text.replaceAll("&", "&amp;").replaceAll("<", "&lt;")

/** An XML text with one to three changes, most of which leave it well-formed. */
export const mutateXml = (chance: Chance, xml: string): string => {
  let changed = xml
  for (let left = 1 + chance.below(3); left > 0; left--)
    changed = chance.is(0.2) ? mutateText(chance, changed) : chance.pick(xmlChanges)(chance, changed)
  return changed
}

const oddJson = (chance: Chance): unknown =>
  chance.pick<() => unknown>([
    () => null,
    () => chance.is(0.5),
    () => chance.pick([0, -1, 1e300, 2 ** 53, -(2 ** 53), 0.1]),
    () => chance.pick(oddities),
    () => [],
    () => ({}),
    () => [null, 1, "a", {}],
    () => nested(chance.pick([10, 500])),
    () => JSON.parse('{"__proto__": {"a": 1}, "constructor": 1, "toString": null}')
  ])()

const nested = (depth: number): unknown => {
  let value: unknown = 1
  for (let level = 0; level < depth; level++) value = level % 2 === 0 ? [value] : { deep: value }
  return value
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value)

/** A JSON value with one place changed. */
const mutateJson = (chance: Chance, value: unknown): unknown => {
  if (Array.isArray(value) && value.length > 0 && chance.is(0.85)) {
    const at = chance.below(value.length)
    if (chance.is(0.1)) return value.toSpliced(at, 1)
    if (chance.is(0.1)) return value.flatMap((item, index) => (index === at ? [item, item] : [item]))
    return value.with(at, mutateJson(chance, value[at]))
  }
  if (isObject(value) && Object.keys(value).length > 0 && chance.is(0.85)) {
    const key = chance.pick(Object.keys(value))
    const { [key]: old, ...rest } = value
    if (chance.is(0.15)) return rest
    if (chance.is(0.1)) return { ...rest, [chance.pick(["", "__proto__", key.toUpperCase()])]: old }
    return { ...value, [key]: mutateJson(chance, old) }
  }
  return chance.is(0.1) ? [value] : oddJson(chance)
}

/** A JSON text with one to three changes, most of which leave it JSON. */
export const mutateJsonText = (chance: Chance, text: string): string => {
  let changed = text
  for (let left = 1 + chance.below(3); left > 0; left--)
    changed = chance.is(0.25) ? mutateText(chance, changed) : reJson(changed, (value) => mutateJson(chance, value))
  return changed
}

const reJson = (text: string, change: (value: unknown) => unknown): string => {
  try {
    return JSON.stringify(change(JSON.parse(text))) ?? ""
  } catch {
    return text
  }
}
