import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer } from "effect"
import { makeClaiming } from "../../../src/actors/vm/works/claim.ts"
import { defaults } from "../../../src/schema/Config.ts"
import type { Job, JobWithModel } from "../../../src/schema/Job.ts"
import { Cds } from "../../../src/services/Cds.ts"
import { Settings } from "../../../src/services/Settings.ts"
import { VSphere } from "../../../src/services/VSphere.ts"
import { claim, env, machine } from "./sample.ts"

/** A CDS in which the job shows so, at this hatchery. */
const showing = (job: Partial<Job>) =>
  Layer.mergeAll(
    Layer.mock(Cds)({
      job: (_, id) => Effect.succeed({ job: { id, hatcheryName: env.hatchery, ...job } } as unknown as JobWithModel)
    }),
    Layer.mock(VSphere)({ reconfigure: () => Effect.void }),
    Layer.succeed(Settings, { ...defaults, cds: { ...defaults.cds, name: env.hatchery } })
  )

const taken = (resumed: boolean, elsewhere: boolean, job: Partial<Job> = { status: "Scheduling" }) =>
  Effect.gen(function* () {
    const { take } = yield* makeClaiming
    return yield* take({
      vm: () => machine({ _tag: "Renamed", claim, cancelled: undefined, resumed }),
      env: Effect.succeed(env),
      tell: () => Effect.void,
      carriedElsewhere: () => elsewhere,
      onElsewhere: () => undefined
    })
  }).pipe(Effect.provide(showing(job)))

describe("a claim that was taken over", () => {
  it.effect("is refused when another machine carries its job by now, although CDS says that the job is ours", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(yield* taken(true, false), { _tag: "Done" })
      assert.deepInclude(yield* taken(true, true), { _tag: "Refused" })
    })
  )

  it.effect("has its worker at work already, when CDS says that this one builds the job", () =>
    Effect.gen(function* () {
      const { workerName } = claim
      assert.deepStrictEqual(yield* taken(true, false, { status: "Building", workerName }), { _tag: "SignedIn" })
      assert.deepInclude(yield* taken(true, false, { status: "Building", workerName: "another" }), { _tag: "Refused" })
    })
  )
})
