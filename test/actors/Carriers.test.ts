import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { Carriers, isFor } from "../../src/actors/Carriers.ts"
import { makeHandle } from "../../src/actors/Vm.ts"
import type { MachineFacts } from "../../src/schema/Machine.ts"
import { claim, facts, machine, on, states, written } from "./vm/sample.ts"

describe("the carriers of a job", () => {
  it.effect("are the machines that are leased for it or claimed for it, each as long as it is either", () =>
    Effect.gen(function* () {
      const carriers = new Carriers()
      const of = () => [...carriers.of(claim.jobId)].map(({ id }) => id)
      const found = yield* makeHandle({ ...machine(states.renamed), id: "found" }, carriers)
      const ready = yield* makeHandle({ ...machine(states.provisioned), id: "ready" }, carriers)
      assert.deepStrictEqual(of(), ["found"])
      ready.lease = claim.jobId
      assert.deepStrictEqual(of(), ["found", "ready"])
      ready.vm = { ...ready.vm, state: states.reserved }
      ready.lease = undefined
      assert.deepStrictEqual(of(), ["found", "ready"])
      found.vm = { ...found.vm, state: { ...states.renamed, claim: { ...claim, jobId: "another" } } }
      assert.deepStrictEqual(of(), ["ready"])
      ready.vm = { ...ready.vm, state: states.returning }
      assert.deepStrictEqual(of(), [])
      found.vm = { ...found.vm, state: { ...states.renamed, claim: { ...claim, jobId: "" } } }
      assert.deepStrictEqual([...carriers.of(""), ...carriers.of("another")], [])
    })
  )

  it.effect(
    "are joined by a machine that is on and has to go, for as long as it is on: the job that stands on it is not its own",
    () =>
      Effect.gen(function* () {
        const carriers = new Carriers()
        const annotation = written("renamed")
        const shown = (more: Partial<MachineFacts>) => ({
          ...machine(states.reaping),
          facts: facts({ annotation, ...more })
        })
        const leaving = yield* makeHandle(shown(on), carriers)
        assert.deepStrictEqual([...carriers.of(claim.jobId)], [leaving])
        assert.isFalse(isFor(leaving, claim.jobId))
        assert.strictEqual(carriers.on(claim.jobId, "another"), leaving)
        assert.isUndefined(carriers.on(claim.jobId, leaving.id))
        leaving.vm = shown({})
        assert.deepStrictEqual([...carriers.of(claim.jobId)], [])
        leaving.vm = { ...machine(states.renamed), facts: facts() }
        assert.isUndefined(carriers.on(claim.jobId, "another"), "it carries the job, and is off")
      })
  )
})
