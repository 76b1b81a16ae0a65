/**
 * What a job asks of vCenter, from its event to the word that its machine is gone. The recordings in test/real/spawn.test.ts are held against
 * it, and docs/operations.md shows it.
 */
import { machinePaths } from "../../src/layers/vsphere/wire/MachineProperties.ts"

/** Where the job's machine comes from: the pool, the pool and made larger by a flavor, a clone of its own. */
export const spawns = ["pool", "flavor", "clone"] as const
export type Spawn = (typeof spawns)[number]

/** A call as the table tells it apart. */
export interface JobCall {
  readonly operation: string
  /** `machine`: the job's own, `template`: what it is made of; else the type of the managed object. */
  readonly of: string
  /** Properties that it reads. */
  readonly reads: ReadonlyArray<string>
}

export interface Row extends JobCall {
  /** How often at most, and at least once where it is not 0. */
  readonly most: Readonly<Record<Spawn, number>>
  readonly purpose: string
}

const always = (times: number): Row["most"] => ({ pool: times, flavor: times, clone: times })

const cores = "config.hardware.numCoresPerSocket"
const devices = "config.hardware.device"

export const rows: ReadonlyArray<Row> = [
  {
    operation: "RetrievePropertiesEx",
    of: "template",
    reads: [devices, cores, "snapshot.currentSnapshot"],
    most: { pool: 0, flavor: 0, clone: 1 },
    purpose: "what a clone inherits; once for each version of the template"
  },
  {
    operation: "CloneVM_Task",
    of: "template",
    reads: [],
    most: { pool: 0, flavor: 0, clone: 1 },
    purpose: "the machine, powered on, with name, size and annotation"
  },
  {
    operation: "RetrievePropertiesEx",
    of: "machine",
    reads: [devices, cores],
    most: { pool: 0, flavor: 1, clone: 0 },
    purpose: "cores for each socket, and the disk of a flavor with `diskSizeGB`"
  },
  {
    operation: "ReconfigVM_Task",
    of: "machine",
    reads: [],
    most: { pool: 3, flavor: 3, clone: 2 },
    purpose: "the claim (with name and size; a clone is born with it), the running worker, the removal"
  },
  {
    operation: "PowerOnVM_Task",
    of: "machine",
    reads: [],
    most: { pool: 1, flavor: 1, clone: 0 },
    purpose: "a machine of the pool is off"
  },
  {
    operation: "RetrievePropertiesEx",
    of: "GuestOperationsManager",
    reads: ["processManager", "fileManager"],
    most: always(1),
    purpose: "who runs programs in guests; once for each process of the hatchery"
  },
  {
    operation: "StartProgramInGuest",
    of: "machine",
    reads: [],
    most: always(2),
    purpose: "the probe of the login, the start script"
  },
  {
    operation: "ListProcessesInGuest",
    of: "machine",
    reads: [],
    most: always(Infinity),
    purpose: "the start script's exit code, 2, 4, 8 … 30 s apart, until the worker is seen at CDS"
  },
  {
    operation: "RetrievePropertiesEx",
    of: "machine",
    reads: machinePaths,
    most: always(1),
    purpose: "whose it is and what it does, directly before it is removed"
  },
  { operation: "Destroy_Task", of: "machine", reads: [], most: always(1), purpose: "the removal" },
  {
    operation: "WaitForUpdatesEx",
    of: "PropertyCollector",
    reads: [],
    most: always(Infinity),
    purpose: "the one subscription goes on: it tells the end of tasks, readiness, power-off and the machine's going"
  }
]

const key = ({ operation, of, reads }: JobCall): string => [operation, of, ...reads.toSorted()].join(" ")

export const rowOf = (call: JobCall): Row | undefined => rows.find((row) => key(row) === key(call))

const times = (count: number): string => (count === 0 ? "" : Number.isFinite(count) ? String(count) : "repeated")

const objects: Readonly<Record<string, string>> = {
  machine: "the machine",
  template: "its template",
  GuestOperationsManager: "the guest operations manager",
  PropertyCollector: "the property collector"
}

const readsOf = ({ reads }: Row): string =>
  reads === machinePaths
    ? `reads the ${reads.length} properties of the subscription: `
    : reads.length === 0
      ? ""
      : `reads ${reads.map((path) => `\`${path}\``).join(", ")}: `

/** The table as docs/operations.md shows it. */
export const drawn = [
  "| Call | Of | Pool | Pool, flavor | Clone | For |",
  "|---|---|---|---|---|---|",
  ...rows.map((row) =>
    [
      "",
      ` \`${row.operation}\` `,
      ` ${objects[row.of] ?? row.of} `,
      ...spawns.map((spawn) => ` ${times(row.most[spawn])} `.replace("  ", " ")),
      ` ${readsOf(row)}${row.purpose} `,
      ""
    ].join("|")
  )
].join("\n")
