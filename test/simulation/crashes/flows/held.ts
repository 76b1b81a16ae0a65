import type { Flows } from "../Flow.ts"
import { job, jobs, noMachineIs, ready, settled, someMachineIs, vcenterHas } from "../steps.ts"

const disconnected = vcenterHas({ _tag: "Disconnects", forMs: 20_000, state: "disconnected", host: "*" })

export const flows: Flows = {
  "the hosts are away while a worker works": {
    before: [...ready, job({ durationMs: 40_000 }), jobs("Building")],
    steps: [disconnected, someMachineIs("Held"), noMachineIs("Held"), settled],
    passes: ["Running → Held", "Held → Running", "Running → Reaping"]
  },
  "the hosts are away while a machine is removed": {
    before: [...ready, job(), someMachineIs("Reaping")],
    steps: [disconnected, someMachineIs("Held"), noMachineIs("Held"), settled],
    passes: ["Reaping → Held", "Held → Reaping", "Reaping → Reaped"]
  }
}
