import { Effect, Redacted } from "effect"
import { defaults } from "../../../../src/layers/simulated/vcenter/Options.ts"
import type { Flows } from "../Flow.ts"
import { job, jobs, ready, settled } from "../steps.ts"

const names = ["debian12", "alma9"]
const templates = names.map((name) => ({ ...defaults.templates[0]!, name }))
const credentials = names.map((template) => ({ template, username: "worker", password: Redacted.make("worker") }))

export const flows: Flows = {
  "a clone for a job whose template is not in the pool": {
    settings: { credentials },
    vcenter: { templates },
    before: ready,
    steps: [job({ image: "alma9" }), settled],
    passes: ["Cloning → Powered", "Powered → Running", "Running → Reaping", "Reaping → Reaped"]
  },
  "three jobs and one ready machine": {
    before: ready,
    steps: [job({ count: 3 }), settled],
    passes: ["Provisioned → Reserved", "Cloning → Powered"]
  },
  "a clone that takes too long": {
    times: { cloneMs: 30_000 },
    before: [{ text: "vCenter is slow", does: ({ vcenter }) => Effect.sync(() => vcenter.scale(10)) }],
    steps: [
      {
        text: "the clone is called back",
        until: ({ vcenter }) => Effect.sync(() => (vcenter.traffic.operations().get("CancelTask")?.calls ?? 0) > 0)
      },
      { text: "vCenter is as fast as before", does: ({ vcenter }) => Effect.sync(() => vcenter.scale(1)) },
      settled
    ],
    passes: ["Cloning → Reaping", "Reaping → Reaped", "Settling → Provisioned"]
  },
  "a machine of the pool whose first boot fails": {
    before: [
      {
        text: "customization will fail",
        does: ({ vcenter }) => vcenter.inject({ _tag: "GuestFails", how: "CustomizationFails", count: 1 })
      }
    ],
    steps: [settled],
    passes: ["Booting → Reaping", "Reaping → Reaped", "Settling → Provisioned"]
  },
  "a job's machine that does not boot": {
    times: { guestOperationsMs: 40_000, guestAddressMs: 20_000 },
    before: ready,
    steps: [
      {
        text: "Tools will not run",
        does: ({ vcenter }) => vcenter.inject({ _tag: "GuestFails", how: "ToolsNever", count: 1 })
      },
      job(),
      jobs("Success"),
      settled
    ],
    passes: ["Powered → Reaping", "Reaping → Reaped"]
  }
}
