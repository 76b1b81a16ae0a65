/**
 * The worker model of a job, with what only CDS can tell: a V2 model that a V1 job names, and a password that the workflow run does not hold
 * (seed 001 sections 4.2 and 6.8; cds-contract 7.2).
 */
import { Effect } from "effect"
import type { CdsError } from "../../schema/Errors.ts"
import { isV1, type Job, type JobWithModel, type Model } from "../../schema/Job.ts"
import { type ModelV1, stampOf } from "../../schema/ModelV1.ts"
import { Cds } from "../../services/Cds.ts"
import { Inventory } from "../../services/Inventory.ts"
import { Settings } from "../../services/Settings.ts"
import { type Admission, admit, admitV1, isUnresolved, refused } from "./admission.ts"
import { chooseModel } from "./modelChoice.ts"
import { standingByName, unready } from "../models/modelTemplates.ts"
import { WorkerModels } from "../models/WorkerModels.ts"

/** A V1 job is given its model as code anew at each look, so a model that is corrected helps it. */
const notFinal = (admission: Admission): Admission =>
  admission._tag === "Refused" ? { ...admission, final: false } : admission

export const makeJobModel = Effect.gen(function* () {
  const cds = yield* Cds
  const inventory = yield* Inventory
  const settings = yield* Settings
  const workerModels = yield* WorkerModels

  const isConfigured = ({ image }: Model) => settings.credentials.some(({ template }) => template === image)

  /** The run's own copy of a model has its password as it was written; CDS puts the secrets in when it is asked. */
  const withSecrets = (job: Job, model: Model | undefined): Effect.Effect<Model | undefined, CdsError> =>
    model === undefined || isConfigured(model) || !isUnresolved(model)
      ? Effect.succeed(model)
      : Effect.map(cds.modelAsCode(job.runsOn.model), ({ username, password }) => ({ ...model, username, password }))

  /** What a V1 job runs on: a V2 model as code, or a V1 model of the list. */
  const choose = Effect.fnUntraced(function* (job: Job) {
    const { models } = (yield* workerModels.list) ?? { models: [] }
    const needs = job.v1 ?? { requirements: [], execGroups: [] }
    const view = yield* inventory.view
    const obstacle = (model: ModelV1) => {
      const standing = standingByName(model, view, settings.cds.name)
      return standing._tag === "Taken" ? standing.reason : undefined
    }
    const choice = chooseModel(needs, models, settings, { obstacle })
    if (choice._tag !== "AsCode") return choice
    return yield* Effect.map(cds.modelAsCode(choice.reference), (model) => ({ _tag: "ModelV2", model }) as const).pipe(
      Effect.catch((error) =>
        choice.named
          ? Effect.succeed({
              _tag: "None",
              reason: `its model "${choice.reference}" cannot be had: ${error.message}`,
              ours: true,
              final: false
            } as const)
          : Effect.succeed(chooseModel(needs, models, settings, { obstacle, withDefaults: false }))
      )
    )
  })

  return {
    /** Whether a job is for us, and what it needs of a machine. */
    admission: Effect.fnUntraced(function* ({ job, model }: JobWithModel): Effect.fn.Return<Admission, CdsError> {
      if (job.status !== "Waiting") return { _tag: "Over" }
      if (!isV1(job.id)) return admit(job, yield* withSecrets(job, model), settings)
      const choice = yield* choose(job)
      switch (choice._tag) {
        case "ModelV2":
          return notFinal(admit(job, choice.model, settings))
        case "Model": {
          const standing = standingByName(choice.model, yield* inventory.view, settings.cds.name)
          const reason = unready(choice.model, standing)
          return reason === undefined
            ? admitV1(choice.model, stampOf(choice.model), settings)
            : refused(reason, { final: false })
        }
        case "AsCode":
          return refused(`its model "${choice.reference}" cannot be had`, { final: false })
        case "None":
          return refused(choice.reason, { final: choice.final, told: choice.ours })
      }
    }),

    /** The V2 model of a job, after a restart; undefined when there is none, or it cannot be told any more. */
    modelV2: Effect.fnUntraced(function* (region: string, id: string) {
      const { job, model } = yield* cds.job(region, id)
      if (!isV1(id)) return yield* withSecrets(job, model)
      const choice = yield* choose(job)
      return choice._tag === "ModelV2" ? choice.model : undefined
    })
  }
})
