import { assert, it } from "@effect/vitest"
import { Effect, Layer, Redacted, Stream } from "effect"
import * as CdsLive from "../../../../src/layers/cds/CdsLive.ts"
import * as NodeCdsHttp from "../../../../src/layers/cds/NodeCdsHttp.ts"
import * as NodeCdsSocket from "../../../../src/layers/cds/NodeCdsSocket.ts"
import * as Ids from "../../../../src/layers/Ids.ts"
import { front } from "../../../../src/layers/simulated/cds/Front.ts"
import { defaults } from "../../../../src/schema/config/defaults.ts"
import { Cds } from "../../../../src/services/Cds.ts"
import { Settings } from "../../../../src/services/Settings.ts"
import { apiKeys, hatcheryPem } from "./caller.ts"

it.live("The production client signs in, hears of a job, takes it and gives it back, over real sockets", () =>
  Effect.gen(function* () {
    const { api, apiUrl } = yield* front({ keys: apiKeys })
    const [{ name, token } = { name: "", token: "" }] = api.identities
    const tokenV2 = Redacted.make(token)
    const cds = { ...defaults.cds, name, apiUrl, tokenV2, rsaPrivateKey: Redacted.make(hatcheryPem) }
    const settings = Layer.succeed(Settings, { ...defaults, cds: { ...cds, disableV2QueuePolling: true } })
    const client = CdsLive.layer({ version: "0.57.0", hostname: "host" }).pipe(
      Layer.provide(Layer.mergeAll(NodeCdsHttp.layer, NodeCdsSocket.layer, Ids.layer)),
      Layer.provide(settings)
    )
    const context = yield* Layer.build(client)
    const service = yield* Cds.pipe(Effect.provide(context))
    const { region } = yield* service.signin
    yield* Effect.forkScoped(
      Effect.andThen(
        Effect.repeat(Effect.sleep("5 millis"), { until: () => api.state.sockets.count > 0 }),
        api.enqueue()
      )
    )
    const [seen] = yield* Stream.runCollect(Stream.take(service.sightings, 1))
    const id = seen?.id ?? ""
    assert.strictEqual(seen?.source, "event")
    assert.strictEqual((yield* service.take(region, id)).status, "Scheduling")
    yield* service.tell(region, id, { _tag: "Waits", modelName: "", reason: "hello" })
    yield* service.release(region, id)
    assert.deepStrictEqual(
      (yield* api.job(id))?.history.map(({ status }) => status),
      ["Waiting", "Scheduling", "Waiting"]
    )
    assert.deepStrictEqual(yield* service.workers, [])
    assert.deepStrictEqual(yield* api.violations, [])
  })
)
