import { assert, it } from "@effect/vitest"
import { Effect } from "effect"
import { TestClock } from "effect/testing"
import * as V2 from "../caller.ts"
import { simulated } from "../caller.ts"
import { hatchery, oneJob, worker } from "./caller.ts"

const url = "/worker/model/shared.infra/deb"

it.effect(
  "The enabled models are those of the hatchery's groups, by name; shared.infra gets what is not restricted",
  () =>
    Effect.gen(function* () {
      const hatcheries = [
        { name: "rookery", region: "default" },
        { name: "eyrie", region: "default", groups: ["team"] }
      ]
      const api = yield* simulated({ hatcheries })
      yield* api.addModel({ name: "zeta" })
      yield* api.addModel({ name: "alpha", group: "team", restricted: true })
      yield* api.addModel({ name: "beta", group: "team", type: "docker" })
      yield* api.addModel({ name: "gone", disabled: true })
      const names = (index: number) =>
        Effect.gen(function* () {
          const { body } = yield* (yield* hatchery(api, index)).call("GET", "/worker/model/enabled")
          return body.map(({ name }: any) => name)
        })
      assert.deepStrictEqual(yield* names(0), ["beta", "zeta"])
      assert.deepStrictEqual(yield* names(1), ["alpha", "beta"])
    })
)

it.effect(
  "A model says what it needs and where it is registered; its password is a placeholder, the secret in clear",
  () =>
    Effect.gen(function* () {
      const api = yield* simulated()
      const it = yield* hatchery(api)
      yield* TestClock.adjust("5 seconds")
      yield* api.addModel({ name: "deb", image: "debian12", flavor: "big", password: "hush" })
      yield* api.addModel({ name: "open", registered: { binaries: ["git"] } })
      const [deb, open] = (yield* it.call("GET", "/worker/model/enabled")).body
      assert.deepInclude(deb, {
        need_registration: true,
        user_last_modified: "1970-01-01T00:00:05.000Z",
        nb_spawn_err: 0,
        registered_os: null
      })
      assert.deepStrictEqual(deb.group, { id: 1, name: "shared.infra" })
      assert.deepStrictEqual(deb.model_virtual_machine, {
        image: "debian12",
        flavor: "big",
        cmd: "worker",
        post_cmd: "sudo shutdown -h now",
        user: "worker",
        password: "{{.secrets.vsphere_password}}"
      })
      assert.deepInclude(open, { need_registration: false, registered_os: "linux", registered_arch: "amd64" })
      assert.deepStrictEqual(open.registered_capabilities, [
        { id: 0, action_id: 0, name: "git", type: "binary", value: "git" }
      ])
      const [secret] = (yield* it.call("GET", `${url}/secret`)).body
      assert.deepInclude(secret, { name: "secrets.vsphere_password", value: "hush" })
      assert.strictEqual((yield* it.call("GET", "/worker/model/shared.infra/open/secret")).text, "[]")
      assert.strictEqual((yield* it.call("GET", url)).body.id, deb.id)
      assert.strictEqual((yield* it.call("GET", "/worker/model/shared.infra/none")).status, 404)
    })
)

it.effect("A model is booked for 360 seconds; the next booking is 403 id 115", () =>
  Effect.gen(function* () {
    const api = yield* simulated()
    const it = yield* hatchery(api)
    yield* api.addModel({ name: "deb" })
    assert.strictEqual((yield* it.call("PUT", `${url}/book`)).status, 204)
    const again = yield* it.call("PUT", `${url}/book`)
    assert.deepStrictEqual([again.status, again.body.id], [403, 115])
    yield* TestClock.adjust("170 seconds")
    yield* it.beat
    yield* TestClock.adjust("170 seconds")
    yield* it.beat
    assert.strictEqual((yield* it.call("PUT", `${url}/book`)).status, 403)
    yield* TestClock.adjust("20 seconds")
    assert.strictEqual((yield* it.call("PUT", `${url}/book`)).status, 204)
  })
)

it.effect("A spawn error is counted with its log and frees the model; an empty one is nothing", () =>
  Effect.gen(function* () {
    const api = yield* simulated()
    const it = yield* hatchery(api)
    const model = yield* api.addModel({ name: "deb" })
    yield* it.call("PUT", `${url}/book`)
    assert.strictEqual((yield* it.call("PUT", `${url}/error`, { Error: "", Logs: null })).status, 204)
    const Logs = Buffer.from("no space left").toString("base64")
    const reported = yield* it.call("PUT", `${url}/error`, { Error: "it died", Logs })
    assert.deepStrictEqual([reported.status, reported.text], [200, "null"])
    assert.deepInclude((yield* it.call("GET", url)).body, {
      nb_spawn_err: 1,
      last_spawn_err: "it died",
      last_spawn_err_log: "no space left"
    })
    assert.strictEqual(model.spawnErrors.length, 1)
    assert.strictEqual((yield* it.call("PUT", `${url}/book`)).status, 204)
  })
)

it.effect(
  "A register-only worker registers its model: needs, errors and booking are gone, what it found is there",
  () =>
    Effect.gen(function* () {
      const api = yield* simulated()
      const it = yield* hatchery(api)
      const { id } = yield* api.addModel({ name: "deb", checkRegistration: true })
      yield* it.call("PUT", `${url}/error`, { Error: "it died" })
      yield* it.call("PUT", `${url}/book`)
      const w = yield* worker(api, "", { name: "register-heron", modelId: id })
      assert.deepInclude(w.signed.body, { job_run_id: null, model_id: id })
      const { body } = yield* it.call("GET", url)
      assert.deepInclude(body, { need_registration: false, check_registration: false, nb_spawn_err: 0 })
      assert.deepInclude(body, { registered_os: "linux", registered_arch: "amd64" })
      assert.deepStrictEqual(
        body.registered_capabilities.map(({ value }: any) => value),
        ["git", "make"]
      )
      assert.strictEqual((yield* it.call("PUT", `${url}/book`)).status, 204)
    })
)

it.effect("A worker with a job does not register its model", () =>
  Effect.gen(function* () {
    const api = yield* simulated()
    const it = yield* hatchery(api)
    const { id } = yield* api.addModel({ name: "deb" })
    yield* worker(api, yield* oneJob(api), { modelId: id })
    assert.isTrue((yield* it.call("GET", url)).body.need_registration)
  })
)

it.effect("A model that is changed keeps its id and needs a registration again", () =>
  Effect.gen(function* () {
    const api = yield* simulated()
    const it = yield* hatchery(api)
    const { id } = yield* api.addModel({ name: "deb", registered: { binaries: ["git"] } })
    yield* it.call("PUT", `${url}/error`, { Error: "it died" })
    yield* TestClock.adjust("1 minute")
    yield* api.addModel({ name: "deb", image: "debian13" })
    const { body } = yield* it.call("GET", url)
    assert.deepInclude(body, { id, need_registration: true, nb_spawn_err: 0 })
    assert.strictEqual(body.user_last_modified, "1970-01-01T00:01:00.000Z")
    assert.strictEqual(body.model_virtual_machine.image, "debian13")
  })
)

it.effect("A model as code is found by its reference and branch; its password is clear with secrets alone", () =>
  Effect.gen(function* () {
    const api = yield* simulated()
    const it = yield* V2.hatchery(api)
    yield* api.addModelAsCode({ path: "PROJ/github/acme/app/deb", username: "me", password: "hush" })
    const at = "/v2/project/PROJ/vcs/github/repository/acme%2Fapp/workermodel/deb"
    const plain = (yield* it.call("GET", `${at}?branch=master`)).body
    assert.deepInclude(plain, { name: "deb", type: "vsphere", osarch: "linux/amd64" })
    assert.notStrictEqual(plain.spec.password, "hush")
    const clear = (yield* it.call("GET", `${at}?branch=master&withSecrets=true`)).body
    assert.deepStrictEqual(clear.spec, { image: "debian12", username: "me", password: "hush" })
    assert.strictEqual((yield* it.call("GET", `${at}?branch=other`)).status, 404)
    assert.strictEqual((yield* it.call("GET", `${at}?tag=v1`)).status, 404)
    assert.strictEqual((yield* it.call("GET", at.replace("/deb", "/none"))).status, 404)
    assert.strictEqual((yield* (yield* hatchery(api)).call("GET", at)).status, 403)
  })
)
