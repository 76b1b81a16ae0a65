/**
 * `npm run simulate -- [--seed S] [--runs N] [--only kind,kind] [--verbose]`: plays simulated runs and tells what came of them. One seed alone is
 * replayed step by step.
 */
import { parseArgs } from "node:util"
import { Effect } from "effect"
import { troubles } from "../test/simulation/plan.ts"
import { run } from "../test/simulation/run.ts"

const { values } = parseArgs({
  options: {
    seed: { type: "string", default: "1" },
    runs: { type: "string", default: "1" },
    only: { type: "string" },
    without: { type: "string", default: "" },
    verbose: { type: "boolean", default: false }
  }
})

const first = Number(values.seed)
const runs = Number(values.runs)
const say = values.verbose || runs === 1 ? (line: string) => console.log(line) : undefined
const without = values.without.split(",")
const only = (values.only?.split(",") ?? Object.keys(troubles)).filter((kind) => !without.includes(kind))

for (let seed = first; seed < first + runs; seed++) {
  const begun = performance.now()
  const report = await Effect.runPromise(run(seed, { only, say }))
  const took = Math.round(performance.now() - begun)
  console.log(
    `seed ${seed}: ${report.steps} steps, ${Math.round(report.lasted / 60000)} min, ${report.happened.length} happenings, ${took} ms`
  )
  for (const text of report.broken.slice(0, 5)) console.log(`   ${text}`)
}
