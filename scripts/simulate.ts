/**
 * `npm run simulate -- [--seed S] [--runs N] [--jobs J] [--only kind,…] [--without kind,…] [--verbose] [--keep K]`: plays simulated runs of the
 * seeds from S on, on J threads (as many as there are cores), and tells what came of them. One seed alone is replayed step by step.
 * `--keep K` makes K of the seeds the kept ones (test/simulation/seeds.json): together they take what all good runs took of the transition table,
 * and what none took is written beside them (untaken.json).
 */
import { Effect } from "effect"
import { writeFileSync } from "node:fs"
import { parseArgs } from "node:util"
import { keep } from "../test/simulation/keep.ts"
import { many } from "../test/simulation/many.ts"
import { allTroubles } from "../test/simulation/plan.ts"
import { run } from "../test/simulation/run.ts"
import { failure, type Outcome, Summary } from "../test/simulation/summary.ts"

const { values } = parseArgs({
  options: {
    seed: { type: "string", default: "1" },
    runs: { type: "string", default: "1" },
    jobs: { type: "string" },
    only: { type: "string" },
    without: { type: "string", default: "" },
    verbose: { type: "boolean", default: false },
    keep: { type: "string" }
  }
})

const number = (name: string, text: string): number => {
  if (/^\d+$/.test(text)) return Number(text)
  console.error(`--${name} ${text}: a whole number is needed`)
  process.exit(2)
}

const first = number("seed", values.seed)
const runs = number("runs", values.runs)
const jobs = values.jobs === undefined ? undefined : number("jobs", values.jobs)
const without = values.without.split(",")
const only = (values.only?.split(",") ?? Object.keys(allTroubles)).filter((kind) => !without.includes(kind))

/** So many runs, then a line. */
const progressEvery = 100

const one = async (seed: number): Promise<boolean> => {
  const report = await Effect.runPromise(run(seed, { only, say: (line) => console.log(line) }))
  console.log(failure(report) ?? `seed ${seed}: every promise kept in ${report.steps} steps`)
  return report.broken.length === 0
}

const write = (name: string, value: unknown) =>
  writeFileSync(new URL(`../test/simulation/${name}`, import.meta.url), `${JSON.stringify(value, null, 2)}\n`)

const all = async (seeds: ReadonlyArray<number>): Promise<boolean> => {
  const summary = new Summary()
  const each = (outcome: Outcome) => {
    summary.add(outcome)
    const failed = failure(outcome)
    if (failed !== undefined) console.log(failed)
    if (summary.runs % progressEvery === 0) console.log(summary.line)
  }
  const outcomes = await Effect.runPromise(many(seeds, { jobs, only, each }))
  for (const line of summary.lines) console.log(line)
  if (values.keep !== undefined) {
    const { seeds, untaken } = keep(outcomes, number("keep", values.keep))
    write("seeds.json", seeds)
    write("untaken.json", untaken)
  }
  return summary.failures.length === 0
}

const seeds = Array.from({ length: runs }, (_, n) => first + n)
const good = values.verbose || runs === 1 ? await one(first) : await all(seeds)
process.exitCode = good ? 0 : 1
