/** V2 jobs: each in a run of its own. */
import { Effect } from "effect"
import type { HarnessError } from "../harness/HarnessError.ts"
import type { Api } from "./Api.ts"
import { pathOf } from "./AsCode.ts"
import * as Job from "./Job.ts"
import type { Tenant } from "./Seed.ts"

export interface OrderV2 {
  /** What the one step runs in a shell. */
  readonly script: string
  /** A model by its name; the only one unless given. */
  readonly model?: string
  readonly flavor?: string
  /** Further keys of the job in a workflow file, such as `services`. */
  readonly job?: Readonly<Record<string, unknown>>
}

const jobId = "build"

/** The order as a workflow file says it. */
export const workflow = (
  { project, region }: Tenant,
  name: string,
  { script, model, flavor, job = {} }: OrderV2,
  onlyModel: string
): unknown => {
  const path = pathOf(project, model ?? onlyModel)
  const runsOn = flavor === undefined ? path : { model: path, flavor }
  return { name, jobs: { [jobId]: { name: jobId, region, "runs-on": runsOn, steps: [{ run: script }], ...job } } }
}

interface RunJob {
  readonly id: string
  readonly status: string
  readonly worker_name: string
  readonly hatchery_name: string
}

type Infos = ReadonlyArray<{ readonly message: string }> | null

/** Waits until the API's workflow engine has queued the job of that run. */
export const queued = (api: Api, project: string, run: string): Effect.Effect<Job.Job, HarnessError> =>
  Effect.gen(function* () {
    const path = `/v2/project/${project}/run/${run}`
    const jobs = api.ask<ReadonlyArray<RunJob> | null>("GET", `${path}/job`)
    const { id } = yield* Job.found(jobs, (answer) => answer?.[0], `job of run ${run}`)
    const messages = (of: string) =>
      Effect.map(api.ask<Infos>("GET", of), (infos) => (infos ?? []).map(({ message }) => message))
    return Job.make({
      id,
      state: Effect.map(api.ask<RunJob>("GET", `${path}/job/${id}`), (job) => ({
        status: job.status,
        worker: job.worker_name,
        hatchery: job.hatchery_name
      })),
      infos: Effect.map(Effect.all([messages(`${path}/infos`), messages(`${path}/job/${id}/infos`)]), (all) =>
        all.flat()
      ),
      logs: Job.logs(api, `${path}/job/${id}/logs/links`),
      stop: Effect.asVoid(api.ask("POST", `${path}/job/${id}/stop`))
    })
  })
