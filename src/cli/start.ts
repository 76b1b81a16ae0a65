/** `rookery start hatchery:vsphere`: the service, as the CDS engine is started. */
import { Config as Environment, Effect, Fiber, Layer } from "effect"
import { Argument, Command } from "effect/cli"
import { Hatchery } from "../actors/Hatchery.ts"
import * as NodeCdsHttp from "../layers/cds/NodeCdsHttp.ts"
import * as NodeCdsSocket from "../layers/cds/NodeCdsSocket.ts"
import * as ConfigFile from "../layers/config/ConfigFile.ts"
import * as Server from "../layers/http/Server.ts"
import * as Ids from "../layers/Ids.ts"
import * as Log from "../layers/telemetry/Log.ts"
import * as Metrics from "../layers/telemetry/Metrics.ts"
import * as Tracing from "../layers/telemetry/Tracing.ts"
import { version } from "../layers/version.ts"
import * as VimSoap from "../layers/vsphere/VimSoap.ts"
import type { Config } from "../schema/Config.ts"
import { Settings } from "../services/Settings.ts"
import { hatchery } from "./assembly.ts"
import { configFlag } from "./config.ts"

const transports = Layer.mergeAll(
  Layer.unwrap(Effect.map(Settings, ({ vsphere: { endpoint, tls } }) => VimSoap.layer({ endpoint, tls }))),
  NodeCdsHttp.layer,
  NodeCdsSocket.layer
)

/** Everything that stands while the hatchery runs; what is named last is there first and goes last. */
const layerOf = (config: Config) => {
  const telemetry = Layer.mergeAll(Tracing.layer, Metrics.layer(config.settings.cds.name)).pipe(
    Layer.provideMerge(Log.layer(config.log, config.settings.cds.name))
  )
  return Server.layer.pipe(
    Layer.provideMerge(hatchery),
    Layer.provideMerge(transports),
    Layer.provideMerge(Layer.mergeAll(ConfigFile.layer(config), Ids.layer)),
    Layer.provideMerge(telemetry)
  )
}

/** How long what follows the drain (logout, last spans, open answers) may take. */
const closingMs = 10_000

/** Ends the process when a stop takes longer than its limit, whatever hangs. */
const limit = Effect.fnUntraced(function* (drainMs: number) {
  yield* Effect.sleep(drainMs + closingMs)
  yield* Effect.logError(`the stop takes longer than ${drainMs + closingMs} ms, the process ends now`)
  return yield* Effect.sync(() => process.exit(1))
})

/** The hatchery runs in a fiber of its own, so that a signal is heard here first: the limit counts from then. */
const running = Effect.gen(function* () {
  const { run } = yield* Hatchery
  const { cds, vsphere, times } = yield* Settings
  yield* Effect.logInfo(`rookery ${version} starts as "${cds.name}"`).pipe(
    Effect.annotateLogs({ cds: cds.apiUrl, vcenter: vsphere.endpoint, pid: process.pid })
  )
  const fiber = yield* Effect.forkDetach(run)
  const stop = Effect.gen(function* () {
    yield* Effect.logInfo("told to stop: no new job is taken, what is in between finishes")
    yield* Effect.forkDetach(limit(times.drainMs))
    yield* Fiber.interrupt(fiber)
    yield* Effect.logInfo("stopped")
  })
  return yield* Effect.onInterrupt(Fiber.join(fiber), () => stop)
})

const start = Effect.fnUntraced(function* (path: string) {
  const config = yield* ConfigFile.load(path)
  return yield* Effect.provide(running, layerOf(config))
})

const services = ["hatchery:vsphere"] as const

/** The CDS engine takes what to start from the environment as well (cds-contract.md 1.1). */
const service = Argument.Literals("service", services).pipe(
  Argument.withDescription("What to start; CDS_SERVICE where it is absent"),
  Argument.withFallbackConfig(Environment.Literals(services, "CDS_SERVICE"))
)

export const startCommand = Command.make(
  "start",
  {
    service,
    config: configFlag
  },
  ({ config }) => start(config)
).pipe(Command.withDescription("Start the hatchery from the CDS engine's own TOML file"))
