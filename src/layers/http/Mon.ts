/**
 * What the hatchery tells about itself over HTTP (cds-contract 11): CDS's `/mon/version`, `/mon/status`, `/mon/workers`, `/mon/metrics` and
 * `/mon/metrics/all`, and our own `/mon/machines` and `/mon/decisions`. Everything is read only and needs no authentication, as with CDS.
 */
import { Clock, Effect, Layer } from "effect"
import { HttpRouter, HttpServerRequest, HttpServerResponse } from "effect/http"
import { PrometheusMetrics } from "effect/observability"
import { hostname } from "node:os"
import type { MonitoringStatus } from "../../schema/Monitoring.ts"
import type { PoolWorker } from "../../schema/Job.ts"
import * as Metrics from "../../services/Metrics.ts"
import { Monitor } from "../../services/Monitor.ts"
import { Settings } from "../../services/Settings.ts"
import { build, version } from "../version.ts"

const json = (body: unknown, status = 200) => HttpServerResponse.jsonUnsafe(body, { status })

/** Any other path or method; OPTIONS is answered everywhere. */
const fallback = Effect.map(HttpServerRequest.HttpServerRequest, ({ method, url }) =>
  method === "OPTIONS"
    ? HttpServerResponse.empty({ status: 200 })
    : json({ id: 38, message: "resource not found", from: `${url.split("?")[0]} not found` }, 404)
)

const versionBody = {
  version,
  architecture: process.arch === "x64" ? "amd64" : process.arch,
  os: process.platform,
  git_hash: build.gitHash,
  build_time: build.buildTime
}

/** CDS's own shape; 503 tells a load balancer or a probe that something is wrong. */
const statusResponse = (service: string, { now, lines }: MonitoringStatus) =>
  json(
    {
      now: new Date(now).toISOString(),
      lines: lines.map((line) => ({ ...line, type: "hatchery", service, hostname: hostname() }))
    },
    lines.some(({ status }) => status === "AL") ? 503 : 200
  )

/** A worker that CDS knows in CDS's own keys, which differ between its two APIs; of others there is no more to tell (cds-contract 6.1). */
const workerBody = (hatchery: string) => (worker: PoolWorker) => {
  const { name, status } = worker
  if (!("api" in worker)) return { name, status }
  const job = worker.api === "v1" ? { job_run_id: Number(worker.jobId) || null } : { run_job_id: worker.jobId }
  return { id: worker.id, name, ...job, status, hatchery_name: hatchery }
}

/** The misspelt key is CDS's. */
const metricBodies = Metrics.all.map(({ name, description, tags, aggregation }) => ({
  name,
  description,
  tags,
  dimension: "1",
  aggregagtion: aggregation
}))

/** The routes; anything else answers as CDS does. */
export const layer = Layer.unwrap(
  Effect.gen(function* () {
    const monitor = yield* Monitor
    const { cds } = yield* Settings
    const machines = Effect.zipWith(Clock.currentTimeMillis, monitor.machines, (now, rows) =>
      json({ now, machines: rows })
    )
    /** Metrics live in the context of the hatchery, not in that of a request. */
    const context = yield* Effect.context<never>()
    const metrics = Effect.map(Effect.provideContext(monitor.gauges, context), () =>
      HttpServerResponse.text(PrometheusMetrics.formatUnsafe(context), {
        contentType: "text/plain; version=0.0.4; charset=utf-8"
      })
    )
    return Layer.mergeAll(
      HttpRouter.add("GET", "/mon/version", json(versionBody)),
      HttpRouter.add(
        "GET",
        "/mon/status",
        Effect.map(monitor.status, (status) => statusResponse(cds.name, status))
      ),
      HttpRouter.add(
        "GET",
        "/mon/workers",
        Effect.map(monitor.workers, (workers) => json(workers.map(workerBody(cds.name))))
      ),
      HttpRouter.add("GET", "/mon/metrics", metrics),
      HttpRouter.add("GET", "/mon/metrics/all", json(metricBodies)),
      HttpRouter.add("GET", "/mon/machines", machines),
      HttpRouter.add(
        "GET",
        "/mon/decisions",
        Effect.map(monitor.waiting, (decisions) => json(decisions))
      ),
      HttpRouter.add("*", "/*", fallback)
    )
  })
)
