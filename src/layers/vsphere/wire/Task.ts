/** The leaves of a Task that are followed, and what its end means. */
import { Option, Schema } from "effect"
import { LocalizedFault } from "./Fault.ts"
import { oneOf, Text } from "./Values.ts"

export const taskPaths = ["info.key", "info.descriptionId", "info.state", "info.error", "info.result"] as const

const State = oneOf(["queued", "running", "success", "error"])

/** `info.result` of a clone is a reference; of other tasks nothing, or something nobody here asks for. */
const Result = Schema.Struct({ value: Text })

/** The end of a task. `result` is the reference value in `info.result` where there is one. */
export type TaskEnd =
  | { readonly _tag: "Success"; readonly result: string | undefined }
  | { readonly _tag: "Failure"; readonly fault: LocalizedFault }

const decodeText = Schema.decodeUnknownOption(Text)

/** True for a task that clones a machine: `VirtualMachine.clone`. */
export const isClone = (properties: ReadonlyMap<string, unknown>): boolean =>
  /\.clone/.test(Option.getOrElse(decodeText(properties.get("info.descriptionId")), () => ""))

const decodeState = Schema.decodeUnknownOption(State)
const decodeResult = Schema.decodeUnknownOption(Result)
const decodeFault = Schema.decodeUnknownOption(LocalizedFault)

/** Undefined while the task is queued or running, or its fault is still to be told. `properties` by path, as the collector names them. */
export const taskEnd = (properties: ReadonlyMap<string, unknown>): TaskEnd | undefined => {
  const state = Option.getOrUndefined(decodeState(properties.get("info.state")))
  if (state === "success") {
    const result = Option.getOrUndefined(decodeResult(properties.get("info.result")))
    return { _tag: "Success", result: result?.value }
  }
  if (state !== "error" || properties.get("info.error") === undefined) return undefined
  return {
    _tag: "Failure",
    fault: Option.getOrElse(decodeFault(properties.get("info.error")), () => ({ fault: {} }))
  }
}
