/** V1 jobs. */
import { Effect } from "effect"
import type { Stage } from "../../Stage.ts"
import type { Flow, Flows, Step } from "../Flow.ts"
import { jobs, jobV1, model, ofModel, ready, resizedV1, settled, standing, stopped } from "../steps.ts"

const minute = 60_000
const asCode = { path: "PROJ/github/acme/app/debian", branch: "main" }

/** One machine of the V1 model is kept ready. */
const pool = { models: [model], settings: { provision: [], modelProvision: ofModel(1) } } satisfies Partial<Flow>
const withoutPool = { models: [model], settings: { provision: [] } } satisfies Partial<Flow>
/** What a V1 job comes to does not depend on its model: those of V2 need no template to be built. */
const byDefault = {
  models: [],
  settings: { defaultWorkerModelsV2: [{ model: `${asCode.path}@${asCode.branch}`, binaries: [] }] }
} satisfies Partial<Flow>
const known: Step = { text: "there is a V2 model as code", does: ({ cds }) => cds.addModelAsCode(asCode) }
const readyByDefault = [known, ...ready]

const ofTheModel = jobV1({ model: model.name })
/** How a job comes to its worker is in other flows. */
const started = "StartProgramInGuest"
const run = ["Powered → Running", "Running → Reaping", "Reaping → Reaped"]
const claimed = ["Provisioned → Reserved", "Reserved → Renamed", "Renamed → Powered"]

const waits = ({ cds }: Stage): ReadonlyArray<string> =>
  [...cds.state.v1.jobs.values()].flatMap(({ id, status }) => (status === "Waiting" ? [id] : []))

/** Another process may have been faster, where this one was stopped. */
const claimBegun: Step = {
  text: "a machine is claimed for the job",
  until: (stage) => Effect.sync(() => standing(stage).includes("Reserved") || waits(stage).length === 0),
  watchMs: 50
}

const stolen: Step = {
  text: "another hatchery books the job",
  does: (stage) => Effect.forEach(waits(stage), stage.cds.holdTakeLock, { discard: true })
}

export const flows: Flows = {
  "a V1 job on a machine of its model's pool, and the refill": {
    ...pool,
    before: ready,
    steps: [ofTheModel, settled],
    passes: [...claimed, ...run, "Settling → Provisioned"]
  },
  "a V1 job on a clone of its model's template": {
    ...withoutPool,
    before: ready,
    steps: [ofTheModel, settled],
    passes: ["Cloning → Powered", ...run]
  },
  "a V1 job on a default V2 model": {
    ...byDefault,
    before: readyByDefault,
    steps: [jobV1(), settled],
    passes: [...claimed, ...run]
  },
  "a V1 job at a hatchery that has a V1 token alone": {
    ...withoutPool,
    alone: true,
    before: ready,
    steps: [ofTheModel, settled],
    cellsFrom: "GET /config/cdn",
    passes: ["Cloning → Powered", ...run]
  },
  "a V1 job that another hatchery has booked: the machine goes back": {
    ...byDefault,
    before: readyByDefault,
    steps: [jobV1(), claimBegun, stolen, settled],
    cellsFrom: "POST /queue/workflows/1/book",
    passes: ["Renamed → Returning", "Returning → Provisioned", "Renamed → Powered"]
  },
  "the pool of a V1 model shrinks": {
    models: [model],
    settings: { provision: [], modelProvision: ofModel(2) },
    before: ready,
    steps: [resizedV1(1), settled],
    passes: ["Provisioned → Reaping", "Reaping → Reaped"]
  },
  "a V1 worker that never signs in": {
    ...byDefault,
    times: { workerRegistrationTtlMs: minute },
    before: readyByDefault,
    steps: [jobV1({}, { neverRegisters: true }), settled],
    cellsFrom: started,
    passes: ["Running → Reaping", "Reaping → Reaped"]
  },
  "a V1 job that nobody's machine gets to run": {
    models: [],
    settings: { ...byDefault.settings, maxAttempts: 1 },
    times: { workerRegistrationTtlMs: minute },
    before: readyByDefault,
    steps: [jobV1({}, { neverRegisters: true }), jobs("Fail"), settled],
    cellsFrom: started,
    passes: ["Running → Reaping", "Reaping → Reaped"],
    // Another process knows nothing of the failure, and tries again.
    ends: ["Fail", "Success"]
  },
  "a V1 worker that is busy when its TTL is over": {
    ...byDefault,
    times: { workerTtlMs: 2 * minute },
    before: readyByDefault,
    steps: [jobV1({ durationMs: 60 * minute }), jobs("Fail"), settled],
    cellsFrom: started,
    passes: ["Running → Reaping", "Reaping → Reaped"],
    ends: ["Fail"]
  },
  "a V1 job is stopped while its machine boots": {
    ...byDefault,
    times: { reaperIntervalMs: 10_000 },
    before: readyByDefault,
    steps: [jobV1({ cancel: { on: "Scheduling", afterMs: 5_000 } }), jobs("Stopped"), settled],
    passes: ["Powered → Reaping", "Reaping → Reaped"],
    ends: ["Stopped"]
  },
  "a stop and another start, with a V1 token": {
    ...byDefault,
    before: readyByDefault,
    steps: [stopped, settled],
    passes: ["adopted → Provisioned"]
  }
}
