/** How a judge's requests fail: by the code of their cause, with the last words of the program that was asked, and which are asked again. */
import { Effect, Option, Schedule } from "effect"
import { HarnessError } from "./HarnessError.ts"
import type * as Process from "./Process.ts"

/** `fetch` says no more than "fetch failed"; why stands in the causes below. */
const reasons = (cause: unknown): ReadonlyArray<string> => {
  if (!(cause instanceof Error)) return [String(cause)]
  const code = "code" in cause ? `${String(cause.code)}: ` : ""
  return [`${code}${cause.name}: ${cause.message}`, ...(cause.cause === undefined ? [] : reasons(cause.cause))]
}

/** What the other side does that cuts an exchange. A refused connection is none: nobody listens any more. */
const cuts = /^(ECONNRESET|EPIPE|UND_ERR_SOCKET): /

/** The error of a request to a program. */
export const failure = (what: string, cause: unknown): HarnessError => {
  const why = reasons(cause)
  const message = `${what}: ${why.join(" < ")}`
  // `fetch` and the reading of its answer fail with a TypeError that has a cause; what the program refuses is no such error.
  if (!(cause instanceof TypeError) || cause.cause === undefined) return new HarnessError({ message })
  return new HarnessError({ message, unanswered: why.some((reason) => cuts.test(reason)) ? "cut" : "otherwise" })
}

/** Go prints why it panics, or ends, before where. */
const panics = /^panic: |^fatal error: |^SIG[A-Z]+: |http: panic serving/

const lastWords = ({ lines }: Process.Running): ReadonlyArray<string> => {
  const at = lines.findLastIndex((line) => panics.test(line))
  return at < 0 ? lines.slice(-20) : lines.slice(at, at + 30)
}

/** Where there was no answer: adds the last words of the program if it has ended, or has panicked. One that has ended is not asked again. */
export const explained =
  (asked: Process.Running) =>
  <A>(request: Effect.Effect<A, HarnessError>): Effect.Effect<A, HarnessError> =>
    Effect.catchIf(
      request,
      ({ unanswered }) => unanswered !== undefined,
      (error) =>
        // The cut is seen before the end of the process, and before what it printed.
        Effect.flatMap(Effect.timeoutOption(asked.exit, "1 second"), (exit) => {
          if (Option.isNone(exit) && !asked.lines.some((line) => panics.test(line))) return Effect.fail(error)
          const state = Option.match(exit, {
            onNone: () => "it has panicked",
            onSome: ({ code, signal }) => `it has ended (${signal ?? `code ${code}`})`
          })
          const message = `${error.message}; ${state}:\n${lastWords(asked).join("\n")}`
          const unanswered = Option.isSome(exit) ? "otherwise" : (error.unanswered ?? "otherwise")
          return Effect.fail(new HarnessError({ message, unanswered }))
        })
    )

/** For requests that only read: asks again, four times at most, when the connection was cut. */
export const reading = <A>(request: Effect.Effect<A, HarnessError>): Effect.Effect<A, HarnessError> =>
  Effect.retry(request, {
    while: ({ unanswered }) => unanswered === "cut",
    schedule: Schedule.spaced("200 millis"),
    times: 4
  })
