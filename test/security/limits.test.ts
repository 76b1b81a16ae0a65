import { createServer, type RequestListener } from "node:http"
import type { AddressInfo } from "node:net"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Stream } from "effect"
import { WebSocketServer, type WebSocket } from "ws"
import * as CdsHttp from "../../src/layers/cds/CdsHttp.ts"
import { CdsSocket } from "../../src/layers/cds/CdsSocket.ts"
import * as NodeCdsHttp from "../../src/layers/cds/NodeCdsHttp.ts"
import * as NodeCdsSocket from "../../src/layers/cds/NodeCdsSocket.ts"
import { pathOf, type Entity } from "../../src/layers/vsphere/entities.ts"
import * as VimSoap from "../../src/layers/vsphere/VimSoap.ts"
import { defaults } from "../../src/schema/Config.ts"
import { Settings } from "../../src/services/Settings.ts"
import { samples } from "../layers/vsphere/soap/samples.ts"
import { makeXml } from "./fuzz/xml.ts"

/** A server on loopback; answers its address without a scheme. */
const served = (respond: RequestListener, accept?: (socket: WebSocket) => void) =>
  Effect.acquireRelease(
    Effect.callback<{ readonly address: string; readonly close: () => void }>((resume) => {
      const server = createServer(respond)
      if (accept !== undefined) new WebSocketServer({ server }).on("connection", accept)
      server.listen(0, "127.0.0.1", () => {
        const close = () => {
          server.close()
          server.closeAllConnections()
        }
        resume(Effect.succeed({ address: `127.0.0.1:${(server.address() as AddressInfo).port}`, close }))
      })
    }),
    ({ close }) => Effect.sync(close)
  ).pipe(Effect.map(({ address }) => address))

/** Writes for as long as somebody reads, and counts the bytes that were taken. */
const endless = (piece: string, account: { bytes: number }): RequestListener => {
  return (_, response) => {
    const more = (): void => {
      while (!response.destroyed && response.write(piece)) account.bytes += piece.length
    }
    response.on("drain", more)
    more()
  }
}

const mebibyte = 1024 * 1024

const cdsTransports = Layer.mergeAll(NodeCdsHttp.layer, NodeCdsSocket.layer).pipe(
  Layer.provide(Layer.succeed(Settings, defaults))
)

const soapTo = (address: string, maxAnswerBytes: number) =>
  VimSoap.make({
    endpoint: `http://${address}`,
    tls: { ca: undefined, thumbprint: undefined, insecure: false },
    maxAnswerBytes
  })

describe("an answer without an end", () => {
  it.live("of CDS is read up to 64 MiB and then cut off", () =>
    Effect.gen(function* () {
      const account = { bytes: 0 }
      const address = yield* served(endless(`"${"x".repeat(mebibyte)}",`, account))
      const { exchange } = yield* CdsHttp.make(`http://${address}`, 30_000)
      const { error, uncertain } = yield* Effect.flip(exchange({ name: "poll", method: "GET", path: "/" }, undefined))
      assert.deepInclude(error, { _tag: "CdsError", kind: "unreachable" })
      assert.isTrue(uncertain)
      assert.match(error.message, /size/)
      assert.isBelow(account.bytes, 3 * 80 * mebibyte)
    }).pipe(Effect.provide(cdsTransports))
  )

  it.live("of vCenter is read up to its limit and then cut off", () =>
    Effect.gen(function* () {
      const account = { bytes: 0 }
      const vim = yield* soapTo(yield* served(endless(`<a>${"x".repeat(mebibyte)}</a>`, account)), 4 * mebibyte)
      const error = yield* Effect.flip(vim.call("CurrentTime", samples.CurrentTime.args))
      assert.strictEqual(
        error._tag === "VimUnreachable" && error.reason,
        `the answer is longer than ${4 * mebibyte} bytes`
      )
      assert.isBelow(account.bytes, 20 * mebibyte)
    })
  )

  it.live("in a websocket frame ends the connection, and with it the stream", () =>
    Effect.gen(function* () {
      const address = yield* served(
        (_, response) => response.writeHead(404).end(),
        (socket) => {
          socket.send("first")
          socket.send("x".repeat(2 * mebibyte))
          socket.send("third")
        }
      )
      const frames = yield* (yield* CdsSocket).connect(`ws://${address}/`, {})
      const seen: Array<string> = []
      const error = yield* Effect.flip(Stream.runForEach(frames, (frame) => Effect.sync(() => seen.push(frame))))
      assert.deepStrictEqual(seen, ["first"])
      assert.strictEqual(error.kind, "unreachable")
      assert.match(error.message, /payload size/i)
    }).pipe(Effect.provide(cdsTransports))
  )
})

/** XML that would take time or memory out of proportion, and why it is not read to its end. */
const bombs: Readonly<Record<string, readonly [xml: string, reason: RegExp]>> = {
  "entities that grow": [
    `<!DOCTYPE a [<!ENTITY b "bbbbbbbbbb"><!ENTITY c "&b;&b;&b;&b;&b;&b;">]><a>&c;</a>`,
    /DOCTYPE/
  ],
  "an entity from a file": [`<!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/passwd">]><a>&b;</a>`, /DOCTYPE/],
  "an entity that nobody declares": ["<a>&b;</a>", /entity/i],
  "more levels than a stack has": [`${"<a>".repeat(100_000)}${"</a>".repeat(100_000)}`, /nested too deeply/],
  "more attributes than a type has": [`<a ${numbered(100_000, "a")}/>`, /attribute/],
  "a prefix for each of many elements": [
    `<a ${numbered(2_000, "xmlns:p")}>${"<b xmlns:x='u'/>".repeat(2_000)}</a>`,
    /attributes/
  ],
  "more elements than memory": [`<a>${"<b/>".repeat(1_000_001)}</a>`, /elements/],
  "wrong ends for many elements": [`<a>${"<b>".repeat(10_000)}${"</c>".repeat(10_000)}</a>`, /deeply|close/],
  "an error in each of many places": [`<a>${"&".repeat(2_000_000)}</a>`, /entity/i],
  "a comment with an error in each character": [`<a><!--${"-".repeat(2_000_000)}--></a>`, /comment/i]
}

function numbered(count: number, name: string): string {
  return Array.from({ length: count }, (_, n) => `${name}${n}="u"`).join(" ")
}

describe("XML", () => {
  for (const [title, [xml, reason]] of Object.entries(bombs))
    it.effect(`is refused with ${title}`, () =>
      Effect.gen(function* () {
        const { parse } = yield* makeXml
        const read = parse(xml)
        assert.match("reason" in read ? read.reason : "it was read", reason)
      })
    )

  it.live("is refused over HTTP as in these cases, with a reason and not a defect", () =>
    Effect.gen(function* () {
      for (const [xml] of Object.values(bombs).filter(([xml]) => xml.length < mebibyte)) {
        const vim = yield* soapTo(yield* served((_, response) => response.end(xml)), 64 * mebibyte)
        const error = yield* Effect.flip(vim.call("CurrentTime", samples.CurrentTime.args))
        assert.match(error._tag === "VimUnreachable" ? error.reason : error.message, /^the answer is not SOAP: /)
      }
    })
  )

  it.effect("of the size of a large datacenter's page is read", () =>
    Effect.gen(function* () {
      const { parse } = yield* makeXml
      const machine = `<m xmlns:a="u">${"<p><n>name</n><v>value</v></p>".repeat(40)}</m>`
      assert.property(parse(`<all>${machine.repeat(250)}</all>`), "root")
    })
  )
})

const entity = (value: string, parent: string): Entity => ({
  ref: { type: "ResourcePool", value },
  name: value,
  parent
})

describe("an inventory tree that bites its tail", () => {
  it("has no path", () => {
    const [a, b] = [entity("a", "b"), entity("b", "a")]
    const entities = new Map([
      ["a", a],
      ["b", b]
    ])
    assert.isUndefined(pathOf(a, entities, undefined))
    assert.isUndefined(pathOf(a, entities, { type: "ResourcePool", value: "root" }))
  })
})
