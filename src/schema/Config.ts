/**
 * The CDS engine's own configuration file, as far as a vSphere hatchery reads it: `[log]`, `[telemetry]`, and `[hatchery.vsphere]` with
 * `commonConfiguration` in it. Sections of other services are ignored.
 */
import { Result } from "effect"
import * as Toml from "effect/encoding/Toml"
import { readCommon, type KeyCheck } from "./config/common.ts"
import { defaults } from "./config/defaults.ts"
import { overlay, type Environment } from "./config/environment.ts"
import { Section, isTable, type Outline, type Report, type Table } from "./config/Section.ts"
import { readLog, readTelemetry, type LogSettings } from "./config/shared.ts"
import { readCredentials, readDefaultModels, readProvision, readSizes } from "./config/sizing.ts"
import { readTimes, readVSphere, type FileReader } from "./config/vsphere.ts"
import { ConfigInvalid, type ConfigProblem } from "./Errors.ts"
import type { SettingsShape } from "./Settings.ts"

export { defaults } from "./config/defaults.ts"
export { defaultLog, type GraylogSettings, type LogSettings } from "./config/shared.ts"

/** What decoding has to ask of the world outside the file. */
export interface Outside {
  readonly readFile: FileReader
  readonly checkKey: KeyCheck
  readonly environment: Environment
}

export interface Config {
  readonly settings: SettingsShape
  readonly log: LogSettings
  /** What the file says without effect. Under `--strict` these are problems. */
  readonly warnings: ReadonlyArray<ConfigProblem>
}

/** Quoted text in a syntax error may be a secret, unless it is the name of a key or table. */
const syntaxProblem = (message: string): ConfigInvalid => {
  const place = /line \d+, column \d+$/.exec(message)?.[0] ?? "unknown place"
  const said = message.replace(/ at line \d+, column \d+$/, "")
  const rule = said.startsWith("Cannot redefine") ? said : said.replace(/ '.*'$/s, "")
  return new ConfigInvalid({ problems: [{ path: place, value: "(not TOML)", rule: `${rule}; correct the syntax` }] })
}

const readSettings = (vsphere: Section, outside: Pick<Outside, "readFile" | "checkKey">): SettingsShape => {
  const { registerMs, ...common } = readCommon(vsphere.section("commonConfiguration"), outside.checkKey)
  const rookery = vsphere.section("rookery", { untold: true })
  const settings = {
    ...common,
    vsphere: readVSphere(vsphere, outside.readFile),
    times: readTimes(vsphere, rookery, registerMs),
    poolSize: Math.max(1, vsphere.whole("workerProvisioningPoolSize", defaults.poolSize)),
    ...readProvision(vsphere),
    ...readCredentials(vsphere),
    defaultWorkerModelsV2: readDefaultModels(vsphere),
    ...readSizes(vsphere),
    maxUnexplainedGone: rookery.whole("maxUnexplainedGone", defaults.maxUnexplainedGone),
    minFreeDatastoreGB: rookery.whole("minFreeDatastoreGB", defaults.minFreeDatastoreGB)
  }
  const cds = {
    ...common.cds,
    pollIntervalMs: rookery.duration("pollInterval", defaults.cds.pollIntervalMs),
    heartbeatIntervalMs: rookery.duration("heartbeatInterval", defaults.cds.heartbeatIntervalMs),
    publicConfig: vsphere.told
  }
  vsphere.end()
  return { ...settings, cds }
}

/** Everything that is read, of a table in the file's shape. */
const readAll = (table: Table, outside: Pick<Outside, "readFile" | "checkKey">, report: Report) => {
  const root = new Section("", table, report)
  const log = root.section("log")
  const telemetry = root.section("telemetry")
  const hatchery = root.section("hatchery")
  const config = { log: readLog(log), settings: undefined as SettingsShape | undefined }
  readTelemetry(telemetry)
  log.end()
  telemetry.end()
  if (isTable(hatchery.raw("vsphere"))) config.settings = readSettings(hatchery.section("vsphere"), outside)
  else hatchery.problem("vsphere", undefined, "mandatory: the section [hatchery.vsphere] of this hatchery")
  return { ...config, outline: root.outline }
}

/** A list's keys are known when a table of it has been read, and one in which nothing is written may not be. */
const oneOfEach = Object.fromEntries(
  ["networks", "flavors", "workerProvisioning", "guestCredentials", "models", "defaultWorkerModelsV2"].map((key) => [
    key,
    [{ sample: true }]
  ])
)

/** Every key that the file may hold, as its reader asks for it. */
export const outline = (): Outline =>
  readAll(
    { hatchery: { vsphere: oneOfEach } },
    { readFile: () => Result.fail(""), checkKey: () => undefined },
    { problems: [], warnings: [] }
  ).outline

const decodeTable = (file: Table, outside: Outside, strict: boolean): Result.Result<Config, ConfigInvalid> => {
  const { table, setBy, warnings: ignored } = overlay(file, outside.environment, outline)
  const report: Report = { problems: [], warnings: [] }
  const { settings, log } = readAll(table, outside, report)
  /** What is wrong with a variable is told by its name. */
  const named = (problem: ConfigProblem): ConfigProblem => ({
    ...problem,
    path: setBy.get(problem.path) ?? problem.path
  })
  const warnings = [...report.warnings.map(named), ...ignored]
  const problems = [...report.problems.map(named), ...(strict ? warnings : [])]
  return settings === undefined || problems.length > 0
    ? Result.fail(new ConfigInvalid({ problems }))
    : Result.succeed({ settings, log, warnings })
}

/** Decodes the file's text. Fails with all problems at once; `strict` counts what has no effect among them. */
export const decode = (text: string, outside: Outside, strict = false): Result.Result<Config, ConfigInvalid> =>
  Result.match(Toml.parse(text), {
    onFailure: ({ message }) => Result.fail(syntaxProblem(message)),
    onSuccess: (table) => decodeTable(table as Table, outside, strict)
  })
