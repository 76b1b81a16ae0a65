/** The V1 side of a hatchery and of a worker, by hand. */
import { Clock, Effect } from "effect"
import type { SimCds } from "../../../../../src/layers/simulated/cds/SimCds.ts"
import type { JobOrderV1 } from "../../../../../src/layers/simulated/cds/v1/Order.ts"
import { call, publicKey, signedToken } from "../caller.ts"

/** Signs in as the first identity unless `changes` say otherwise. */
export const signin = (
  api: SimCds,
  changes: Readonly<Record<string, unknown>> = {},
  token = api.identities[0]?.tokenV1
) => {
  const service = { name: "rookery", type: "hatchery", http_url: "", config: {}, public_key: publicKey, ...changes }
  return call(api, "POST", "/auth/consumer/builtin/signin", undefined, { token, service })
}

export const jobUrl = (id: string): string => `/queue/workflows/${id}`

/** A hatchery that has signed in; `index` tells which of the identities. */
export const hatchery = (api: SimCds, index = 0, changes: Readonly<Record<string, unknown>> = {}) =>
  Effect.gen(function* () {
    const { name, tokenV1 } = api.identities[index] ?? { name: "", tokenV1: "" }
    const { token } = (yield* signin(api, { name, ...changes }, tokenV1)).body as { token: string }
    const own = (method: string, url: string, body?: unknown) => call(api, method, url, token, body)
    return {
      token,
      call: own,
      queue: Effect.map(own("GET", "/queue/workflows"), ({ body }) =>
        (body as ReadonlyArray<any>).map(({ id }) => `${id}`)
      ),
      beat: own("POST", "/services/heartbeat", { now: "1970-01-01T00:00:00Z", lines: null }),
      read: (id: string) => own("GET", `${jobUrl(id)}/infos`),
      book: (id: string, delay = 0) => own("POST", `${jobUrl(id)}/book`, { delay }),
      release: (id: string) => own("DELETE", `${jobUrl(id)}/book`),
      fail: (id: string, reason: string) =>
        own("POST", `${jobUrl(id)}/result`, { id: Number(id), buildID: Number(id), status: "Fail", reason }),
      tell: (id: string, message: string, args: ReadonlyArray<unknown>) =>
        own("POST", `${jobUrl(id)}/spawn/infos`, [
          { api_time: "0001-01-01T00:00:00Z", remote_time: "2026-01-01T00:00:00Z", message: { id: message, args } }
        ])
    }
  })

export interface WorkerChoice {
  readonly name?: string
  readonly modelId?: number
  readonly hatchery?: string
}

/** The token of a worker for the job; without a job it is one that registers its model. */
export const workerToken = (id: string, now: number, { name = "stoic-heron", modelId, hatchery }: WorkerChoice = {}) =>
  signedToken(
    {
      model: modelId === undefined ? {} : { id: modelId, name: "deb" },
      ...(id === "" ? {} : { job_id: Number(id) }),
      register_only: id === "",
      hatchery_name: hatchery ?? "rookery"
    },
    name,
    now
  )

/** A worker that has signed in. */
export const worker = (api: SimCds, id: string, choice: WorkerChoice = {}) =>
  Effect.gen(function* () {
    const token = workerToken(id, yield* Clock.currentTimeMillis, choice)
    const form = { BinaryCapabilities: ["git", "make"], Version: "0.57.0", OS: "linux", Arch: "amd64" }
    const signed = yield* call(api, "POST", "/auth/consumer/worker/signin", token, form)
    const session = signed.headers["X-CDS-JWT"]
    const post = (url: string, body?: unknown) => call(api, "POST", url, session, body)
    return {
      signed,
      session,
      read: (other = id) => call(api, "GET", `${jobUrl(other)}/infos`, session),
      waiting: post("/worker/waiting", {}),
      take: post(`${jobUrl(id)}/take`, {}),
      refresh: post("/worker/refresh", {}),
      result: (status: string) => post(`${jobUrl(id)}/result`, { id: Number(id), buildID: Number(id), status }),
      signout: post("/auth/consumer/worker/signout", {})
    }
  })

export const oneJob = (api: SimCds, order: JobOrderV1 = {}) => Effect.map(api.enqueueV1(order), ([id = ""]) => id)

export const statuses = (api: SimCds, id: string) =>
  Effect.map(api.job(id), (job) => (job?.history ?? []).map(({ status }) => status))

export const rules = (api: SimCds) => Effect.map(api.violations, (all) => all.map(({ rule }) => rule))
