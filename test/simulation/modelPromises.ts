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

/** A pool of a V1 model that has no machines until somebody changes the model. */
export const isLeftAlone = (stage: Stage, pool: string): boolean => pool.includes("/") && !living(stage).has(pool)

/** A V1 job waits for ever where the model that it names is left alone, and where it asks for what no machine of vSphere has. */
export const isHopeless = (stage: Stage, { id }: AnyJob): boolean => {
  const { requirements } = stage.cds.state.v1.jobs.get(id) ?? { requirements: [] }
  if (requirements.some(({ type }) => type === "service")) return true
  const named = requirements.find(({ type }) => type === "model")?.value
  return named !== undefined && ![...living(stage).values()].some(({ draft }) => named === draft.name)
}

/** The templates of models that the first hatchery has made. */
const templates = ({ vcenter, sites }: Stage) =>
  vcenter.machines().flatMap((machine) => {
    const annotation = machine.template ? annotationOf(machine) : undefined
    return annotation?.model === true && annotation.hatcheryName === sites[0]?.name
      ? [{ name: machine.name, path: annotation.workerModelPath ?? "", stamp: annotation.workerModelLastModified }]
      : []
  })

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
  const models = living(stage)
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
