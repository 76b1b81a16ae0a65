/** A V1 worker model as the simulated API keeps it, and its secret (cds-contract 7.1). */
import type { Requirement } from "../../../../schema/Job.ts"
import { iso } from "../Job.ts"

/** The group whose models and hatcheries serve everybody. */
export const sharedInfra = "shared.infra"

/** Stands in a model for its password, which the API keeps apart. */
const placeholder = "{{.secrets.vsphere_password}}"

/** What its owner writes. */
export interface ModelDraft {
  readonly name: string
  readonly group: string
  readonly type: string
  readonly image: string
  readonly flavor: string
  readonly preCmd: string
  readonly cmd: string
  readonly postCmd: string
  readonly user: string
  readonly password: string
  readonly deprecated: boolean
  readonly disabled: boolean
  /** Only hatcheries of its own group may use it. */
  readonly restricted: boolean
}

export interface SpawnError {
  readonly at: number
  readonly error: string
  readonly log: string
}

export interface ModelRecord {
  readonly id: number
  draft: ModelDraft
  lastModifiedAt: number
  needRegistration: boolean
  checkRegistration: boolean
  lastRegistrationAt: number | undefined
  registeredOs: string | undefined
  registeredArch: string | undefined
  capabilities: ReadonlyArray<Requirement>
  /** Spawn errors since the last registration or change. */
  spawnErrors: ReadonlyArray<SpawnError>
  booking: { readonly serviceId: number; readonly until: number } | undefined
}

export const binary = (name: string): Requirement => ({ name, type: "binary", value: name })

const time = (at: number | undefined): string => (at === undefined ? "0001-01-01T00:00:00Z" : iso(at))

/** Only the fields that are set. */
const filled = (fields: Readonly<Record<string, string>>) =>
  Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== ""))

export const modelToWire = (model: ModelRecord, groupId: number) => {
  const { draft, spawnErrors } = model
  const last = spawnErrors.at(-1)
  return {
    id: model.id,
    name: draft.name,
    description: "",
    type: draft.type,
    disabled: draft.disabled,
    restricted: draft.restricted,
    group_id: groupId,
    group: { id: groupId, name: draft.group },
    registered_os: model.registeredOs ?? null,
    registered_arch: model.registeredArch ?? null,
    registered_capabilities: model.capabilities.map((one) => ({ id: 0, action_id: 0, ...one })),
    need_registration: model.needRegistration,
    check_registration: model.checkRegistration,
    last_registration: time(model.lastRegistrationAt),
    user_last_modified: iso(model.lastModifiedAt),
    nb_spawn_err: spawnErrors.length,
    last_spawn_err: last?.error ?? null,
    last_spawn_err_log: last?.log ?? null,
    date_last_spawn_err: last === undefined ? null : iso(last.at),
    is_deprecated: draft.deprecated,
    is_official: false,
    created_by: { username: "jane", fullname: "Jane", email: "jane@example.com" },
    model_docker: {},
    model_virtual_machine: filled({
      image: draft.image,
      flavor: draft.flavor,
      pre_cmd: draft.preCmd,
      cmd: draft.cmd,
      post_cmd: draft.postCmd,
      user: draft.user,
      password: draft.password === "" ? "" : placeholder
    })
  }
}

/** Its secrets in clear text, as only a hatchery gets them. */
export const secretsToWire = ({ id, draft, lastModifiedAt }: ModelRecord) =>
  draft.password === ""
    ? []
    : [
        {
          id: `00000000-0000-4000-8000-${String(id).padStart(12, "0")}`,
          created: iso(lastModifiedAt),
          worker_model_id: id,
          name: "secrets.vsphere_password",
          value: draft.password
        }
      ]

/** A V2 model as code in some repository (7.2), for V1 jobs that name it. */
export interface ModelAsCode {
  readonly name: string
  /** Or tag. */
  readonly branch: string
  readonly type: string
  readonly osArch: string
  readonly image: string
  readonly flavor: string
  readonly username: string
  readonly password: string
}

/** Its password is what the repository says, which is not clear text, unless the secrets are asked for. */
export const modelAsCodeToWire = (model: ModelAsCode, withSecrets: boolean) => ({
  name: model.name,
  osarch: model.osArch,
  type: model.type,
  spec: filled({
    image: model.image,
    flavor: model.flavor,
    username: model.username,
    password: withSecrets || model.password === "" ? model.password : "encrypted"
  })
})
