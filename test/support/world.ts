/**
 * A whole hatchery in this process on the test's clock: all actors, all layers down to the two transports, the two simulated cores. The same
 * seed gives the same world.
 */
import { generateKeyPairSync } from "node:crypto"
import { Cause, Context, Effect, Exit, Fiber, Layer, Random, Redacted, Scope } from "effect"
import { HttpClient, HttpClientError } from "effect/http"
import { TestClock } from "effect/testing"
import { Hatchery } from "../../src/actors/Hatchery.ts"
import { hatchery } from "../../src/cli/assembly.ts"
import { CdsSocket } from "../../src/layers/cds/CdsSocket.ts"
import * as Ids from "../../src/layers/Ids.ts"
import * as InProcess from "../../src/layers/simulated/cds/InProcess.ts"
import { make as makeCds, type SimCds, type SimCdsOptions } from "../../src/layers/simulated/cds/SimCds.ts"
import { workerProgram } from "../../src/layers/simulated/cds/SimWorker.ts"
import type { SimVCenterHandle } from "../../src/layers/simulated/vcenter/Handle.ts"
import type { PartialOptions } from "../../src/layers/simulated/vcenter/Options.ts"
import { SimVCenter } from "../../src/layers/simulated/vcenter/SimVCenter.ts"
import { VimSimulated } from "../../src/layers/simulated/vcenter/VimSimulated.ts"
import { Vim } from "../../src/layers/vsphere/Vim.ts"
import { defaults } from "../../src/schema/Config.ts"
import { VimUnreachable } from "../../src/schema/Errors.ts"
import { Settings, type SettingsShape } from "../../src/services/Settings.ts"

/** One key for all tests: making one takes a while, and nothing depends on which. */
const key = generateKeyPairSync("rsa", { modulusLength: 2048 }).privateKey.export({ type: "pkcs1", format: "pem" })

export interface WorldOptions {
  readonly seed?: string
  readonly settings?: Partial<SettingsShape>
  readonly vcenter?: PartialOptions
  readonly cds?: SimCdsOptions
  readonly latencyMs?: number
}

export const name = "rookery"

const settingsOf = (cds: SimCds, vcenter: SimVCenterHandle, own: Partial<SettingsShape>): SettingsShape => ({
  ...defaults,
  cds: {
    ...defaults.cds,
    name,
    apiUrl: "http://cds.simulated",
    tokenV2: Redacted.make(cds.identities[0]?.token ?? ""),
    rsaPrivateKey: Redacted.make(String(key))
  },
  worker: { ...defaults.worker, apiUrl: "http://cds.simulated" },
  vsphere: {
    ...defaults.vsphere,
    endpoint: "http://vcenter.simulated",
    user: vcenter.options.user,
    password: Redacted.make(vcenter.options.password),
    datacenter: vcenter.options.datacenter,
    network: vcenter.options.network,
    networks: [{ ipRange: "10.0.0.0/24", gateway: "10.0.0.1", subnetMask: "255.255.255.0" }]
  },
  provision: [{ template: "debian12", number: 2 }],
  poolSize: 2,
  credentials: [{ template: "debian12", username: "worker", password: Redacted.make("worker") }],
  ...own
})

/** The way of one process to the outside: once it is cut nothing arrives any more, in either direction. */
interface Line {
  cut: boolean
}

const vimOver = (line: Line, vim: Vim["Service"]): Vim["Service"] => ({
  call: (operation, args) =>
    line.cut
      ? Effect.fail(new VimUnreachable({ operation, reason: "the process is dead", sent: false }))
      : vim.call(operation, args),
  download: vim.download
})

const httpOver = (line: Line, client: HttpClient.HttpClient): HttpClient.HttpClient =>
  HttpClient.make((request) =>
    line.cut
      ? Effect.fail(
          new HttpClientError.HttpClientError({
            reason: new HttpClientError.TransportError({ request, description: "the process is dead" })
          })
        )
      : client.execute(request)
  )

export const makeWorld = Effect.fnUntraced(function* (options: WorldOptions = {}) {
  const seed = options.seed ?? "world"
  const cds = yield* makeCds({ hatcheries: [{ name, region: "default" }], seed, ...options.cds })
  const client: HttpClient.HttpClient = InProcess.httpClient(cds)
  const vcenter = yield* SimVCenter.make({ seed, programs: workerProgram(client), ...options.vcenter })
  const settings = settingsOf(cds, vcenter, options.settings ?? {})
  const latencyMs = options.latencyMs ?? 4

  const transports = (line: Line) =>
    Layer.mergeAll(
      Layer.effect(
        Vim,
        Effect.map(VimSimulated.make({ latencyMs }), (vim) => vimOver(line, vim))
      ).pipe(Layer.provide(Layer.succeed(SimVCenter, vcenter))),
      Layer.succeed(HttpClient.HttpClient, httpOver(line, client)),
      Layer.succeed(CdsSocket, InProcess.socket(cds)),
      Ids.layerRandom
    )
  return { vcenter, cds, settings, transports }
})

export type World = Effect.Success<ReturnType<typeof makeWorld>>

/**
 * Starts a hatchery process. `kill` ends it as SIGKILL does: its lines are cut before its finalizers run. The end of the test kills what still
 * lives; `stop` ends it as SIGTERM does, while the clock runs on.
 */
export const start = Effect.fnUntraced(function* (world: World) {
  const line: Line = { cut: false }
  const times = { ...world.settings.times }
  const layer = Layer.fresh(hatchery).pipe(
    Layer.provide(world.transports(line)),
    Layer.provideMerge(Layer.succeed(Settings, { ...world.settings, times })),
    Layer.orDie
  )
  const outer = yield* Effect.scope
  const scope = yield* Scope.fork(outer)
  const context = yield* Layer.buildWithScope(layer, scope)
  const service = Context.get(context, Hatchery)
  const running = yield* Effect.forkIn(
    Effect.tapCause(service.run, (cause) =>
      Cause.hasInterruptsOnly(cause) ? Effect.void : Effect.logError("the hatchery ended", cause)
    ),
    scope
  )
  const kill = Effect.suspend(() => {
    line.cut = true
    Object.assign(times, { drainMs: 0 })
    return Scope.close(scope, Exit.void)
  })
  yield* Scope.addFinalizer(outer, kill)
  const stop = Effect.gen(function* () {
    const closing = yield* Effect.forkChild(Effect.andThen(Fiber.interrupt(running), Scope.close(scope, Exit.void)))
    yield* TestClock.adjust("1 minute")
    yield* Fiber.join(closing)
  })
  return { context, kill, stop, running }
})

export const seeded = (seed: string) => Random.withSeed(seed)
