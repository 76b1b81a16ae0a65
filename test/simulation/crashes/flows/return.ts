import { cdsHas, job, noMachineIs, ready, settled, someMachineIs } from "../steps.ts"
import type { Flows } from "../Flow.ts"

/** A flavor, so that there is a size to go back to. */
const flavors = [{ name: "large", cpus: 4, memoryMB: 8192 }]

export const flows: Flows = {
  "CDS refuses the take: the machine goes back": {
    settings: { flavors },
    before: [...ready, cdsHas({ kind: "answer", status: 404, method: "POST", path: "/hatchery/take" })],
    steps: [job({ flavor: "large" }), settled],
    passes: ["Renamed → Returning", "Returning → Provisioned", "Renamed → Powered"]
  },
  "the job is stopped while a machine is claimed for it": {
    settings: { flavors },
    times: { reaperIntervalMs: 4_000 },
    // A claim that takes longer than two passes of the reaper.
    vcenter: { timings: { reconfigureMs: 10_000 } },
    before: ready,
    steps: [
      job({ flavor: "large", cancel: { on: "Waiting", afterMs: 1_000 } }),
      someMachineIs("Reserved"),
      noMachineIs("Reserved"),
      settled
    ],
    passes: ["Reserved → Returning", "Returning → Provisioned"],
    ends: ["Stopped"]
  }
}
