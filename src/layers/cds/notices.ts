/** What a job's user reads (cds-contract 5.3): on a V2 job free text with a level, on a V1 job one of CDS's messages with its arguments. */
import type { Notice } from "../../services/Cds.ts"

export type Level = "info" | "warning" | "error"

/** The first line is the one that CDS users know from the Go hatchery (cds-trace 4). */
export const textV2 = (hatchery: string, notice: Notice): { readonly level: Level; readonly message: string } => {
  switch (notice._tag) {
    case "Starts":
      return {
        level: "info",
        message: `Hatchery "${hatchery}" is starting the worker "${notice.workerName}" from model "${notice.modelName}"`
      }
    case "Sized":
      return {
        level: "info",
        message:
          notice.flavor === ""
            ? `Worker "${notice.workerName}" will use the template's resources (${notice.size})`
            : `Worker "${notice.workerName}" will use flavor "${notice.flavor}" (${notice.size})`
      }
    case "SpawnFailed":
      return {
        level: "error",
        message: `Hatchery "${hatchery}" could not run the worker "${notice.workerName}" from model "${notice.modelName}" (after ${Math.round(notice.afterMs / 1_000)} s): ${notice.reason}`
      }
    case "Waits":
      return { level: "info", message: `Hatchery "${hatchery}" cannot start a worker yet: ${notice.reason}` }
    case "DeprecatedModel":
      return { level: "warning", message: `The worker model "${notice.modelName}" is deprecated` }
  }
}

export interface MessageV1 {
  readonly id: string
  /** As many as CDS's text for this id has places; one too many or too few shows in the text. */
  readonly args: ReadonlyArray<string>
}

const seconds = (ms: number): string => `${Math.round(ms / 1_000)}s`

/** None where CDS has no message for it. */
export const messageV1 = (hatchery: string, notice: Notice): MessageV1 | undefined => {
  switch (notice._tag) {
    case "Starts":
      return { id: "MsgSpawnInfoHatcheryStarts", args: [hatchery, notice.workerName, notice.modelName] }
    case "Sized":
      return notice.flavor === ""
        ? undefined
        : { id: "MsgSpawnInfoHatcheryStartsFlavor", args: [notice.workerName, `${notice.flavor} (${notice.size})`] }
    case "SpawnFailed":
      return {
        id: "MsgSpawnInfoHatcheryErrorSpawn",
        args: [hatchery, notice.modelName, seconds(notice.afterMs), notice.reason]
      }
    case "Waits":
      return { id: "MsgSpawnInfoHatcheryErrorSpawn", args: [hatchery, notice.modelName, seconds(0), notice.reason] }
    case "DeprecatedModel":
      return { id: "MsgSpawnInfoDeprecatedModel", args: [notice.modelName] }
  }
}
