import type { Flows } from "../Flow.ts"
import { debian, ready, settled, stopped } from "../steps.ts"

export const flows: Flows = {
  "a start, and the pool from nothing": {
    settings: { provision: debian(2) },
    // Pages of one object, so that what is read at the start has more than one.
    vcenter: { pageSize: 1 },
    before: [],
    steps: [settled],
    passes: ["Cloning → Booting", "Booting → Settling", "Settling → Provisioned"]
  },
  "a stop and another start": {
    before: ready,
    steps: [stopped, settled],
    passes: ["adopted → Provisioned"]
  }
}
