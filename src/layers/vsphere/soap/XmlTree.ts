/**
 * XML read into a tree: names without prefixes, and the two attributes that the vSphere API uses. It is fed by a stream of the sax
 * parser, which the soap package hands out. No entity but XML's own five is known, and a document with a DOCTYPE is refused; so is one
 * that would take memory or time out of proportion to its length.
 */

export interface XmlElement {
  readonly name: string
  /** `xsi:type` without its prefix; a type of XML Schema itself is written `xsd:int`, whatever the document's prefix for it. */
  readonly xsiType: string | undefined
  /** The attribute `type` of a managed object reference. */
  readonly refType: string | undefined
  readonly nil: boolean
  readonly children: Array<XmlElement>
  /** All text directly in this element, exactly as it stands. */
  text: string
}

/** The events of a sax stream that are used here. */
export interface SaxStream {
  write: (chunk: string | Uint8Array) => boolean
  on(event: "opentag", listener: (tag: { readonly name: string; readonly attributes: Attributes }) => void): void
  on(event: "opentagstart" | "attribute" | "closetag" | "doctype" | "end", listener: () => void): void
  on(event: "text" | "cdata", listener: (text: string) => void): void
  on(event: "error", listener: (error: Error) => void): void
}

type Attributes = Readonly<Record<string, string>>
type Prefixes = ReadonlyMap<string, string>

const xsi = "http://www.w3.org/2001/XMLSchema-instance"
const xsd = "http://www.w3.org/2001/XMLSchema"

/** The deepest documents of the API (snapshot trees) stay far below; what is deeper would exhaust the stack of the codec. */
const maxDepth = 200

/** A page of 250 machines has about 30,000 elements, none with more than three attributes of its own. */
const maxElements = 1_000_000
const maxAttributes = 50

const pieceSize = 1024

/**
 * The chunks in pieces so small that reading can end soon after the first error: within one piece the parser goes on, and tells every
 * character and every open element that is wrong as an error of its own.
 */
export const pieces = function* (chunks: Iterable<string | Uint8Array>): Generator<string | Uint8Array> {
  for (const chunk of chunks)
    for (let start = 0; start < chunk.length; start += pieceSize) yield chunk.slice(start, start + pieceSize)
}

/**
 * Calls `done` once: with the document's root, or with the reason why it is none. Listeners must be attached before the stream flows; what
 * comes after `done` is not parsed.
 */
export const readTree = (stream: SaxStream, done: (root: XmlElement | undefined, reason: string) => void): void => {
  const open: Array<{ readonly element: XmlElement; readonly prefixes: Prefixes }> = []
  let root: XmlElement | undefined
  let elements = 0
  let attributes = 0
  let settled = false
  const settle = (reason: string) => {
    if (settled) return
    settled = true
    stream.write = () => true
    done(reason === "" ? root : undefined, reason)
  }
  const addText = (text: string) => {
    const top = open.at(-1)
    if (top !== undefined) top.element.text += text
  }
  stream.on("opentagstart", () => {
    attributes = 0
    if (++elements > maxElements) settle(`more than ${maxElements} elements`)
  })
  stream.on("attribute", () => {
    if (++attributes > maxAttributes) settle(`an element with more than ${maxAttributes} attributes`)
  })
  stream.on("opentag", ({ name, attributes }) => {
    if (settled) return
    const parent = open.at(-1)
    const prefixes = declared(attributes, parent?.prefixes ?? new Map())
    const element = elementOf(name, attributes, prefixes)
    if (parent === undefined) root = element
    else parent.element.children.push(element)
    open.push({ element, prefixes })
    if (open.length > maxDepth) settle("nested too deeply")
  })
  stream.on("closetag", () => void open.pop())
  stream.on("text", addText)
  stream.on("cdata", addText)
  stream.on("doctype", () => settle("a DOCTYPE is not accepted"))
  stream.on("error", (error) => settle(error.message.split("\n")[0] ?? "not well-formed"))
  stream.on("end", () => settle(root === undefined ? "an empty document" : ""))
}

const declared = (attributes: Attributes, outer: Prefixes): Prefixes => {
  const own = Object.entries(attributes).filter(([name]) => name.startsWith("xmlns:"))
  return own.length === 0 ? outer : new Map([...outer, ...own.map(([name, uri]) => [name.slice(6), uri] as const)])
}

const elementOf = (name: string, attributes: Attributes, prefixes: Prefixes): XmlElement => {
  let xsiType: string | undefined
  let nil = false
  for (const [key, value] of Object.entries(attributes)) {
    const [prefix, local] = split(key)
    if (prefixes.get(prefix) !== xsi) continue
    if (local === "type") xsiType = typeName(value, prefixes)
    if (local === "nil") nil = value === "true" || value === "1"
  }
  return { name: split(name)[1], xsiType, refType: attributes["type"], nil, children: [], text: "" }
}

const typeName = (value: string, prefixes: Prefixes): string => {
  const [prefix, local] = split(value)
  // govmomi uses the prefix xsd without declaring it.
  const uri = prefixes.get(prefix) ?? (prefix === "xsd" ? xsd : undefined)
  return uri === xsd ? `xsd:${local}` : local
}

const split = (name: string): readonly [prefix: string, local: string] => {
  const colon = name.indexOf(":")
  return [name.slice(0, Math.max(colon, 0)), name.slice(colon + 1)]
}
