/** A machine as vCenter shows it: facts only, no opinion. */

/** The value of a VirtualMachine's managed object reference, e.g. `vm-12`. Known only once the machine exists. */
export type MachineRef = string

/** `config.instanceUuid`, lower case with dashes. Chosen by us before creation; the key of an actor. */
export type MachineId = string

export type PowerState = "poweredOn" | "poweredOff" | "suspended"
export type ConnectionState = "connected" | "disconnected" | "inaccessible" | "invalid" | "orphaned"

export interface GuestFacts {
  /** `guest.ipAddress`: whatever Tools report first; not to be trusted as the machine's address. */
  readonly ipAddress: string | undefined
  /** `guest.net[].ipAddress`, one list per network card in card order, IPv6 and docker bridges included. */
  readonly addresses: ReadonlyArray<ReadonlyArray<string>>
  readonly operationsReady: boolean
  readonly toolsRunning: boolean
  /** `guest.customizationInfo.customizationStatus` without its `TOOLSDEPLOYPKG_` prefix; undefined when there was none. */
  readonly customization: "IDLE" | "PENDING" | "RUNNING" | "SUCCEEDED" | "FAILED" | undefined
}

/** The leaf properties that the inventory subscription keeps of every machine of the datacenter. */
export interface MachineFacts {
  readonly ref: MachineRef
  /**
   * Paths of the properties without which nothing can be said of a machine, that cannot be read now (permission, host lost, being created).
   * What stands here of them is what was known last, or empty: while there are any, the machine is not to be judged by its facts.
   */
  readonly unreadable: ReadonlyArray<string>
  readonly name: string
  readonly id: MachineId
  /** Raw `config.annotation`; `Annotation.parse` reads it. */
  readonly annotation: string
  /** `config.changeVersion`: the guard of a reconfigure. */
  readonly changeVersion: string
  /** `config.template`: a vSphere template. */
  readonly template: boolean
  readonly power: PowerState
  readonly connection: ConnectionState
  /** Text of `runtime.question` when the machine waits for an answer. */
  readonly question: string | undefined
  readonly numCpu: number
  readonly memoryMB: number
  /** `config.createDate`, milliseconds since the epoch. */
  readonly createdAt: number | undefined
  /** `runtime.bootTime`, milliseconds since the epoch. */
  readonly bootedAt: number | undefined
  /** The resource pool's reference value, where known. */
  readonly resourcePool: string | undefined
  readonly guest: GuestFacts
}

/** Nothing that matters is missing: the facts may be judged by. */
export const readable = ({ unreadable }: MachineFacts): boolean => unreadable.length === 0

export const isOff = ({ power }: MachineFacts): boolean => power === "poweredOff"

/** Why it is not readable, for people: follows the machine's name. */
export const unreadableReason = ({ unreadable }: MachineFacts): string =>
  `cannot be read: vCenter does not tell ${unreadable.join(", ")}`

/** CPU count and memory of a machine, template or flavor. */
export interface Size {
  readonly cpus: number
  readonly memoryMB: number
}

/** What a flavor makes of a machine. Its first disk grows to `diskSizeGB` where it is smaller, and stays as it is where that is absent. */
export interface Sizing extends Size {
  readonly diskSizeGB?: number
}
