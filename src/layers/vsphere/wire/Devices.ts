/** The virtual hardware of a template, as far as a clone has to know it. */
import { Predicate, Schema } from "effect"
import { Num, Text } from "./Values.ts"

/** Any device; of those that are no network card and no disk only type and key are of interest. */
export const Device = Schema.Struct({
  _type: Text,
  key: Num,
  /** As it was read: its type decides what is in it. */
  backing: Schema.optionalKey(Schema.Unknown),
  capacityInKB: Schema.optionalKey(Num),
  controllerKey: Schema.optionalKey(Num),
  unitNumber: Schema.optionalKey(Num)
})
export type Device = typeof Device.Type

/** `cardName` of the configuration, as the field's tools spell it, and the vSphere type it means. */
export const cardTypes: Readonly<Record<string, string>> = {
  e1000: "VirtualE1000",
  e1000e: "VirtualE1000e",
  vmxnet2: "VirtualVmxnet2",
  vmxnet3: "VirtualVmxnet3",
  pcnet32: "VirtualPCNet32",
  sriov: "VirtualSriovEthernetCard"
}

const ethernet: ReadonlySet<string> = new Set([
  ...Object.values(cardTypes),
  "VirtualEthernetCard",
  "VirtualVmxnet",
  "VirtualVmxnet3Vrdma"
])

export const isNetworkCard = (device: Device): boolean => ethernet.has(device._type)

export const isDisk = ({ _type }: Device): boolean => _type === "VirtualDisk"

/** A disk that holds only what is different from another's. */
export const isChild = ({ backing }: Device): boolean => Predicate.hasProperty(backing, "parent")
