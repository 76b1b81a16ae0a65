import { createHash } from "node:crypto"
import { createServer, type Socket } from "node:net"
import type { AddressInfo } from "node:net"
import { assert, describe, it } from "@effect/vitest"
import { Cause, Effect, Exit, Layer, Schedule, Stream } from "effect"
import * as CdsHttp from "../../../src/layers/cds/CdsHttp.ts"
import { CdsSocket } from "../../../src/layers/cds/CdsSocket.ts"
import * as NodeCdsHttp from "../../../src/layers/cds/NodeCdsHttp.ts"
import * as NodeCdsSocket from "../../../src/layers/cds/NodeCdsSocket.ts"
import { writeResult } from "../../../src/layers/vsphere/soap/Message.ts"
import * as VimSoap from "../../../src/layers/vsphere/VimSoap.ts"
import { defaults } from "../../../src/schema/Config.ts"
import { CdsError, VimFault, VimUnreachable } from "../../../src/schema/Errors.ts"
import { Settings } from "../../../src/services/Settings.ts"
import { samples } from "../../layers/vsphere/soap/samples.ts"
import { cases } from "./cases.ts"
import type { Chance } from "./Chance.ts"
import { mutateText } from "./mutate.ts"
import { makeXml, type Xml } from "./xml.ts"

/** A server that sends these bytes to whoever has sent it something, and ends the connection. */
const sending = (bytes: (request: string) => Buffer) =>
  Effect.acquireRelease(
    Effect.callback<{ readonly address: string; readonly close: () => void }>((resume) => {
      const open = new Set<Socket>()
      const server = createServer((socket) => {
        open.add(socket)
        socket.on("error", () => socket.destroy())
        socket.on("close", () => open.delete(socket))
        socket.once("data", (request) => socket.end(bytes(request.toString("latin1"))))
      })
      server.listen(0, "127.0.0.1", () => {
        const close = () => {
          server.close()
          for (const socket of open) socket.destroy()
        }
        resume(Effect.succeed({ address: `127.0.0.1:${(server.address() as AddressInfo).port}`, close }))
      })
    }),
    ({ close }) => Effect.sync(close)
  ).pipe(Effect.map(({ address }) => address))

const transports = Layer.mergeAll(NodeCdsHttp.layer, NodeCdsSocket.layer).pipe(
  Layer.provide(Layer.succeed(Settings, defaults))
)

const httpAnswer = (body: string): string =>
  `HTTP/1.1 200 OK\r\nContent-Type: text/xml\r\nContent-Length: ${Buffer.byteLength(body)}\r\nSet-Cookie: a=b\r\n\r\n${body}`

const chunked = (body: string): string =>
  `HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n${Buffer.byteLength(body).toString(16)}\r\n${body}\r\n0\r\n\r\n`

/** An HTTP answer with up to four changes anywhere in it, head or body. */
const malformed =
  (body: string) =>
  (chance: Chance): string => {
    let text = chance.is(0.5) ? httpAnswer(body) : chunked(body)
    for (let left = 1 + chance.below(4); left > 0; left--) text = mutateText(chance, text)
    return text
  }

const endsTyped =
  (...types: ReadonlyArray<new (...args: ReadonlyArray<any>) => unknown>) =>
  <A, E, R>(call: Effect.Effect<A, E, R>) =>
    Effect.map(Effect.exit(call), (exit) => {
      if (Exit.isSuccess(exit)) return
      assert.isFalse(Cause.hasDies(exit.cause), Cause.pretty(exit.cause))
      const error = Cause.squash(exit.cause)
      assert.isTrue(
        types.some((type) => error instanceof type),
        String(error)
      )
    })

const soapAnswer = ({ types }: Xml) => writeResult(types, "CurrentTime", samples.CurrentTime.result)

const socketsOpen = () => process.getActiveResourcesInfo().filter((kind) => kind.startsWith("TCP")).length

/** What the test opens is closed again when it has ended. */
const leakless = <A, E>(use: Effect.Effect<A, E>) =>
  Effect.gen(function* () {
    const before = socketsOpen()
    yield* use
    const closed = Effect.suspend(() => (socketsOpen() <= before ? Effect.void : Effect.fail(socketsOpen() - before)))
    yield* Effect.retry(closed, Schedule.min([Schedule.spaced("20 millis")]).pipe(Schedule.upTo({ times: 100 })))
  })

/** A frame of a websocket's server as RFC 6455 section 5.2 has it, of at most 125 bytes. */
const textFrame = (text: string): Buffer => Buffer.concat([Buffer.from([0x81, text.length]), Buffer.from(text)])

const accept = (request: string): string => {
  const key = /sec-websocket-key: (.+)\r\n/i.exec(request)?.[1] ?? ""
  const digest = createHash("sha1").update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest("base64")
  return `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${digest}\r\n\r\n`
}

/** What comes after an upgrade: good frames with changed bytes. */
const malformedFrames = (chance: Chance): Buffer => {
  const bytes = Buffer.concat(["one", "two", '{"job_run_id":"j","region":"r"}'].map(textFrame))
  for (let left = 1 + chance.below(5); left > 0; left--) bytes[chance.below(bytes.length)] = chance.below(256)
  return bytes.subarray(0, chance.is(0.3) ? chance.below(bytes.length) : bytes.length)
}

describe("malformed bytes", () => {
  it.live("of an HTTP server give the SOAP client a typed error, and leave no connection", () =>
    leakless(
      Effect.gen(function* () {
        const xml = yield* makeXml
        yield* cases(150, malformed(soapAnswer(xml)), (text) =>
          Effect.gen(function* () {
            const address = yield* sending(() => Buffer.from(text))
            const vim = yield* VimSoap.make({ endpoint: `http://${address}`, tls: defaults.vsphere.tls })
            yield* vim
              .call("CurrentTime", samples.CurrentTime.args)
              .pipe(Effect.timeout("5 seconds"), endsTyped(VimUnreachable, VimFault))
          }).pipe(Effect.scoped)
        )
      })
    )
  )

  it.live("of an HTTP server give the CDS client a typed error, and leave no connection", () =>
    leakless(
      Effect.gen(function* () {
        let text = ""
        const address = yield* sending(() => Buffer.from(text))
        const { exchange } = yield* CdsHttp.make(`http://${address}`, 500)
        const once = (malformed: string) =>
          Effect.suspend(() => {
            text = malformed
            return exchange({ name: "poll", method: "GET", path: "/" }, undefined)
          })
        yield* cases(8, malformed('{"id":38,"message":"resource not found"}'), (bytes) =>
          once(bytes).pipe(Effect.timeout("5 seconds"), endsTyped(CdsHttp.CallFailed))
        )
      }).pipe(Effect.scoped, Effect.provide(transports))
    )
  )

  it.live("on a websocket end its stream with a typed error, and leave no connection", () =>
    leakless(
      Effect.gen(function* () {
        const socket = yield* CdsSocket
        yield* cases(150, malformedFrames, (bytes) =>
          Effect.gen(function* () {
            const address = yield* sending((request) => Buffer.concat([Buffer.from(accept(request)), bytes]))
            const frames = yield* socket.connect(`ws://${address}/`, {})
            yield* Stream.runDrain(frames).pipe(Effect.timeout("5 seconds"))
          }).pipe(Effect.scoped, endsTyped(CdsError))
        )
      }).pipe(Effect.provide(transports))
    )
  )

  it.live("in place of an upgrade end it with a typed error, and leave no connection", () =>
    leakless(
      Effect.gen(function* () {
        const socket = yield* CdsSocket
        yield* cases(
          60,
          (chance) => (request: string) => mutateText(chance, accept(request)),
          (answer) =>
            Effect.gen(function* () {
              const address = yield* sending((request) => Buffer.from(answer(request)))
              const frames = yield* socket.connect(`ws://${address}/`, {})
              yield* Stream.runDrain(frames).pipe(Effect.timeout("5 seconds"))
            }).pipe(Effect.scoped, endsTyped(CdsError))
        )
      }).pipe(Effect.provide(transports))
    )
  )
})
