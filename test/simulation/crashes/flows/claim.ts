import type { Flows } from "../Flow.ts"
import { job, ready, settled } from "../steps.ts"

export const flows: Flows = {
  "a job on a ready machine, and the refill": {
    before: ready,
    steps: [job(), settled],
    passes: [
      "Provisioned → Reserved",
      "Reserved → Renamed",
      "Renamed → Powered",
      "Powered → Running",
      "Running → Reaping",
      "Reaping → Reaped",
      "Settling → Provisioned"
    ]
  }
}
