/** The hatchery's own HTTP server, on `http.addr` and `http.port`; port 0 means any free one, which the log tells. */
import { NodeHttpServer } from "@effect/platform-node"
import { Effect, Layer } from "effect"
import { HttpRouter, HttpServer } from "effect/http"
import { createServer } from "node:http"
import { ConfigInvalid } from "../../schema/Errors.ts"
import type { Monitor } from "../../services/Monitor.ts"
import { Settings } from "../../services/Settings.ts"
import * as Mon from "./Mon.ts"

/** Largest header block accepted, in bytes, and how long a stop waits for answers under way. */
const maxHeaderSize = 2 ** 20
const gracefulShutdownTimeout = "1 second"

const cannotListen = (addr: string, port: number, cause: unknown): ConfigInvalid =>
  new ConfigInvalid({
    problems: [
      {
        path: "hatchery.vsphere.commonConfiguration.http",
        value: `${addr === "" ? "*" : addr}:${port}`,
        rule: `cannot listen there (${cause instanceof Error ? cause.message : String(cause)}); choose another addr or port`
      }
    ]
  })

const socketLayer = Layer.unwrap(
  Effect.map(Settings, ({ http: { addr, port } }) =>
    NodeHttpServer.layerServer(() => createServer({ maxHeaderSize }), {
      port,
      ...(addr === "" ? {} : { host: addr }),
      gracefulShutdownTimeout
    }).pipe(
      Layer.catch(({ cause }) => Layer.effect(HttpServer.HttpServer, Effect.fail(cannotListen(addr, port, cause))))
    )
  )
)

/** Where the server listens, for tests and for the log. */
export const address = HttpServer.addressFormattedWith(Effect.succeed)

export const layer: Layer.Layer<HttpServer.HttpServer, ConfigInvalid, Monitor | Settings> = HttpRouter.serve(
  Mon.layer,
  {
    disableLogger: true,
    disableListenLog: true
  }
).pipe(
  Layer.merge(Layer.effectDiscard(Effect.flatMap(address, (url) => Effect.logInfo("listening on", url)))),
  Layer.provideMerge(socketLayer)
)
