/** The templates of V1 models. */
import type { Flow, Flows } from "../Flow.ts"
import { changed, jobs, jobV1, model, ofModel, ready, settled } from "../steps.ts"

const withoutPool: Pick<Flow, "models" | "settings"> = { models: [model], settings: { provision: [] } }
const built = ["Cloning → Preparing", "Preparing → Converting", "Converting → Templated"]
const swapped = [...built, "no machine descends from it: removed"]

export const flows: Flows = {
  "the template of a V1 model": {
    ...withoutPool,
    before: [],
    steps: [settled],
    cellsFrom: "CloneVM_Task",
    passes: built
  },
  "a V1 model is changed: its template is swapped": {
    ...withoutPool,
    before: ready,
    steps: [changed, settled],
    cellsFrom: "CloneVM_Task",
    passes: swapped
  },
  "a V1 model is changed while a machine of its old template works": {
    ...withoutPool,
    before: [...ready, jobV1({ model: model.name, durationMs: 180_000 }), jobs("Building")],
    steps: [changed, settled],
    cellsFrom: "CloneVM_Task",
    passes: swapped
  },
  "a V1 model is changed: its pool is replaced": {
    models: [model],
    settings: { provision: [], modelProvision: ofModel(1) },
    before: ready,
    steps: [changed, settled],
    cellsFrom: "CloneVM_Task",
    passes: [...swapped, "Provisioned → Reaping", "Settling → Provisioned"]
  }
}
