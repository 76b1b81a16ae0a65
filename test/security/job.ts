/** A whole hatchery with secrets in every place that takes one, and all that it says, writes and tells. */
import { Context, Effect, Layer, Redacted } from "effect"
import { HttpClient } from "effect/http"
import { TestClock } from "effect/testing"
import * as InProcess from "../../src/layers/simulated/cds/InProcess.ts"
import type { JobOrder } from "../../src/layers/simulated/cds/Order.ts"
import { workerProgram } from "../../src/layers/simulated/cds/SimWorker.ts"
import type { ProgramRequest, Programs } from "../../src/layers/simulated/vcenter/Options.ts"
import { defaults as vcenterDefaults } from "../../src/layers/simulated/vcenter/Options.ts"
import { defaults } from "../../src/schema/Config.ts"
import { EventLog } from "../../src/services/EventLog.ts"
import { Monitor } from "../../src/services/Monitor.ts"
import type { SettingsShape } from "../../src/services/Settings.ts"
import { makeWorld, start, type World } from "../support/world.ts"
import { makeEars } from "./Ears.ts"
import type { Secrets } from "./Secrets.ts"

const fixed = {
  vcenterPassword: "Vc-p4ss&<word>\"'\u00e9 7Qz",
  guestPassword: "Gu-p4ss$(word)`8Rk",
  injected: "In-v4lue-of-a-variable-6Lm",
  graylog: "Gl-t0ken-of-graylog-2Xc"
}

export interface Deviation {
  /** What the guest's bootstrap does, in place of the stand-in worker. */
  readonly program?: (request: ProgramRequest) => Effect.Effect<{ readonly exitCode: number }>
  /** The job that is put into the queue. */
  readonly order?: JobOrder
  /** Changes to the settings of the hatchery. */
  readonly settings?: (settings: SettingsShape) => Partial<SettingsShape>
  /** Another way to the outside. */
  readonly world?: (world: World) => World
}

/** The client, keeping each bearer token that is sent: sessions of the hatchery and of its workers, and their worker tokens. */
const overheard = (client: HttpClient.HttpClient, tokens: Set<string>): HttpClient.HttpClient =>
  HttpClient.mapRequest(client, (request) => {
    const [, token] = /^Bearer (.+)$/.exec(request.headers["authorization"] ?? "") ?? []
    if (token !== undefined) tokens.add(token)
    return request
  })

const overhearing = (world: World, tokens: Set<string>): World => ({
  ...world,
  transports: (line) =>
    Layer.effect(
      HttpClient.HttpClient,
      Effect.map(HttpClient.HttpClient, (client) => overheard(client, tokens))
    ).pipe(Layer.provideMerge(world.transports(line)))
})

/** Runs a hatchery for half an hour with one job, and answers its secrets and everything that can be read of it from outside. */
export const runJob = Effect.fnUntraced(function* (deviation: Deviation = {}) {
  const ears = makeEars()
  const requests: Array<ProgramRequest> = []
  const written = new Set<string>()
  const tokens = new Set<string>()

  const programs: Programs = (request) =>
    Effect.suspend(() => {
      requests.push(request)
      if (request.env["CDS_CONFIG"] === undefined) return Effect.succeed({ exitCode: 0 })
      return (deviation.program ?? workerProgram(overheard(InProcess.httpClient(world.cds), tokens)))(request)
    })

  const world: World = yield* makeWorld({
    vcenter: {
      password: fixed.vcenterPassword,
      programs,
      templates: vcenterDefaults.templates.map((template) => ({ ...template, guestPassword: fixed.guestPassword }))
    },
    settings: {
      credentials: [{ template: "debian12", username: "worker", password: Redacted.make(fixed.guestPassword) }],
      worker: {
        ...defaults.worker,
        apiUrl: "http://cds.simulated",
        injectEnvVars: { DEPLOY_TOKEN: fixed.injected },
        log: {
          ...defaults.worker.log,
          graylog: {
            ...defaults.worker.log.graylog,
            host: "graylog",
            extraKey: "X-OVH-TOKEN",
            extraValue: fixed.graylog
          }
        }
      }
    }
  })
  const settings = { ...world.settings, ...deviation.settings?.(world.settings) }
  const heard = overhearing({ ...world, settings }, tokens)
  const hatchery = yield* start(deviation.world?.(heard) ?? heard).pipe(Effect.provide(ears.layer))

  yield* TestClock.adjust("2 minutes")
  yield* world.cds.enqueue(deviation.order)
  for (let step = 0; step < 60; step++) {
    yield* TestClock.adjust("30 seconds")
    for (const { annotation, name } of world.vcenter.machines()) written.add(`${name} ${annotation}`)
  }

  const monitor = Context.get(hatchery.context, Monitor)
  const told = [
    yield* Context.get(hatchery.context, EventLog).recent,
    yield* monitor.machines,
    yield* monitor.waiting,
    yield* monitor.status,
    yield* world.cds.jobs,
    [...world.cds.state.hatcheries.values()].map(({ config, statusLines }) => ({ config, statusLines })),
    [...written],
    world.vcenter.traffic.lines()
  ]
  const ended = hatchery.running.pollUnsafe()
  const config = requests.flatMap(({ env }) => env["CDS_CONFIG"] ?? []).at(-1)
  const workerToken =
    config === undefined ? undefined : String(JSON.parse(Buffer.from(config, "base64").toString())["api_token"])
  const secrets: Secrets = {
    ...fixed,
    consumerToken: Redacted.value(settings.cds.tokenV2!),
    rsaPrivateKey: Redacted.value(settings.cds.rsaPrivateKey),
    ...Object.fromEntries([...tokens].map((token, nth) => [`bearer token ${nth}`, token])),
    ...(config === undefined ? {} : { CDS_CONFIG: config }),
    ...(workerToken === undefined ? {} : { workerToken })
  }
  return {
    secrets,
    world,
    requests,
    lines: ears.lines,
    spans: ears.spans,
    said: [ears.heard(), JSON.stringify(told), ended === undefined ? "" : String(JSON.stringify(ended))].join("\n")
  }
})
