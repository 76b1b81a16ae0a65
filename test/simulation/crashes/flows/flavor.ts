/** Jobs that ask for a size. */
import type { Flows } from "../Flow.ts"
import { job, ready, settled } from "../steps.ts"

const flavors = [{ name: "large", cpus: 4, memoryMB: 8192 }]
const run = ["Powered → Running", "Running → Reaping", "Reaping → Reaped"]

export const flows: Flows = {
  "a job with a flavor on a ready machine": {
    settings: { flavors },
    before: ready,
    steps: [job({ flavor: "large" }), settled],
    passes: ["Provisioned → Reserved", "Renamed → Powered", ...run]
  },
  "a job with a flavor on a clone": {
    settings: { flavors, provision: [] },
    before: ready,
    steps: [job({ flavor: "large" }), settled],
    passes: ["Cloning → Powered", ...run]
  }
}
