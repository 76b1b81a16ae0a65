/**
 * Wire values (see `Vim.ts`) to XML and back, as the WSDL declares them. Used by the client and by the server.
 *
 * The soap package's own marshalling is not used for this: it loses white space and the types of anyType values, makes a list of one
 * a single object, and does not know the order of fields in a subtype.
 *
 * What the WSDL does not declare still passes: unknown fields stand behind the known ones in the order given, and are read by their
 * shape.
 */
import type { WireValue } from "../Vim.ts"
import type { Field, WireTypes } from "./WireTypes.ts"
import type { XmlElement } from "./XmlTree.ts"

export type WireObject = { readonly [key: string]: WireValue }

const anyType = "xsd:anyType"
const moref = "ManagedObjectReference"

/** The value as an element of that name: none for undefined, one for each item of a list. `declared` is undefined where no type is declared. */
export const encode = (types: WireTypes, name: string, value: WireValue, declared: string | undefined): string => {
  if (value === undefined) return ""
  if (isList(value)) return value.map((item) => encode(types, name, item, declared)).join("")
  if (!isObject(value))
    return element(name, declared === anyType ? xsiType(primitiveType(value)) : "", escapeText(textOf(value)))
  const type = typeOf(value)
  const attribute = type === undefined || type === declared ? "" : xsiType(type)
  if ("_value" in value) return element(name, attribute, escapeText(textOf(value["_value"])))
  if (isReference(value, type ?? declared)) {
    const place = declared === anyType ? xsiType(moref) : ""
    return element(name, ` type="${escapeText(value.type)}"${place}`, escapeText(value.value))
  }
  return element(name, attribute, encodeFields(types, value, fieldsOf(types, type, declared) ?? []))
}

/** The fields of an object as elements in schema order, fields without declaration behind them. */
export const encodeFields = (types: WireTypes, value: WireObject, fields: ReadonlyArray<Field>): string => {
  const names = new Set(fields.map((field) => field.name))
  const others = Object.keys(value).filter((key) => key !== "_type" && !names.has(key))
  return (
    fields.map((field) => encode(types, field.name, value[field.name], field.type)).join("") +
    others.map((key) => encode(types, key, value[key], undefined)).join("")
  )
}

/** What stands in the element, given the type that is declared for it. */
export const decode = (types: WireTypes, xml: XmlElement, declared: string | undefined): WireValue => {
  if (xml.nil) return undefined
  const type = xml.xsiType ?? declared
  if (type === moref || (type === undefined && xml.refType !== undefined && xml.children.length === 0))
    return { type: xml.refType ?? "", value: xml.text }
  const named = xml.xsiType === undefined || xml.xsiType === declared ? {} : { _type: xml.xsiType }
  const fields = fieldsOf(types, type, declared)
  if (type?.startsWith("xsd:") || (fields === undefined && isScalar(xml))) {
    const value = primitive(type, xml.text)
    return "_type" in named ? { ...named, _value: value } : value
  }
  return { ...named, ...decodeFields(types, xml, fields ?? []) }
}

/** The children of an element as the fields of an object. A list type in an anyType place has its list even where it is empty. */
export const decodeFields = (types: WireTypes, xml: XmlElement, fields: ReadonlyArray<Field>): WireObject => {
  const byName = new Map(fields.map((field) => [field.name, field]))
  const lists = new Map<string, Array<WireValue>>()
  const singles = new Set<string>()
  if (xml.xsiType?.startsWith("ArrayOf")) for (const field of fields) lists.set(field.name, [])
  for (const child of xml.children) {
    const field = byName.get(child.name)
    const list = lists.get(child.name) ?? []
    list.push(decode(types, child, field?.type))
    lists.set(child.name, list)
    if (field?.list !== true && list.length === 1) singles.add(child.name)
    else singles.delete(child.name)
  }
  return Object.fromEntries([...lists].map(([name, list]) => [name, singles.has(name) ? list[0] : list]))
}

const fieldsOf = (types: WireTypes, type: string | undefined, declared: string | undefined) =>
  (type === undefined ? undefined : types.fields(type)) ?? (declared === undefined ? undefined : types.fields(declared))

/** An element of an unknown type is an object where it has children, or where it has a type and nothing else. */
const isScalar = (xml: XmlElement): boolean =>
  xml.children.length === 0 && (xml.xsiType === undefined || xml.text.trim() !== "")

const isList = (value: WireValue): value is ReadonlyArray<WireValue> => Array.isArray(value)

const isObject = (value: WireValue): value is WireObject => typeof value === "object" && !(value instanceof Date)

const typeOf = (value: WireObject): string | undefined =>
  typeof value["_type"] === "string" ? value["_type"] : undefined

/** Where the type is not known, an object with just `type` and `value` is a reference. */
const isReference = (
  value: WireObject,
  type: string | undefined
): value is { readonly type: string; readonly value: string } =>
  (type === moref || ((type === undefined || type === anyType) && Object.keys(value).length === 2)) &&
  typeof value["type"] === "string" &&
  typeof value["value"] === "string"

const primitiveType = (value: WireValue): string => {
  if (value instanceof Date) return "xsd:dateTime"
  if (typeof value === "boolean") return "xsd:boolean"
  if (typeof value !== "number") return "xsd:string"
  if (!Number.isInteger(value)) return "xsd:double"
  return Math.abs(value) < 2 ** 31 ? "xsd:int" : "xsd:long"
}

const textOf = (value: WireValue): string => (value instanceof Date ? value.toISOString() : String(value ?? ""))

/** Numbers that do not parse, or are too large to be exact, stay text. */
const primitive = (type: string | undefined, text: string): string | number | boolean => {
  switch (type) {
    case "xsd:boolean":
      return text === "true" || text === "1" ? true : text === "false" || text === "0" ? false : text
    case "xsd:byte":
    case "xsd:short":
    case "xsd:int":
    case "xsd:long":
      return /^[+-]?\d+$/.test(text) && Number.isSafeInteger(Number(text)) ? Number(text) : text
    case "xsd:float":
    case "xsd:double":
      return text !== "" && Number.isFinite(Number(text)) ? Number(text) : text
    default:
      return text
  }
}

const element = (name: string, attributes: string, content: string): string =>
  `<${name}${attributes}>${content}</${name}>`

const xsiType = (type: string): string => ` xsi:type="${escapeText(type)}"`

const escapes: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "\r": "&#13;"
}

/** For text and attributes. Characters that XML cannot carry become the replacement character. */
export const escapeText = (text: string): string =>
  text
    .toWellFormed()
    // oxlint-disable-next-line no-control-regex
    .replace(/[\u0000-\u0008\u000B\u000C\u000E-\u001F\uFFFE\uFFFF]/g, "\uFFFD")
    .replace(/[&<>"\r]/g, (character) => escapes[character] ?? character)
