/** Hears all that a hatchery says while it runs: log lines in each shape, spans, defects. */
import { Cause, Layer, Logger, References, Tracer } from "effect"
import { jsonLogger, textLogger } from "../../src/layers/telemetry/Log.ts"

const spanText = (span: Tracer.NativeSpan): string => {
  const ended = span.status._tag === "Ended" && span.status.exit._tag === "Failure" ? span.status.exit.cause : undefined
  return JSON.stringify([
    span.name,
    [...span.attributes],
    span.events.map(([name, , attributes]) => [name, attributes]),
    ended === undefined ? "" : [Cause.pretty(ended), ended.reasons]
  ])
}

/** A layer to run a hatchery under, and what was heard so far. */
export const makeEars = () => {
  const lines: Array<string> = []
  const spans: Array<Tracer.NativeSpan> = []
  const keep = (text: string) => void lines.push(text)
  const layer = Layer.mergeAll(
    Logger.layer([
      Logger.map(textLogger, keep),
      Logger.map(jsonLogger, keep),
      Logger.map(Logger.formatLogFmt, keep),
      Logger.tracerLogger
    ]),
    Layer.succeed(References.MinimumLogLevel, "All"),
    Layer.succeed(
      Tracer.Tracer,
      Tracer.make({
        span: (options) => {
          const span = new Tracer.NativeSpan(options)
          spans.push(span)
          return span
        }
      })
    )
  )
  return { layer, lines, spans, heard: () => [...lines, ...spans.map(spanText)].join("\n") }
}
