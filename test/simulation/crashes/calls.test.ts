/** The grid is whole: whatever a hatchery may send is sent in some flow, and so has its cells. */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { readdirSync, readFileSync } from "node:fs"
import { hatcheryRoutes } from "../../../src/layers/simulated/cds/routes/hatchery.ts"
import { queueRoutes } from "../../../src/layers/simulated/cds/routes/queue.ts"
import { hatcheryRoutesV1 } from "../../../src/layers/simulated/cds/routes/v1/hatchery.ts"
import { modelRoutesV1 } from "../../../src/layers/simulated/cds/routes/v1/model.ts"
import { queueRoutesV1 } from "../../../src/layers/simulated/cds/routes/v1/queue.ts"
import { operations, type VimOperation } from "../../../src/layers/vsphere/Vim.ts"
import { flows } from "./flows.ts"
import { cellsOf } from "./grid.ts"
import { play } from "./play.ts"

/** Requests that CDS takes from others; the hatchery sends them nowhere. */
const ofOthers: ReadonlyArray<string> = [
  // Its worker's.
  "POST /queue/workflows/:id/take",
  "POST /queue/workflows/:id/step",
  "GET /worker/model",
  // One model: the list has it.
  "GET /worker/model/:group/:name"
]

/** What a hatchery may send to CDS; the routes of workers are their own. */
const routes = [...hatcheryRoutes, ...queueRoutes, ...hatcheryRoutesV1, ...queueRoutesV1, ...modelRoutesV1]

/** Operations that a vCenter offers to others; the hatchery sends them nowhere. */
const unused: ReadonlyArray<VimOperation> = ["CurrentTime", "CancelWaitForUpdates"]

/** `GET /v2/queue/default/job/{id}` is a request of the route `GET /v2/queue/:region/job/:id`. */
const isOf = (call: string, { method, pattern }: { readonly method: string; readonly pattern: string }): boolean =>
  new RegExp(`^${method} ${pattern.replace(/:\w+/g, "[^/]+")}$`).test(call)

const sources = (folder: URL): ReadonlyArray<string> =>
  readdirSync(folder, { recursive: true, encoding: "utf8" })
    .filter((file) => file.endsWith(".ts") && file !== "Vim.ts")
    .map((file) => readFileSync(new URL(file, folder), "utf8"))

describe("the crash grid", () => {
  it.live(
    "has a flow for every operation of vCenter and every request to CDS that a hatchery may send",
    () =>
      Effect.gen(function* () {
        const sent = new Set<string>()
        const sizes: Array<readonly [number, string]> = []
        for (const [name, flow] of flows) {
          const { calls, broken } = yield* play(flow)
          assert.deepStrictEqual(broken, [], name)
          for (const call of calls) sent.add(call)
          sizes.push([cellsOf(flow, calls).length, name])
        }
        const total = sizes.reduce((sum, [cells]) => sum + cells, 0)
        for (const [cells, name] of [...sizes, [total, `in ${flows.length} flows`] as const])
          process.stdout.write(`${String(cells).padStart(5)} cells: ${name}\n`)
        const inNoFlow = [
          ...[...operations, "download"].filter((name) => !sent.has(name) && !unused.includes(name as VimOperation)),
          ...routes
            .filter((route) => ![...sent].some((call) => isOf(call, route)))
            .map(({ method, pattern }) => `${method} ${pattern}`)
        ]
        assert.deepStrictEqual(inNoFlow.toSorted(), ofOthers.toSorted())
      }),
    120_000
  )

  it("leaves out no operation that is used", () => {
    const texts = sources(new URL("../../../src/layers/vsphere/", import.meta.url))
    assert.deepStrictEqual(
      unused.filter((name) => texts.some((text) => text.includes(`"${name}"`))),
      []
    )
  })
})
