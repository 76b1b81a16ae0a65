/** `[log]` and `[telemetry]`, which all services of a CDS engine share (cds-contract 1.2). */
import { Redacted } from "effect"
import type { Section } from "./Section.ts"

/** Where log lines go in Graylog's format, beside standard error. */
export interface GraylogSettings {
  readonly host: string
  readonly port: number
  /** `tcp` is TLS, whose certificate is verified, as with the CDS engine. */
  readonly protocol: "tcp" | "udp"
  /** Fields of every message; a value may be the token that opens the stream. */
  readonly extra: ReadonlyMap<string, Redacted.Redacted<string>>
}

export interface LogSettings {
  readonly level: "debug" | "info" | "warning" | "error"
  readonly format: "text" | "json" | "discard"
  /** In text, only these fields are printed; empty: all. */
  readonly textFields: ReadonlyArray<string>
  /** In text, a line with one of these fields of that value is left out. */
  readonly skipTextFields: ReadonlyArray<readonly [field: string, value: string]>
  readonly graylog: GraylogSettings | undefined
}

export const defaultLog: LogSettings = {
  level: "info",
  format: "text",
  textFields: [],
  skipTextFields: [],
  graylog: undefined
}

const split = (text: string): ReadonlyArray<string> => (text === "" ? [] : text.split(","))

const readGraylog = (graylog: Section): GraylogSettings | undefined => {
  const host = graylog.text("host", "")
  const port = graylog.whole("port", 0, { max: 65535 })
  const protocol = graylog.word("protocol", ["tcp", "udp"], "tcp")
  const keys = split(graylog.text("extraKey", ""))
  const values = split(Redacted.value(graylog.secret("extraValue") ?? Redacted.make("")))
  if (keys.length !== values.length)
    graylog.secretProblem("extraValue", `write as many values as extraKey has names (${keys.length}), with commas`)
  if (host !== "" && port === 0) graylog.problem("port", port, "mandatory beside host: the port of the GELF input")
  const extra = new Map(keys.map((key, index) => [key, Redacted.make(values[index] ?? "", { label: key })]))
  return host === "" ? undefined : { host, port, protocol, extra }
}

/** `field=value`, cut at the first `=`. */
const readSkipped = (log: Section): LogSettings["skipTextFields"] =>
  log.texts("skipTextFields").flatMap((pair): ReadonlyArray<readonly [string, string]> => {
    const cut = pair.indexOf("=")
    if (cut > 0) return [[pair.slice(0, cut), pair.slice(cut + 1)]]
    log.problem("skipTextFields", pair, 'write each entry as "field=value"')
    return []
  })

const levels = ["debug", "info", "warning", "error"] as const

/** A level that the engine does not know is `info` to it, so such a file starts here as well. */
const readLevel = (log: Section): LogSettings["level"] => {
  const written = log.text("level", defaultLog.level, { words: levels })
  const level = levels.find((one) => one === written)
  if (level === undefined) log.warn("level", written, `read as info; write one of ${levels.join(", ")}`)
  return level ?? "info"
}

export const readLog = (log: Section): LogSettings => ({
  level: readLevel(log),
  format: log.word("format", ["text", "json", "discard"], defaultLog.format),
  textFields: log.texts("textFields"),
  skipTextFields: readSkipped(log),
  graylog: readGraylog(log.section("graylog"))
})

/** Spans go by OTLP and metrics are taken when they are asked for: these keys are known, and say so where they ask for more. */
export const readTelemetry = (telemetry: Section): void => {
  if (telemetry.flag("tracingEnabled", false))
    telemetry.warn(
      "tracingEnabled",
      true,
      "spans do not go to Jaeger's own port any more; name its OTLP address in the variable OTEL_EXPORTER_OTLP_ENDPOINT, such as http://localhost:4318"
    )
  const exporters = telemetry.section("exporters")
  const jaeger = exporters.section("jaeger")
  jaeger.text("serviceName", "")
  jaeger.text("collectorEndpoint", "http://localhost:14268/api/traces")
  jaeger.number("samplingProbability", 0)
  exporters.section("prometheus").whole("ReporteringPeriod", 10)
}
