/** The templates that machines are cloned from: found by name in the mirror, their hardware read once per version. */
import { Effect, Schema } from "effect"
import { VSphereError } from "../../schema/Errors.ts"
import type { VimError } from "../../schema/Errors.ts"
import type { MachineFacts, MachineRef } from "../../schema/Machine.ts"
import type { Inventory } from "../../services/Inventory.ts"
import type { TemplateHardware } from "./CloneSpec.ts"
import { machineRef } from "./MachineCalls.ts"
import { readObject } from "./retrieval.ts"
import type { VimCalls } from "./retrieval.ts"
import { Device, isNetworkCard } from "./wire/Devices.ts"
import { decodeAnswer, list, Num, Ref } from "./wire/Values.ts"

const hardwarePaths = ["config.hardware.device", "config.hardware.numCoresPerSocket", "snapshot.currentSnapshot"]

const Hardware = Schema.Struct({
  devices: list(Device),
  coresPerSocket: Schema.optionalKey(Num),
  snapshot: Schema.optionalKey(Ref)
})
const decodeHardware = decodeAnswer("RetrievePropertiesEx", Hardware)

const defined = (entries: Readonly<Record<string, unknown>>) =>
  Object.fromEntries(Object.entries(entries).filter(([, value]) => value !== undefined))

export class Templates {
  private readonly vim: VimCalls
  private readonly inventory: Inventory["Service"]
  private readonly hardware = new Map<MachineRef, { readonly version: string; readonly hardware: TemplateHardware }>()

  constructor(vim: VimCalls, inventory: Inventory["Service"]) {
    this.vim = vim
    this.inventory = inventory
  }

  /** The template or machine of that name. `unreachable` while the inventory is not complete and shows none. */
  find(name: string): Effect.Effect<MachineFacts, VSphereError> {
    return Effect.flatMap(this.inventory.view, ({ machines, complete }) => {
      const [only, another] = [...machines.values()].filter((facts) => facts.name === name)
      if (only !== undefined && another === undefined) return Effect.succeed(only)
      const [kind, message] =
        another !== undefined
          ? (["invalid", `more than one machine is called ${name}`] as const)
          : complete
            ? (["gone", `vCenter shows no template ${name} in the datacenter to this account`] as const)
            : (["unreachable", `the inventory is not read completely and shows no template ${name} yet`] as const)
      return Effect.fail(new VSphereError({ operation: "template", kind, message }))
    })
  }

  /** What its clones inherit. Read again when the template's configuration has changed. */
  readonly hardwareOf = Effect.fnUntraced(function* (
    this: Templates,
    template: MachineFacts
  ): Effect.fn.Return<TemplateHardware, VimError> {
    const known = this.hardware.get(template.ref)
    if (known?.version === template.changeVersion) return known.hardware
    const properties = yield* readObject(this.vim, machineRef(template.ref), hardwarePaths)
    const { devices, coresPerSocket, snapshot } = yield* decodeHardware(
      defined({
        devices: properties.get("config.hardware.device"),
        coresPerSocket: properties.get("config.hardware.numCoresPerSocket"),
        snapshot: properties.get("snapshot.currentSnapshot")
      })
    )
    const hardware = {
      snapshot,
      coresPerSocket: Math.max(1, coresPerSocket ?? 1),
      cards: devices.filter(isNetworkCard)
    }
    this.hardware.set(template.ref, { version: template.changeVersion, hardware })
    if (snapshot === undefined)
      yield* Effect.logWarning(
        `template ${template.name} has no snapshot: each of its clones copies the disks; take one to have them shared`
      )
    return hardware
  })

  forget(ref: MachineRef): void {
    this.hardware.delete(ref)
  }
}
