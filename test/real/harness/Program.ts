/** Our own program as processes, started as an operator does. */
import { Effect, type Scope } from "effect"
import { generateKeyPairSync } from "node:crypto"
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join, resolve } from "node:path"
import type { Sizing } from "../../../src/schema/Machine.ts"
import { failure } from "./asking.ts"
import type { HarnessError } from "./HarnessError.ts"
import * as Process from "./Process.ts"

const root = resolve(import.meta.dirname, "../../..")

/** As `setup.ts` has built it. */
const program = join(root, "dist/main.js")

/** Where Node keeps what it has compiled: the same program is started many times. */
const compiled = { NODE_COMPILE_CACHE: join(root, "node_modules/.cache/rookery/compiled") }

/** Starts `node dist/main.js` with these arguments. */
export const rookery = (
  args: ReadonlyArray<string>,
  options: Omit<Process.Start, "command" | "args"> = {}
): Effect.Effect<Process.Running, HarnessError, Scope.Scope> =>
  Process.startNode(program, args, { ...options, env: { ...compiled, ...options.env } })

const rsaPrivateKey = generateKeyPairSync("rsa", { modulusLength: 2048 })
  .privateKey.export({ type: "pkcs1", format: "pem" })
  .toString()

/** The hatchery's name at CDS and in annotations, unless told otherwise. */
export const hatchery = "hatch"

export interface Configuration {
  readonly hatchery?: string
  /** V1 jobs that ask for this region. */
  readonly region?: string
  readonly vcenter: string
  readonly cds: string
  readonly token: string
  readonly password: string
  readonly datacenter: string
  readonly template: string
  /** Ready machines to keep. */
  readonly number: number
  readonly ipRange: string
  /** Such as `"500ms"`. */
  readonly reaperInterval: string
  /** Clones at once; 1 unless given. */
  readonly poolSize?: number
  /** 10 unless given. */
  readonly maxWorker?: number
  /** More of `[hatchery.vsphere.rookery]`, e.g. `{ workerRegistrationTTL: "30s" }`. */
  readonly times?: Readonly<Record<string, string>>
  /** For the V1 side as well. */
  readonly tokenV1?: string
  /** V1 models by path, each with the ready machines to keep. */
  readonly models?: Readonly<Record<string, number>>
  /** V2 models by their reference, each with the binaries for which it runs V1 jobs that name none. */
  readonly defaultModels?: Readonly<Record<string, ReadonlyArray<string>>>
  readonly flavors?: Readonly<Record<string, Sizing>>
}

/** The table of a TOML array that has these keys. */
const entry = (table: string, values: Readonly<Record<string, string | number | ReadonlyArray<string>>>): string =>
  [
    `[[hatchery.vsphere.${table}]]`,
    ...Object.entries(values).map(([key, value]) => `${key} = ${JSON.stringify(value)}`)
  ].join("\n")

/** So short that tests need not wait. */
const times = {
  provisioningInterval: "1s",
  pollInterval: "1s",
  heartbeatInterval: "2s",
  drainTimeout: "5s",
  lateCallGrace: "500ms"
}

/** The engine's TOML file, its times short. */
const toml = (c: Configuration): string => `[log]
level = "info"
[hatchery.vsphere]
user = "rookery@vsphere.local"
password = ${JSON.stringify(c.password)}
endpoint = ${JSON.stringify(c.vcenter)}
datacenterString = ${JSON.stringify(c.datacenter)}
networkString = "VM Network"
iprange = ${JSON.stringify(c.ipRange)}
workerProvisioningPoolSize = ${c.poolSize ?? 1}
gateway = "10.0.0.1"
subnetMask = "255.255.255.0"
[[hatchery.vsphere.workerProvisioning]]
modelVMWare = ${JSON.stringify(c.template)}
number = ${c.number}
${Object.entries(c.models ?? {})
  .map(([modelPath, number]) => entry("workerProvisioning", { modelPath, number }))
  .join("\n")}
${Object.entries(c.defaultModels ?? {})
  .map(([workerModelV2, binaries]) => entry("defaultWorkerModelsV2", { workerModelV2, binaries }))
  .join("\n")}
${Object.entries(c.flavors ?? {})
  .map(([name, sizing]) => entry("flavors", { name, ...sizing }))
  .join("\n")}
[[hatchery.vsphere.models]]
modelVMWare = "debian12"
username = "worker"
password = "worker"
[hatchery.vsphere.rookery]
${Object.entries({ reaperInterval: c.reaperInterval, ...times, ...c.times })
  .map(([key, time]) => `${key} = ${JSON.stringify(time)}`)
  .join("\n")}
[hatchery.vsphere.commonConfiguration]
name = ${JSON.stringify(c.hatchery ?? hatchery)}
http.addr = "127.0.0.1"
http.port = 0
${c.region === undefined ? "" : `provision.region = ${JSON.stringify(c.region)}`}
provision.maxWorker = ${c.maxWorker ?? 10}
api.tokenV2 = ${JSON.stringify(c.token)}
${c.tokenV1 === undefined ? "" : `api.token = ${JSON.stringify(c.tokenV1)}`}
api.http.url = ${JSON.stringify(c.cds)}
rsaPrivateKey = """
${rsaPrivateKey}"""
`

/** Writes the configuration to a file that goes with the scope, and answers its path. */
export const configFile = (configuration: Configuration): Effect.Effect<string, never, Scope.Scope> =>
  Effect.map(
    Effect.acquireRelease(
      Effect.sync(() => mkdtempSync(join(tmpdir(), "rookery-config-"))),
      (folder) => Effect.sync(() => rmSync(folder, { recursive: true, force: true }))
    ),
    (folder) => {
      const path = join(folder, "config.toml")
      writeFileSync(path, toml(configuration))
      return path
    }
  )

export const startHatchery = (config: string) => rookery(["start", "hatchery:vsphere", "--config", config])

export interface Row {
  readonly name: string
  readonly state: string
}

/** What a hatchery answers on a path such as `/mon/status`; costs nothing at vCenter. */
export const told = (
  running: Process.Running,
  path: string
): Effect.Effect<{ readonly status: number; readonly text: string }, HarnessError> =>
  Effect.flatMap(running.line(/listening on/), (line) =>
    Effect.tryPromise({
      try: async () => {
        const response = await fetch(`${/http:\S+/.exec(line)?.[0]}${path}`)
        return { status: response.status, text: await response.text() }
      },
      catch: (cause) => failure(path, cause)
    })
  )

/** The machines as a hatchery tells them itself. */
export const machines = (running: Process.Running): Effect.Effect<ReadonlyArray<Row>, HarnessError> =>
  Effect.map(
    told(running, "/mon/machines"),
    ({ text }) => (JSON.parse(text) as { readonly machines: ReadonlyArray<Row> }).machines
  )
