import { afterEach, assert, describe, it } from "@effect/vitest"
import { ConfigProvider, Effect, Layer, Logger } from "effect"
import { layer } from "../../../src/layers/telemetry/Tracing.ts"
import { receiver, spansOf } from "../../support/otlp.ts"

const transition = Effect.fn("Vm.transition")(function* (machine: string) {
  yield* Effect.annotateCurrentSpan({ "vm.id": machine })
  yield* Effect.withSpan(Effect.void, "VSphere.reconfigure")
  yield* Effect.withSpan(Effect.void, "VSphere.powerOn")
  return machine
})

const variables = ["OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_SDK_DISABLED", "OTEL_SERVICE_NAME", "OTEL_TRACES_SAMPLER"]

/** Runs one transition with these variables and ends the layer. OpenTelemetry reads the process's own, Effect's `Config` a copy. */
const traced = (values: Readonly<Record<string, string>>) =>
  Effect.suspend(() => {
    for (const name of variables) delete process.env[name]
    Object.assign(process.env, values)
    return transition("vm-9").pipe(
      Effect.provide(Layer.fresh(layer)),
      Effect.provideService(ConfigProvider.ConfigProvider, ConfigProvider.fromEnv())
    )
  })

const warnings: Array<string> = []
const listening = Logger.layer([Logger.make(({ message }) => warnings.push(String(message)))])

describe("traces", () => {
  afterEach(() => {
    warnings.length = 0
    for (const name of variables) delete process.env[name]
  })

  it.live("reach an OTLP receiver in order and nesting, with attributes and the service's name", () =>
    Effect.gen(function* () {
      const { exports, url } = yield* receiver(200)
      yield* traced({ OTEL_EXPORTER_OTLP_ENDPOINT: url, OTEL_SERVICE_NAME: "hatch" })

      const spans = spansOf(exports)
      const named = (name: string) => spans.find((span) => span.name === name)!
      const parent = named("Vm.transition")
      const children = [named("VSphere.reconfigure"), named("VSphere.powerOn")]
      assert.strictEqual(spans.length, 3)
      for (const child of children) {
        assert.strictEqual(child.parentSpanId, parent.spanId)
        assert.strictEqual(child.traceId, parent.traceId)
      }
      assert.isTrue(BigInt(children[0]!.startTimeUnixNano) <= BigInt(children[1]!.startTimeUnixNano))
      assert.deepInclude(parent.attributes, { key: "vm.id", value: { stringValue: "vm-9" } })
      const resource = exports[0]!.resourceSpans[0]!.resource.attributes
      assert.deepInclude(resource, { key: "service.name", value: { stringValue: "hatch" } })
    })
  )

  it.live("carry the name rookery when the environment gives none", () =>
    Effect.gen(function* () {
      const { exports, url } = yield* receiver(200)
      yield* traced({ OTEL_EXPORTER_OTLP_ENDPOINT: url })
      const resource = exports[0]!.resourceSpans[0]!.resource.attributes
      assert.deepInclude(resource, { key: "service.name", value: { stringValue: "rookery" } })
    })
  )

  it.live("stay at home when the sampler, the switch or the missing endpoint says so", () =>
    Effect.gen(function* () {
      const { exports, url } = yield* receiver(200)
      yield* traced({ OTEL_EXPORTER_OTLP_ENDPOINT: url, OTEL_TRACES_SAMPLER: "always_off" })
      yield* traced({ OTEL_EXPORTER_OTLP_ENDPOINT: url, OTEL_SDK_DISABLED: "true" })
      yield* traced({})
      assert.deepStrictEqual(exports, [])
    })
  )

  it.live("change nothing when the receiver is down", () =>
    Effect.gen(function* () {
      const { server, url } = yield* receiver(200)
      server.close()
      assert.strictEqual(yield* traced({ OTEL_EXPORTER_OTLP_ENDPOINT: url }), "vm-9")
    })
  )

  it.live("change nothing when the receiver refuses them, but for one warning", () =>
    Effect.gen(function* () {
      const { exports, url } = yield* receiver(400)
      assert.strictEqual(yield* traced({ OTEL_EXPORTER_OTLP_ENDPOINT: url }), "vm-9")
      assert.strictEqual(exports.length, 1)
      assert.deepStrictEqual(warnings, ["spans are lost, the collector does not take them,Bad Request"])
    }).pipe(Effect.provide(listening))
  )
})
