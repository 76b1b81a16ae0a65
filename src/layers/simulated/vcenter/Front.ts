/**
 * The simulated vCenter as a server of its own: real SOAP over HTTP or HTTPS at `/sdk`, guest files at `/guestFile`, and a control port
 * (Control.ts). It runs on the clock of its fiber, which outside tests is the real one. `rookery simulate vcenter` is this.
 */
import { createServer } from "node:http"
import { NodeHttpServer } from "@effect/platform-node"
import { Context, Effect, Layer } from "effect"
import type { Scope } from "effect"
import { HttpRouter, HttpServer, HttpServerError } from "effect/http"
import { host as controlHost, makeKey } from "../ControlGuard.ts"
import { serveVim } from "../../vsphere/soap/VimServer.ts"
import { control } from "./Control.ts"
import type { SimVCenterHandle } from "./Handle.ts"
import type { PartialOptions } from "./Options.ts"
import { SimVCenter } from "./SimVCenter.ts"

export interface FrontOptions {
  /** Loopback unless given; the control port is on loopback always. */
  readonly host?: string
  /** Absent or 0 = a free one; the same for the control port. */
  readonly port?: number
  readonly controlPort?: number
  /** PEM texts. Without them plain HTTP is spoken. */
  readonly tls?: { readonly cert: string; readonly key: string }
  /** Foreign machines from the start. */
  readonly foreign?: number
  readonly vcenter?: PartialOptions
}

export interface Front {
  readonly vcenter: SimVCenterHandle
  /** What a hatchery has as endpoint, e.g. `http://127.0.0.1:8989/sdk`. */
  readonly url: string
  /** With the key of the control port in it. */
  readonly controlUrl: string
}

const serveControl = Effect.fnUntraced(function* (vcenter: SimVCenterHandle, port: number) {
  const server = NodeHttpServer.layerServer(() => createServer(), {
    port,
    host: controlHost,
    gracefulShutdownTimeout: "1 second"
  })
  const key = makeKey()
  const context = yield* HttpRouter.serve(control(vcenter, key), { disableLogger: true, disableListenLog: true }).pipe(
    Layer.provideMerge(server),
    Layer.build
  )
  const { address } = Context.get(context, HttpServer.HttpServer)
  return `${HttpServer.formatAddress(address)}/${key}`
})

/** Serves until the scope ends. */
export const front = Effect.fnUntraced(function* (
  options: FrontOptions = {}
): Effect.fn.Return<Front, HttpServerError.ServeError, Scope.Scope> {
  const vcenter = yield* SimVCenter.make(options.vcenter)
  if (options.foreign !== undefined) vcenter.addForeign({ count: options.foreign })
  const { url } = yield* serveVim({
    handler: vcenter.request,
    file: (path) =>
      Effect.sync(() => {
        const text = vcenter.download(path)
        return text === undefined ? undefined : new TextEncoder().encode(text)
      }),
    ...(options.host === undefined ? {} : { host: options.host }),
    ...(options.port === undefined ? {} : { port: options.port }),
    ...(options.tls === undefined ? {} : { tls: options.tls })
  })
  return { vcenter, url, controlUrl: yield* serveControl(vcenter, options.controlPort ?? 0) }
})
