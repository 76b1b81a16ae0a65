/** What a V2 job's user reads (cds-contract 5.3): free text with a level. */
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
