/** SOAP requests as a judge reads them: what is asked of which object. */
import { content } from "./Soap.ts"
import type { Exchange } from "./Tap.ts"

export interface Call {
  readonly operation: string
  /** Type and value of the managed object that it is about: for a guest operation the machine, for a read what is read. */
  readonly type: string
  readonly ref: string
  /** The properties that it reads. */
  readonly reads: ReadonlyArray<string>
}

/** One for each object that the request is about. */
export const callsOf = ({ operation, request }: Exchange): ReadonlyArray<Call> => {
  const objects = ["obj", "vm", "_this"]
    .map((name) => [...request.matchAll(new RegExp(`<${name} type="(\\w+)">([^<]*)</${name}>`, "g"))])
    .find((found) => found.length > 0)
  return (objects ?? []).map(([, type = "", ref = ""]) => ({
    operation,
    type,
    ref,
    reads: content("pathSet", request)
  }))
}

/** Anything that reads more than the one object it names: a view, a traversal, a subscription from its beginning. */
export const isListing = ({ operation, request }: Exchange): boolean => {
  if (operation === "WaitForUpdatesEx") return !/<version>[^<]+<\/version>/.test(request)
  if (operation.startsWith("RetrieveProperties"))
    return request.includes("selectSet") || request.split("<objectSet>").length !== 2
  return /^(CreateContainerView|CreateFilter|CreateListView|FindAllBy|ContinueRetrieve)/.test(operation)
}

/** The subscription tells that the machine is gone. */
export const tellsAbsence = ({ operation, answer }: Exchange, ref: string): boolean =>
  operation === "WaitForUpdatesEx" && new RegExp(`<kind>leave</kind><obj[^>]*>${ref}<`).test(answer)
