/** A hatchery and a worker that speak to the simulated API by hand, header by header. */
import { createPrivateKey, createPublicKey, generateKeyPairSync, sign } from "node:crypto"
import { Clock, Effect, Fiber } from "effect"
import { TestClock } from "effect/testing"
import type { ApiAnswer } from "../../../../src/layers/simulated/cds/Exchange.ts"
import { encodePublicKey, makeKeys } from "../../../../src/layers/simulated/cds/Keys.ts"
import { make } from "../../../../src/layers/simulated/cds/SimCds.ts"
import type { SimCds, SimCdsOptions } from "../../../../src/layers/simulated/cds/SimCds.ts"

/** One key of the API for all tests of a file: making one takes a while. */
export const apiKeys = makeKeys()

export const hatcheryPem = generateKeyPairSync("rsa", { modulusLength: 2048 }).privateKey.export({
  type: "pkcs1",
  format: "pem"
}) as string
export const hatcheryKey = createPrivateKey(hatcheryPem)
export const publicKey = encodePublicKey(createPublicKey(hatcheryPem))

export const simulated = (options: SimCdsOptions = {}) => make({ keys: apiKeys, seed: 1, ...options })

const months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]

const remoteTime = (ms: number): string => {
  const at = new Date(ms)
  return `${at.getUTCDate()} ${months[at.getUTCMonth()]} ${at.getUTCFullYear()} ${at.toISOString().slice(11, 19)} +0000`
}

export interface Answered {
  readonly status: number
  readonly headers: ApiAnswer["headers"]
  readonly text: string | undefined
  /** The body parsed; undefined without one. */
  readonly body: any
}

/** One call with the headers of a hatchery. */
export const call = (api: SimCds, method: string, url: string, token: string | undefined, body?: unknown) =>
  Effect.gen(function* () {
    const date = remoteTime(yield* Clock.currentTimeMillis)
    const answer = yield* api.handle({
      method,
      url,
      headers: {
        "content-type": "application/json",
        date,
        "x-cds-remotetime": date,
        ...(token === undefined ? {} : { authorization: `Bearer ${token}` })
      },
      body: body === undefined ? undefined : JSON.stringify(body)
    })
    const parsed = answer.body === undefined ? undefined : JSON.parse(answer.body)
    return { status: answer.status, headers: answer.headers, text: answer.body, body: parsed } satisfies Answered
  })

export const signin = (api: SimCds, changes: Readonly<Record<string, unknown>> = {}) => {
  const { name, token } = api.identities[0] ?? { name: "", token: "" }
  const body = { token, name, type: "vsphere", http_url: "", config: {}, public_key: publicKey, version: "0.57.0" }
  return call(api, "POST", "/v2/auth/consumer/hatchery/signin", undefined, { ...body, ...changes })
}

const part = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString("base64url")

/** A worker's token as the hatchery signs it, with these claims under `Worker`. */
export const signedToken = (
  worker: Readonly<Record<string, unknown>>,
  name: string,
  now: number,
  alg = "RS512",
  key = hatcheryKey
): string => {
  const iat = Math.floor(now / 1000)
  const own = { worker_model: name, hatchery_name: "rookery", ...worker }
  const claims = { iss: "rookery", sub: name, jti: "1", iat, exp: iat + 3600, Worker: own }
  const signed = `${part({ alg, typ: "JWT" })}.${part(claims)}`
  return `${signed}.${sign("sha512", Buffer.from(signed), key).toString("base64url")}`
}

export const workerToken = (jobId: string, name: string, now: number, alg = "RS512", key = hatcheryKey): string =>
  signedToken({ model_name: "debian", run_job_id: jobId }, name, now, alg, key)

const jobPath = (id: string): string => `/v2/queue/default/job/${id}`

/** A hatchery that has signed in. */
export const hatchery = (api: SimCds) =>
  Effect.gen(function* () {
    const { token } = (yield* signin(api)).body as { token: string }
    return {
      token,
      call: (method: string, url: string, body?: unknown) => call(api, method, url, token, body),
      read: (id: string) => call(api, "GET", jobPath(id), token),
      take: (id: string) => call(api, "POST", `${jobPath(id)}/hatchery/take`, token),
      release: (id: string) => call(api, "DELETE", `${jobPath(id)}/hatchery/take`, token)
    }
  })

/** A worker that has signed in for the job. */
export const worker = (api: SimCds, id: string, name = "stoic-heron") =>
  Effect.gen(function* () {
    const path = jobPath(id)
    const token = workerToken(id, name, yield* Clock.currentTimeMillis)
    const signed = yield* call(api, "POST", `${path}/worker/signin`, token, { OS: "linux", Arch: "amd64" })
    const session = signed.headers["X-CDS-JWT"]
    const post = (what: string, body?: unknown) => call(api, "POST", `${path}${what}`, session, body)
    return {
      signed,
      take: post("/worker/take"),
      refresh: post("/worker/refresh"),
      result: (status: string) => post("/result", { status, error: "", time: "2026-01-01T00:00:00Z" }),
      signout: post("/worker/signout")
    }
  })

/** The result of a take, once its work is done. */
export const takeAtOnce = <A, E, R>(take: Effect.Effect<A, E, R>) =>
  Effect.gen(function* () {
    const fiber = yield* Effect.forkChild(take)
    yield* TestClock.adjust("5 millis")
    return yield* Fiber.join(fiber)
  })

export const oneJob = (api: SimCds, order: Parameters<SimCds["enqueue"]>[0] = {}) =>
  Effect.map(api.enqueue(order), ([id = ""]) => id)
