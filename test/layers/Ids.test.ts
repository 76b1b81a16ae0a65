import { assert, describe, it } from "@effect/vitest"
import { Effect, Random } from "effect"
import { layer, layerRandom } from "../../src/layers/Ids.ts"
import { Ids } from "../../src/services/Ids.ts"

const version4 = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/

const draw = Effect.gen(function* () {
  const ids = yield* Ids
  const uuids = yield* Effect.all(Array.from({ length: 200 }, () => ids.uuid))
  const names = yield* Effect.all(Array.from({ length: 200 }, () => ids.workerName("")))
  const prefixed = yield* Effect.all(Array.from({ length: 200 }, () => ids.workerName("provision-v2")))
  const long = yield* ids.workerName("x".repeat(80))
  return { uuids, names, prefixed, long }
})

for (const [source, provided] of [
  ["the system", layer],
  ["a seed", layerRandom]
] as const)
  describe(`ids from ${source}`, () => {
    it.effect("are version 4 UUIDs and do not repeat", () =>
      Effect.gen(function* () {
        const { uuids } = yield* draw
        for (const uuid of uuids) assert.match(uuid, version4)
        assert.strictEqual(new Set(uuids).size, uuids.length)
      }).pipe(Effect.provide(provided))
    )

    it.effect("are worker names that CDS and vSphere accept, with the prefix in front", () =>
      Effect.gen(function* () {
        const { names, prefixed, long } = yield* draw
        for (const name of names) assert.match(name, /^[a-z]+(-(and|but)-[a-z]+)?-[a-z]+$/)
        for (const name of prefixed) assert.match(name, /^provision-v2-[a-z-]+[a-z]$/)
        for (const name of [...names, ...prefixed, long]) assert.isAtMost(name.length, 63)
        assert.isAbove(new Set(names).size, 150)
      }).pipe(Effect.provide(provided))
    )
  })

const drawn = (seed: string) => Effect.provide(draw, layerRandom).pipe(Random.withSeed(seed))

describe("seeded ids", () => {
  it.effect("are the same for the same seed and others for another", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(yield* drawn("a"), yield* drawn("a"))
      assert.notDeepEqual(yield* drawn("a"), yield* drawn("b"))
    })
  )
})
