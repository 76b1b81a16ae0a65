import { assert, describe, it } from "@effect/vitest"
import { spawnSync } from "node:child_process"
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { Effect, Result } from "effect"
import { buildLog, buildScriptOf, scriptOf, setupLog } from "../../src/schema/Bootstrap.ts"

/** What bash alone understands, with every kind of quote, and with a variable of CDS. */
const postCmd = `words=(one "it's two"); echo "\${words[1]} at {{.API}}" '"done"'; exit 3`

const commands = { preCmd: "", cmd: "true", postCmd }
const apiUrl = "http://api.test"

const scripts = [
  { when: "while a template is built", log: buildLog, made: buildScriptOf(commands, apiUrl) },
  { when: "after a job", log: setupLog, made: scriptOf(commands, { workerName: "stoic-keldysh", apiUrl }) }
]

const folder = Effect.acquireRelease(
  Effect.sync(() => mkdtempSync(join(tmpdir(), "post-command-"))),
  (path) => Effect.sync(() => rmSync(path, { recursive: true }))
)

describe.skipIf(!existsSync("/bin/bash"))("a V1 model's post command", () => {
  for (const { when, log, made } of scripts)
    it.effect(`${when} is run by bash where the guest has it, its output and its exit code kept`, () =>
      Effect.gen(function* () {
        const dir = yield* folder
        const here = (text: string) => text.replaceAll("/tmp/", `${dir}/`)
        const { status } = spawnSync("/bin/sh", ["-c", here(Result.getOrThrow(made))], { cwd: dir })
        assert.strictEqual(status, 3)
        assert.include(readFileSync(here(log), "utf8"), `it's two at ${apiUrl} "done"`)
      })
    )

  it("that cannot be rendered makes no script", () => {
    assert.isTrue(Result.isFailure(buildScriptOf({ postCmd: "{{.Nothing}}" }, apiUrl)))
  })
})
