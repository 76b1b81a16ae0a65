/** The templates that machines are cloned from: found by name in the mirror, their hardware read once per version. */
import { Effect, Semaphore } from "effect"
import { VSphereError } from "../../schema/Errors.ts"
import type { VimError } from "../../schema/Errors.ts"
import type { MachineFacts, MachineRef } from "../../schema/Machine.ts"
import type { Inventory } from "../../services/Inventory.ts"
import type { TemplateHardware } from "./CloneSpec.ts"
import { readHardware } from "./Hardware.ts"
import type { VimCalls } from "./retrieval.ts"
import { isDisk, isNetworkCard } from "./wire/Devices.ts"

export class Templates {
  private readonly vim: VimCalls
  private readonly inventory: Inventory["Service"]
  private readonly hardware = new Map<MachineRef, { readonly version: string; readonly hardware: TemplateHardware }>()
  /** Clones of one template begin side by side: one reads for all. */
  private readonly reading = Semaphore.makeUnsafe(1)

  constructor(vim: VimCalls, inventory: Inventory["Service"]) {
    this.vim = vim
    this.inventory = inventory
  }

  /** The template or machine of that name. `unreachable` while the inventory is not complete and shows none. */
  find(name: string): Effect.Effect<MachineFacts, VSphereError> {
    return Effect.flatMap(this.inventory.view, ({ named, complete }) => {
      const [only, another] = named(name)
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
  hardwareOf(template: MachineFacts): Effect.Effect<TemplateHardware, VimError> {
    return this.reading.withPermits(1)(this.look(template))
  }

  private readonly look = Effect.fnUntraced(function* (
    this: Templates,
    template: MachineFacts
  ): Effect.fn.Return<TemplateHardware, VimError> {
    const known = this.hardware.get(template.ref)
    if (known?.version === template.changeVersion) return known.hardware
    const { devices, coresPerSocket, snapshot } = yield* readHardware(this.vim, template.ref, [
      "devices",
      "coresPerSocket",
      "snapshot"
    ])
    const hardware = { snapshot, coresPerSocket, cards: devices.filter(isNetworkCard), disks: devices.filter(isDisk) }
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
