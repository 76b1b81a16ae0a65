/**
 * A whole hatchery in this process on the test's clock: all actors, all layers down to the two transports, the two simulated cores. The same
 * seed gives the same world.
 */
import { generateKeyPairSync } from "node:crypto"
import { Cause, Context, Deferred, Effect, Exit, Fiber, Layer, Random, Redacted, Scope } from "effect"
import { HttpClient, type HttpClientRequest } from "effect/http"
import { TestClock } from "effect/testing"
import { Hatchery } from "../../src/actors/Hatchery.ts"
import { hatchery } from "../../src/cli/assembly.ts"
import { CdsSocket } from "../../src/layers/cds/CdsSocket.ts"
import * as Ids from "../../src/layers/Ids.ts"
import * as InProcess from "../../src/layers/simulated/cds/InProcess.ts"
import { make as makeCds, type SimCds, type SimCdsOptions } from "../../src/layers/simulated/cds/SimCds.ts"
import { type Behaviour, workerProgram } from "../../src/layers/simulated/cds/SimWorker.ts"
import type { SimVCenterHandle } from "../../src/layers/simulated/vcenter/Handle.ts"
import type { PartialOptions } from "../../src/layers/simulated/vcenter/Options.ts"
import { SimVCenter } from "../../src/layers/simulated/vcenter/SimVCenter.ts"
import { VimSimulated } from "../../src/layers/simulated/vcenter/VimSimulated.ts"
import { Vim } from "../../src/layers/vsphere/Vim.ts"
import { defaults } from "../../src/schema/Config.ts"
import { Settings, type SettingsShape } from "../../src/services/Settings.ts"

/** One key for all tests: making one takes a while, and nothing depends on which. */
const key = generateKeyPairSync("rsa", { modulusLength: 2048 }).privateKey.export({ type: "pkcs1", format: "pem" })

export interface WorldOptions {
  readonly seed?: string
  readonly settings?: Partial<SettingsShape>
  readonly vcenter?: PartialOptions
  readonly cds?: SimCdsOptions
  readonly latencyMs?: number
  /** The hatchery has a V1 token as well. */
  readonly v1?: boolean
  /** How the worker of a job behaves; a plain one unless given. */
  readonly behaviour?: (jobId: string) => Behaviour
}

export const name = "rookery"

const settingsOf = (
  cds: SimCds,
  vcenter: SimVCenterHandle,
  own: Partial<SettingsShape>,
  v1: boolean
): SettingsShape => ({
  ...defaults,
  cds: {
    ...defaults.cds,
    name,
    apiUrl: "http://cds.simulated",
    tokenV2: Redacted.make(cds.identities[0]?.token ?? ""),
    ...(v1 ? { token: Redacted.make(cds.identities[0]?.tokenV1 ?? "") } : {}),
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
  // Nobody was there before.
  times: { ...defaults.times, lateCallMs: 0 },
  provision: [{ template: "debian12", number: 2 }],
  poolSize: 2,
  credentials: [{ template: "debian12", username: "worker", password: Redacted.make("worker") }],
  ...own
})

/** Where a process dies: at its `at`-th outgoing call, counted from 1. */
export interface CrashPoint {
  readonly at: number
  /**
   * `before`: it is not sent. `unanswered`: it is carried out, the answer is lost. `late`: the same, but it is still under way when the process
   * dies, and arrives `lateMs` later. `answered`: the answer is the last thing it gets.
   */
  readonly when: "before" | "unanswered" | "late" | "answered"
}

/** A successor that is started at once has looked around by then. */
const lateMs = 6_000

/** The way of one process to the outside: what is sent is counted; once it is cut nothing goes or comes any more. */
class Line {
  /** The names of the calls sent, in order. */
  readonly calls: Array<string> = []
  readonly crashed = Deferred.makeUnsafe<void>()
  cut = false
  #crash: CrashPoint | undefined

  constructor(crash: CrashPoint | undefined) {
    this.#crash = crash
  }

  /** From now on the calls are counted towards this crash. */
  arm(crash: CrashPoint): void {
    this.#crash = { ...crash, at: this.calls.length + crash.at }
  }

  /** Whoever holds the other end keeps working on what it was sent; a dead process never hears of it. What still runs of it is interrupted, finalizers too. */
  send<A, E, R>(name: string, call: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> {
    return Effect.suspend(() => {
      if (this.cut) return Effect.interrupt
      this.calls.push(name)
      if (this.calls.length !== this.#crash?.at)
        return Effect.flatMap(Effect.exit(call), (exit) => (this.cut ? Effect.interrupt : exit))
      switch (this.#crash.when) {
        case "before":
          return Effect.andThen(this.die, Effect.interrupt)
        case "unanswered":
          return Effect.onExit(call, () => this.die).pipe(Effect.exit, Effect.andThen(Effect.interrupt))
        case "late":
          return Effect.forkDetach(Effect.delay(call, lateMs)).pipe(
            Effect.andThen(this.die),
            Effect.andThen(Effect.interrupt)
          )
        case "answered":
          return Effect.onExit(call, () => this.die)
      }
    })
  }

  get die(): Effect.Effect<void> {
    return Effect.suspend(() => {
      this.cut = true
      return Effect.asVoid(Deferred.succeed(this.crashed, undefined))
    })
  }
}

const vimOver = (line: Line, vim: Vim["Service"]): Vim["Service"] => ({
  call: (operation, args) => line.send(operation, vim.call(operation, args)),
  download: (url, maxBytes) => line.send("download", vim.download(url, maxBytes))
})

/** The route of a request with its ids left out, as a name for the call. */
const routeOf = (request: HttpClientRequest.HttpClientRequest): string =>
  `${request.method} ${new URL(request.url).pathname.replace(/[0-9a-f-]{36}/g, "{id}")}`

const httpOver = (line: Line, client: HttpClient.HttpClient): HttpClient.HttpClient =>
  HttpClient.make((request) => line.send(routeOf(request), client.execute(request)))

const socketOver = (line: Line, { connect }: CdsSocket["Service"]): CdsSocket["Service"] => ({
  connect: (url, headers, greeting) => line.send(`GET ${new URL(url).pathname}`, connect(url, headers, greeting))
})

export const makeWorld = Effect.fnUntraced(function* (options: WorldOptions = {}) {
  const seed = options.seed ?? "world"
  const cds = yield* makeCds({ hatcheries: [{ name, region: "default" }], seed, ...options.cds })
  const client: HttpClient.HttpClient = InProcess.httpClient(cds)
  const vcenter = yield* SimVCenter.make({
    seed,
    programs: workerProgram(client, options.behaviour),
    ...options.vcenter
  })
  const settings = settingsOf(cds, vcenter, options.settings ?? {}, options.v1 ?? false)
  const latencyMs = options.latencyMs ?? 4

  const transports = (line: Line) =>
    Layer.mergeAll(
      Layer.effect(
        Vim,
        Effect.map(VimSimulated.make({ latencyMs }), (vim) => vimOver(line, vim))
      ).pipe(Layer.provide(Layer.succeed(SimVCenter, vcenter))),
      Layer.succeed(HttpClient.HttpClient, httpOver(line, client)),
      Layer.succeed(CdsSocket, socketOver(line, InProcess.socket(cds))),
      Ids.layerRandom
    )
  return { vcenter, cds, settings, transports }
})

export type World = Effect.Success<ReturnType<typeof makeWorld>>

/**
 * Starts a hatchery process. `kill` ends it as SIGKILL does: its lines are cut before its finalizers run. The end of the test kills what still
 * lives; `stop` ends it as SIGTERM does, while the clock runs on.
 */
export const start = Effect.fnUntraced(function* (world: World, crash?: CrashPoint) {
  const line = new Line(crash)
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
  const arm = (crash: CrashPoint) => line.arm(crash)
  return { context, kill, stop, running, calls: line.calls, crashed: Deferred.isDone(line.crashed), arm }
})

export const seeded = (seed: string) => Random.withSeed(seed)
