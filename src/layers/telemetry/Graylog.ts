/**
 * A copy of the log for Graylog, in its own format (GELF 1.1), as the CDS engine sends it: over TCP, which is TLS, each message ended by a
 * zero byte, or over UDP, compressed and cut into chunks. A server that is away holds nobody up: lines wait, as many as there is room
 * for, and standard error tells when it is gone and when it is back.
 */
import { type Cause, Data, Duration, Effect, Fiber, Logger, Queue, Redacted, Schedule, type Scope } from "effect"
import { randomBytes } from "node:crypto"
import { createSocket, type Socket } from "node:dgram"
import { isIP } from "node:net"
import { hostname } from "node:os"
import { connect, type TLSSocket } from "node:tls"
import { gzipSync } from "node:zlib"
import type { GraylogSettings } from "../../schema/Config.ts"
import { version } from "../version.ts"

type Entry = typeof Logger.formatStructured extends Logger.Logger<unknown, infer Output> ? Output : never

/** Lines that wait while the server is away; further ones are counted and left out. */
const room = 16_384

const patience = Duration.seconds(5)

/** How long a server may take to close its side. */
const goodbye = Duration.seconds(1)

/** How long the end of the process waits for what is still to be sent. */
const lastWords = Duration.seconds(3)

const again = Schedule.min([Schedule.exponential("500 millis"), Schedule.spaced("30 seconds")])

class Lost extends Data.TaggedError("Lost")<{ readonly reason: string }> {}

const lost = (cause: unknown): Lost => new Lost({ reason: cause instanceof Error ? cause.message : String(cause) })

/** Severities of syslog. */
const severities: Readonly<Record<string, number>> = { FATAL: 2, ERROR: 3, WARN: 4, INFO: 6, DEBUG: 7, TRACE: 7 }

/** `_id` is Graylog's own, and names hold letters, digits, `_`, `-` and `.` alone. */
const fieldsOf = (fields: Readonly<Record<string, unknown>>) =>
  Object.fromEntries(
    Object.entries(fields).flatMap(([name, value]) => {
      const shown = typeof value === "string" || typeof value === "number" ? value : JSON.stringify(value)
      return name === "id" || shown === undefined ? [] : [[`_${name.replaceAll(/[^\w.-]/g, "_")}`, shown]]
    })
  )

const messageOf = (entry: Entry, text: string, common: Readonly<Record<string, unknown>>): Buffer =>
  Buffer.from(
    JSON.stringify({
      version: "1.1",
      host: hostname().split(".")[0],
      short_message: text.split("\n")[0] || "-",
      full_message: text,
      timestamp: Date.parse(entry.timestamp) / 1_000,
      level: severities[entry.level] ?? 6,
      _pid: process.pid,
      ...fieldsOf(entry.annotations),
      ...(entry.cause === undefined ? {} : { _stack_trace: entry.cause }),
      ...common
    })
  )

/** Puts one message on its way. */
type Send = (message: Buffer) => Effect.Effect<void, Lost>

/** The server has closed its side too: it has read what was sent. */
const ended = (socket: TLSSocket): Effect.Effect<void> =>
  Effect.callback((resume) => {
    if (socket.closed) return resume(Effect.void)
    socket.once("close", () => resume(Effect.void))
    socket.end()
  })

const overTls = ({ host, port }: GraylogSettings): Effect.Effect<Send, Lost, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.callback<TLSSocket, Lost>((resume) => {
      const socket = connect({ host, port, ...(isIP(host) === 0 ? { servername: host } : {}) })
      socket.once("secureConnect", () => resume(Effect.succeed(socket)))
      // What a server says is of no interest, but unread it turns the end of the connection into its reset.
      socket.resume()
      // It listens on after the connection is there: an error that nobody hears ends the process. A write hears of it.
      socket.on("error", (cause) => resume(Effect.fail(lost(cause))))
      return Effect.sync(() => socket.destroy())
    }),
    (socket) =>
      Effect.ensuring(
        Effect.timeoutOption(ended(socket), goodbye),
        Effect.sync(() => socket.destroy())
      )
  ).pipe(
    Effect.map(
      (socket): Send =>
        (message) =>
          Effect.callback((resume) => {
            socket.write(Buffer.concat([message, Buffer.of(0)]), (cause) =>
              resume(cause ? Effect.fail(lost(cause)) : Effect.void)
            )
          })
    )
  )

/** Data bytes of one chunk: a datagram that no network on the way has to cut. */
const chunkSize = 1_400
const mostChunks = 128

/** A message that fits is one datagram; another is chunks of `1e 0f`, eight bytes of identity, number, count. */
const datagrams = (message: Buffer): ReadonlyArray<Buffer> => {
  const data = gzipSync(message)
  const count = Math.ceil(data.length / chunkSize)
  if (count === 1) return [data]
  const id = randomBytes(8)
  return Array.from({ length: count }, (_, number) =>
    Buffer.concat([
      Buffer.of(0x1e, 0x0f),
      id,
      Buffer.of(number, count),
      data.subarray(number * chunkSize, (number + 1) * chunkSize)
    ])
  )
}

const sendTo =
  (socket: Socket, { host, port }: GraylogSettings): Send =>
  (datagram) =>
    Effect.callback((resume) => {
      socket.send(datagram, port, host, (cause) => resume(cause ? Effect.fail(lost(cause)) : Effect.void))
    })

/** A message of more chunks than Graylog takes is left out. */
const overUdp = (settings: GraylogSettings): Effect.Effect<Send, Lost, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.sync(() => createSocket(isIP(settings.host) === 6 ? "udp6" : "udp4")),
    (socket) => Effect.sync(() => socket.close())
  ).pipe(
    Effect.map((socket): Send => (message) => {
      const parts = datagrams(message)
      return parts.length > mostChunks
        ? Effect.void
        : Effect.forEach(parts, sendTo(socket, settings), { discard: true })
    })
  )

/** Of lines for which there was no room. */
interface Counter {
  count: number
}

/** Sends what comes into the queue until it ends, over one connection after another. */
const deliver = Effect.fnUntraced(function* (
  queue: Queue.Dequeue<Buffer, Cause.Done>,
  settings: GraylogSettings,
  leftOut: Counter
) {
  const server = `${settings.host}:${settings.port}`
  const open = settings.protocol === "udp" ? overUdp(settings) : overTls(settings)
  let away = false
  const session = Effect.gen(function* () {
    const send = yield* open.pipe(
      Effect.timeoutOrElse({ duration: patience, orElse: () => Effect.fail(lost("no answer")) })
    )
    while (true) {
      const message = yield* Queue.peek(queue)
      yield* send(message).pipe(
        Effect.timeoutOrElse({ duration: patience, orElse: () => Effect.fail(lost("it takes nothing")) })
      )
      yield* Queue.take(queue)
      if (away) yield* Effect.logInfo(`log lines reach Graylog at ${server} again, ${leftOut.count} were left out`)
      if (away) leftOut.count = 0
      away = false
    }
  }).pipe(
    Effect.scoped,
    Effect.tapError((error) => {
      if (away || !(error instanceof Lost)) return Effect.void
      away = true
      return Effect.logWarning(`log lines do not reach Graylog at ${server}, they wait`, error.reason)
    })
  )
  return yield* Effect.retry(session, { while: (error) => error instanceof Lost, schedule: again }).pipe(Effect.ignore)
})

/** What every message says of this process, and what the settings add. */
const commonFields = (service: string, { extra }: GraylogSettings) => ({
  ...fieldsOf(Object.fromEntries([...extra].map(([name, value]) => [name, Redacted.value(value)]))),
  _CDSName: service,
  _CDSService: "hatchery",
  _CDSVersion: version,
  _CDSOS: process.platform,
  _CDSArch: process.arch === "x64" ? "amd64" : process.arch,
  _CDSHostname: hostname()
})

/** `text` is how a message is printed. The end of its scope waits for what is still to be sent, for a while. */
export const logger = Effect.fnUntraced(function* (
  settings: GraylogSettings,
  service: string,
  text: (entry: Entry) => string
) {
  const queue = yield* Queue.make<Buffer, Cause.Done>({ capacity: room, strategy: "dropping" })
  const leftOut: Counter = { count: 0 }
  const sender = yield* Effect.forkScoped(deliver(queue, settings, leftOut))
  yield* Effect.addFinalizer(() =>
    Queue.end(queue).pipe(Effect.andThen(Fiber.await(sender)), Effect.timeoutOption(lastWords))
  )
  const common = commonFields(service, settings)
  return Logger.map(Logger.formatStructured, (entry): void => {
    if (!Queue.offerUnsafe(queue, messageOf(entry, text(entry), common))) leftOut.count++
  })
})
