/**
 * Log lines on standard error, in the two shapes of CDS's own log (cds-contract 11): `date time [LEVEL] message key=value ...`, or one
 * JSON object a line with `level`, `msg`, `time` and the annotations. Log calls inside a span are also events of it. A copy may go to
 * Graylog.
 */
import { Effect, Layer, Logger, References } from "effect"
import type { LogLevel } from "effect"
import { defaultLog, type LogSettings } from "../../schema/Config.ts"
import * as Graylog from "./Graylog.ts"

type Entry = typeof Logger.formatStructured extends Logger.Logger<unknown, infer Output> ? Output : never

const levels: Readonly<Record<LogSettings["level"], LogLevel.LogLevel>> = {
  debug: "Debug",
  info: "Info",
  warning: "Warn",
  error: "Error"
}

const asText = (value: unknown): string => (typeof value === "string" ? value : JSON.stringify(value))

const message = ({ message }: Entry): string => (Array.isArray(message) ? message : [message]).map(asText).join(" ")

/** A value with blanks or quotes is quoted, so that a line can be taken apart again; line breaks never get through. */
const pair = ([key, value]: readonly [string, unknown]): string => {
  const text = asText(value)
  return `${key}=${/^[^\s"=]+$/.test(text) ? text : JSON.stringify(text)}`
}

/** Names and messages come from outside: what would move the cursor or colour a terminal is shown as `\u001b` and the like. */
const printable = (text: string): string =>
  text.replace(
    // oxlint-disable-next-line no-control-regex
    /[\u0000-\u0008\u000B-\u001F\u007F-\u009F\u2028\u2029]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`
  )

type Fields = Pick<LogSettings, "textFields" | "skipTextFields">

const textLine =
  ({ textFields }: Fields) =>
  (entry: Entry): string => {
    const at = entry.timestamp.slice(0, 19).replace("T", " ")
    const fields = Object.entries(entry.annotations)
      .filter(([key]) => textFields.length === 0 || textFields.includes(key))
      .toSorted(([a], [b]) => (a < b ? -1 : 1))
    const cause = entry.cause === undefined ? [] : [`\n${entry.cause}`]
    const said = message(entry).replaceAll("\n", "\n  ")
    return printable([at, `[${entry.level.toUpperCase()}]`, said, ...fields.map(pair), ...cause].join(" "))
  }

const isSkipped = ({ annotations }: Entry, { skipTextFields }: Fields): boolean =>
  skipTextFields.some(([field, value]) => field in annotations && asText(annotations[field]) === value)

const jsonLine = (entry: Entry): string =>
  JSON.stringify({
    ...entry.annotations,
    level: entry.level.toLowerCase(),
    msg: message(entry),
    time: entry.timestamp,
    ...(entry.cause === undefined ? {} : { stack_trace: entry.cause })
  })

export const textLogger = Logger.map(Logger.formatStructured, textLine(defaultLog))
export const jsonLogger = Logger.map(Logger.formatStructured, jsonLine)

const selectingLogger = (fields: Fields): Logger.Logger<unknown, void> => {
  const lines = Logger.withConsoleError(Logger.map(Logger.formatStructured, textLine(fields)))
  return Logger.make((options) => {
    if (!isSkipped(Logger.formatStructured.log(options), fields)) lines.log(options)
  })
}

const loggersOf = (settings: LogSettings): ReadonlyArray<Logger.Logger<unknown, void>> => {
  if (settings.format === "discard") return []
  return [settings.format === "json" ? Logger.withConsoleError(jsonLogger) : selectingLogger(settings)]
}

/** `service` is the hatchery's name, for Graylog. What is told of Graylog itself goes to standard error alone. */
export const layer = (settings: LogSettings, service = "rookery"): Layer.Layer<never> => {
  const printed = loggersOf(settings)
  const { graylog } = settings
  const copied =
    graylog === undefined ? [] : [Graylog.logger(graylog, service, message).pipe(Effect.provide(Logger.layer(printed)))]
  return Layer.merge(
    Logger.layer([...printed, Logger.tracerLogger, ...copied]),
    Layer.succeed(References.MinimumLogLevel, levels[settings.level])
  )
}
