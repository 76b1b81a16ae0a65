/**
 * Connections to vCenter. A connection is handed to a request only when it is established and its certificate is accepted, so that
 * until then not one byte of the request, the password among them, has been sent.
 *
 * Whom to trust (`hatchery.vsphere.tls`): the system's authorities and those of `ca`; or with `thumbprint` the one certificate that
 * has it, whoever signed it; or with `insecure` anyone.
 */
import * as http from "node:http"
import * as https from "node:https"
import * as net from "node:net"
import type { Duplex } from "node:stream"
import * as tls from "node:tls"
import { X509Certificate } from "node:crypto"
import { Effect } from "effect"
import type { Scope } from "effect"
import { ConfigInvalid } from "../../schema/Errors.ts"
import type { TlsSettings } from "../../schema/Settings.ts"

const authorityKey = "hatchery.vsphere.tls.ca"
const thumbprintKey = "hatchery.vsphere.tls.thumbprint"

export interface Agents {
  readonly http: http.Agent
  readonly https: https.Agent
}

/** The agents for both schemes; their connections end with the scope. Fails for a CA bundle or thumbprint that cannot be used. */
export const makeAgents = Effect.fnUntraced(function* (
  settings: TlsSettings
): Effect.fn.Return<Agents, ConfigInvalid, Scope.Scope> {
  const trust = yield* readTrust(settings)
  const agents = { http: new PlainAgent(pooled), https: new TrustAgent(pooled, trust) }
  yield* Effect.addFinalizer(() => Effect.sync(() => [agents.http, agents.https].forEach((agent) => agent.destroy())))
  return agents
})

/** Idle connections are closed by us before vCenter does it, so that a request seldom meets one that is being closed. */
const pooled = { keepAlive: true, timeout: 30_000, scheduling: "lifo", maxSockets: 64 } as const

const connectTimeoutMs = 10_000

/** The peer's certificate is not accepted, and will not be until `setting`, a configuration key, is changed. */
export class CertificateRefused extends Error {
  readonly setting: string

  constructor(setting: string, message: string) {
    super(message)
    this.setting = setting
  }
}

type Handover = (error: Error | null, stream: Duplex) => void

class PlainAgent extends http.Agent {
  override createConnection(options: net.NetConnectOpts, handover?: Handover): Duplex | undefined {
    const socket = net.connect(options)
    establish(socket, "connect", () => undefined, handover)
    return undefined
  }
}

class TrustAgent extends https.Agent {
  readonly #trust: Trust

  constructor(options: https.AgentOptions, trust: Trust) {
    super(options)
    this.#trust = trust
  }

  override createConnection(options: tls.ConnectionOptions, handover?: Handover): Duplex | undefined {
    const socket = tls.connect({ ...options, ...this.#trust.options })
    const host = `${options.host}:${options.port}`
    establish(
      socket,
      "secureConnect",
      () => this.#trust.refusal(socket, host),
      handover,
      (error) => refused(socket, host, error)
    )
    return undefined
  }
}

/** Waits for `event`, then hands the socket over, unless `refusal` gives an error. */
const establish = (
  socket: net.Socket,
  event: "connect" | "secureConnect",
  refusal: () => Error | undefined,
  handover: Handover | undefined,
  explain: (error: Error) => Error = (error) => error
) => {
  let settled = false
  const settle = (error: Error | undefined) => {
    if (settled) return
    settled = true
    socket.setTimeout(0)
    if (error === undefined) return handover?.(null, socket)
    socket.destroy()
    handover?.(error, socket)
  }
  socket.setTimeout(connectTimeoutMs, () => settle(new Error(`no connection within ${connectTimeoutMs / 1000} s`)))
  socket.once(event, () => settle(refusal()))
  socket.on("error", (error) => settle(explain(error)))
}

interface Trust {
  readonly options: tls.ConnectionOptions
  /** Why this peer is not accepted though the handshake went well. */
  readonly refusal: (socket: tls.TLSSocket, host: string) => CertificateRefused | undefined
}

const readTrust = (settings: TlsSettings): Effect.Effect<Trust, ConfigInvalid> => {
  if (settings.thumbprint !== undefined) return pinned(settings.thumbprint)
  if (settings.insecure) return Effect.succeed({ options: { rejectUnauthorized: false }, refusal: () => undefined })
  return Effect.map(readBundle(settings.ca), (ca) => ({
    options: {
      rejectUnauthorized: true,
      secureContext: tls.createSecureContext({ ca: [...systemAuthorities(), ...ca] })
    },
    refusal: () => undefined
  }))
}

const systemAuthorities = (): ReadonlyArray<string> => [
  ...new Set([...tls.getCACertificates("default"), ...tls.getCACertificates("system")])
]

const readBundle = (ca: string | undefined): Effect.Effect<ReadonlyArray<string>, ConfigInvalid> => {
  if (ca === undefined) return Effect.succeed([])
  const certificates = ca.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? []
  const invalid = (rule: string) =>
    new ConfigInvalid({
      problems: [{ path: authorityKey, value: `a text of ${ca.length} characters`, rule }]
    })
  if (certificates.length === 0) return Effect.fail(invalid("must hold certificates in PEM form"))
  return Effect.try({
    try: () => certificates.map((pem) => new X509Certificate(pem).toString()),
    catch: (cause) => invalid(`holds a certificate that does not parse (${String(cause)})`)
  })
}

/** SHA-1 has 40 hexadecimal digits, SHA-256 has 64. */
const pinned = (thumbprint: string): Effect.Effect<Trust, ConfigInvalid> => {
  const wanted = digits(thumbprint)
  if (!/^([0-9A-F]{40}|[0-9A-F]{64})$/.test(wanted))
    return Effect.fail(
      new ConfigInvalid({
        problems: [
          {
            path: thumbprintKey,
            value: thumbprint,
            rule: "must be the SHA-1 or SHA-256 fingerprint of the certificate: 40 or 64 hexadecimal digits, with or without colons"
          }
        ]
      })
    )
  const refusal = (socket: tls.TLSSocket, host: string) => {
    const certificate = socket.getPeerX509Certificate()
    const found = (wanted.length === 40 ? certificate?.fingerprint : certificate?.fingerprint256) ?? "none"
    return digits(found) === wanted
      ? undefined
      : new CertificateRefused(
          thumbprintKey,
          `the certificate of ${host} has the fingerprint ${found}, which is not ${thumbprintKey}`
        )
  }
  return Effect.succeed({ options: { rejectUnauthorized: false }, refusal })
}

const digits = (thumbprint: string): string => thumbprint.replaceAll(/[:\s]/g, "").toUpperCase()

const refused = (socket: tls.TLSSocket, host: string, error: Error): Error => {
  if (socket.authorizationError)
    return new CertificateRefused(
      authorityKey,
      `the certificate of ${host} is not trusted (${error.message.split(";")[0]}): set ${authorityKey} to the authority that ` +
        `signed it, or ${thumbprintKey} to its fingerprint; hatchery.vsphere.tls.insecure = true trusts anyone`
    )
  const code = "code" in error && typeof error.code === "string" ? error.code : ""
  return code === "EPROTO" || code.startsWith("ERR_SSL_")
    ? new Error(`${host} does not speak TLS as expected (${code}): check hatchery.vsphere.endpoint`)
    : error
}
