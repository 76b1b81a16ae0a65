/** What must be in a CDS before a hatchery can serve it, brought there by the API's own routes. */
import { Effect } from "effect"
import { readFileSync } from "node:fs"
import type { HarnessError } from "../harness/HarnessError.ts"
import * as Api from "./Api.ts"
import type { Engine } from "./Engine.ts"
import type { Programs } from "./Programs.ts"

/** A hatchery and what it alone works for. Several of one API do not see each other's jobs and V1 models. */
export interface Tenant {
  readonly hatchery: string
  readonly project: string
  readonly region: string
  /** Owns the V1 models, and runs the project's V1 jobs. */
  readonly group: string
}

export const first = (hatchery: string): Tenant => ({
  hatchery,
  project: "PROJ",
  region: "default",
  group: "hatch-group"
})

export const further = (hatchery: string): Tenant => ({
  hatchery,
  project: hatchery.replaceAll(/[^a-z0-9]/gi, "").toUpperCase(),
  region: hatchery,
  group: `${hatchery}-group`
})

const pattern = "debian"
/** The administrator, who also starts the runs. */
export const user = "admin"

export interface Tokens {
  /** Of the builtin consumer for V1, bound to the hatchery's name: `api.token`. */
  readonly v1: string
  /** Of the V2 hatchery: `api.tokenV2`. */
  readonly v2: string
}

/** A V1 worker model on vSphere. */
export interface ModelV1 {
  readonly name: string
  /** A template of the vCenter. */
  readonly image: string
  readonly user: string
  readonly password: string
}

/** Signs the first user up, who becomes the administrator, and answers their session. It lives an hour. */
export const admin = (engine: Engine): Effect.Effect<Api.Api, HarnessError> =>
  Effect.gen(function* () {
    const stranger = Api.make(engine.url)
    yield* stranger.ask("POST", "/auth/consumer/local/signup", {
      username: user,
      fullname: "Admin",
      email: "admin@example.com",
      password: "a password of the tests"
    })
    // The mail that asks to confirm the address; without a mail server it stands in the log.
    const mail = /\/auth\/verify\?token=(\S+)/
    const token = mail.exec(yield* engine.api().line(mail))?.[1]
    const verify = { token, init_token: engine.initToken }
    const session = yield* stranger.ask<{ readonly token: string }>("POST", "/auth/consumer/local/verify", verify)
    return Api.make(engine.url, session.token)
  })

/** The two identities of a tenant's hatchery under one name, with the rights to run jobs of the project in the region; project, region and group. */
export const tenant = (
  api: Api.Api,
  { hatchery: name, project, region, group }: Tenant
): Effect.Effect<Tokens, HarnessError> =>
  Effect.gen(function* () {
    yield* api.ask("POST", "/group", { name: group })
    const { id } = yield* api.ask<{ readonly id: number }>("GET", `/group/${group}`)
    const v1 = yield* api.ask<{ readonly token: string }>("POST", "/user/me/auth/consumer", {
      name,
      description: "a hatchery",
      validity_periods: [{ issued_at: new Date().toISOString(), duration: 365 * 24 * 3600 * 1e9 }],
      auth_consumer_user: {
        group_ids: [id],
        scope_details: ["Hatchery", "Service", "WorkerModel", "RunExecution"].map((scope) => ({ scope })),
        service_name: name,
        service_type: "hatchery"
      }
    })
    const v2 = yield* api.ask<{ readonly token: string }>("POST", "/v2/hatchery", { name })
    yield* api.ask("POST", "/project", { key: project, name: `The project of ${name}` })
    yield* api.ask("POST", `/project/${project}/group`, { group: { name: group }, permission: 7 })
    yield* api.ask("POST", "/v2/region", { name: region })
    yield* api.ask("POST", "/v2/rbac/import", {
      name: `${name}-and-its-users`,
      hatcheries: [{ role: "start-worker", region, hatchery: name }],
      regions: [{ role: "execute", region, all_users: true, organizations: ["default"] }],
      region_projects: [{ role: "execute", region, all_projects: true }]
    })
    return { v1: v1.token, v2: v2.token }
  })

/** Installs the plugin that executes the `run:` of a V2 step. */
export const scriptPlugin = (api: Api.Api, programs: Programs): Effect.Effect<void, HarnessError> =>
  Effect.gen(function* () {
    yield* api.ask("POST", "/v2/plugin", {
      name: "script",
      type: "action",
      author: "Rookery",
      description: "runs a script",
      inputs: { content: { type: "text", description: "the script", required: true } }
    })
    yield* api.ask("POST", "/admin/plugin/script/binary", {
      name: "script-linux-amd64",
      os: "linux",
      arch: "amd64",
      perm: 0o755,
      cmd: "./script-linux-amd64",
      file_content: readFileSync(programs.script).toString("base64")
    })
  })

/** Installs a V1 model, and the pattern of its commands before the first one. It needs registration. */
export const modelV1 = (
  api: Api.Api,
  group: string,
  { name, image, user, password }: ModelV1
): Effect.Effect<void, HarnessError> =>
  Effect.gen(function* () {
    const patterns = yield* api.ask<ReadonlyArray<{ readonly name: string }> | null>("GET", "/worker/model/pattern")
    if (!patterns?.some((known) => known.name === pattern))
      yield* api.ask("POST", "/worker/model/pattern", {
        name: pattern,
        type: "vsphere",
        model: {
          pre_cmd:
            'curl -fsSL "{{.API}}/download/worker/linux/$(uname -m)" -o /usr/local/bin/worker && chmod +x /usr/local/bin/worker',
          cmd: "PATH=$PATH worker",
          post_cmd: "sudo shutdown -h now"
        }
      })
    const { id } = yield* api.ask<{ readonly id: number }>("GET", `/group/${group}`)
    yield* api.ask("POST", "/worker/model", {
      name,
      type: "vsphere",
      group_id: id,
      pattern_name: pattern,
      model_virtual_machine: { image, user, password }
    })
  })
