/** The specification of a guarded reconfigure, in the order of the vSphere schema, and whether a machine shows it done. */
import type { MachineFacts, Size } from "../../schema/Machine.ts"
import type { MachineChange } from "../../services/VSphere.ts"
import type { WireValue } from "./Vim.ts"

/** A VirtualMachineConfigSpec that vCenter refuses with ConcurrentAccess when the machine is not at this version any more. */
export const reconfigSpec = (
  changeVersion: string,
  change: MachineChange,
  coresPerSocket: number,
  growth: ReadonlyArray<WireValue> = []
): WireValue => ({
  changeVersion,
  ...(change.name === undefined ? {} : { name: change.name }),
  ...(change.annotation === undefined ? {} : { annotation: change.annotation }),
  ...(change.size === undefined ? {} : sizeSpec(change.size, coresPerSocket)),
  ...deviceChange(growth)
})

export const deviceChange = (changes: ReadonlyArray<WireValue>) =>
  changes.length === 0 ? {} : { deviceChange: changes }

/** vSphere refuses a CPU count that is no multiple of the cores per socket: then the sockets get smaller (defect 49). */
export const sizeSpec = (size: Size, coresPerSocket: number) => ({
  numCPUs: size.cpus,
  ...(size.cpus % coresPerSocket === 0 ? {} : { numCoresPerSocket: greatestCommonDivisor(size.cpus, coresPerSocket) }),
  memoryMB: size.memoryMB
})

const greatestCommonDivisor = (a: number, b: number): number => (b === 0 ? a : greatestCommonDivisor(b, a % b))

/** True when the machine is as the change wants it; its disk grows in the same step as the rest. */
export const shows =
  (change: MachineChange) =>
  (facts: MachineFacts): boolean =>
    (change.name === undefined || facts.name === change.name) &&
    (change.annotation === undefined || facts.annotation === change.annotation) &&
    (change.size === undefined || (facts.numCpu === change.size.cpus && facts.memoryMB === change.size.memoryMB))
