/**
 * The types of the wire, as `wsdl/vim.wsdl` declares them and the soap package has read them: which fields a type has, in which order,
 * of which types, and which are lists. The codec asks here; nothing else knows the WSDL.
 */
import { fileURLToPath } from "node:url"
import type { WSDL } from "soap"

/** A field of a data object, a parameter of an operation, or the value it returns. */
export interface Field {
  readonly name: string
  /** A vSphere type name such as `VirtualDevice`, or a primitive such as `xsd:int`. */
  readonly type: string
  readonly list: boolean
}

export interface WireTypes {
  /** The fields in schema order, those of base types first; undefined for a type that the WSDL does not declare. */
  readonly fields: (type: string) => ReadonlyArray<Field> | undefined
  /** The parameters in schema order, `_this` first; undefined for an operation that the WSDL does not declare. */
  readonly parameters: (operation: string) => ReadonlyArray<Field> | undefined
  /** What the operation returns; undefined for none. */
  readonly returns: (operation: string) => Field | undefined
}

export const namespace = "urn:vim25"

export const wsdlPath = fileURLToPath(new URL("../wsdl/vim.wsdl", import.meta.url))

/** A node of the WSDL as the soap package keeps it. */
interface Node {
  readonly name?: string
  readonly $name?: string
  readonly $type?: string
  readonly $base?: string
  readonly $maxOccurs?: string
  readonly children?: ReadonlyArray<Node>
}

export const wireTypes = (wsdl: WSDL): WireTypes => {
  const schema = wsdl.definitions.schemas[namespace]
  if (schema === undefined) throw new Error(`${wsdlPath} declares nothing in ${namespace}`)
  const known = new Map<string, ReadonlyArray<Field> | undefined>()

  const fields = (type: string): ReadonlyArray<Field> | undefined => {
    if (!known.has(type)) {
      const node: Node | undefined = Object.hasOwn(schema.complexTypes, type) ? schema.complexTypes[type] : undefined
      known.set(type, node === undefined ? arrayOf(type) : fieldsUnder(node))
    }
    return known.get(type)
  }

  const fieldsUnder = (node: Node): ReadonlyArray<Field> => [
    ...(node.$base === undefined ? [] : (fields(local(node.$base)) ?? [])),
    ...(node.children ?? []).flatMap((child) => (child.name === "element" ? [fieldOf(child)] : fieldsUnder(child)))
  ]

  const message = (element: string): ReadonlyArray<Field> | undefined =>
    Object.hasOwn(schema.elements, element) ? fieldsUnder(schema.elements[element] as Node) : undefined

  return { fields, parameters: message, returns: (operation) => message(`${operation}Response`)?.[0] }
}

const fieldOf = (element: Node): Field => {
  const type = element.$type ?? "xsd:anyType"
  return {
    name: element.$name ?? "",
    type: type.startsWith("xsd:") ? type : local(type),
    list: element.$maxOccurs === "unbounded"
  }
}

const local = (name: string): string => name.slice(name.indexOf(":") + 1)

const primitives = new Set(["String", "Boolean", "Byte", "Short", "Int", "Long", "Float", "Double", "AnyType"])

/** The list types of anyType places need no declaration: `ArrayOfTask` holds elements `Task`, `ArrayOfString` elements `string`. */
const arrayOf = (type: string): ReadonlyArray<Field> | undefined => {
  if (!type.startsWith("ArrayOf")) return undefined
  const item = type.slice("ArrayOf".length)
  if (!primitives.has(item)) return [{ name: item, type: item, list: true }]
  const name = item.charAt(0).toLowerCase() + item.slice(1)
  return [{ name, type: `xsd:${name}`, list: true }]
}
