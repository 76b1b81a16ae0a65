/** A V1 worker model, kept by the CDS API (seed 001 section 4.1; cds-contract 7.1). */
import type { Requirement } from "./Job.ts"

export interface ModelV1 {
  readonly id: number
  readonly name: string
  readonly group: string
  /** `vsphere`, `openstack`, `docker` or `host`. */
  readonly type: string
  /** `model_virtual_machine.image`: the vSphere template that the model's own template is built from. */
  readonly image: string
  readonly flavor: string
  readonly preCmd: string
  readonly cmd: string
  readonly postCmd: string
  readonly user: string
  /** As the API lists it: the placeholder `{{.secrets.vsphere_password}}` where it is kept as a secret. */
  readonly password: string
  readonly needRegistration: boolean
  readonly checkRegistration: boolean
  /** `user_last_modified` in Unix seconds, as text: the stamp on the template's annotation. */
  readonly lastModified: string
  /** Spawn errors in a row; above 5 the model is not used (cds-contract 10.3). */
  readonly spawnErrors: number
  readonly deprecated: boolean
  readonly disabled: boolean
  /** What its registered worker found; undefined before. */
  readonly registeredOs: string | undefined
  readonly registeredArch: string | undefined
  readonly registeredCapabilities: ReadonlyArray<Requirement>
}

/** The models that CDS lists. */
export interface ModelListing {
  readonly models: ReadonlyArray<ModelV1>
  /** Entries that are not what the protocol says: these models are there all the same, and cannot be used. */
  readonly unreadable: ReadonlyArray<UnreadableModel>
}

export interface UnreadableModel {
  /** `group/name`; undefined where not even that can be read. */
  readonly path: string | undefined
  readonly reason: string
}

/** `group/name`: as annotations, `workerProvisioning[].modelPath` and `models[].modelPath` write it. */
export const pathOf = ({ group, name }: Pick<ModelV1, "group" | "name">): string => `${group}/${name}`

/** The V1 model that a machine or template was made for, and in which version: both stand in its annotation. */
export interface ModelStamp {
  /** `group/name` */
  readonly path: string
  /** Unix seconds as text; empty when the annotation does not say. */
  readonly lastModified: string
}

export const stampOf = (model: ModelV1): ModelStamp => ({ path: pathOf(model), lastModified: model.lastModified })

export const sameStamp = (a: ModelStamp | undefined, b: ModelStamp | undefined): boolean =>
  a?.path === b?.path && a?.lastModified === b?.lastModified

/** CDS wants a worker to register the model: it is new or was changed, or is to be checked. */
export const needsRegistration = ({ needRegistration, checkRegistration }: ModelV1): boolean =>
  needRegistration || checkRegistration

/** Above this number of spawn errors in a row CDS wants a model left alone (cds-contract 10.3). */
export const mostSpawnErrors = 5

/** The group whose models everybody may use, and name without their group. */
export const sharedInfra = "shared.infra"

/** As a job's requirement names it: `name` alone for a model of shared.infra. */
export const shortPathOf = (model: Pick<ModelV1, "group" | "name">): string =>
  model.group === sharedInfra ? model.name : pathOf(model)
