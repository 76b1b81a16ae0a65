/** The real CDS stands, works, and goes away as a whole. */
import { assert, it } from "@effect/vitest"
import { Effect } from "effect"
import { existsSync, readdirSync, readlinkSync } from "node:fs"
import { dirname, resolve } from "node:path"
import * as BareHatchery from "./cds/BareHatchery.ts"
import * as Folder from "./cds/Folder.ts"
import * as RealCds from "./cds/RealCds.ts"
import { realCds } from "./cds/suite.ts"
import * as Process from "./harness/Process.ts"

/** The processes that work in this folder; all programs of the stack do. */
const processesIn = (folder: string): ReadonlyArray<string> =>
  readdirSync("/proc").filter((entry) => {
    try {
      return /^\d+$/.test(entry) && readlinkSync(`/proc/${entry}/cwd`).startsWith(folder)
    } catch {
      return false
    }
  })

const gone = (folder: string) =>
  Effect.gen(function* () {
    while (processesIn(folder).length > 0) yield* Effect.sleep(50)
  })

type Ids = ReadonlyArray<{ readonly id: string | number }>
const idsOf = (jobs: Ids) => jobs.map(({ id }) => `${id}`)

realCds("the real CDS", () => {
  it.live("queues jobs of both kinds for one hatchery, and its worker runs them to their end", () =>
    Effect.gen(function* () {
      const cds = yield* RealCds.start()
      const hatchery = yield* BareHatchery.signin(cds)
      assert.strictEqual(hatchery.region, cds.region)
      const services = (yield* cds.services).map(({ name, type }) => ({ name, type }))
      assert.deepInclude(services, { name: cds.hatchery, type: "hatchery" })

      const model = { model: "PROJ/git/acme/ci/debian@master" }
      const v1 = yield* cds.runV1Job({ script: "echo $((1000 + 1))", requirements: [model] })
      const v2 = yield* cds.runV2Job({ script: "echo $((1000 + 2))" })
      assert.deepStrictEqual(idsOf(yield* hatchery.v1.ask<Ids>("GET", "/queue/workflows?modelType=vsphere")), [v1.id])
      assert.deepStrictEqual(idsOf(yield* hatchery.v2.ask<Ids>("GET", `/v2/queue/${cds.region}`)), [v2.id])

      yield* cds.addModelV1({ name: "debian-v1", image: "debian12", user: "worker", password: "p" })
      const enabled = yield* hatchery.v1.ask<ReadonlyArray<object>>("GET", "/worker/model/enabled")
      const { need_registration } = yield* cds.modelV1("debian-v1")
      assert.deepInclude(enabled[0], { name: "debian-v1", type: "vsphere", need_registration })
      assert.isTrue(need_registration)
      const secrets = yield* hatchery.v1.ask<ReadonlyArray<object>>("GET", "/worker/model/hatch-group/debian-v1/secret")
      assert.deepInclude(secrets[0], { name: "secrets.vsphere_password", value: "p" })

      yield* cds.engine.stopApi("SIGKILL")
      yield* cds.engine.startApi
      assert.deepStrictEqual(yield* v1.state, { status: "Waiting", worker: "", hatchery: "" })
      assert.deepStrictEqual(yield* v2.state, { status: "Waiting", worker: "", hatchery: "" })

      for (const [job, serve, output] of [
        [v1, hatchery.serveV1, "1001"],
        [v2, hatchery.serveV2, "1002"]
      ] as const) {
        const printed = yield* serve(job.id)
        const { status, hatchery: by } = yield* job.until(["Success", "Fail", "Stopped"])
        assert.deepStrictEqual({ status, by }, { status: "Success", by: cds.hatchery }, printed)
        assert.include((yield* job.logs).join("\n"), output)
      }
      for (const waiting of [yield* cds.runV1Job({ script: "true" }), yield* cds.runV2Job({ script: "true" })]) {
        yield* waiting.stop
        yield* waiting.until("Stopped")
      }

      yield* cds.revokeSessions
      for (const revoked of [hatchery.v1.ask("GET", "/worker"), hatchery.v2.ask("GET", "/v2/worker")])
        assert.match((yield* Effect.flip(revoked)).message, /: Error: 401 /)
    }).pipe(Effect.scoped)
  )

  it.live("ends with its scope", () =>
    Effect.gen(function* () {
      const folder = yield* Effect.scoped(Effect.map(RealCds.start(), ({ engine }) => dirname(engine.config)))
      assert.deepStrictEqual(processesIn(folder), [])
      assert.isFalse(existsSync(folder))
    })
  )

  it.live("ends with the process that started it, however that ends, and the next one removes its files", () =>
    Effect.gen(function* () {
      const owner = yield* Process.startNode(resolve(import.meta.dirname, "cds/serve.ts"), [])
      const { folder } = JSON.parse(yield* owner.line(/^\{"url"/, 120_000)) as { readonly folder: string }
      assert.isAtLeast(processesIn(folder).length, 4)
      yield* owner.kill("SIGKILL")
      yield* owner.exit
      yield* gone(folder)
      assert.isTrue(existsSync(folder))
      yield* Folder.scratch
      assert.isFalse(existsSync(folder))
    }).pipe(Effect.scoped)
  )
})
