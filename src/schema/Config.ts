/**
 * The CDS engine's own configuration file, as far as a vSphere hatchery reads it: `[log]`, and `[hatchery.vsphere]` with
 * `commonConfiguration` in it. Sections of other services are ignored.
 */
import { Result } from "effect"
import * as Toml from "effect/encoding/Toml"
import { readCommon, type KeyCheck } from "./config/common.ts"
import { defaults } from "./config/defaults.ts"
import { Section, isTable, type Report, type Table } from "./config/Section.ts"
import { readCredentials, readDefaultModels, readProvision, readSizes } from "./config/sizing.ts"
import { readTimes, readVSphere, type FileReader } from "./config/vsphere.ts"
import { ConfigInvalid, type ConfigProblem } from "./Errors.ts"
import type { SettingsShape } from "./Settings.ts"

export { defaults } from "./config/defaults.ts"

/** What decoding has to ask of the world outside the file. */
export interface Outside {
  readonly readFile: FileReader
  readonly checkKey: KeyCheck
}

export interface LogSettings {
  readonly level: "debug" | "info" | "warning" | "error"
  readonly format: "text" | "json" | "discard"
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

const readLog = (root: Section): LogSettings => {
  const log = root.section("log")
  return {
    level: log.word("level", ["debug", "info", "warning", "error"], "info"),
    format: log.word("format", ["text", "json", "discard"], "text")
  }
}

const readSettings = (vsphere: Section, outside: Outside): SettingsShape => {
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
    maxUnexplainedGone: rookery.whole("maxUnexplainedGone", defaults.maxUnexplainedGone)
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

const decodeTable = (table: Table, outside: Outside, strict: boolean): Result.Result<Config, ConfigInvalid> => {
  const report: Report = { problems: [], warnings: [] }
  const root = new Section("", table, report)
  const log = readLog(root)
  const hatchery = root.section("hatchery")
  const present = isTable(hatchery.raw("vsphere"))
  if (!present) hatchery.problem("vsphere", undefined, "mandatory: the section [hatchery.vsphere] of this hatchery")
  const settings = present ? readSettings(hatchery.section("vsphere"), outside) : undefined
  const problems = strict ? [...report.problems, ...report.warnings] : report.problems
  return settings === undefined || problems.length > 0
    ? Result.fail(new ConfigInvalid({ problems }))
    : Result.succeed({ settings, log, warnings: report.warnings })
}

/** Decodes the file's text. Fails with all problems at once; `strict` counts what has no effect among them. */
export const decode = (text: string, outside: Outside, strict = false): Result.Result<Config, ConfigInvalid> =>
  Result.match(Toml.parse(text), {
    onFailure: ({ message }) => Result.fail(syntaxProblem(message)),
    onSuccess: (table) => decodeTable(table as Table, outside, strict)
  })
