import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer } from "effect"
import { TestConsole } from "effect/testing"
import { defaultLog, type LogSettings } from "../../../src/schema/Config.ts"
import { layer } from "../../../src/layers/telemetry/Log.ts"

/** What is written to standard error when this is logged. */
const written = (settings: Partial<LogSettings>) =>
  Effect.gen(function* () {
    yield* Effect.logDebug("too small")
    yield* Effect.logInfo("machine", "is ready").pipe(Effect.annotateLogs({ vm: "vm-9", ip: "10.0.0.1", note: "a b" }))
    yield* Effect.logWarning("two\nlines").pipe(Effect.annotateLogs({ forged: "x\n2026 [INFO] y" }))
    return { out: yield* TestConsole.logLines, err: yield* TestConsole.errorLines }
  }).pipe(Effect.provide(Layer.merge(Layer.fresh(TestConsole.layer), layer({ ...defaultLog, ...settings }))))

describe("the log", () => {
  it.effect("is text on standard error: date, level, message, sorted fields", () =>
    Effect.gen(function* () {
      const { out, err } = yield* written({ level: "info", format: "text" })
      assert.deepStrictEqual(out, [])
      assert.deepStrictEqual(err, [
        '1970-01-01 00:00:00 [INFO] machine is ready ip=10.0.0.1 note="a b" vm=vm-9',
        '1970-01-01 00:00:00 [WARN] two\n  lines forged="x\\n2026 [INFO] y"'
      ])
    })
  )

  it.effect("is one JSON object a line when asked for", () =>
    Effect.gen(function* () {
      const { err } = yield* written({ level: "info", format: "json" })
      assert.deepStrictEqual(
        err.map((line) => JSON.parse(String(line))),
        [
          {
            level: "info",
            msg: "machine is ready",
            time: "1970-01-01T00:00:00.000Z",
            vm: "vm-9",
            ip: "10.0.0.1",
            note: "a b"
          },
          { level: "warn", msg: "two\nlines", time: "1970-01-01T00:00:00.000Z", forged: "x\n2026 [INFO] y" }
        ]
      )
    })
  )

  it.effect("prints the fields that are chosen, and leaves out the lines that are not wanted, in text alone", () =>
    Effect.gen(function* () {
      const chosen = { textFields: ["vm"], skipTextFields: [["forged", "x\n2026 [INFO] y"]] } as const
      assert.deepStrictEqual((yield* written(chosen)).err, ["1970-01-01 00:00:00 [INFO] machine is ready vm=vm-9"])
      assert.strictEqual((yield* written({ ...chosen, format: "json" })).err.length, 2)
      assert.strictEqual((yield* written({ skipTextFields: [["vm", "vm-8"]] })).err.length, 2)
    })
  )

  for (const [level, format, lines] of [
    ["warning", "text", 1],
    ["debug", "text", 3],
    ["debug", "discard", 0]
  ] as const)
    it.effect(`keeps ${lines} of three lines at level ${level} in format ${format}`, () =>
      Effect.gen(function* () {
        assert.strictEqual((yield* written({ level, format })).err.length, lines)
      })
    )
})
