/** The machines that are there from the start, or belong to other people: templates, and foreign machines in any number. */
import type { Core } from "./Core.ts"
import { guestOff, machineKind } from "./Machine.ts"
import type { Card, Machine } from "./Machine.ts"
import type { TemplateOptions } from "./Options.ts"
import { nextVersion } from "./Power.ts"
import type { Ref } from "./Wire.ts"

/** vCenter numbers network cards from here. */
export const firstCardKey = 4000

/** A MAC address of VMware's range for the card of that machine. */
export const macOf = (machine: number, card: number): string => {
  const digits = ((machine * 8 + card) & 0x3fffff).toString(16).padStart(6, "0")
  return `00:50:56:${digits.slice(0, 2)}:${digits.slice(2, 4)}:${digits.slice(4, 6)}`
}

const makeCard = (core: Core, machine: number, index: number): Card => ({
  key: firstCardKey + index,
  type: "VirtualVmxnet3",
  mac: macOf(machine, index),
  backing: {
    _type: "VirtualEthernetCardNetworkBackingInfo",
    deviceName: core.options.network,
    network: core.tree.network
  }
})

type Given = Pick<Machine, "name" | "annotation" | "cpus" | "memoryMB" | "cards" | "origin" | "template">

const makeMachine = (core: Core, id: number, given: Given): Machine => ({
  ref: { type: "VirtualMachine", value: `vm-${id}` },
  kind: machineKind,
  parent: core.tree.vmFolder,
  configured: true,
  instanceUuid: core.uuid(),
  uuid: core.uuid(),
  coresPerSocket: 1,
  diskKB: 20 * 1_048_576,
  diskShared: false,
  extraConfig: [],
  createdAt: core.now(),
  power: "poweredOff",
  connection: "connected",
  question: undefined,
  bootedAt: undefined,
  host: core.tree.hosts[id % core.tree.hosts.length]!,
  pool: undefined,
  datastore: core.tree.datastores[0]!,
  snapshot: undefined,
  guest: guestOff,
  recentTasks: [],
  customization: undefined,
  fixed: [],
  login: undefined,
  busy: undefined,
  ...nextVersion(core),
  ...given
})

export const addTemplate = (core: Core, options: TemplateOptions): Ref => {
  const id = core.nextId()
  const machine: Machine = {
    ...makeMachine(core, id, {
      name: options.name,
      annotation: "",
      cpus: options.cpus,
      memoryMB: options.memoryMB,
      cards: Array.from({ length: options.nics }, (_, index) => makeCard(core, id, index)),
      origin: "template",
      template: true
    }),
    snapshot: options.snapshot ? { type: "VirtualMachineSnapshot", value: `snapshot-${core.nextId()}` } : undefined,
    login: { user: options.guestUser, password: options.guestPassword }
  }
  core.tree.add(machine)
  return machine.ref
}

export interface ForeignOptions {
  readonly count: number
  /** Machines are called `<prefix>-<n>`. */
  readonly prefix?: string
  readonly annotation?: string
  /** On, with an address of their own, or off. */
  readonly poweredOn?: boolean
  /** The address of a single machine. */
  readonly ip?: string
}

/** Machines of other people. They are in no pool of ours, and many share their cards, so that one takes little memory. */
export const addForeign = (core: Core, options: ForeignOptions): ReadonlyArray<Ref> => {
  const cards = [makeCard(core, 0, 0)]
  const on = options.poweredOn ?? true
  return Array.from({ length: options.count }, () => {
    const id = core.nextId()
    const machine = makeMachine(core, id, {
      name: `${options.prefix ?? "foreign"}-${id}`,
      annotation: options.annotation ?? "",
      cpus: 2,
      memoryMB: 4096,
      cards,
      origin: "foreign",
      template: false
    })
    const ip = options.ip ?? `10.250.${(id >> 8) & 255}.${id & 255}`
    const guest = { ...guestOff, tools: true, ready: true, ipAddress: ip, addresses: [[ip]], hostName: machine.name }
    core.tree.add(on ? { ...machine, power: "poweredOn", bootedAt: core.now(), guest } : machine)
    return machine.ref
  })
}
