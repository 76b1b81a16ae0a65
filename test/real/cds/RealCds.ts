/** The real CDS, engine 0.57.0, as a test's partner: API, CDN and their databases, with a hatchery's identities and work for it. */
import { Effect, type Scope } from "effect"
import type { HarnessError } from "../harness/HarnessError.ts"
import * as Go from "../harness/Go.ts"
import type { Api } from "./Api.ts"
import * as AsCode from "./AsCode.ts"
import * as Databases from "./Databases.ts"
import * as Engine from "./Engine.ts"
import * as Folder from "./Folder.ts"
import type { Job } from "./Job.ts"
import * as JobV1 from "./JobV1.ts"
import * as JobV2 from "./JobV2.ts"
import { type Programs, programs } from "./Programs.ts"
import * as Seed from "./Seed.ts"

/** The first one runs the V2 jobs that name none. */
type Models = readonly [AsCode.ModelV2, ...ReadonlyArray<AsCode.ModelV2>]

export interface Options {
  /** The hatchery's name at CDS; `hatch` unless given. */
  readonly hatchery?: string
  /** V2 models; one named `debian` with the template `debian12` unless given. */
  readonly models?: Models
  /** Settings of the engine. Short timeouts save waiting, e.g. `{ "api.workflowv2.jobSchedulingTimeout": 5 }`. */
  readonly settings?: Engine.Settings
}

/** A worker that the API knows. */
export interface Worker {
  readonly id: string
  readonly name: string
  readonly status: string
  readonly hatchery_name: string
}

/** A service that the API knows, such as a hatchery with a V1 identity. */
export interface Service {
  readonly name: string
  readonly type: string
  readonly last_heartbeat: string
  readonly monitoring_status: {
    readonly lines: ReadonlyArray<{
      readonly status: string
      readonly component: string
      readonly value: string
    }> | null
  }
}

/** A V1 worker model as the API has it. */
export interface ModelV1 {
  readonly name: string
  readonly type: string
  /** Until a worker with `register` has told what the template has. */
  readonly need_registration: boolean
  readonly nb_spawn_err: number
  readonly last_spawn_err: string | null
  readonly registered_capabilities: ReadonlyArray<{ readonly type: string; readonly value: string }> | null
}

export interface RealCds {
  /** The API's. */
  readonly url: string
  readonly hatchery: string
  readonly region: string
  readonly project: string
  /** Owns the V1 models. */
  readonly group: string
  /** The consumer tokens of the hatchery. */
  readonly tokens: Seed.Tokens
  /** The administrator's session, for what is not below. It lives an hour. */
  readonly api: Api
  readonly engine: Engine.Engine
  /** A further hatchery of this name at the same API, with a project, a region and a group of its own. */
  readonly another: (hatchery: string) => Effect.Effect<RealCds, HarnessError>
  /** How V2 jobs name a model, and V1 requirements with `@master` behind it. */
  readonly pathOf: (model: string) => string
  readonly runV2Job: (order: JobV2.OrderV2) => Effect.Effect<Job, HarnessError>
  /** A run of its own for each; all are queued at once. Answers in the orders' order. */
  readonly runV2Jobs: (orders: ReadonlyArray<JobV2.OrderV2>) => Effect.Effect<ReadonlyArray<Job>, HarnessError>
  readonly runV1Job: (order: JobV1.OrderV1) => Effect.Effect<Job, HarnessError>
  /** Adds a V1 worker model of the hatchery's group. It needs registration. */
  readonly addModelV1: (model: Seed.ModelV1) => Effect.Effect<void, HarnessError>
  readonly modelV1: (name: string) => Effect.Effect<ModelV1, HarnessError>
  /** The hatchery's. */
  readonly workersV1: Effect.Effect<ReadonlyArray<Worker>, HarnessError>
  readonly workersV2: Effect.Effect<ReadonlyArray<Worker>, HarnessError>
  /** Disables a V1 worker by its id; the API has no such call for V2. */
  readonly disableWorker: (id: string) => Effect.Effect<void, HarnessError>
  readonly services: Effect.Effect<ReadonlyArray<Service>, HarnessError>
  /** Ends all sessions of the hatchery, of both kinds; their next calls are answered 401. */
  readonly revokeSessions: Effect.Effect<void, HarnessError>
}

/** Why the real CDS cannot run on this machine; undefined where it can. */
export const cdsMissing = (): string | undefined =>
  process.arch === "x64"
    ? (Go.goMissing() ?? Databases.databasesMissing())
    : `the worker models are for amd64, this is ${process.arch}`

const defaultModels: Models = [{ name: "debian", spec: { image: "debian12" } }]

/** Builds what must be built, starts everything and seeds it. All of it ends with the scope. */
export const start = (options: Options = {}): Effect.Effect<RealCds, HarnessError, Scope.Scope> =>
  Effect.gen(function* () {
    const { hatchery = "hatch", models = defaultModels, settings = {} } = options
    const built = yield* programs
    const engine = yield* Engine.start(built, yield* Folder.scratch, settings)
    const api = yield* Seed.admin(engine)
    yield* engine.startCdn
    yield* Seed.scriptPlugin(api, built)
    return yield* serve({ built, engine, api, models }, Seed.first(hatchery))
  })

/** What all hatcheries of one API have in common. */
interface Common {
  readonly built: Programs
  readonly engine: Engine.Engine
  readonly api: Api
  readonly models: Models
}

const serve = (common: Common, tenant: Seed.Tenant): Effect.Effect<RealCds, HarnessError> =>
  Effect.gen(function* () {
    const { built, engine, api, models } = common
    const tokens = yield* Seed.tenant(api, tenant)
    yield* AsCode.write(built, engine, tenant.project, models)
    return { ...work(common, tenant), tokens, another: (name) => serve(common, Seed.further(name)) }
  })

const work = ({ built, engine, api, models }: Common, tenant: Seed.Tenant): Omit<RealCds, "tokens" | "another"> => {
  const { hatchery, project, region, group } = tenant
  const consumers = `SELECT id FROM auth_consumer WHERE name = '${hatchery}'`
  const revoke = Databases.sql(engine.database, `DELETE FROM auth_session WHERE consumer_id IN (${consumers})`)
  let count = 0
  const name = () => `work-${++count}`
  const runV2Jobs: RealCds["runV2Jobs"] = (orders) =>
    Effect.gen(function* () {
      const workflows = orders.map((order) => JobV2.workflow(tenant, name(), order, models[0].name))
      const runs = yield* AsCode.write(built, engine, project, models, workflows)
      return yield* Effect.forEach(runs, (run) => JobV2.queued(api, project, run), { concurrency: "unbounded" })
    })
  const list = <A>(path: string) => Effect.map(api.ask<ReadonlyArray<A> | null>("GET", path), (all) => all ?? [])
  const workers = (path: string) =>
    Effect.map(list<Worker>(path), (all) => all.filter(({ hatchery_name }) => hatchery_name === hatchery))
  return {
    url: engine.url,
    hatchery,
    region,
    project,
    group,
    api,
    engine,
    pathOf: (model) => AsCode.pathOf(project, model),
    runV2Jobs,
    runV2Job: (order) => Effect.map(runV2Jobs([order]), ([job]) => job!),
    runV1Job: (order) => Effect.suspend(() => JobV1.run(api, project, name(), order)),
    addModelV1: (model) => Seed.modelV1(api, group, model),
    modelV1: (of) => api.ask("GET", `/worker/model/${group}/${of}`),
    workersV1: workers("/worker"),
    workersV2: workers("/v2/worker"),
    disableWorker: (id) => Effect.asVoid(api.ask("POST", `/worker/${id}/disable`)),
    services: list<Service>("/admin/services"),
    revokeSessions: Effect.asVoid(revoke)
  }
}
