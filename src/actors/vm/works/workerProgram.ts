/** What a worker is started with: the start script, and in its environment what the worker has to know. */
import { Effect, Record, Redacted, Result } from "effect"
import { script, scriptOf } from "../../../schema/Bootstrap.ts"
import { isV1 } from "../../../schema/Job.ts"
import { workerConfig } from "../../../schema/WorkerConfig.ts"
import { Cds } from "../../../services/Cds.ts"
import { Settings } from "../../../services/Settings.ts"
import { WorkerModels } from "../../models/WorkerModels.ts"
import type { Claim } from "../State.ts"
import { persist } from "./kit.ts"

export const makeWorkerProgram = Effect.gen(function* () {
  const cds = yield* Cds
  const models = yield* WorkerModels
  const settings = yield* Settings

  /** A V1 model's own commands, else the download and start of the worker. */
  const scriptFor = Effect.fnUntraced(function* (template: string, claim: Claim) {
    const { workerName, model, registers, region, jobId } = claim
    const { apiUrl, apiInsecure } = settings.worker
    if (model !== undefined) {
      const known = yield* models.get(model.path)
      return known === undefined
        ? Result.fail({ message: `CDS lists no V1 model ${model.path} that can be used` })
        : scriptOf(known, { workerName, apiUrl, registers })
    }
    const preStart = settings.preStartScripts.get(template)
    if (isV1(jobId)) return Result.succeed(script({ workerName, apiUrl, apiInsecure, preStart }))
    const read = yield* persist(cds.job(region, jobId)).pipe(Effect.orElseSucceed(() => undefined))
    const osArch = read?.model?.osArch ?? "linux/amd64"
    return Result.succeed(script({ workerName, apiUrl, apiInsecure, osArch, preStart }))
  })

  const environment = Effect.fnUntraced(function* (claim: Claim) {
    const { workerName, modelName, jobId, region } = claim
    const cdn = yield* persist(cds.cdn)
    const model = claim.model === undefined ? undefined : yield* models.get(claim.model.path)
    const token = yield* cds.workerToken({ workerName, modelName, jobId, model })
    const config = workerConfig({
      settings: settings.worker,
      hatchery: settings.cds.name,
      claim: { workerName, modelName, jobId, region: isV1(jobId) || model !== undefined ? settings.region : region },
      cdn,
      token
    })
    return { CDS_CONFIG: config, ...Record.map(settings.worker.injectEnvVars, (value) => Redacted.make(value)) }
  })

  /** Fails, with the reason for people, where a V1 model has no commands that can be run. */
  return Effect.fnUntraced(function* (template: string, claim: Claim) {
    const text = yield* scriptFor(template, claim)
    return Result.isFailure(text)
      ? Result.fail(text.failure.message)
      : Result.succeed({ script: text.success, env: yield* environment(claim) })
  })
})
