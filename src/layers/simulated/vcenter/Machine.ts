/**
 * A virtual machine or template: a small record, and the table of what vSphere shows of it. Fields are replaced, never changed in
 * place, so that a shallow copy is a good backup.
 */
import type { ConnectionState, PowerState } from "../../../schema/Machine.ts"
import type { WireValue } from "../../vsphere/Vim.ts"
import type { ManagedObject, Row } from "./ManagedObject.ts"
import { makeKind, row } from "./ManagedObject.ts"
import type { Ref } from "./Wire.ts"
import { dateTime } from "./Wire.ts"

export interface Card {
  readonly key: number
  /** A subtype of VirtualEthernetCard, e.g. `VirtualVmxnet3`. */
  readonly type: string
  readonly mac: string
  readonly backing: WireValue
}

/** What the guest's Tools report. */
export interface GuestState {
  readonly tools: boolean
  readonly ready: boolean
  readonly ipAddress: string | undefined
  /** Addresses of each card, in card order. */
  readonly addresses: ReadonlyArray<ReadonlyArray<string>>
  /** Addresses of interfaces that are no card of the machine, e.g. a docker bridge. */
  readonly bridges: ReadonlyArray<string>
  readonly hostName: string | undefined
  readonly customization: "IDLE" | "PENDING" | "RUNNING" | "SUCCEEDED" | "FAILED" | undefined
}

export const guestOff: GuestState = {
  tools: false,
  ready: false,
  ipAddress: undefined,
  addresses: [],
  bridges: [],
  hostName: undefined,
  customization: undefined
}

/** What a clone's customization will do at the first boot. */
export interface Customization {
  /** Undefined: the machine's name at that time. */
  readonly hostName: string | undefined
  /** One per card: a fixed address, or undefined for DHCP. */
  readonly addresses: ReadonlyArray<string | undefined>
}

export interface Machine extends ManagedObject {
  readonly name: string
  readonly parent: Ref
  /** False while a clone is on its way: the name shows already, `config` does not. */
  readonly configured: boolean
  readonly instanceUuid: string
  readonly uuid: string
  readonly annotation: string
  readonly changeVersion: string
  readonly modifiedAt: number
  readonly template: boolean
  readonly cpus: number
  readonly coresPerSocket: number
  readonly memoryMB: number
  readonly diskKB: number
  /** Its disk is the child of its template's, and cannot change its size. */
  readonly diskShared: boolean
  readonly cards: ReadonlyArray<Card>
  readonly extraConfig: ReadonlyArray<{ readonly key: string; readonly value: string }>
  readonly createdAt: number
  readonly power: PowerState
  readonly connection: ConnectionState
  readonly question: string | undefined
  readonly bootedAt: number | undefined
  readonly host: Ref
  readonly pool: Ref | undefined
  readonly datastore: Ref
  readonly snapshot: Ref | undefined
  readonly guest: GuestState
  readonly recentTasks: ReadonlyArray<Ref>

  /** Not shown: who made it, the pending customization, the fixed addresses, the guest account, the task that holds it. */
  readonly origin: "template" | "clone" | "foreign"
  readonly customization: Customization | undefined
  readonly fixed: ReadonlyArray<string | undefined>
  readonly login: { readonly user: string; readonly password: string } | undefined
  readonly busy: string | undefined
}

const of = row<Machine>()

/** A row under `config`: unset until the clone is configured. */
const config = <F extends keyof Machine & string>(
  path: string,
  type: string,
  field: F,
  get: (machine: Machine) => WireValue = (machine) => machine[field] as WireValue
): Row<Machine> => ({
  ...of(path, type, field, (machine) => (machine.configured ? get(machine) : undefined)),
  fields: [field, "configured"]
})

const date = (millis: number | undefined): string | undefined => (millis === undefined ? undefined : dateTime(millis))

const diskBacking = "VirtualDiskFlatVer2BackingInfo"

/** vCenter numbers disks from here. */
export const firstDiskKey = 2000

const devices = (machine: Machine): WireValue => [
  {
    _type: "VirtualDisk",
    key: firstDiskKey,
    deviceInfo: { label: "Hard disk 1", summary: `${machine.diskKB} KB` },
    backing: {
      _type: diskBacking,
      fileName: `[${machine.datastore.value}] ${machine.instanceUuid}/disk.vmdk`,
      datastore: machine.datastore,
      diskMode: "persistent",
      thinProvisioned: true,
      ...(machine.diskShared ? { parent: { _type: diskBacking, fileName: "base.vmdk", diskMode: "persistent" } } : {})
    },
    controllerKey: 1000,
    unitNumber: 0,
    capacityInKB: machine.diskKB,
    capacityInBytes: machine.diskKB * 1024
  },
  ...machine.cards.map((card, index) => ({
    _type: card.type,
    key: card.key,
    deviceInfo: { label: `Network adapter ${index + 1}`, summary: "network" },
    backing: card.backing,
    controllerKey: 100,
    unitNumber: 7 + index,
    addressType: "assigned",
    macAddress: card.mac
  }))
]

const nics = (machine: Machine): WireValue => {
  const { addresses, bridges } = machine.guest
  if (addresses.length === 0 && bridges.length === 0) return undefined
  return [
    ...bridges.map((ip) => ({ ipAddress: [ip], macAddress: "02:42:00:00:00:01", connected: true, deviceConfigId: -1 })),
    ...machine.cards.map((card, index) => ({
      network: "VM Network",
      ipAddress: addresses[index] ?? [],
      macAddress: card.mac,
      connected: true,
      deviceConfigId: card.key
    }))
  ]
}

const question = (machine: Machine): WireValue =>
  machine.question === undefined ? undefined : { id: "1", text: machine.question, choice: { choiceInfo: [] } }

const toolsStatus = (machine: Machine): string => (machine.guest.tools ? "guestToolsRunning" : "guestToolsNotRunning")

const customizationStatus = (machine: Machine): WireValue =>
  machine.guest.customization === undefined ? undefined : `TOOLSDEPLOYPKG_${machine.guest.customization}`

const snapshotTree = (machine: Machine): WireValue =>
  machine.snapshot === undefined
    ? undefined
    : [
        {
          snapshot: machine.snapshot,
          vm: machine.ref,
          name: "base",
          description: "",
          id: 1,
          createTime: dateTime(machine.createdAt),
          state: "poweredOff",
          quiesced: false
        }
      ]

export const machineKind = makeKind<Machine>({
  name: "VirtualMachine",
  bases: ["ManagedEntity", "ExtensibleManagedObject"],
  rows: [
    of("parent", "ManagedObjectReference", "parent"),
    of("name", "string", "name"),
    of("recentTask", "ArrayOfManagedObjectReference", "recentTasks"),
    config("config.changeVersion", "string", "changeVersion"),
    config("config.modified", "dateTime", "modifiedAt", (m) => dateTime(m.modifiedAt)),
    config("config.name", "string", "name"),
    config("config.guestFullName", "string", "configured", () => "Debian GNU/Linux 12 (64-bit)"),
    config("config.uuid", "string", "uuid"),
    config("config.createDate", "dateTime", "createdAt", (m) => dateTime(m.createdAt)),
    config("config.instanceUuid", "string", "instanceUuid"),
    config("config.template", "boolean", "template"),
    config("config.guestId", "string", "configured", () => "debian12_64Guest"),
    config("config.annotation", "string", "annotation"),
    config("config.hardware.numCPU", "int", "cpus"),
    config("config.hardware.numCoresPerSocket", "int", "coresPerSocket"),
    config("config.hardware.memoryMB", "int", "memoryMB"),
    {
      ...config("config.hardware.device", "ArrayOfVirtualDevice", "cards", devices),
      fields: ["cards", "diskKB", "configured"]
    },
    config("config.extraConfig", "ArrayOfOptionValue", "extraConfig", (m) =>
      m.extraConfig.map(({ key, value }) => ({ key, value: { _type: "xsd:string", _value: value } }))
    ),
    of("resourcePool", "ManagedObjectReference", "pool"),
    of("runtime.host", "ManagedObjectReference", "host"),
    of("runtime.connectionState", "VirtualMachineConnectionState", "connection"),
    of("runtime.powerState", "VirtualMachinePowerState", "power"),
    of("runtime.question", "VirtualMachineQuestionInfo", "question", question),
    of("runtime.bootTime", "dateTime", "bootedAt", (m) => date(m.bootedAt)),
    of("guest.toolsRunningStatus", "string", "guest", toolsStatus),
    of("guest.hostName", "string", "guest", (m) => m.guest.hostName),
    of("guest.ipAddress", "string", "guest", (m) => m.guest.ipAddress),
    of("guest.net", "ArrayOfGuestNicInfo", "guest", nics),
    of("guest.guestState", "string", "guest", (m) => (m.guest.tools ? "running" : "notRunning")),
    of("guest.guestOperationsReady", "boolean", "guest", (m) => m.guest.ready),
    of("guest.customizationInfo.customizationStatus", "string", "guest", customizationStatus),
    of("summary.vm", "ManagedObjectReference", "ref"),
    of("summary.runtime.connectionState", "VirtualMachineConnectionState", "connection"),
    of("summary.runtime.powerState", "VirtualMachinePowerState", "power"),
    of("summary.runtime.question", "VirtualMachineQuestionInfo", "question", question),
    of("summary.runtime.bootTime", "dateTime", "bootedAt", (m) => date(m.bootedAt)),
    of("summary.guest.toolsRunningStatus", "string", "guest", toolsStatus),
    of("summary.guest.hostName", "string", "guest", (m) => m.guest.hostName),
    of("summary.guest.ipAddress", "string", "guest", (m) => m.guest.ipAddress),
    config("summary.config.name", "string", "name"),
    config("summary.config.template", "boolean", "template"),
    config("summary.config.memorySizeMB", "int", "memoryMB"),
    config("summary.config.numCpu", "int", "cpus"),
    config("summary.config.numEthernetCards", "int", "cards", (m) => m.cards.length),
    config("summary.config.uuid", "string", "uuid"),
    config("summary.config.instanceUuid", "string", "instanceUuid"),
    config("summary.config.annotation", "string", "annotation"),
    of("datastore", "ArrayOfManagedObjectReference", "datastore", (m) => [m.datastore]),
    of("snapshot.currentSnapshot", "ManagedObjectReference", "snapshot"),
    of("snapshot.rootSnapshotList", "ArrayOfVirtualMachineSnapshotTree", "snapshot", snapshotTree)
  ],
  nodes: {
    config: "VirtualMachineConfigInfo",
    "config.hardware": "VirtualHardware",
    runtime: "VirtualMachineRuntimeInfo",
    guest: "GuestInfo",
    "guest.customizationInfo": "GuestInfoCustomizationInfo",
    summary: "VirtualMachineSummary",
    "summary.runtime": "VirtualMachineRuntimeInfo",
    "summary.guest": "VirtualMachineGuestSummary",
    "summary.config": "VirtualMachineConfigSummary",
    snapshot: "VirtualMachineSnapshotInfo"
  }
})

export const isMachine = (object: ManagedObject | undefined): object is Machine => object?.kind === machineKind
