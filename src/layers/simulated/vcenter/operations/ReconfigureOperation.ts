/** ReconfigVM_Task: name, annotation, size, disk and extra configuration in one step, guarded by `changeVersion` where one is given. */
import type { WireValue } from "../../../vsphere/Vim.ts"
import * as Args from "../Args.ts"
import type { Core } from "../Core.ts"
import { firstDiskKey } from "../Machine.ts"
import type { Machine } from "../Machine.ts"
import { mustBePowered, nextVersion } from "../Power.ts"
import { escapeName } from "../Tree.ts"
import { refuse } from "../Wire.ts"
import type { Handler } from "./Handler.ts"
import { machineTask } from "./PowerOperations.ts"

/** The fields of a VirtualMachineConfigSpec that are given, as fields of a machine. Refuses with InvalidArgument. */
export const readConfig = (config: WireValue, cores: number, cpus: number): Partial<Machine> => {
  const spec = Args.object(config)
  const annotation = Args.text(spec["annotation"])
  const instanceUuid = Args.text(spec["instanceUuid"])?.toLowerCase()
  const size = {
    cpus: Args.number(spec["numCPUs"]) ?? cpus,
    coresPerSocket: Args.number(spec["numCoresPerSocket"]) ?? cores
  }
  if (size.cpus < 1 || size.cpus % size.coresPerSocket !== 0)
    Args.invalidArgument("spec.numCPUs", "The number of CPUs is not a multiple of the cores per socket.")
  const memoryMB = Args.number(spec["memoryMB"])
  if (memoryMB !== undefined && (memoryMB < 4 || memoryMB % 4 !== 0))
    Args.invalidArgument("spec.memoryMB", "Memory has to be a multiple of 4 MB.")
  return {
    ...(size.cpus === cpus && size.coresPerSocket === cores ? {} : size),
    ...(annotation === undefined ? {} : { annotation }),
    ...(instanceUuid === undefined ? {} : { instanceUuid }),
    ...(memoryMB === undefined ? {} : { memoryMB })
  }
}

/** Its disk after the changes of devices, whose size counts in bytes. Refuses with InvalidDeviceSpec to shrink it, and to resize one that is shared. */
export const withDisk = ({ diskKB, diskShared }: Machine, changes: ReadonlyArray<WireValue>): Partial<Machine> => {
  for (const [deviceIndex, change] of changes.entries()) {
    const { operation, device } = Args.object(change)
    const { _type, key, capacityInBytes } = Args.object(device)
    const wanted = (Args.number(capacityInBytes) ?? 0) / 1024
    if (Args.text(_type) !== "VirtualDisk" || wanted === 0 || wanted === diskKB) continue
    const known = Args.text(operation) === "edit" && Args.number(key) === firstDiskKey
    if (!known || diskShared || wanted < diskKB)
      refuse("InvalidDeviceSpec", `Invalid configuration for device '${deviceIndex}'.`, { deviceIndex })
    return { diskKB: wanted }
  }
  return {}
}

/** Extra configuration after the changes: a key with an empty value is removed. */
const withExtra = (machine: Machine, given: WireValue): Partial<Machine> => {
  if (given === undefined) return {}
  const extra = new Map(machine.extraConfig.map(({ key, value }) => [key, value]))
  for (const item of Args.list(given)) {
    const { key, value } = Args.object(item)
    const text = Args.text(value) ?? ""
    if (text === "") extra.delete(Args.text(key) ?? "")
    else extra.set(Args.required("spec.extraConfig.key", Args.text(key)), text)
  }
  return { extraConfig: [...extra].map(([key, value]) => ({ key, value })) }
}

const apply = (core: Core, machine: Machine, config: WireValue) => {
  const spec = Args.object(config)
  const guard = Args.text(spec["changeVersion"])
  if (guard !== undefined && guard !== machine.changeVersion)
    refuse("ConcurrentAccess", "The operation cannot be completed: the object was changed since it was read.")
  const changes = {
    ...readConfig(spec, machine.coresPerSocket, machine.cpus),
    ...withExtra(machine, spec["extraConfig"]),
    ...withDisk(machine, Args.list(spec["deviceChange"]))
  }
  const resized = changes.cpus !== undefined || (changes.memoryMB ?? machine.memoryMB) !== machine.memoryMB
  if (resized) mustBePowered(machine, "poweredOff")
  const name = Args.text(spec["name"])
  if (name === "") Args.invalidArgument("spec.name", "A name cannot be empty.")
  if (name !== undefined) core.tree.rename(machine, escapeName(name))
  core.store.update(machine, { ...changes, ...nextVersion(core) })
}

export const reconfigureTask: Handler = (core, call) =>
  machineTask(core, call, "VirtualMachine.reconfigure", core.timings().reconfigureMs, (machine) =>
    apply(core, machine, call.args["spec"])
  )
