/** How much disk machines have, for the metrics: read when it is asked for, and again when a machine's configuration has changed. */
import { Effect, Schema } from "effect"
import type { VimError } from "../../schema/Errors.ts"
import type { MachineFacts, MachineRef } from "../../schema/Machine.ts"
import { machineRef } from "./MachineCalls.ts"
import { readObjects, type VimCalls } from "./retrieval.ts"
import { Device, isDisk } from "./wire/Devices.ts"
import { decodeAnswer, list } from "./wire/Values.ts"

const path = "config.hardware.device"
/** Whoever asks for the metrics does not wait for a vCenter that is away. */
const patience = "3 seconds"
const kilobytesPerGB = 1_048_576

const decode = decodeAnswer("RetrievePropertiesEx", Schema.Struct({ devices: list(Device) }))

/** Whole GB of all virtual disks together, as the Go hatchery counts them (vsphere-behaviour 12). */
const gigabytes = (devices: ReadonlyArray<Device>): number =>
  Math.floor(devices.filter(isDisk).reduce((sum, { capacityInKB = 0 }) => sum + capacityInKB, 0) / kilobytesPerGB)

export class DiskSizes {
  private readonly vim: VimCalls
  private known = new Map<MachineRef, { readonly version: string; readonly diskGB: number }>()

  constructor(vim: VimCalls) {
    this.vim = vim
  }

  /** One call for all that changed, none when nothing did. What cannot be read now is as it was known, or not in the answer. */
  readonly of = Effect.fnUntraced(function* (this: DiskSizes, machines: ReadonlyArray<MachineFacts>) {
    const changed = machines.filter(({ ref, changeVersion }) => this.known.get(ref)?.version !== changeVersion)
    const read = yield* this.read(changed.map(({ ref }) => ref)).pipe(
      Effect.timeout(patience),
      Effect.orElseSucceed(() => new Map<string, number>())
    )
    this.known = new Map(
      machines.flatMap(({ ref, changeVersion: version }) => {
        const diskGB = read.get(ref)
        const known = diskGB === undefined ? this.known.get(ref) : { version, diskGB }
        return known === undefined ? [] : [[ref, known] as const]
      })
    )
    return new Map([...this.known].map(([ref, { diskGB }]) => [ref, diskGB]))
  })

  private readonly read = Effect.fnUntraced(function* (
    this: DiskSizes,
    refs: ReadonlyArray<MachineRef>
  ): Effect.fn.Return<ReadonlyMap<MachineRef, number>, VimError> {
    if (refs.length === 0) return new Map()
    const objects = yield* readObjects(this.vim, refs.map(machineRef), [path])
    const sizes = yield* Effect.forEach(objects, ({ obj, propSet }) => {
      const value = propSet.find(({ name }) => name === path)?.val
      return value === undefined
        ? Effect.succeed([])
        : Effect.map(decode({ devices: value }), ({ devices }) => [[obj.value, gigabytes(devices)] as const])
    })
    return new Map(sizes.flat())
  })
}
