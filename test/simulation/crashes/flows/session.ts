import type { Flows } from "../Flow.ts"
import { job, jobs, ready, settled, vcenterHas } from "../steps.ts"

export const flows: Flows = {
  "vCenter ends the session while a worker works": {
    before: [...ready, job(), jobs("Building")],
    steps: [vcenterHas({ _tag: "SessionEnds" }), settled],
    passes: ["Running → Reaping", "Reaping → Reaped"]
  }
}
