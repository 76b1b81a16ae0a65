/** The specification of a clone, in the order of the vSphere schema (vsphere-behaviour 5, with its defects 36, 37, 46 and 47 repaired). */
import type { Addressing, ClonePlan } from "../../services/VSphere.ts"
import type { Placed } from "./Placement.ts"
import { sizeSpec } from "./ReconfigSpec.ts"
import type { WireValue } from "./Vim.ts"
import type { Device } from "./wire/Devices.ts"
import type { Ref } from "./wire/Values.ts"

/** What of a template goes into the specification of its clones. */
export interface TemplateHardware {
  /** The snapshot that clones share their disks with; undefined when it has none. */
  readonly snapshot: Ref | undefined
  readonly coresPerSocket: number
  readonly cards: ReadonlyArray<Device>
}

/** A VirtualMachineCloneSpec. `cardType` undefined keeps the type that each card of the template has. */
export const cloneSpec = (
  plan: ClonePlan,
  hardware: TemplateHardware,
  placed: Placed,
  cardType: string | undefined
): WireValue => ({
  location: {
    datastore: placed.datastore,
    diskMoveType: hardware.snapshot === undefined ? "moveChildMostDiskBacking" : "createNewChildDiskBacking",
    pool: placed.pool,
    deviceChange: hardware.cards.flatMap((card, index) => cardChanges(card, index, placed.network.backing, cardType))
  },
  template: false,
  config: {
    instanceUuid: plan.id,
    annotation: plan.annotation,
    tools: { afterPowerOn: true },
    ...(plan.flavor === undefined ? {} : sizeSpec(plan.flavor, hardware.coresPerSocket))
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

/** vSphere cannot change the type of a card: one of another type takes its place. New devices have negative keys of their own. */
const cardChanges = (
  card: Device,
  index: number,
  backing: WireValue,
  cardType: string | undefined
): ReadonlyArray<WireValue> => {
  const type = cardType ?? card._type
  const connectable = { startConnected: true, allowGuestControl: true, connected: true }
  if (type === card._type)
    return [{ operation: "edit", device: { _type: type, key: card.key, backing, connectable, ...slotOf(card) } }]
  return [
    { operation: "remove", device: { _type: card._type, key: card.key, ...slotOf(card) } },
    { operation: "add", device: { _type: type, key: -1 - index, backing, connectable, addressType: "generated" } }
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
