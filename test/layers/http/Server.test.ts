import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Metric } from "effect"
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import { address, layer } from "../../../src/layers/http/Server.ts"
import * as Metrics from "../../../src/layers/telemetry/Metrics.ts"
import { defaults } from "../../../src/schema/Config.ts"
import type { PoolWorker } from "../../../src/schema/Job.ts"
import type { MonitoringLine } from "../../../src/schema/Monitoring.ts"
import { frozen, jobsExamined } from "../../../src/services/Metrics.ts"
import { Monitor, type MachineRow } from "../../../src/services/Monitor.ts"
import { Settings } from "../../../src/services/Settings.ts"

const row: MachineRow = {
  id: "0d1b",
  ref: "vm-9",
  name: "brisk-gould",
  state: "running",
  since: 1_000,
  deadline: 2_000,
  template: "debian12",
  job: "job-1",
  ip: "10.0.0.4",
  reason: undefined
}

const lines: Array<MonitoringLine> = []

const workers: ReadonlyArray<PoolWorker> = [
  { api: "v1", id: "w-1", name: "brave-one", status: "Building", jobId: "777" },
  { api: "v2", id: "w-2", name: "calm-two", status: "Waiting", jobId: "" },
  { name: "register-three", status: "Registering" }
]

const monitor = Layer.succeed(Monitor, {
  status: Effect.succeed({ now: 1_767_225_600_000, lines }),
  workers: Effect.succeed(workers),
  machines: Effect.succeed([row]),
  waiting: Effect.succeed([{ job: "job-2", at: 5, reason: "maxWorker 10 reached" }]),
  gauges: Metric.update(frozen, 1),
  leased: Effect.succeed(1)
})

/** One value, hence one registry for all that it is provided to. */
const labels = Metrics.layer("hatch")

const on = (http: { readonly addr: string; readonly port: number }) =>
  Layer.provide(
    layer,
    Layer.mergeAll(
      monitor,
      Layer.succeed(Settings, { ...defaults, cds: { ...defaults.cds, name: "hatch" }, http }),
      labels
    )
  )

const get = (path: string, method = "GET") =>
  Effect.gen(function* () {
    const url = yield* address
    const response = yield* Effect.promise(() => fetch(`${url}${path}`, { method }))
    const text = yield* Effect.promise(() => response.text())
    return { status: response.status, text, body: () => JSON.parse(text), headers: response.headers }
  })

const served = Effect.provide(on({ addr: "127.0.0.1", port: 0 }))

describe("the HTTP server", () => {
  it.live("tells its version in CDS's keys", () =>
    Effect.gen(function* () {
      const { status, body } = yield* get("/mon/version")
      assert.strictEqual(status, 200)
      assert.deepStrictEqual(Object.keys(body()), ["version", "architecture", "os", "git_hash", "build_time"])
      assert.match(body().version, /^\d+\.\d+\.\d+/)
    }).pipe(served)
  )

  it.live("answers the status with 200, or 503 when a line is an alert", () =>
    Effect.gen(function* () {
      lines.splice(0, lines.length, { status: "WARN", component: "Workers", value: "3/10" })
      const good = yield* get("/mon/status")
      assert.strictEqual(good.status, 200)
      assert.strictEqual(good.body().now, "2026-01-01T00:00:00.000Z")
      assert.deepInclude(good.body().lines[0], {
        status: "WARN",
        component: "Workers",
        value: "3/10",
        type: "hatchery",
        service: "hatch"
      })
      lines.push({ status: "AL", component: "vCenter", value: "unreachable" })
      assert.strictEqual((yield* get("/mon/status")).status, 503)
    }).pipe(served)
  )

  it.live("exposes metrics as they are now, with CDS's labels on each series", () =>
    Effect.gen(function* () {
      const update = Metric.update(jobsExamined, 1)
      const http = on({ addr: "127.0.0.1", port: 0 })
      yield* Effect.gen(function* () {
        assert.notInclude((yield* get("/mon/metrics")).text, "cds_hatchery_jobs_count")
        yield* update
        yield* update
        const { text, headers } = yield* get("/mon/metrics")
        assert.include(text, 'cds_hatchery_jobs_count{service_name="hatch",service_type="hatchery"} 2\n')
        assert.include(text, "# TYPE cds_hatchery_jobs_count counter")
        assert.include(text, 'cds_hatchery_vsphere_frozen{service_name="hatch",service_type="hatchery"} 1\n')
        assert.include(headers.get("content-type"), "text/plain; version=0.0.4")
      }).pipe(Effect.provide(Layer.provideMerge(http, labels)))
    })
  )

  it.live("lists the workers in CDS's keys, those that CDS does not know by name and status", () =>
    Effect.gen(function* () {
      const hatchery_name = "hatch"
      assert.deepStrictEqual((yield* get("/mon/workers")).body(), [
        { id: "w-1", name: "brave-one", job_run_id: 777, status: "Building", hatchery_name },
        { id: "w-2", name: "calm-two", run_job_id: "", status: "Waiting", hatchery_name },
        { name: "register-three", status: "Registering" }
      ])
    }).pipe(served)
  )

  it.live("lists every metric by CDS's name, one that has no value yet included", () =>
    Effect.gen(function* () {
      const { status, body } = yield* get("/mon/metrics/all")
      assert.strictEqual(status, 200)
      const found = body().find(({ name }: { name: string }) => name === "cds/hatchery/vsphere/worker_vcpus")
      assert.deepStrictEqual(found, {
        name: "cds/hatchery/vsphere/worker_vcpus",
        description: "CPUs of a machine of this hatchery",
        tags: ["service_name", "service_type", "worker_name", "worker_model"],
        dimension: "1",
        aggregagtion: "LastValue"
      })
    }).pipe(served)
  )

  it.live("lists machines and the reasons why jobs wait", () =>
    Effect.gen(function* () {
      const { body } = yield* get("/mon/machines")
      const { reason: _, ...told } = row
      assert.deepStrictEqual(body().machines, [told])
      assert.deepStrictEqual((yield* get("/mon/decisions")).body(), [
        { job: "job-2", at: 5, reason: "maxWorker 10 reached" }
      ])
    }).pipe(served)
  )

  it.live("answers what it does not know as CDS does", () =>
    Effect.gen(function* () {
      for (const [path, method] of [
        ["/x?y=1", "GET"],
        ["/x", "POST"]
      ] as const) {
        const { status, body } = yield* get(path, method)
        assert.strictEqual(status, 404)
        assert.deepStrictEqual(body(), { id: 38, message: "resource not found", from: "/x not found" })
      }
      assert.strictEqual((yield* get("/mon/status", "DELETE")).status, 404)
      assert.strictEqual((yield* get("/mon/status", "OPTIONS")).status, 200)
    }).pipe(served)
  )

  it.live("names the setting when it cannot listen", () =>
    Effect.gen(function* () {
      const taken = createServer()
      yield* Effect.promise(() => new Promise<void>((done) => taken.listen(0, "127.0.0.1", done)))
      const { port } = taken.address() as AddressInfo
      const failure = yield* Effect.flip(Effect.scoped(Layer.build(on({ addr: "127.0.0.1", port }))))
      taken.close()
      assert.include(failure.message, `commonConfiguration.http = 127.0.0.1:${port}: cannot listen there`)
    })
  )
})
