/**
 * Spans to an OpenTelemetry collector over OTLP/HTTP. The standard environment variables decide (OTEL_EXPORTER_OTLP_*, OTEL_SERVICE_NAME,
 * OTEL_RESOURCE_ATTRIBUTES, OTEL_TRACES_SAMPLER, OTEL_BSP_*, OTEL_SDK_DISABLED); without an endpoint there is no tracing. A collector that
 * is down loses spans and disturbs nothing else.
 */
import * as NodeSdk from "@effect/opentelemetry/NodeSdk"
import { OTLPTraceExporter } from "@opentelemetry/exporter-trace-otlp-http"
import { BatchSpanProcessor, type SpanExporter } from "@opentelemetry/sdk-trace-base"
import { Config, Effect, Layer } from "effect"
import { version } from "../version.ts"

const variable = (name: string) => Config.String(name).pipe(Config.withDefault(""))

/** Sends while an endpoint is named and nothing switches it off. */
const wanted = Effect.gen(function* () {
  const endpoint = yield* variable("OTEL_EXPORTER_OTLP_ENDPOINT")
  const tracesEndpoint = yield* variable("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
  const exporter = yield* variable("OTEL_TRACES_EXPORTER")
  const disabled = yield* variable("OTEL_SDK_DISABLED")
  return endpoint + tracesEndpoint !== "" && exporter !== "none" && disabled.toLowerCase() !== "true"
})

/** The service's own name, unless the environment gives one. */
const resource = Effect.gen(function* () {
  const name = yield* variable("OTEL_SERVICE_NAME")
  const attributes = yield* variable("OTEL_RESOURCE_ATTRIBUTES")
  const named = name !== "" || /(^|,)\s*service\.name=/.test(attributes)
  return named ? {} : { resource: { serviceName: "rookery", serviceVersion: version } }
})

/**
 * Tells the first failure of a row of them, and the first success after it. The processor hears of successes alone: it would hand a
 * failure of the last flush on to the end of the program.
 */
const noticing = (exporter: SpanExporter, notice: (failure: string | undefined) => void): SpanExporter => {
  let failing = false
  return {
    export: (spans, done) =>
      exporter.export(spans, ({ code, error }) => {
        const failed = code !== 0
        if (failed !== failing) notice(failed ? (error?.message ?? "unknown reason") : undefined)
        failing = failed
        done({ code: 0 })
      }),
    shutdown: () => exporter.shutdown(),
    forceFlush: async () => exporter.forceFlush?.()
  }
}

const configuration = Effect.gen(function* () {
  const runFork = Effect.runForkWith(yield* Effect.context<never>())
  const notice = (failure: string | undefined): void => {
    runFork(
      failure === undefined
        ? Effect.logInfo("spans reach the collector again")
        : Effect.logWarning("spans are lost, the collector does not take them", failure)
    )
  }
  return {
    ...(yield* resource),
    spanProcessor: new BatchSpanProcessor(noticing(new OTLPTraceExporter(), notice)),
    shutdownTimeout: "3 seconds"
  } as const
})

/** Provide it outermost. Ending it takes three seconds at most. */
export const layer: Layer.Layer<never> = Layer.unwrap(
  Effect.map(wanted, (on): Layer.Layer<never> => (on ? Layer.orDie(NodeSdk.layer(configuration)) : Layer.empty))
).pipe(Layer.orDie)
