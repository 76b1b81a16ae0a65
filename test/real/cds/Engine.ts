/** API and CDN of the CDS engine as processes, over databases of their own. */
import { Effect, Scope } from "effect"
import { copyFileSync, linkSync, mkdirSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { HarnessError } from "../harness/HarnessError.ts"
import type * as Process from "../harness/Process.ts"
import * as Daemon from "./Daemon.ts"
import * as Databases from "./Databases.ts"
import { logsOf } from "./Folder.ts"
import type { Programs } from "./Programs.ts"

export interface Engine {
  /** The API's. */
  readonly url: string
  /** The TOML file of API and CDN. Keys, tokens and database belong together. */
  readonly config: string
  /** Makes the first user an administrator, and the consumers of the file's services with it. */
  readonly initToken: string
  readonly database: Databases.Database
  /** The API's process; another one after a restart. */
  readonly api: () => Process.Running
  /** Ends the API's process and waits until it is gone. SIGKILL is a crash. */
  readonly stopApi: (signal?: "SIGTERM" | "SIGKILL") => Effect.Effect<void>
  /** Starts it again, on the same port and database, and waits until it answers. */
  readonly startApi: Effect.Effect<void, HarnessError>
  /** Starts the CDN, which the API must know the consumer of, and waits until it has registered. */
  readonly startCdn: Effect.Effect<void, HarnessError, Scope.Scope>
}

/** Settings of the engine by their path, such as `api.workflowv2.jobSchedulingTimeout` (seconds). */
export type Settings = Readonly<Record<string, string | number | boolean>>

/** Starts databases and API; the folder holds all files. */
export const start = (
  programs: Programs,
  folder: string,
  settings: Settings = {}
): Effect.Effect<Engine, HarnessError, Scope.Scope> =>
  Effect.gen(function* () {
    const [database, redis, ports] = yield* Effect.all(
      [Databases.postgres(folder), Databases.redis(folder), Daemon.freePorts(3)],
      { concurrency: "unbounded" }
    )
    const [apiPort = 0, cdnPort = 0, cdnTcpPort = 0] = ports
    const url = `http://127.0.0.1:${apiPort}`
    const config = join(folder, "cds.toml")
    yield* configure(programs, folder, config, {
      ...apiSettings(folder, apiPort, database, redis),
      ...cdnSettings(folder, url, cdnPort, cdnTcpPort, database, redis),
      ...settings
    })
    const engine = (...args: ReadonlyArray<string>) => Daemon.run(programs.engine, args, { cwd: folder })
    yield* Effect.all([migrate(programs, folder, database, "api"), migrate(programs, folder, database, "cdn")])
    const initToken = (yield* engine("config", "init-token", "--config", config)).trim()
    const scope = yield* Scope.Scope
    const startApi = Effect.gen(function* () {
      const running = yield* Daemon.start(programs.engine, ["start", "api", "--config", config], {
        cwd: folder,
        log: join(logsOf(folder), "api.log")
      })
      yield* answers(running, `${url}/mon/version`)
      return running
    }).pipe(Effect.provideService(Scope.Scope, scope))
    let api = yield* startApi
    return {
      url,
      config,
      initToken,
      database,
      api: () => api,
      stopApi: (signal = "SIGTERM") => Effect.andThen(api.kill(signal), Effect.asVoid(api.exit)),
      startApi: Effect.map(startApi, (running) => void (api = running)),
      startCdn: Effect.gen(function* () {
        const cdn = yield* Daemon.start(programs.engine, ["start", "cdn", "--config", config], {
          cwd: folder,
          log: join(logsOf(folder), "cdn.log")
        })
        yield* answers(cdn, `http://127.0.0.1:${cdnPort}/mon/version`)
      })
    }
  })

const apiSettings = (folder: string, port: number, database: Databases.Database, redis: number): Settings => ({
  "log.level": "info",
  "api.name": "api",
  "api.url.api": `http://127.0.0.1:${port}`,
  "api.http.addr": "127.0.0.1",
  "api.http.port": port,
  ...databaseSettings("api", database),
  "api.cache.redis.host": `127.0.0.1:${redis}`,
  "api.artifact.local.baseDirectory": join(folder, "artifacts"),
  "api.download.directory": join(folder, "download"),
  "api.download.downloadFromGitHub": false
})

const cdnSettings = (
  folder: string,
  api: string,
  port: number,
  tcpPort: number,
  database: Databases.Database,
  redis: number
): Settings => ({
  "cdn.http.addr": "127.0.0.1",
  "cdn.http.port": port,
  "cdn.tcp.addr": "127.0.0.1",
  "cdn.tcp.port": tcpPort,
  "cdn.URL": `http://127.0.0.1:${port}`,
  "cdn.publicHTTP": `http://127.0.0.1:${port}`,
  "cdn.publicTCP": `127.0.0.1:${tcpPort}`,
  ...databaseSettings("cdn", database),
  "cdn.cache.redis.host": `127.0.0.1:${redis}`,
  "cdn.api.http.url": api,
  "cdn.storageUnits.buffers.redis.redis.host": `127.0.0.1:${redis}`,
  "cdn.storageUnits.buffers.local-buffer.local.path": join(folder, "cdn-buffer"),
  "cdn.storageUnits.storages.local.local.path": join(folder, "cdn-storage")
})

const databaseSettings = (service: "api" | "cdn", database: Databases.Database): Settings => ({
  [`${service}.database.host`]: "127.0.0.1",
  [`${service}.database.port`]: database.port,
  [`${service}.database.user`]: database.user,
  [`${service}.database.password`]: database.user,
  [`${service}.database.name`]: database.name
})

/** Has the engine generate a file with new keys and tokens, and edit it. The worker's binary is put where the API serves it from. */
const configure = (programs: Programs, folder: string, config: string, settings: Settings) =>
  Effect.gen(function* () {
    const generated = join(folder, "generated.toml")
    const text = yield* Daemon.run(programs.engine, ["config", "new", "api", "cdn"], { cwd: folder })
    writeFileSync(generated, text)
    // The editor keeps a file of its own in the working folder meanwhile.
    const edits = Object.entries(settings).map(([path, value]) => `${path}=${value}`)
    yield* Daemon.run(programs.engine, ["config", "edit", generated, "--output", config, ...edits], { cwd: folder })
    mkdirSync(join(folder, "download"))
    place(programs.worker, join(folder, "download/cds-worker-linux-amd64"))
  })

/** A hard link where that is possible: the worker is 25 MB. */
const place = (from: string, to: string): void => {
  try {
    linkSync(from, to)
  } catch {
    copyFileSync(from, to)
  }
}

const migrate = (programs: Programs, folder: string, database: Databases.Database, service: "api" | "cdn") => {
  const options = {
    "db-host": "127.0.0.1",
    "db-port": database.port,
    "db-user": database.user,
    "db-password": database.user,
    "db-name": database.name,
    "db-schema": service === "api" ? "public" : "cdn",
    "db-sslmode": "disable",
    "migrate-dir": programs.migrations[service]
  }
  const flags = Object.entries(options).flatMap(([name, value]) => [`--${name}`, `${value}`])
  return Daemon.run(programs.engine, ["database", "upgrade", ...flags], { cwd: folder })
}

/** Waits until a GET answers 200, as long as the process lives. */
const answers = (running: Process.Running, url: string): Effect.Effect<void, HarnessError> => {
  const look = Effect.gen(function* () {
    while (true) {
      const status = yield* Effect.promise((signal) =>
        fetch(url, { signal }).then(
          (r) => r.status,
          () => 0
        )
      )
      if (status === 200) return
      yield* Effect.sleep(100)
    }
  })
  const said = () => running.lines.slice(-20).join("\n")
  const ended = Effect.flatMap(running.exit, ({ code }) =>
    Effect.fail(new HarnessError({ message: `the engine ended with code ${code} before ${url} answered:\n${said()}` }))
  )
  return Effect.raceFirst(look, ended).pipe(
    Effect.timeoutOrElse({
      duration: 120_000,
      orElse: () => Effect.fail(new HarnessError({ message: `${url} does not answer:\n${said()}` }))
    })
  )
}
