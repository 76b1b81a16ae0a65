/** The reading of XML as production does it, at once instead of through a stream: a test clock does not wait for streams. */
import type { Readable } from "node:stream"
import { Effect } from "effect"
import { createClientAsync } from "soap"
import { wireTypes, wsdlPath } from "../../../src/layers/vsphere/soap/WireTypes.ts"
import type { XmlElement } from "../../../src/layers/vsphere/soap/XmlTree.ts"
import { pieces, readTree } from "../../../src/layers/vsphere/soap/XmlTree.ts"

export type Read = { readonly root: XmlElement } | { readonly reason: string }

/** Throws where reading throws, and where it gives neither a root nor a reason. */
export const makeXml = Effect.promise(async () => {
  const { wsdl } = await createClientAsync(wsdlPath)
  const parse = (text: string): Read => {
    let feed: NodeJS.WritableStream | undefined
    const source = { pipe: (into: NodeJS.WritableStream) => void (feed = into) }
    let read: Read | undefined
    readTree(wsdl.getSaxStream(source as unknown as Readable), (root, reason) => {
      read = root === undefined ? { reason } : { root }
    })
    for (const piece of pieces([text])) feed?.write(piece)
    feed?.end()
    if (read === undefined) throw new Error("neither a root nor a reason")
    return read
  }
  return { types: wireTypes(wsdl), parse }
})

export type Xml = Effect.Success<typeof makeXml>
