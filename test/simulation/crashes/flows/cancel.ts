import type { Flows } from "../Flow.ts"
import { job, jobs, ready, settled } from "../steps.ts"

const stoppedAfter = (afterMs: number) => ({ cancel: { on: "Scheduling", afterMs } }) as const

export const flows: Flows = {
  "the job is stopped while its machine boots": {
    times: { reaperIntervalMs: 10_000 },
    before: ready,
    steps: [job(stoppedAfter(5_000)), jobs("Stopped"), settled],
    passes: ["Powered → Reaping", "Reaping → Reaped"],
    ends: ["Stopped"]
  },
  "the job is stopped while a machine is cloned for it": {
    settings: { provision: [] },
    times: { reaperIntervalMs: 10_000 },
    before: ready,
    steps: [job(stoppedAfter(5_000)), jobs("Stopped"), settled],
    passes: ["Cloning → Reaping", "Reaping → Reaped"],
    ends: ["Stopped"]
  }
}
