/**
 * `npm run simulate -- [--seed S] [--runs N] [--only kind,…] [--without kind,…] [--verbose]`: plays simulated runs of the seeds from S on, and
 * tells what came of them. One seed alone is replayed step by step.
 */
import { parseArgs } from "node:util"
import { Effect } from "effect"
import { Coverage } from "../test/simulation/Coverage.ts"
import { troubles } from "../test/simulation/plan.ts"
import { run } from "../test/simulation/run.ts"
import { failure, Summary } from "../test/simulation/summary.ts"

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

const coverage = new Coverage()
coverage.watch()
const summary = new Summary()
for (let seed = first; seed < first + runs; seed++) {
  const report = await Effect.runPromise(run(seed, { only, say }))
  summary.add(report)
  const failed = failure(report)
  if (failed !== undefined) console.log(failed)
  else if (runs === 1) console.log(`seed ${seed}: every promise kept in ${report.steps} steps`)
}
if (runs > 1) for (const line of summary.lines(coverage)) console.log(line)
process.exitCode = summary.failures.length > 0 ? 1 : 0
