/**
 * Environment variables over the file (cds-contract 1.1). The CDS engine lists one for each key, named after its fields, and binds them by the
 * keys' names: only those whose field is called like its key arrive. The same arrive here. Any other is told, because whoever set it
 * believes that it counts.
 */
import type { ConfigProblem } from "../Errors.ts"
import { isTable, type Outline, type Table } from "./Section.ts"

/** Empty counts as not set, as for the engine. */
export type Environment = Readonly<Record<string, string | undefined>>

const vsphere = "hatchery.vsphere"

/** The keys that a variable sets: `CDS_` and the path in capitals, `_` for dots. */
const honoured: ReadonlyArray<string> = [
  "log.level",
  "log.format",
  ...["host", "port", "protocol", "extraKey", "extraValue"].map((key) => `log.graylog.${key}`),
  "telemetry.tracingEnabled",
  ...["serviceName", "collectorEndpoint", "samplingProbability"].map((key) => `telemetry.exporters.jaeger.${key}`),
  "telemetry.exporters.prometheus.ReporteringPeriod",
  ...[
    "workerTTL",
    "workerRegistrationTTL",
    "workerProvisioningInterval",
    "workerProvisioningPoolSize",
    "killAwolServersInterval",
    "finishedWorkerGracePeriod",
    "iprange",
    "gateway",
    "dns",
    "subnetMask",
    "maxCpus",
    "maxMemoryMB",
    "defaultFlavor",
    "countSmallerFlavorToKeep"
  ].map((key) => `${vsphere}.${key}`)
]

const nameOf = (path: string): string => `CDS_${path.replaceAll(".", "_").toUpperCase()}`

const pathOf: ReadonlyMap<string, string> = new Map(honoured.map((path) => [nameOf(path), path]))

/** Fields of the engine that are not called like their keys. */
const misnamed: ReadonlyArray<readonly [field: string, key: string]> = [
  ["HATCHERYCOMMONCONFIGURATION_", "commonConfiguration."],
  ["VSPHEREUSER", "user"],
  ["VSPHEREENDPOINT", "endpoint"],
  ["VSPHEREPASSWORD", "password"],
  ["VSPHEREDATACENTERSTRING", "datacenterString"],
  ["VSPHEREDATASTORESTRING", "datastoreString"],
  ["VSPHERENETWORKSTRING", "networkString"],
  ["VSPHERECARDNAME", "cardName"]
]

const prefixes = [nameOf(`${vsphere}.`), nameOf("log."), nameOf("telemetry.")]

/** The path as the outline spells it, as far as it knows it. */
const spelled = (outline: Outline, [head = "", ...rest]: ReadonlyArray<string>): ReadonlyArray<string> => {
  const found = [...outline].find(([key]) => key.toLowerCase() === head)
  return found === undefined ? [] : [found[0], ...spelled(found[1].inner ?? new Map(), rest)]
}

/** The key that the variable seems to mean, as far as its name tells. */
const meantBy = (name: string, outline: Outline): string => {
  const rest = name.slice(prefixes[0]!.length)
  const [field, key] = misnamed.find(([field]) => rest.startsWith(field)) ?? ["", ""]
  const path = name.startsWith(prefixes[0]!)
    ? `${vsphere}.${key}${rest.slice(field.length)}`
    : name.slice("CDS_".length)
  return spelled(outline, path.toLowerCase().split(/[._]/)).join(".")
}

/** `table` with `value` at the path; keys that are there are found without regard to case. */
const withValue = (table: Table, [head = "", ...rest]: ReadonlyArray<string>, value: string): Table => {
  const key = Object.keys(table).find((one) => one.toLowerCase() === head.toLowerCase()) ?? head
  const inner = table[key]
  return { ...table, [key]: rest.length === 0 ? value : withValue(isTable(inner) ? inner : {}, rest, value) }
}

export interface Overlaid {
  readonly table: Table
  /** The variables that count, by the path of the key that they set. */
  readonly setBy: ReadonlyMap<string, string>
  readonly warnings: ReadonlyArray<ConfigProblem>
}

/** The file's table with the variables that count in it. Values of the others are not shown, they may be secrets. */
export const overlay = (table: Table, environment: Environment, outline: () => Outline): Overlaid => {
  const set = Object.entries(environment).filter(
    (entry): entry is [string, string] => Boolean(entry[1]) && prefixes.some((prefix) => entry[0].startsWith(prefix))
  )
  const counting = set.flatMap(([name, value]) => {
    const path = pathOf.get(name)
    return path === undefined ? [] : [{ name, path, value }]
  })
  return {
    table: counting.reduce((sum, { path, value }) => withValue(sum, path.split("."), value), table),
    setBy: new Map(counting.map(({ name, path }) => [path, name])),
    warnings: set
      .filter(([name]) => !pathOf.has(name))
      .map(([name]) => ({
        path: name,
        value: "<not shown>",
        rule: `this variable has no effect, as with the CDS engine; write ${meantBy(name, outline())} in the file`
      }))
  }
}
