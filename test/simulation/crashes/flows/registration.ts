import { Effect } from "effect"
import type { Flow, Flows, Step } from "../Flow.ts"
import { cdsHas, settled, unregistered, workersRegister } from "../steps.ts"

const book = "PUT /worker/model/shared.infra/build-env/book"

/** From the booking on: how the template came about is in other flows. */
const registration: Pick<Flow, "models" | "settings" | "cellsFrom" | "before"> = {
  models: [unregistered],
  settings: { provision: [] },
  before: [],
  cellsFrom: book
}

const told: Step = {
  text: "CDS knows why it failed",
  until: ({ cds }) =>
    Effect.sync(() => [...cds.state.v1.models.values()].some(({ spawnErrors }) => spawnErrors.length > 0)),
  watchMs: 50
}

export const flows: Flows = {
  "a V1 model is registered": {
    ...registration,
    steps: [settled],
    passes: ["Cloning → Powered", "Powered → Running", "Running → Reaping"]
  },
  "a registration whose start script fails": {
    ...registration,
    models: [{ ...unregistered, preCmd: "curl -O {{.API}}/download/worker/linux/$(uname -m)" }],
    before: [cdsHas({ kind: "answer", status: 404, path: "/download/worker/", times: 3 })],
    steps: [told, settled],
    passes: ["Running → Reaping", "Reaping → Reaped"]
  },
  "a registration whose worker never signs in": {
    ...registration,
    times: { workerRegistrationTtlMs: 60_000 },
    before: [workersRegister({ neverRegisters: true })],
    cellsFrom: "PUT /worker/model/shared.infra/build-env/error",
    steps: [told, settled],
    passes: ["Running → Reaping", "Reaping → Reaped"]
  }
}
