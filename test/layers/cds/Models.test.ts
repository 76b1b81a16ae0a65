import { assert, describe, it } from "@effect/vitest"
import { Effect, Redacted } from "effect"
import type { ModelV1 } from "../../../src/schema/ModelV1.ts"
import { Cds } from "../../../src/services/Cds.ts"
import { api, apiV1, noContent, notFound, ok, withSignin } from "./api.ts"
import type { Reply } from "./api.ts"

const wire = {
  id: 9,
  name: "deb",
  group_id: 1,
  group: { id: 1, name: "shared.infra" },
  type: "vsphere",
  need_registration: true,
  check_registration: false,
  user_last_modified: "2026-01-01T00:00:00.987654321Z",
  nb_spawn_err: 2,
  is_deprecated: true,
  is_official: false,
  disabled: false,
  restricted: false,
  registered_os: "linux",
  registered_arch: "amd64",
  registered_capabilities: [{ name: "git", type: "binary", value: "git" }],
  model_virtual_machine: {
    image: "debian12",
    flavor: "big",
    pre_cmd: "pre",
    cmd: "worker",
    post_cmd: "post",
    user: "root",
    password: "{{.secrets.vsphere_password}}"
  }
}

const model: ModelV1 = {
  id: 9,
  name: "deb",
  group: "shared.infra",
  type: "vsphere",
  image: "debian12",
  flavor: "big",
  preCmd: "pre",
  cmd: "worker",
  postCmd: "post",
  user: "root",
  password: "{{.secrets.vsphere_password}}",
  needRegistration: true,
  checkRegistration: false,
  lastModified: String(Date.UTC(2026, 0, 1) / 1000),
  spawnErrors: 2,
  deprecated: true,
  disabled: false,
  registeredOs: "linux",
  registeredArch: "amd64",
  registeredCapabilities: [{ name: "git", type: "binary", value: "git" }]
}

const path = "/worker/model/shared.infra/deb"

describe("V1 models", () => {
  it.effect("are listed whatever their type, those that are not understood by name and reason; null is none", () => {
    const docker = {
      id: 10,
      name: "img",
      group: { name: "team" },
      type: "docker",
      user_last_modified: "0001-01-01T00:00:00Z",
      registered_os: null,
      registered_capabilities: null,
      model_docker: { image: "debian" }
    }
    const broken = { ...docker, name: "broken", user_last_modified: "yesterday" }
    const answers = [ok([wire, { name: "nameless group" }, broken, docker]), ok(null)]
    const world = apiV1(withSignin(() => answers.shift() ?? notFound))
    return Effect.gen(function* () {
      const { models } = yield* Cds
      const listing = yield* models
      const [first, second, ...rest] = listing.models
      assert.deepStrictEqual(first, model)
      assert.deepInclude(second, { name: "img", group: "team", type: "docker", image: "", cmd: "", spawnErrors: 0 })
      assert.deepInclude(second, { lastModified: "-62135596800", registeredOs: undefined, needRegistration: false })
      assert.lengthOf(rest, 0)
      assert.deepStrictEqual(
        listing.unreadable.map(({ path }) => path),
        [undefined, "team/broken"]
      )
      assert.match(listing.unreadable[1]?.reason ?? "", /user_last_modified/)
      assert.lengthOf(world.calls("/worker/model/enabled"), 1)
      assert.deepStrictEqual(yield* models, { models: [], unreadable: [] })
    }).pipe(Effect.provide(world.layer))
  })

  it.effect("have their password asked for where it is kept as a secret", () => {
    const secrets = [
      { id: "1", worker_model_id: 9, name: "secrets.registry_password", value: "no" },
      { id: "2", worker_model_id: 9, name: "secrets.vsphere_password", value: "$& hunter2" }
    ]
    const world = apiV1(withSignin(() => ok(secrets)))
    return Effect.gen(function* () {
      const { modelPassword } = yield* Cds
      const password = yield* modelPassword(model)
      assert.strictEqual(String(password), "<redacted>")
      assert.strictEqual(Redacted.value(password), "$& hunter2")
      assert.deepStrictEqual(
        world.seen.slice(1).map((call) => `${call.method} ${call.path}`),
        [`GET ${path}/secret`]
      )
    }).pipe(Effect.provide(world.layer))
  })

  it.effect("have their password as it is where it is none", () => {
    const world = apiV1(withSignin(() => notFound))
    return Effect.gen(function* () {
      const { modelPassword } = yield* Cds
      assert.strictEqual(Redacted.value(yield* modelPassword({ ...model, password: "plain" })), "plain")
      assert.lengthOf(world.seen, 0)
    }).pipe(Effect.provide(world.layer))
  })

  it.effect("are refused with what to do when the secret is not there", () =>
    Effect.forEach([ok(null), ok([{ name: "secrets.other", value: "x" }])], (reply) => {
      const { layer } = apiV1(withSignin(() => reply))
      return Effect.gen(function* () {
        const { kind, message } = yield* Effect.flip(Cds.use((cds) => cds.modelPassword(model)))
        assert.strictEqual(kind, "refused")
        assert.match(message, /shared\.infra\/deb has no secret secrets\.vsphere_password: set its password again/)
      }).pipe(Effect.provide(layer))
    })
  )

  it.effect("are booked for registration, which another may have done", () => {
    const taken: Reply = { status: 403, body: { id: 115, message: "worker model already booked" } }
    const answers = [noContent, taken]
    const world = apiV1(withSignin(() => answers.shift() ?? notFound))
    return Effect.gen(function* () {
      const { bookModel } = yield* Cds
      yield* bookModel({ ...model, group: "team/a" })
      const { kind, id } = yield* Effect.flip(bookModel(model))
      assert.deepStrictEqual([kind, id], ["refused", 115])
      const calls = world.seen.slice(1).map((call) => `${call.method} ${call.path}`)
      assert.deepStrictEqual(calls, ["PUT /worker/model/team%2Fa/deb/book", `PUT ${path}/book`])
    }).pipe(Effect.provide(world.layer))
  })

  it.effect("are reported as failed with the error and the log's end", () => {
    const world = apiV1(withSignin(() => ok(null)))
    return Effect.gen(function* () {
      const { failModel } = yield* Cds
      yield* failModel(model, "no sign in", "naïve log")
      yield* failModel(model, "no machine", "")
      assert.deepStrictEqual(
        world.calls(`${path}/error`).map(({ method, body }) => [method, body]),
        [
          ["PUT", { Error: "no sign in", Logs: Buffer.from("naïve log").toString("base64") }],
          ["PUT", { Error: "no machine", Logs: null }]
        ]
      )
    }).pipe(Effect.provide(world.layer))
  })
})

describe("a V2 model by its reference", () => {
  const found = { name: "deb", osarch: "linux/amd64", type: "vsphere", spec: { image: "debian12", password: "p" } }

  it.effect("is asked for with its secrets, at the branch or tag that is named, else on master", () => {
    const world = api(withSignin(() => ok(found)))
    const at = "/v2/project/PRJ/vcs/my%20vcs/repository/org%2Frepo/workermodel/deb"
    return Effect.gen(function* () {
      const { modelAsCode } = yield* Cds
      const reference = "PRJ/my vcs/org/repo/deb"
      const model = yield* modelAsCode(reference)
      assert.deepInclude(model, { name: "deb", image: "debian12", password: "p", osArch: "linux/amd64" })
      for (const ref of ["dev", "refs/heads/feat/x&y", "refs/tags/v1"]) yield* modelAsCode(`${reference}@${ref}`)
      assert.deepStrictEqual(
        world.seen.slice(1).map((call) => call.path),
        ["branch=master", "branch=dev", "branch=feat%2Fx%26y", "tag=v1"].map((ref) => `${at}?${ref}&withSecrets=true`)
      )
    }).pipe(Effect.provide(world.layer))
  })

  it.effect("is refused where the text is no reference, without asking", () => {
    const world = api(withSignin(() => ok(found)))
    return Effect.gen(function* () {
      const { modelAsCode } = yield* Cds
      for (const text of ["", "deb", "PRJ/vcs/deb", "PRJ/vcs//deb", "@main"]) {
        const { kind, message } = yield* Effect.flip(modelAsCode(text))
        assert.strictEqual(kind, "refused")
        assert.include(message, `"${text}"`)
      }
      assert.lengthOf(world.seen, 0)
    }).pipe(Effect.provide(world.layer))
  })

  it.effect("is not found where there is none", () => {
    const world = api(withSignin(() => notFound))
    return Cds.use((cds) => Effect.flip(cds.modelAsCode("PRJ/vcs/repo/deb"))).pipe(
      Effect.map(({ kind }) => assert.strictEqual(kind, "notFound")),
      Effect.provide(world.layer)
    )
  })
})
