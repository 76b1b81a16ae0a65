import type { Flows } from "../Flow.ts"
import { cdsHas, job, jobs, ready, settled } from "../steps.ts"

const minute = 60_000

export const flows: Flows = {
  "a worker that is busy when its TTL is over": {
    times: { workerTtlMs: 2 * minute },
    before: ready,
    steps: [job({ durationMs: 60 * minute }), jobs("Fail"), settled],
    passes: ["Running → Reaping", "Reaping → Reaped"],
    ends: ["Fail"]
  },
  "a worker that never signs in": {
    times: { workerRegistrationTtlMs: minute },
    before: ready,
    steps: [job({}, { neverRegisters: true }), settled],
    passes: ["Running → Reaping", "Reaping → Reaped"]
  },
  "a bootstrap that fails": {
    before: [...ready, cdsHas({ kind: "answer", status: 404, path: "/download/worker/", times: 3 })],
    steps: [job(), settled],
    passes: ["Running → Reaping", "Reaping → Reaped"]
  },
  "a worker that its user disables": {
    times: { reaperIntervalMs: 10_000 },
    before: ready,
    steps: [
      job({ durationMs: 10 * minute }),
      jobs("Building"),
      {
        text: "its user disables the worker",
        does: ({ cds }) => cds.disableWorker([...cds.state.jobs.values()][0]?.workerName ?? "")
      },
      settled
    ],
    passes: ["Running → Reaping", "Reaping → Reaped"],
    ends: ["Stopped"]
  }
}
