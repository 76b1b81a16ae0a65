import type { Flows } from "../Flow.ts"
import { debian, ready, resized, settled } from "../steps.ts"

export const flows: Flows = {
  "the pool shrinks": {
    settings: { provision: debian(2) },
    before: ready,
    steps: [resized(1), settled],
    passes: ["Provisioned → Reaping", "Reaping → Reaped"]
  }
}
