/** What V1 models come to: each has the template of its present version, CDS knows what its workers can do, and of older templates none is left. */
import type { AnyJob } from "../../src/layers/simulated/cds/Job.ts"
import type { ModelRecord } from "../../src/layers/simulated/cds/v1/Model.ts"
import { mostSpawnErrors, pathOf } from "../../src/schema/ModelV1.ts"
import { annotationOf, isNobodys, type Stage } from "./Stage.ts"

const pathOn = ({ draft }: ModelRecord): string => pathOf(draft)

/** Models that hatcheries are told of, and that have not failed too often, by their paths. */
const living = ({ cds }: Stage): ReadonlyMap<string, ModelRecord> =>
  new Map(
    [...cds.state.v1.models.values()]
      .filter(({ draft, spawnErrors }) => !draft.disabled && spawnErrors.length <= mostSpawnErrors)
      .map((model) => [pathOn(model), model])
  )

/** The templates of models that the first hatchery has made. */
const templates = ({ vcenter, sites }: Stage) =>
  vcenter.machines().flatMap((machine) => {
    const annotation = machine.template ? annotationOf(machine) : undefined
    return annotation?.model === true && annotation.hatcheryName === sites[0]?.name
      ? [{ name: machine.name, path: annotation.workerModelPath ?? "", stamp: annotation.workerModelLastModified }]
      : []
  })

/**
 * True while the model's name in vCenter is on what somebody wrote on, so that it is none of its templates any more: no hatchery may change that, and
 * which of the two is to be renamed or removed is for a person to say.
 */
const isTaken = (stage: Stage, model: ModelRecord): boolean => {
  const { name } = model.draft
  return (
    stage.vcenter.machines().some((machine) => machine.name === name && stage.meddled.has(machine.ref.value)) &&
    !templates(stage).some((one) => one.name === name && one.path === pathOn(model))
  )
}

/** Those that can have their template. */
const tended = (stage: Stage): ReadonlyMap<string, ModelRecord> =>
  new Map([...living(stage)].filter(([, model]) => !isTaken(stage, model)))

/** A pool of a V1 model that has no machines until somebody changes the model, or what has its name. */
export const isLeftAlone = (stage: Stage, pool: string): boolean => pool.includes("/") && !tended(stage).has(pool)

const requirementsOf = ({ cds }: Stage, { id }: AnyJob) => cds.state.v1.jobs.get(id)?.requirements ?? []

/** The living model that a V1 job names. */
const modelOf = (stage: Stage, job: AnyJob): ModelRecord | undefined => {
  const named = requirementsOf(stage, job).find(({ type }) => type === "model")?.value
  return [...living(stage).values()].find(({ draft }) => draft.name === named)
}

/** A V1 job waits for ever where the model that it names is left alone, and where it asks for what no machine of vSphere has. */
export const isHopeless = (stage: Stage, job: AnyJob): boolean => {
  const types = requirementsOf(stage, job).map(({ type }) => type)
  return types.includes("service") || (types.includes("model") && modelOf(stage, job) === undefined)
}

/** The name of the model of a V1 job, while something else has that in vCenter. */
export const takenName = (stage: Stage, job: AnyJob): string | undefined => {
  const model = modelOf(stage, job)
  return model !== undefined && isTaken(stage, model) ? model.draft.name : undefined
}

const stampOf = ({ lastModifiedAt }: ModelRecord): string => String(Math.floor(lastModifiedAt / 1_000))

/** True while a machine descends from the template that no hatchery here looks after any more, as somebody made it their own. */
const isInUse = (stage: Stage, path: string, stamp: string | undefined): boolean =>
  stage.vcenter.machines().some((machine) => {
    const annotation = machine.template ? undefined : annotationOf(machine)
    if (annotation?.workerModelPath !== path || annotation.workerModelLastModified !== stamp) return false
    return isNobodys(stage, machine) || (annotation.model && !machine.name.endsWith("-tmp"))
  })

/** Promise 3 for V1 models: what is not yet as it has to be at the end. */
export const unfinishedModels = (stage: Stage): ReadonlyArray<string> => {
  if (stage.plan.v1 === undefined) return []
  const models = tended(stage)
  const found = templates(stage)
  const isCurrent = ({ name, path, stamp }: (typeof found)[number]): boolean => {
    const model = models.get(path)
    return model === undefined ? !name.includes("-old-") : name === model.draft.name && stamp === stampOf(model)
  }
  return [
    ...found
      .filter((one) => !isCurrent(one) && !isInUse(stage, one.path, one.stamp))
      .map(({ name, path }) => `the template ${name} of ${path} is an old one`),
    ...[...models].flatMap(([path, model]) => {
      const current = found.filter((one) => one.path === path && isCurrent(one)).length
      return [
        ...(current === 1 ? [] : [`the V1 model ${path} has ${current} templates`]),
        ...(model.needRegistration || model.checkRegistration ? [`the V1 model ${path} is not registered`] : [])
      ]
    })
  ]
}
