/** The kept seeds are chosen for what they take. */
import { assert, describe, it } from "@effect/vitest"
import { Coverage } from "./Coverage.ts"
import { keep } from "./keep.ts"
import type { Outcome } from "./summary.ts"

const [first, second, third, ...others] = Coverage.edges as [string, string, string, ...Array<string>]

const outcome = (seed: number, edges: ReadonlyArray<string>, broken: ReadonlyArray<string> = []): Outcome => ({
  seed,
  broken,
  steps: 1,
  lasted: 1,
  kinds: [],
  taken: edges.map((edge) => [edge, 1] as const)
})

describe("the kept seeds", () => {
  it("take every edge that a good run took, with as few seeds as are wanted", () => {
    const kept = keep([outcome(1, [first]), outcome(2, [first]), outcome(3, [first, second]), outcome(4, [third])], 2)
    assert.deepStrictEqual(kept.seeds, [3, 4])
    assert.deepStrictEqual(kept.untaken, others)
  })

  it("are none that broke a promise", () => {
    const kept = keep([outcome(1, Coverage.edges, ["5 s: lost"]), outcome(2, [first])], 2)
    assert.deepStrictEqual(kept.seeds, [2])
    assert.deepStrictEqual(kept.untaken, [second, third, ...others])
  })
})
