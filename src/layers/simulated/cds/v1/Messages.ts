/** The lines that a V1 job's user sees: an id and its arguments, put into words when they are written (cds-contract 5.3). */
import type { JobInfo } from "../Job.ts"

interface Message {
  readonly level: JobInfo["level"]
  /** `%` stands for an argument. */
  readonly text: string
}

const messages: Readonly<Record<string, Message>> = {
  MsgSpawnInfoHatcheryStarts: { level: "info", text: "% starts worker % with model %" },
  MsgSpawnInfoHatcheryStartsFlavor: { level: "info", text: "worker % has flavor %" },
  MsgSpawnInfoHatcheryErrorSpawn: { level: "error", text: "% could not start a worker with model % after %: %" },
  MsgSpawnInfoDeprecatedModel: { level: "warning", text: "model % is deprecated" },
  MsgSpawnErrorHatcheryRetryAttempt: { level: "error", text: "% ended the job: %" },
  MsgSpawnInfoWorkerDisabledByHatchery: { level: "warning", text: "worker % was disabled by its hatchery" },
  MsgSpawnInfoJobTaken: { level: "info", text: "job % was taken by worker %" },
  MsgSpawnInfoJobTakenWorkerVersion: { level: "info", text: "worker % version % os % arch %" },
  MsgSpawnInfoWorkerForJobError: { level: "error", text: "worker % lacks what the job needs: %" },
  MsgSpawnInfoWorkerEnd: { level: "info", text: "worker % has finished" },
  MsgSpawnInfoJobInQueue: { level: "info", text: "the job is in the queue" },
  MsgSpawnInfoJobFailedCauseByWorkerLost: { level: "warning", text: "job % has lost its worker" }
}

/** The line, and what is wrong with the call where something is: then the words have gaps, as the API's would. */
export const render = (
  id: string,
  args: ReadonlyArray<unknown>
): { readonly level: JobInfo["level"]; readonly text: string; readonly flaw: string | undefined } => {
  const message = messages[id]
  if (message === undefined) return { level: "info", text: "", flaw: `there is no message ${id}` }
  const wanted = message.text.split("%").length - 1
  const left = [...args]
  const text = message.text.replace(/%/g, () => (left.length === 0 ? "%!s(MISSING)" : String(left.shift())))
  const flaw = args.length === wanted ? undefined : `${id} has ${args.length} arguments instead of ${wanted}`
  return { level: message.level, text, flaw }
}
