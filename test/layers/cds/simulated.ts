/** A simulated API with our client in front; both end with the test. */
import { Effect, Fiber, Layer, Redacted, Stream } from "effect"
import { TestClock } from "effect/testing"
import { defaults } from "../../../src/schema/config/defaults.ts"
import type { JobSighting } from "../../../src/schema/Job.ts"
import type { SettingsShape } from "../../../src/schema/Settings.ts"
import { workerConfig } from "../../../src/schema/WorkerConfig.ts"
import { Cds } from "../../../src/services/Cds.ts"
import type { WorkerClaims } from "../../../src/services/Cds.ts"
import { Ids } from "../../../src/services/Ids.ts"
import { Settings } from "../../../src/services/Settings.ts"
import * as CdsLive from "../../../src/layers/cds/CdsLive.ts"
import type { Registered } from "../../../src/layers/simulated/cds/Identity.ts"
import { httpClient, layer as inProcess } from "../../../src/layers/simulated/cds/InProcess.ts"
import { makeKeys } from "../../../src/layers/simulated/cds/Keys.ts"
import * as SimCds from "../../../src/layers/simulated/cds/SimCds.ts"
import { simWorker } from "../../../src/layers/simulated/cds/SimWorker.ts"
import { hatcheryKeys } from "./api.ts"

const keys = makeKeys()
const pem = hatcheryKeys.privateKey.export({ type: "pkcs8", format: "pem" }).toString()
const apiUrl = "http://cds.simulated"

export type Tokens = Pick<SettingsShape["cds"], "token" | "tokenV2">

export const withV1 = ({ tokenV1 }: Registered): Tokens => ({ token: Redacted.make(tokenV1), tokenV2: undefined })
export const withV2 = ({ token }: Registered): Tokens => ({ token: undefined, tokenV2: Redacted.make(token) })
export const withBoth = (identity: Registered): Tokens => ({ ...withV2(identity), token: withV1(identity).token })

/** The client has signed in and watches for jobs. */
export const simulated = Effect.fnUntraced(function* (
  tokens: (identity: Registered) => Tokens,
  own: Partial<SettingsShape> = {}
) {
  const api = yield* SimCds.make({ keys, seed: 1 })
  const identity = api.identities[0]!
  const cds = { ...defaults.cds, ...tokens(identity), name: identity.name, apiUrl, rsaPrivateKey: Redacted.make(pem) }
  const layer = CdsLive.layer({ version: "1.2.3", hostname: "host1" }).pipe(
    Layer.provide(
      Layer.mergeAll(
        inProcess(api),
        Layer.succeed(Settings, { ...defaults, ...own, cds }),
        Layer.mock(Ids)({ uuid: Effect.succeed("6d3c1b9e-0000-4000-8000-000000000001") })
      )
    )
  )
  const client = yield* Layer.build(layer)
  const sightings: Array<JobSighting> = []
  const service = yield* Cds.pipe(Effect.provide(client))
  const { region } = yield* service.signin
  const watch = Stream.runForEach(service.sightings, (sighting) => Effect.sync(() => sightings.push(sighting)))
  yield* Effect.forkChild(watch)
  yield* Effect.forkChild(Effect.forever(Effect.delay(service.heartbeat({ now: 0, lines: [] }), "30 seconds")))
  // Twice: the streams of both sides begin within another one, after the first.
  yield* TestClock.adjust("1 second")
  yield* TestClock.adjust("1 second")

  /** Starts a worker as a machine of ours would; its end tells how it went. */
  const startWorker = Effect.fnUntraced(function* (claims: WorkerClaims) {
    const token = yield* service.workerToken(claims)
    const claim = { ...claims, region }
    const settings = { ...defaults.worker, apiUrl }
    const config = workerConfig({ settings, hatchery: identity.name, claim, cdn: yield* service.cdn, token })
    const registers = claims.jobId === ""
    return yield* Effect.forkChild(simWorker(httpClient(api), Redacted.value(config), undefined, registers))
  })
  return { api, cds: service, region, sightings, startWorker, ids: () => [...new Set(sightings.map(({ id }) => id))] }
})

/** Runs while the clock moves. */
export const moving = <A, E>(self: Effect.Effect<A, E>) =>
  Effect.gen(function* () {
    const fiber = yield* Effect.forkChild(self)
    yield* TestClock.adjust("1 minute")
    return yield* Fiber.join(fiber)
  })
