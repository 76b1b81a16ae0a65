/** The virtual hardware of a template or machine, as far as a clone or a flavor has to know it; read directly, as no fact holds it. */
import { Effect, Schema } from "effect"
import type { MachineRef } from "../../schema/Machine.ts"
import { machineRef } from "./MachineCalls.ts"
import { readObject } from "./retrieval.ts"
import type { VimCalls } from "./retrieval.ts"
import { Device } from "./wire/Devices.ts"
import { decodeAnswer, list, Num, Ref } from "./wire/Values.ts"

const paths = {
  devices: "config.hardware.device",
  coresPerSocket: "config.hardware.numCoresPerSocket",
  snapshot: "snapshot.currentSnapshot"
}

const decode = decodeAnswer(
  "RetrievePropertiesEx",
  Schema.Struct({
    devices: list(Device),
    coresPerSocket: Schema.optionalKey(Num),
    snapshot: Schema.optionalKey(Ref)
  })
)

/** Reads these parts of it; what is not asked for is as if there were none, and one core per socket. */
export const readHardware = Effect.fnUntraced(function* (
  vim: VimCalls,
  ref: MachineRef,
  parts: ReadonlyArray<keyof typeof paths>
) {
  const properties = yield* readObject(
    vim,
    machineRef(ref),
    parts.map((part) => paths[part])
  )
  const read = parts.map((part) => [part, properties.get(paths[part])] as const)
  const { devices, coresPerSocket, snapshot } = yield* decode(
    Object.fromEntries(read.filter(([, value]) => value !== undefined))
  )
  return { devices, coresPerSocket: Math.max(1, coresPerSocket ?? 1), snapshot }
})
