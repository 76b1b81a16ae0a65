/** A PostgreSQL cluster and a Redis server of our own, on loopback, empty at first and gone with the scope. */
import { Effect, Option, type Scope } from "effect"
import { spawnSync } from "node:child_process"
import { chownSync, existsSync, mkdirSync, readdirSync } from "node:fs"
import { join } from "node:path"
import type { HarnessError } from "../harness/HarnessError.ts"
import * as Daemon from "./Daemon.ts"
import { logsOf } from "./Folder.ts"

export interface Database {
  readonly port: number
  /** The role that owns everything; the cluster trusts loopback, so any password will do. */
  readonly user: string
  readonly name: string
}

/** Debian keeps PostgreSQL's server programs in a folder per version, off the PATH. */
const debian = "/usr/lib/postgresql"

const serverPrograms: Option.Option<string> = Option.fromNullishOr(
  [
    ...(process.env["PATH"] ?? "").split(":"),
    ...(existsSync(debian) ? readdirSync(debian) : [])
      .toSorted((a, b) => Number(b) - Number(a))
      .map((version) => join(debian, version, "bin"))
  ].find((folder) => existsSync(join(folder, "initdb")) && existsSync(join(folder, "postgres")))
)

const hasCommand = (name: string): boolean => spawnSync(name, ["--version"]).error === undefined

/** Why there can be no databases on this machine; undefined where there can. */
export const databasesMissing = (): string | undefined => {
  if (Option.isNone(serverPrograms)) return "PostgreSQL is not installed"
  if (!hasCommand("psql")) return "PostgreSQL's client psql is not installed"
  if (!hasCommand("redis-server")) return "Redis is not installed"
  if (!hasCommand("setpriv")) return "setpriv of util-linux is not installed"
  return undefined
}

/** PostgreSQL refuses to run as root: there its Debian package's account serves. */
const account = process.getuid?.() === 0 ? { account: "postgres" } : {}

const idOf = (flag: "-u" | "-g"): number => Number(spawnSync("id", [flag, "postgres"], { encoding: "utf8" }).stdout)

/** Starts a cluster in a new folder below this one, with an empty schema `cdn` beside `public`. Nothing of it is ever synced to the disk. */
export const postgres = (folder: string): Effect.Effect<Database, HarnessError, Scope.Scope> =>
  Effect.gen(function* () {
    const data = join(folder, "postgres")
    mkdirSync(data, { mode: 0o700 })
    if (account.account !== undefined) chownSync(data, idOf("-u"), idOf("-g"))
    const programs = Option.getOrElse(serverPrograms, () => debian)
    const options = { ...account, cwd: data, env: { LC_ALL: "C.UTF-8" } }
    const user = "cds"
    yield* Daemon.run(
      join(programs, "initdb"),
      ["--pgdata", data, "--username", user, "--auth", "trust", "--encoding", "UTF8", "--no-sync"],
      options
    )
    const [port = 0] = yield* Daemon.freePorts(1)
    const settings = {
      listen_addresses: "127.0.0.1",
      unix_socket_directories: "",
      fsync: "off",
      synchronous_commit: "off",
      full_page_writes: "off",
      max_connections: 200
    }
    const server = yield* Daemon.start(
      join(programs, "postgres"),
      ["-D", data, "-p", `${port}`, ...Object.entries(settings).flatMap(([key, value]) => ["-c", `${key}=${value}`])],
      { ...options, log: join(logsOf(folder), "postgres.log") }
    )
    yield* server.line(/ready to accept connections/)
    const database = { port, user, name: "cds" }
    yield* sql({ ...database, name: "postgres" }, "CREATE DATABASE cds")
    yield* sql(database, "CREATE SCHEMA cdn")
    return database
  })

/** Carries out one statement, for what the API has no call for, and answers what psql printed. */
export const sql = ({ port, user, name }: Database, statement: string): Effect.Effect<string, HarnessError> =>
  Daemon.run("psql", [
    `postgresql://${user}@127.0.0.1:${port}/${name}`,
    "--no-psqlrc",
    "--set=ON_ERROR_STOP=1",
    `--command=${statement}`
  ])

/** Starts a server that keeps all in memory, and answers its port. */
export const redis = (folder: string): Effect.Effect<number, HarnessError, Scope.Scope> =>
  Effect.gen(function* () {
    const [port = 0] = yield* Daemon.freePorts(1)
    const server = yield* Daemon.start(
      "redis-server",
      ["--bind", "127.0.0.1", "--port", `${port}`, "--save", "", "--appendonly", "no"],
      { cwd: folder, log: join(logsOf(folder), "redis.log") }
    )
    yield* server.line(/Ready to accept connections/)
    return port
  })
