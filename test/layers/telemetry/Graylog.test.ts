import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Redacted, type Scope } from "effect"
import { TestConsole } from "effect/testing"
import { createSocket } from "node:dgram"
import { once } from "node:events"
import type { AddressInfo } from "node:net"
import { createServer, getCACertificates, setDefaultCACertificates, type TLSSocket } from "node:tls"
import { gunzipSync } from "node:zlib"
import { layer } from "../../../src/layers/telemetry/Log.ts"
import { defaultLog, type GraylogSettings } from "../../../src/schema/Config.ts"
import { makeCertificates } from "../vsphere/certificates.ts"

const certificates = makeCertificates()

/** What a server was sent. */
interface Received {
  readonly port: number
  /** Messages, parsed. */
  readonly messages: Array<any>
}

/** A GELF input over TLS, whose authority this process trusts meanwhile. It drops each connection after so many messages. */
const overTls = (port = 0, dropAfter = Infinity): Effect.Effect<Received, never, Scope.Scope> =>
  Effect.gen(function* () {
    const messages: Array<any> = []
    const sockets = new Set<TLSSocket>()
    const trusted = getCACertificates("default")
    setDefaultCACertificates([...trusted, certificates.ca])
    const server = createServer({ cert: certificates.cert, key: certificates.key }, (socket) => {
      let text = ""
      let count = 0
      sockets.add(socket)
      socket.on("error", () => {})
      socket.on("data", (data) => {
        const parts = (text + data.toString()).split("\0")
        text = parts.pop() ?? ""
        messages.push(...parts.map((part) => JSON.parse(part)))
        count += parts.length
        if (count >= dropAfter) socket.destroy()
      })
    })
    server.listen(port, "127.0.0.1")
    yield* Effect.promise(() => once(server, "listening"))
    yield* Effect.addFinalizer(() =>
      Effect.sync(() => {
        for (const socket of sockets) socket.destroy()
        server.close()
        setDefaultCACertificates(trusted)
      })
    )
    return { port: (server.address() as AddressInfo).port, messages }
  })

/** A GELF input over UDP: puts chunks together, in whatever order they come. */
const overUdp: Effect.Effect<Received, never, Scope.Scope> = Effect.gen(function* () {
  const messages: Array<any> = []
  const chunks = new Map<string, Array<Buffer>>()
  const take = (data: Buffer) => messages.push(JSON.parse(gunzipSync(data).toString()))
  const socket = createSocket("udp4", (datagram) => {
    if (datagram.readUInt16BE(0) !== 0x1e0f) return take(datagram)
    const id = datagram.subarray(2, 10).toString("hex")
    const parts = chunks.get(id) ?? []
    chunks.set(id, parts)
    parts[datagram[10]!] = datagram.subarray(12)
    if (parts.filter(Boolean).length === datagram[11]) take(Buffer.concat(parts))
  })
  socket.bind(0, "127.0.0.1")
  yield* Effect.promise(() => once(socket, "listening"))
  yield* Effect.addFinalizer(() => Effect.sync(() => socket.close()))
  return { port: socket.address().port, messages }
})

const settings = (protocol: "tcp" | "udp", port: number): GraylogSettings => ({
  host: "127.0.0.1",
  port,
  protocol,
  extra: new Map([["X-OVH-TOKEN", Redacted.make("stream")]])
})

/** Logs with a copy to this server, and ends the log. What standard error shows. */
const logging = <A>(graylog: GraylogSettings, body: Effect.Effect<A>) =>
  Effect.gen(function* () {
    yield* Effect.provide(body, layer({ ...defaultLog, graylog }, "hatch"))
    return (yield* TestConsole.errorLines).map(String)
  }).pipe(Effect.provide(Layer.fresh(TestConsole.layer)))

const until = (holds: () => boolean) => Effect.repeat(Effect.sleep("20 millis"), { until: holds })

describe("the log's copy for Graylog", () => {
  it.live("goes over TLS: the message, its level, its fields, and what every message says of the process", () =>
    Effect.gen(function* () {
      const { port, messages } = yield* overTls()
      const printed = yield* logging(
        settings("tcp", port),
        Effect.logWarning("two\nlines").pipe(Effect.annotateLogs({ vm: "vm-9", id: 7, "a b": { c: 1 }, count: 3 }))
      )
      yield* until(() => messages.length === 1)
      const { timestamp, _pid, host, _CDSHostname, _CDSVersion, ...rest } = messages[0]
      assert.deepStrictEqual(rest, {
        version: "1.1",
        short_message: "two",
        full_message: "two\nlines",
        level: 4,
        _vm: "vm-9",
        _a_b: '{"c":1}',
        _count: 3,
        "_X-OVH-TOKEN": "stream",
        _CDSName: "hatch",
        _CDSService: "hatchery",
        _CDSOS: process.platform,
        _CDSArch: process.arch === "x64" ? "amd64" : process.arch
      })
      assert.isNumber(timestamp)
      assert.deepStrictEqual([_pid, host], [process.pid, _CDSHostname.split(".")[0]])
      assert.isNotEmpty(_CDSVersion)
      assert.strictEqual(printed.length, 1)
      assert.notInclude(printed[0], "stream")
    })
  )

  it.live("goes over UDP: compressed, and in chunks where it is long", () =>
    Effect.gen(function* () {
      const { port, messages } = yield* overUdp
      const long = Array.from({ length: 4_000 }, (_, index) => index * 7_919).join(" ")
      yield* logging(settings("udp", port), Effect.andThen(Effect.logInfo("short"), Effect.logError(long)))
      yield* until(() => messages.length === 2)
      assert.deepStrictEqual(
        messages.map(({ level, full_message }) => [level, full_message]),
        [
          [6, "short"],
          [3, long]
        ]
      )
    })
  )

  it.live("waits while the server is away, which standard error tells once, and comes in order when it is there", () =>
    Effect.gen(function* () {
      const { port } = yield* Effect.scoped(overTls())
      const messages: Array<any> = []
      const printed = yield* logging(
        settings("tcp", port),
        Effect.gen(function* () {
          for (const text of ["one", "two", "three"]) yield* Effect.logInfo(text)
          yield* Effect.sleep("1200 millis")
          const server = yield* overTls(port)
          yield* until(() => server.messages.length === 3)
          messages.push(...server.messages)
        }).pipe(Effect.scoped)
      )
      assert.deepStrictEqual(
        messages.map(({ full_message }) => full_message),
        ["one", "two", "three"]
      )
      assert.strictEqual(printed.filter((line) => /do not reach Graylog.*ECONNREFUSED/.test(line)).length, 1)
      assert.strictEqual(printed.filter((line) => line.includes("reach Graylog at 127.0.0.1")).length, 2)
    })
  )

  it.live("goes on over another connection when one is lost", () =>
    Effect.gen(function* () {
      const { port, messages } = yield* overTls(0, 1)
      yield* logging(
        settings("tcp", port),
        Effect.gen(function* () {
          for (const text of ["one", "two", "three"]) {
            const before = messages.length
            yield* Effect.logInfo(text)
            yield* until(() => messages.length > before)
            yield* Effect.sleep("100 millis")
          }
        })
      )
      assert.deepStrictEqual(
        messages.map(({ full_message }) => full_message),
        ["one", "two", "three"]
      )
    })
  )

  it.live("is refused by a server whose certificate nobody known has signed", () =>
    Effect.gen(function* () {
      const { port, messages } = yield* overTls()
      setDefaultCACertificates(getCACertificates("bundled"))
      const printed = yield* logging(
        settings("tcp", port),
        Effect.andThen(Effect.logInfo("secret"), Effect.sleep("300 millis"))
      )
      assert.deepStrictEqual(messages, [])
      assert.match(printed.join("\n"), /do not reach Graylog.*certificate/)
    })
  )
})
