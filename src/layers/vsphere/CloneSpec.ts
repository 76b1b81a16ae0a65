/** The specification of a clone, in the order of the vSphere schema (vsphere-behaviour 5, with its defects 36, 37, 46 and 47 repaired). */
import type { Addressing, ClonePlan } from "../../services/VSphere.ts"
import type { Placed } from "./Placement.ts"
import { deviceChange, sizeSpec } from "./ReconfigSpec.ts"
import type { WireValue } from "./Vim.ts"
import type { Device } from "./wire/Devices.ts"
import type { Ref } from "./wire/Values.ts"

/** What of a template goes into the specification of its clones. */
export interface TemplateHardware {
  /** The snapshot that clones share their disks with; undefined when it has none. */
  readonly snapshot: Ref | undefined
  readonly coresPerSocket: number
  readonly cards: ReadonlyArray<Device>
  readonly disks: ReadonlyArray<Device>
}

/** A VirtualMachineCloneSpec. `cardType` undefined keeps the type that each card of the template has; `growth` is that of its disk. */
export const cloneSpec = (
  plan: ClonePlan,
  hardware: TemplateHardware,
  placed: Placed,
  cardType: string | undefined,
  growth: ReadonlyArray<WireValue>
): WireValue => ({
  location: {
    datastore: placed.datastore,
    diskMoveType: hardware.snapshot === undefined ? "moveChildMostDiskBacking" : "createNewChildDiskBacking",
    pool: placed.pool,
    ...(placed.host === undefined ? {} : { host: placed.host }),
    deviceChange: cardChanges(hardware.cards, placed.network.backing, cardType)
  },
  template: false,
  config: {
    instanceUuid: plan.id,
    annotation: plan.annotation,
    tools: { afterPowerOn: true },
    ...(plan.flavor === undefined ? {} : sizeSpec(plan.flavor, hardware.coresPerSocket)),
    ...deviceChange(growth)
  },
  customization: {
    identity: { _type: "CustomizationLinuxPrep", hostName: { _type: "CustomizationVirtualMachineName" }, domain: "" },
    globalIPSettings: dnsServers(plan.addressing),
    nicSettingMap: hardware.cards.map((_, index) => ({
      adapter: index === 0 ? ipSettings(plan.addressing) : dhcp
    }))
  },
  powerOn: true,
  ...(hardware.snapshot === undefined ? {} : { snapshot: hardware.snapshot })
})

const connectable: WireValue = { startConnected: true, allowGuestControl: true, connected: true }

/**
 * Every card gets the network. vSphere cannot change the type of a card: one of another type takes its place, with a negative key of its
 * own. Then all are replaced, so that the cards keep their order, by which the customization addresses them.
 */
const cardChanges = (
  cards: ReadonlyArray<Device>,
  backing: WireValue,
  type: string | undefined
): ReadonlyArray<WireValue> => {
  if (type === undefined || cards.every((card) => card._type === type))
    return cards.map((card) => ({
      operation: "edit",
      device: { _type: card._type, key: card.key, backing, connectable, ...slotOf(card) }
    }))
  return [
    ...cards.map((card) => ({
      operation: "remove",
      device: { _type: card._type, key: card.key, ...slotOf(card) }
    })),
    ...cards.map((_, index) => ({
      operation: "add",
      device: { _type: type, key: -1 - index, backing, connectable, addressType: "generated" }
    }))
  ]
}

const slotOf = ({ controllerKey, unitNumber }: Device) => ({
  ...(controllerKey === undefined ? {} : { controllerKey }),
  ...(unitNumber === undefined ? {} : { unitNumber })
})

const dhcp: WireValue = { ip: { _type: "CustomizationDhcpIpGenerator" } }

const ipSettings = (addressing: Addressing): WireValue =>
  addressing._tag === "Dhcp"
    ? dhcp
    : {
        ip: { _type: "CustomizationFixedIp", ipAddress: addressing.ip },
        subnetMask: addressing.subnetMask,
        ...(addressing.gateway === undefined ? {} : { gateway: [addressing.gateway] })
      }

const dnsServers = (addressing: Addressing): WireValue =>
  addressing._tag === "Dhcp" || addressing.dns.length === 0 ? {} : { dnsServerList: addressing.dns }
