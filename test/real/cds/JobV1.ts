/** V1 jobs: each in a workflow of its own with one pipeline. */
import { Effect } from "effect"
import type { HarnessError } from "../harness/HarnessError.ts"
import type { Api } from "./Api.ts"
import * as Job from "./Job.ts"

export interface OrderV1 {
  /** What the one step runs in a shell. */
  readonly script: string
  /** As a pipeline file says them: `{ model: "PROJ/git/acme/ci/debian@master" }`, `{ binary: "git" }`, `{ region: "default" }` … */
  readonly requirements?: ReadonlyArray<Readonly<Record<string, string>>>
}

interface RunJob {
  readonly id: number
  readonly status: string
  readonly worker_name?: string
  readonly hatchery_name?: string
  /** Once it is over; before, they are asked for by themselves. */
  readonly spawninfos?: Infos
}

type Infos = ReadonlyArray<{ readonly user_message: string }> | null

interface NodeRun {
  readonly id: number
  readonly stages: ReadonlyArray<{ readonly run_jobs: ReadonlyArray<RunJob> | null }> | null
}

interface Run {
  readonly num: number
  readonly nodes?: Readonly<Record<string, ReadonlyArray<NodeRun>>>
}

/** Imports a workflow of that name into the project and runs it; waits until its job is queued. */
export const run = (api: Api, project: string, name: string, order: OrderV1): Effect.Effect<Job.Job, HarnessError> =>
  Effect.gen(function* () {
    yield* api.ask("POST", `/project/${project}/import/pipeline`, {
      version: "v1.0",
      name,
      stages: ["stage"],
      jobs: [
        { job: "build", stage: "stage", steps: [{ script: [order.script] }], requirements: order.requirements ?? [] }
      ]
    })
    yield* api.ask("POST", `/project/${project}/import/workflows`, {
      version: "v2.0",
      name,
      workflow: { build: { pipeline: name } }
    })
    const runs = `/project/${project}/workflows/${name}/runs`
    const { num } = yield* api.ask<Run>("POST", runs, { manual: {} })
    const node = yield* Job.found(
      api.ask<Run>("GET", `${runs}/${num}`),
      ({ nodes = {} }) => Object.values(nodes)[0]?.[0],
      `node of run ${num} of ${name}`
    )
    const nodeRun = api.ask<NodeRun>("GET", `${runs}/${num}/nodes/${node.id}`)
    const jobOf = ({ stages }: NodeRun) => stages?.[0]?.run_jobs?.[0]
    const job = Job.found(nodeRun, jobOf, `job of run ${num} of ${name}`)
    const { id } = yield* job
    const infos = `${runs}/${num}/nodes/${node.id}/job/${id}/info`
    return Job.make({
      id: `${id}`,
      state: Effect.map(job, ({ status, worker_name = "", hatchery_name = "" }) => ({
        status,
        worker: worker_name,
        hatchery: hatchery_name
      })),
      infos: Effect.map(Effect.all([api.ask<Infos>("GET", infos), job]), ([present, { spawninfos }]) =>
        (spawninfos ?? present ?? []).map(({ user_message }) => user_message)
      ),
      logs: Job.logs(api, `/project/${project}/workflows/${name}/nodes/${node.id}/job/${id}/links`),
      stop: Effect.asVoid(api.ask("POST", `${runs}/${num}/stop`))
    })
  })
