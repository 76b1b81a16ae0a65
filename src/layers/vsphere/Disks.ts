/** The first virtual disk grows to what a flavor says (vsphere-behaviour 4.2 step 7). It never shrinks, and one with a parent cannot grow. */
import { Effect } from "effect"
import type { Sizing } from "../../schema/Machine.ts"
import type { WireValue } from "./Vim.ts"
import { type Device, isChild, isDisk } from "./wire/Devices.ts"

const kilobytesPerGB = 1_048_576

export class Disks {
  /** Templates whose disks were told to be shared: once is enough. */
  private readonly told = new Set<string>()

  /** The changes of devices that come to it: one or none. `shared`: the disk is going to be a child of the template's. */
  readonly growth = Effect.fnUntraced(function* (
    this: Disks,
    template: string,
    devices: ReadonlyArray<Device>,
    { diskSizeGB = 0 }: Partial<Sizing>,
    shared: boolean
  ): Effect.fn.Return<ReadonlyArray<WireValue>> {
    const disk = devices.find(isDisk)
    const capacityInKB = diskSizeGB * kilobytesPerGB
    if (disk?.capacityInKB === undefined || disk.capacityInKB >= capacityInKB) return []
    if (!shared && !isChild(disk)) return [{ operation: "edit", device: grown(disk, capacityInKB) }]
    if (!this.told.has(template)) {
      this.told.add(template)
      yield* Effect.logWarning(
        `machines of ${template} share its disk, which cannot grow then: flavors with diskSizeGB leave it as it is; enlarge the disk of the template, or remove its snapshots`
      )
    }
    return []
  })
}

/** In the order of the schema. A disk that is edited is known by its key and its file; its size counts in bytes, the schema wants it in KB as well. */
const grown = ({ _type, key, backing, controllerKey, unitNumber }: Device, capacityInKB: number): WireValue => ({
  _type,
  key,
  ...(backing === undefined ? {} : { backing: backing as WireValue }),
  ...(controllerKey === undefined ? {} : { controllerKey }),
  ...(unitNumber === undefined ? {} : { unitNumber }),
  capacityInKB,
  capacityInBytes: capacityInKB * 1024
})
