/** The CDS engine's programs, and ours beside them, built from the Go module in this folder. */
import { Effect, Semaphore } from "effect"
import { mkdirSync } from "node:fs"
import { homedir } from "node:os"
import { join } from "node:path"
import type { HarnessError } from "../harness/HarnessError.ts"
import * as Daemon from "./Daemon.ts"

/** 250 MB and many minutes of a cold build: kept outside the checkout, so that a fresh clone finds them. */
const cache = join(process.env["XDG_CACHE_HOME"] ?? join(homedir(), ".cache"), "rookery/cds")

export interface Programs {
  /** API, CDN and the Go hatchery are commands of this one. */
  readonly engine: string
  readonly worker: string
  /** The action plugin behind the `run:` of a V2 step. */
  readonly script: string
  readonly ascode: string
  /** The folders of the SQL migrations, which come with the engine's module. */
  readonly migrations: { readonly api: string; readonly cdn: string }
}

const packages = [
  "github.com/ovh/cds/engine",
  "github.com/ovh/cds/engine/worker",
  "github.com/ovh/cds/contrib/grpcplugins/action/script",
  "./ascode"
]

/** Worker and plugin run in guests, which may have another libc. */
const options = { cwd: import.meta.dirname, env: { CGO_ENABLED: "0" } }

const oneAtATime = Semaphore.makeUnsafe(1)

/** Builds what is not up to date: 10 minutes and more where Go's caches are empty, seconds else. */
export const programs: Effect.Effect<Programs, HarnessError> = Effect.gen(function* () {
  mkdirSync(cache, { recursive: true })
  const flags = ["-p", "2", "-buildvcs=false", "-ldflags=-s -w"]
  yield* Daemon.run("go", ["build", ...flags, "-o", `${cache}/`, ...packages], options)
  const said = yield* Daemon.run("go", ["list", "-m", "-f", "{{.Dir}}", "github.com/ovh/cds"], options)
  const migrations = join(said.split("\n").at(-1) ?? "", "engine/sql")
  return {
    engine: join(cache, "engine"),
    worker: join(cache, "worker"),
    script: join(cache, "script"),
    ascode: join(cache, "ascode"),
    migrations: { api: join(migrations, "api"), cdn: join(migrations, "cdn") }
  }
}).pipe(oneAtATime.withPermits(1))
