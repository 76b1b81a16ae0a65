import { execFile } from "node:child_process"
import { existsSync, mkdtempSync, mkdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { assert, it } from "@effect/vitest"
import { Effect, Queue } from "effect"
import * as Toml from "effect/encoding/Toml"
import { WebSocket } from "ws"
import { exampleConfig, front } from "../../../../src/layers/simulated/cds/Front.ts"
import type { Front } from "../../../../src/layers/simulated/cds/Front.ts"
import { apiKeys, hatchery, hatcheryPem, publicKey, workerToken } from "./caller.ts"
import * as V1 from "./v1/caller.ts"

const served = front({ keys: apiKeys, timings: { workerBeatMs: 200 } })

const post = (url: string, body: unknown) =>
  Effect.promise(() => fetch(url, { method: "POST", body: JSON.stringify(body) }))

const jsonOf = (url: string) => Effect.promise(() => fetch(url).then((answer) => answer.json() as Promise<any>))

/** The frames of a real websocket, then its close code. */
const listen = (it: Front, token: string) =>
  Effect.gen(function* () {
    const heard = yield* Queue.unbounded<string | number>()
    const date = "1 Jan 2026 00:00:00 +0000"
    const headers = { authorization: `Bearer ${token}`, date, "x-cds-remotetime": date }
    yield* Effect.acquireRelease(
      Effect.callback<WebSocket, Error>((resume) => {
        const socket = new WebSocket(`${it.apiUrl.replace("http", "ws")}/v2/hatchery/ws`, { headers })
        socket.on("message", (data) => Queue.offerUnsafe(heard, String(data)))
        socket.on("close", (code) => Queue.offerUnsafe(heard, code))
        socket.on("open", () => resume(Effect.succeed(socket)))
        socket.on("error", (error) => resume(Effect.fail(error)))
      }),
      (socket) => Effect.sync(() => socket.terminate())
    )
    return heard
  })

it.live("A hatchery signs in over HTTP, with the answer compressed, and is told this address", () =>
  Effect.gen(function* () {
    const it = yield* served
    const [identity] = yield* jsonOf(`${it.controlUrl}/identities`)
    assert.strictEqual(identity.region, "default")
    const body = { ...identity, type: "vsphere", public_key: publicKey }
    const answer = yield* post(`${it.apiUrl}/v2/auth/consumer/hatchery/signin`, body)
    assert.strictEqual(answer.headers.get("content-encoding"), "gzip")
    assert.isNotNull(answer.headers.get("x-api-pub-signing-key"))
    assert.strictEqual((yield* Effect.promise(() => answer.json() as Promise<any>)).api_url, it.apiUrl)
    const missing = yield* Effect.promise(() => fetch(`${it.apiUrl}/nowhere`))
    assert.strictEqual(missing.status, 404)
  })
)

it.live("The control port orders jobs, sets faults, and shows jobs and state", () =>
  Effect.gen(function* () {
    const it = yield* served
    const made = yield* post(`${it.controlUrl}/jobs`, { count: 2, image: "debian13" })
    const { ids } = yield* Effect.promise(() => made.json() as Promise<any>)
    assert.strictEqual((yield* jsonOf(`${it.controlUrl}/jobs/${ids[0]}`)).image, "debian13")
    assert.strictEqual((yield* jsonOf(`${it.controlUrl}/state`)).counts.waiting, 2)
    yield* post(`${it.controlUrl}/jobs/${ids[0]}/stop`, {})
    assert.strictEqual((yield* jsonOf(`${it.controlUrl}/jobs`))[0].status, "Stopped")
    yield* post(`${it.controlUrl}/fault`, { kind: "answer", status: 503 })
    assert.strictEqual((yield* Effect.promise(() => fetch(`${it.apiUrl}/nowhere`))).status, 503)
    assert.strictEqual((yield* post(`${it.controlUrl}/fault`, { kind: "unknown" })).status, 400)
    assert.strictEqual((yield* post(`${it.controlUrl}/switches`, { eventCopy: 2 })).status, 400)
    assert.strictEqual((yield* post(`${it.controlUrl}/switches`, { eventCopies: 2 })).status, 204)
    assert.strictEqual(it.api.state.switches.eventCopies, 2)
  })
)

it.live("The control port orders V1 jobs, adds models, deletes a service, and shows the V1 side", () =>
  Effect.gen(function* () {
    const it = yield* served
    yield* V1.signin(it.api)
    const made = yield* post(`${it.controlUrl}/v1/jobs`, { count: 2, region: "west" })
    assert.deepStrictEqual((yield* Effect.promise(() => made.json() as Promise<any>)).ids, ["1", "2"])
    assert.strictEqual((yield* jsonOf(`${it.controlUrl}/jobs/2`)).region, "west")
    yield* post(`${it.controlUrl}/jobs/2/stop`, {})
    assert.strictEqual((yield* post(`${it.controlUrl}/v1/models`, { name: "deb" })).status, 204)
    assert.strictEqual((yield* post(`${it.controlUrl}/v1/models`, { nam: "deb" })).status, 400)
    assert.strictEqual((yield* post(`${it.controlUrl}/v1/models-as-code`, { path: "P/v/r/deb" })).status, 204)
    const { counts, v1 } = yield* jsonOf(`${it.controlUrl}/state`)
    assert.deepInclude(counts, { waiting: 1, stopped: 1 })
    assert.strictEqual(v1.services[0].name, "rookery")
    assert.strictEqual(v1.models[0].needRegistration, true)
    const gone = yield* Effect.promise(() => fetch(`${it.controlUrl}/v1/services/rookery`, { method: "DELETE" }))
    assert.strictEqual(gone.status, 204)
    assert.strictEqual(it.api.state.v1.services.size, 0)
  })
)

it.live("A dropped call ends the connection without an answer", () =>
  Effect.gen(function* () {
    const it = yield* served
    yield* it.api.fault({ kind: "dropped" })
    const answer = yield* Effect.result(Effect.tryPromise(() => fetch(`${it.apiUrl}/v2/worker`)))
    assert.isTrue("failure" in answer)
  })
)

it.live("A websocket gets events, and is closed with a code or dropped on demand", () =>
  Effect.gen(function* () {
    const it = yield* served
    const { token } = yield* hatchery(it.api)
    const first = yield* listen(it, token)
    const [id = ""] = yield* it.api.enqueue()
    assert.include(String(yield* Queue.take(first)), id)
    yield* post(`${it.controlUrl}/sockets/end`, { how: 1001 })
    assert.strictEqual(yield* Queue.take(first), 1001)
    const second = yield* listen(it, token)
    yield* it.api.endSockets("drop")
    assert.strictEqual(yield* Queue.take(second), 1006)
    const refused = yield* Effect.flip(listen(it, "old"))
    assert.include(refused.message, "401")
    assert.deepStrictEqual(yield* it.api.violations, [])
  })
)

interface Ended {
  readonly code: number
  readonly output: string
}

/** Where the machine has each of these tools; those that it lacks are left out. */
const toolsHere = (names: ReadonlyArray<string>): ReadonlyArray<readonly [string, string]> =>
  names.flatMap((name) => {
    const path = (process.env["PATH"] ?? "").split(":").find((folder) => existsSync(join(folder, name)))
    return path === undefined ? [] : [[name, join(path, name)] as const]
  })

const smallTools = ["sh", "sed", "base64", "mktemp", "rm", "sleep", "date", "cat"]

/** Downloads the worker from the front and runs it in a folder of its own, with only the small tools and this downloader in its PATH. */
const runWorker = (it: Front, config: string, downloader = "curl", args: ReadonlyArray<string> = []) =>
  Effect.gen(function* () {
    const folder = yield* Effect.acquireRelease(
      Effect.sync(() => mkdtempSync(join(tmpdir(), "cds-worker-"))),
      (path) => Effect.sync(() => rmSync(path, { recursive: true, force: true }))
    )
    const script = join(folder, "worker")
    const answer = yield* Effect.promise(() => fetch(`${it.apiUrl}/download/worker/linux/amd64`))
    writeFileSync(script, yield* Effect.promise(() => answer.text()), { mode: 0o755 })
    const bin = join(folder, "bin")
    mkdirSync(bin)
    for (const [name, path] of toolsHere([...smallTools, downloader])) symlinkSync(path, join(bin, name))
    const env = { PATH: bin, CDS_CONFIG: Buffer.from(config).toString("base64"), TMPDIR: folder }
    return yield* Effect.callback<Ended>((resume) => {
      const child = execFile(script, args, { env }, (error, stdout, stderr) =>
        resume(Effect.succeed({ code: Number(error?.code ?? 0), output: stdout + stderr }))
      )
      return Effect.sync(() => child.kill())
    })
  })

const configOf = (it: Front, id: string, token: string) => ({
  log: { Level: "", name: "wrong", GraylogPort: "0", TextFields: null },
  region: "default",
  run_job_id: id,
  api_token: token,
  inject_env_vars: { name: "wrong", region: "wrong" },
  hatchery_name: "rookery",
  api_endpoint: it.apiUrl,
  name: "stoic-heron"
})

/** A front with one job that a hatchery has taken. */
const scheduled = Effect.gen(function* () {
  const it = yield* served
  const hatch = yield* hatchery(it.api)
  const [id = ""] = yield* it.api.enqueue({ durationMs: 500 })
  yield* hatch.take(id)
  return { it, id, config: configOf(it, id, workerToken(id, "stoic-heron", Date.now())) }
})

for (const downloader of ["curl", "wget"]) {
  it.live.skipIf(toolsHere([downloader]).length === 0)(
    `The shell worker runs its job for real with ${downloader}: signin, take, beats, result, signout`,
    () =>
      Effect.gen(function* () {
        const { it, id, config } = yield* scheduled
        yield* it.api.fault({ kind: "answer", status: 500, path: "/worker/take" })
        const { code, output } = yield* runWorker(it, JSON.stringify(config, null, 2), downloader)
        assert.strictEqual(code, 0, output)
        assert.include(output, `worker stoic-heron: ran job ${id}: Success`)
        const job = yield* it.api.job(id)
        assert.deepStrictEqual(
          job?.history.map(({ status }) => status),
          ["Waiting", "Scheduling", "Building", "Success"]
        )
        assert.strictEqual([...it.api.state.workers.values()][0]?.status ?? "Disabled", "Disabled")
        assert.deepStrictEqual(yield* it.api.violations, [])
      })
  )
}

/** A front with a V1 hatchery, and the configuration of a worker of it. */
const bookedV1 = (id: string, keys: Readonly<Record<string, unknown>>, choice: V1.WorkerChoice = {}) =>
  Effect.gen(function* () {
    const it = yield* served
    const hatch = yield* V1.hatchery(it.api)
    const { id: modelId } = yield* it.api.addModel({ name: "deb" })
    const { run_job_id: _, ...config } = configOf(it, "", V1.workerToken(id, Date.now(), { ...choice, modelId }))
    return { it, hatch, config: JSON.stringify({ ...config, region: undefined, ...keys }, null, 2) }
  })

for (const downloader of ["curl", "wget"]) {
  it.live.skipIf(toolsHere([downloader]).length === 0)(
    `The shell worker runs a V1 job for real with ${downloader}, and tries again what failed`,
    () =>
      Effect.gen(function* () {
        const { it, hatch, config } = yield* bookedV1("1", { booked_job_id: 1 })
        yield* it.api.enqueueV1({ durationMs: 500, outcome: "Fail" })
        yield* hatch.book("1")
        yield* it.api.fault({ kind: "answer", status: 500, path: "/take" })
        const { code, output } = yield* runWorker(it, config, downloader)
        assert.strictEqual(code, 0, output)
        assert.include(output, "worker stoic-heron: ran job 1: Fail")
        assert.deepStrictEqual(yield* V1.statuses(it.api, "1"), ["Waiting", "Scheduling", "Building", "Fail"])
        assert.strictEqual([...it.api.state.v1.workers.values()][0]?.status, "Disabled")
        assert.deepStrictEqual(yield* it.api.violations, [])
      })
  )
}

it.live("The shell worker ends at its next beat with 0 when its V1 job was stopped", () =>
  Effect.gen(function* () {
    const { it, hatch, config } = yield* bookedV1("1", { booked_job_id: 1 })
    yield* it.api.enqueueV1({ durationMs: 60_000, cancel: { on: "Building", afterMs: 10 } })
    yield* hatch.book("1")
    const { code, output } = yield* runWorker(it, config)
    assert.strictEqual(code, 0, output)
    assert.include(output, "job 1 has ended without us")
    assert.strictEqual((yield* it.api.job("1"))?.status, "Stopped")
  })
)

it.live("The shell worker started as `worker register` registers its model", () =>
  Effect.gen(function* () {
    const { it, config } = yield* bookedV1("", {})
    const { code, output } = yield* runWorker(it, config, "curl", ["register"])
    assert.strictEqual(code, 0, output)
    assert.deepInclude([...it.api.state.v1.models.values()][0], { needRegistration: false, registeredOs: "linux" })
    assert.strictEqual((yield* runWorker(it, config)).code, 2)
  })
)

it.live("The shell worker exits with 1 and the API's words when it may not sign in", () =>
  Effect.gen(function* () {
    const { it, id, config } = yield* scheduled
    yield* it.api.stop(id)
    const { code, output } = yield* runWorker(it, JSON.stringify(config))
    assert.strictEqual(code, 1)
    assert.match(output, /signin was refused: 403 .*the job is Stopped/)
  })
)

it.live("The shell worker exits with 2 when CDS_CONFIG lacks a key", () =>
  Effect.gen(function* () {
    const it = yield* served
    assert.strictEqual((yield* runWorker(it, `{"name":"w"}`)).code, 2)
  })
)

it.live("A port that is taken fails with its address", () =>
  Effect.gen(function* () {
    const it = yield* served
    const error = yield* Effect.flip(front({ keys: apiKeys, port: it.port }))
    assert.include(error.message, `127.0.0.1:${it.port}`)
  })
)

it("The example configuration is TOML that holds what it was given", () => {
  const toml = exampleConfig({ apiUrl: "http://a", name: "n", token: "t", tokenV1: "u", rsaPrivateKey: hatcheryPem })
  const parsed = Toml.parse(toml) as { readonly success?: any }
  const common = parsed.success.hatchery.vsphere.commonConfiguration
  const { token, tokenV2, http } = common.api
  assert.deepStrictEqual([common.name, token, tokenV2, http.url], ["n", "u", "t", "http://a"])
  assert.strictEqual(common.rsaPrivateKey.trim(), hatcheryPem.trim())
})
