/** The SOAP messages of the vSphere API: a request, its answer, a fault. */
import type { VimOperation, WireValue } from "../Vim.ts"
import type { WireObject } from "./Codec.ts"
import { decode, decodeFields, encode, encodeFields, escapeText } from "./Codec.ts"
import type { WireTypes } from "./WireTypes.ts"
import { namespace } from "./WireTypes.ts"
import type { XmlElement } from "./XmlTree.ts"

export interface Request {
  readonly operation: VimOperation
  readonly args: WireObject
}

export type Answer =
  | { readonly _tag: "Result"; readonly result: WireValue }
  /** `fault` is the vSphere type name, e.g. `NotAuthenticated`; the code of the SOAP fault where there is no detail. */
  | { readonly _tag: "Fault"; readonly fault: string; readonly message: string }
  | { readonly _tag: "NotSoap"; readonly reason: string }

const declarations =
  `xmlns="${namespace}" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" ` +
  `xmlns:xsd="http://www.w3.org/2001/XMLSchema"`

/** What goes into the body of a request. */
export const writeRequest = (types: WireTypes, operation: VimOperation, args: WireObject): string =>
  `<${operation} ${declarations}>${encodeFields(types, args, types.parameters(operation) ?? [])}</${operation}>`

/** A whole envelope with the answer to an operation. */
export const writeResult = (types: WireTypes, operation: VimOperation, result: WireValue): string => {
  const returned = types.returns(operation)
  const value = returned === undefined ? "" : encode(types, returned.name, result, returned.type)
  return envelope(`<${operation}Response ${declarations}>${value}</${operation}Response>`)
}

/** A whole envelope with a fault; it goes with HTTP status 500. */
export const writeFault = (fault: string, message: string): string => {
  const detail = `<${fault}Fault ${declarations} xsi:type="${escapeText(fault)}"></${fault}Fault>`
  return envelope(
    `<soapenv:Fault><faultcode>ServerFaultCode</faultcode><faultstring>${escapeText(message)}</faultstring>` +
      `<detail>${detail}</detail></soapenv:Fault>`
  )
}

const envelope = (body: string): string =>
  '<?xml version="1.0" encoding="UTF-8"?>\n' +
  '<soapenv:Envelope xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/">' +
  `<soapenv:Body>${body}</soapenv:Body></soapenv:Envelope>`

/** The request in an envelope; undefined where it holds none. The operation may be one that the WSDL does not declare. */
export const readRequest = (
  types: WireTypes,
  root: XmlElement
): { operation: string; args: WireObject } | undefined => {
  const body = bodyOf(root)
  if (body === undefined) return undefined
  return { operation: body.name, args: decodeFields(types, body, types.parameters(body.name) ?? []) }
}

export const readAnswer = (types: WireTypes, operation: VimOperation, root: XmlElement): Answer => {
  const body = bodyOf(root)
  if (body?.name === "Fault") return readFault(types, body)
  if (body?.name !== `${operation}Response`)
    return { _tag: "NotSoap", reason: `<${body?.name ?? root.name}> instead of <${operation}Response>` }
  const returned = types.returns(operation)
  if (returned === undefined) return { _tag: "Result", result: undefined }
  return { _tag: "Result", result: decodeFields(types, body, [returned])[returned.name] }
}

const bodyOf = (root: XmlElement): XmlElement | undefined =>
  root.name === "Envelope" ? child(root, "Body")?.children[0] : undefined

const child = (parent: XmlElement, name: string): XmlElement | undefined =>
  parent.children.find((element) => element.name === name)

const readFault = (types: WireTypes, xml: XmlElement): Answer => {
  const detail = child(xml, "detail")?.children[0]
  const fault = detail?.xsiType ?? detail?.name.replace(/Fault$/, "") ?? child(xml, "faultcode")?.text ?? "Fault"
  const about = detail === undefined ? undefined : decode(types, { ...detail, xsiType: fault }, undefined)
  const message = child(xml, "faultstring")?.text.trim() || fault
  return { _tag: "Fault", fault, message: message + subjectOf(about) }
}

/** Which argument an InvalidArgument is about: vCenter's text does not always say so. */
const subjectOf = (fault: WireValue): string => {
  const property = typeof fault === "object" && "invalidProperty" in fault ? fault.invalidProperty : undefined
  return typeof property === "string" && property !== "" ? ` (${property})` : ""
}
