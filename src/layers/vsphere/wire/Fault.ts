/** `LocalizedMethodFault`: how a task, a missing object or a missing property tells its fault. */
import { Schema } from "effect"
import { Text } from "./Values.ts"

export const LocalizedFault = Schema.Struct({
  fault: Schema.Struct({ _type: Schema.optionalKey(Text) }),
  localizedMessage: Schema.optionalKey(Text)
})
export type LocalizedFault = typeof LocalizedFault.Type

/** The vSphere type name of a fault, `MethodFault` where none was told. */
export const faultName = (fault: LocalizedFault): string => fault.fault._type ?? "MethodFault"
