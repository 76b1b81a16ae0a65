import { request } from "node:http"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer } from "effect"
import * as Server from "../../src/layers/http/Server.ts"
import * as CdsFront from "../../src/layers/simulated/cds/Front.ts"
import * as VCenterFront from "../../src/layers/simulated/vcenter/Front.ts"
import { defaults } from "../../src/schema/Config.ts"
import { Monitor } from "../../src/services/Monitor.ts"
import { Settings } from "../../src/services/Settings.ts"

interface Asked {
  readonly method?: string
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string
}

/** The status of the answer, or the code of the error that came in its place. */
const ask = (url: string, { method = "GET", headers = {}, body }: Asked = {}) =>
  Effect.callback<number | string>((resume) => {
    const sent = request(url, { method, headers, agent: false }, (response) => {
      response.resume()
      response.on("end", () => resume(Effect.succeed(response.statusCode ?? 0)))
    })
    sent.on("error", (error) => resume(Effect.succeed("code" in error ? String(error.code) : error.message)))
    sent.end(body)
  })

const methods = ["POST", "PUT", "PATCH", "DELETE", "PROPFIND", "LOCK"]
const paths = ["/mon/version", "/mon/status", "/mon/metrics", "/mon/machines", "/mon/decisions", "/", "/admin", "/mon"]

describe("the hatchery's own HTTP server", () => {
  it.live("has nothing that changes anything: every method that could is answered 404 before anybody is asked", () => {
    let reads = 0
    const counted = Effect.sync(() => {
      reads++
      return []
    })
    const monitor = Layer.mock(Monitor)({
      machines: counted,
      waiting: counted,
      gauges: counted,
      status: Effect.sync(() => ({ now: reads++, lines: [] }))
    })
    const http = { addr: "127.0.0.1", port: 0 }
    return Effect.gen(function* () {
      const url = yield* Server.address
      for (const method of methods)
        for (const path of paths)
          assert.strictEqual(yield* ask(url + path, { method, body: '{"reap":true}' }), 404, `${method} ${path}`)
      assert.strictEqual(reads, 0)
      for (const path of paths.slice(0, 5)) assert.strictEqual(yield* ask(url + path), 200, path)
      assert.strictEqual(reads, 4)
    }).pipe(Effect.provide(Layer.provide(Server.layer, [monitor, Layer.succeed(Settings, { ...defaults, http })])))
  })
})

const page = { origin: "http://evil.example" }

/** Two control ports, each with an order that changes something, and the count that it would change. */
const simulators = {
  "simulated CDS API": CdsFront.front({ host: "0.0.0.0" }).pipe(
    Effect.map(({ controlUrl, api }) => ({
      controlUrl,
      path: "/jobs",
      body: "{}",
      count: Effect.map(api.jobs, (jobs) => jobs.length)
    }))
  ),
  "simulated vCenter": VCenterFront.front({ host: "0.0.0.0" }).pipe(
    Effect.map(({ controlUrl, vcenter }) => ({
      controlUrl,
      path: "/machines",
      body: '{"count":1}',
      count: Effect.sync(() => vcenter.machines().filter(({ template }) => !template).length)
    }))
  )
}

describe("the control port of a simulator", () => {
  for (const [name, front] of Object.entries(simulators)) {
    it.live(`listens on loopback alone, wherever the API listens: ${name}`, () =>
      Effect.gen(function* () {
        const { controlUrl } = yield* front
        assert.strictEqual(yield* ask(`${controlUrl}/state`), 200)
        assert.strictEqual(yield* ask(`${controlUrl.replace("127.0.0.1", "127.0.0.2")}/state`), "ECONNREFUSED")
      })
    )

    it.live(`does nothing without its key, and nothing for a web page: ${name}`, () =>
      Effect.gen(function* () {
        const { controlUrl, path, body, count } = yield* front
        const { origin, port } = new URL(controlUrl)
        const order = (url: string, headers: Asked["headers"] = {}) => ask(url, { method: "POST", headers, body })

        assert.strictEqual(yield* order(origin + path), 404)
        assert.strictEqual(yield* order(`${origin}/00000000-0000-4000-8000-000000000000${path}`), 404)
        assert.strictEqual(yield* order(controlUrl + path, page), 403)
        assert.strictEqual(yield* order(controlUrl + path, { host: `rebound.example:${port}` }), 403)
        assert.strictEqual(yield* count, 0)

        assert.strictEqual(yield* order(controlUrl + path, { host: `localhost:${port}` }), 200)
        assert.strictEqual(yield* count, 1)
      })
    )
  }
})
