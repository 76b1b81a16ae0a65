/** Seed 001 section 6.2: spawning a worker, for jobs and models of both kinds, by a machine of the pool or by a fresh clone. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Redacted } from "effect"
import { TestClock } from "effect/testing"
import { parse } from "../../src/schema/Annotation.ts"
import { ours, registered } from "../actors/scene.ts"
import { seeded, type WorldOptions } from "../support/world.ts"
import {
  jobOf,
  leases,
  leftOver,
  logging,
  orderV1,
  orderV2,
  pool,
  spawning,
  template,
  toldTo,
  waitsFor
} from "./spawns.ts"

const path = "shared.infra/build-env"
const builds = [{ name: "build-env", ...registered }]
const asCode = "PROJ/github/acme/app/debian"

const password = Redacted.make("worker")
const wrong = Redacted.make("wrong")

describe("6.2 a worker is spawned", () => {
  it.effect("for a V2 job on the image of its model, by a machine of the pool, which is renamed and started", () =>
    Effect.gen(function* () {
      const scene = yield* spawning({ settings: pool(1) })
      const [pooled] = ours(scene)
      const id = yield* orderV2(scene, { durationMs: 60_000 })
      yield* TestClock.adjust("1 minute")
      const machine = ours(scene).find(({ ref }) => ref.value === pooled?.ref.value)
      assert.strictEqual(machine?.name, (yield* jobOf(scene, id)).worker)
      assert.strictEqual((yield* jobOf(scene, id)).status, "Building")
      yield* TestClock.adjust("5 minutes")
      assert.strictEqual((yield* jobOf(scene, id)).status, "Success")
      assert.deepInclude(yield* leftOver(scene), { on: 0, machines: 1, workers: 0, violations: [] })
    }).pipe(seeded("V2 pool"))
  )

  it.effect(
    "for a V2 job by a fresh clone where the pool has none, with the job in its annotation from the start",
    () =>
      Effect.gen(function* () {
        const scene = yield* spawning()
        const id = yield* orderV2(scene)
        yield* TestClock.adjust("1 minute")
        const [machine] = ours(scene)
        assert.deepInclude(parse(machine?.annotation ?? ""), {
          jobId: id,
          workerName: machine?.name,
          provisioning: false
        })
        yield* TestClock.adjust("5 minutes")
        assert.strictEqual((yield* jobOf(scene, id)).status, "Success")
        assert.deepInclude(yield* leftOver(scene), { machines: 0, workers: 0, leased: 0, violations: [] })
      }).pipe(seeded("V2 clone"))
  )

  it.effect("for a V1 job on its V1 model, by a machine of that model's pool", () =>
    Effect.gen(function* () {
      const modelProvision = [{ modelPath: path, number: 1 }]
      const scene = yield* spawning({ models: builds, settings: { modelProvision }, ready: "10 minutes" })
      const [pooled] = ours(scene)
      assert.match(pooled?.name ?? "", /^provision-v1-/)
      const id = yield* orderV1(scene, { model: "build-env", durationMs: 60_000 })
      yield* TestClock.adjust("1 minute")
      const machine = ours(scene).find(({ ref }) => ref.value === pooled?.ref.value)
      assert.strictEqual(machine?.name, (yield* jobOf(scene, id)).worker)
      assert.deepInclude(parse(machine?.annotation ?? ""), { jobId: id, workerModelPath: path, provisioning: false })
      yield* TestClock.adjust("5 minutes")
      assert.strictEqual((yield* jobOf(scene, id)).status, "Success")
      assert.deepInclude(yield* leftOver(scene), { on: 0, machines: 1, workers: 0, violations: [] })
    }).pipe(seeded("V1 pool"))
  )

  it.effect("for a V1 job by a fresh clone of its model's template where that pool has none", () =>
    Effect.gen(function* () {
      const scene = yield* spawning({ models: builds, ready: "10 minutes" })
      const id = yield* orderV1(scene, { model: path })
      yield* TestClock.adjust("1 minute")
      const [machine] = ours(scene)
      assert.deepInclude(parse(machine?.annotation ?? ""), {
        jobId: id,
        workerModelPath: path,
        vmwareModelPath: "build-env"
      })
      yield* TestClock.adjust("5 minutes")
      assert.strictEqual((yield* jobOf(scene, id)).status, "Success")
      assert.deepInclude(yield* leftOver(scene), { machines: 0, workers: 0, leased: 0, violations: [] })
    }).pipe(seeded("V1 clone"))
  )

  it.effect("for a V1 job on the V2 model as code that it names, by the pool of that model's image", () =>
    Effect.gen(function* () {
      const scene = yield* spawning({ settings: pool(1) })
      yield* scene.cds.addModelAsCode({ path: asCode })
      const [pooled] = ours(scene)
      const id = yield* orderV1(scene, { model: asCode })
      yield* TestClock.adjust("10 seconds")
      const machine = ours(scene).find(({ ref }) => ref.value === pooled?.ref.value)
      assert.strictEqual(parse(machine?.annotation ?? "")?.jobId, id)
      yield* TestClock.adjust("6 minutes")
      assert.strictEqual((yield* jobOf(scene, id)).status, "Success")
      assert.match(scene.starts()[0]?.arguments ?? "", /arch=\$\(uname -m\)/)
      assert.deepInclude(yield* leftOver(scene), { on: 0, machines: 1, workers: 0, violations: [] })
    }).pipe(seeded("V1 as code"))
  )

  it.effect("once for a job, however often it is seen and whichever way it is seen", () =>
    Effect.gen(function* () {
      const scene = yield* spawning({ settings: pool(2) })
      yield* scene.cds.set({ eventCopies: 4 })
      yield* scene.cds.addModelAsCode({ path: asCode })
      const id = yield* orderV1(scene, { model: asCode, durationMs: 120_000 })
      yield* TestClock.adjust("90 seconds")
      const carriers = ours(scene).filter(({ annotation }) => parse(annotation)?.jobId === id)
      assert.strictEqual(carriers.length, 1)
      assert.strictEqual(scene.starts().length, 1)
    }).pipe(seeded("once"))
  )
})

describe("6.2.1 the clone", () => {
  it.effect("shares its disks with a template that has a snapshot; where it cannot, the log says so once", () =>
    Effect.gen(function* () {
      for (const snapshot of [true, false])
        yield* logging((lines) =>
          Effect.gen(function* () {
            const scene = yield* spawning({ vcenter: template({ snapshot }), settings: pool(2) })
            assert.deepStrictEqual(
              ours(scene).map(({ diskShared }) => diskShared),
              [snapshot, snapshot]
            )
            const said = lines.filter((line) => line.includes("has no snapshot: each of its clones copies the disks"))
            assert.strictEqual(said.length, snapshot ? 0 : 1)
          }).pipe(Effect.scoped)
        )
    }).pipe(seeded("linked"))
  )
})

describe("6.2.2 the start script", () => {
  const scripted = {
    name: "build-env",
    preCmd: `export URL="{{.API}}/download?a=1&b='2'"\n{{- if .FromWorkerImage }}\necho "from <image>"\n{{- else }}\necho wrong\n{{- end }}`,
    cmd: "worker --api={{.API}}",
    postCmd: "sudo shutdown -h now",
    ...registered
  }

  it.effect("of a V1 model is its pre-command, command and post-command in that order, as plain text", () =>
    Effect.gen(function* () {
      const scene = yield* spawning({ models: [scripted], ready: "10 minutes" })
      const id = yield* orderV1(scene, { model: "build-env" })
      yield* TestClock.adjust("6 minutes")
      assert.strictEqual((yield* jobOf(scene, id)).status, "Success")
      const text = (scene.starts()[0]?.arguments ?? "").replaceAll(/'(?:\\+'+)+/g, "'")
      assert.notMatch(text, /&amp;|&lt;|&#|\{\{|echo wrong/)
      const order = [
        'export URL="http://cds.simulated/download?a=1&b=',
        'echo "from <image>"',
        "worker --api=http://cds.simulated",
        "sudo shutdown -h now"
      ]
      const places = order.map((one) => text.indexOf(one))
      assert.notInclude(places, -1)
      assert.deepStrictEqual(
        places,
        places.toSorted((a, b) => a - b)
      )
    }).pipe(seeded("scripts"))
  )

  it.effect("has CDS_CONFIG in its environment, and no text of it in its arguments", () =>
    Effect.gen(function* () {
      const scene = yield* spawning({
        models: [{ ...scripted, cmd: "worker --config={{.Config}}" }],
        ready: "10 minutes"
      })
      yield* orderV1(scene, { model: "build-env" })
      yield* orderV2(scene)
      yield* TestClock.adjust("6 minutes")
      const starts = scene.starts()
      assert.strictEqual(starts.length, 2)
      for (const { arguments: text, env } of starts) {
        assert.isAbove(env["CDS_CONFIG"]?.length ?? 0, 100)
        assert.notInclude(text, env["CDS_CONFIG"] ?? "")
      }
      assert.isTrue(starts.some((start) => start.arguments.includes("worker --config=${CDS_CONFIG}")))
    }).pipe(seeded("config"))
  )

  it.effect("that nobody can render keeps its model's jobs waiting, and their user reads why", () =>
    Effect.gen(function* () {
      const models = [{ ...scripted, cmd: "worker {{.Nonsense}}" }]
      const scene = yield* spawning({ models, ready: "10 minutes" })
      const id = yield* orderV1(scene, { model: "build-env" })
      yield* TestClock.adjust("2 minutes")
      assert.match(yield* waitsFor(scene, id), /\{\{\.Nonsense\}\} is no variable of a worker script/)
      assert.isTrue((yield* toldTo(scene, id)).some((message) => message.includes("{{.Nonsense}}")))
      assert.deepStrictEqual(ours(scene), [])
    }).pipe(seeded("nonsense"))
  )

  it.effect("begins with the configured pre-start script of the template, and goes on only when that ends well", () =>
    Effect.gen(function* () {
      const preStartScripts = new Map([["debian12", "mount /data || exit 3"]])
      const scene = yield* spawning({ settings: { ...pool(1), preStartScripts } })
      yield* orderV2(scene)
      yield* TestClock.adjust("3 minutes")
      const text = scene.starts()[0]?.arguments ?? ""
      assert.include(text, "mount /data || exit 3")
      assert.isBelow(text.indexOf("mount /data"), text.indexOf("curl --fail"))
      assert.match(text, /\|\| give_up "the pre-start script ended with exit code/)
    }).pipe(seeded("pre-start"))
  )
})

interface Login {
  readonly why: string
  readonly settings: WorldOptions["settings"]
  /** What the model says. */
  readonly user: string
  readonly password: string
  /** How the job ends up within 15 minutes. */
  readonly ends: "Success" | "Waiting"
}

const logins: ReadonlyArray<Login> = [
  {
    why: "the configuration's, whatever the model says",
    settings: {
      credentials: [{ template: "debian12", username: "worker", password }],
      modelCredentials: [{ modelPath: path, username: "worker", password }]
    },
    user: "worker",
    password: "wrong",
    ends: "Success"
  },
  {
    why: "the model's where the configuration has none for it",
    settings: {
      credentials: [{ template: "other", username: "worker", password: wrong }],
      modelCredentials: [{ modelPath: "shared.infra/other", username: "worker", password: wrong }]
    },
    user: "worker",
    password: "worker",
    ends: "Success"
  },
  {
    why: "never the model's where the configuration's is refused",
    settings: {
      credentials: [{ template: "debian12", username: "worker", password: wrong }],
      modelCredentials: [{ modelPath: path, username: "worker", password: wrong }]
    },
    user: "worker",
    password: "worker",
    ends: "Waiting"
  }
]

describe("6.2.3 the guest login is", () => {
  for (const { why, settings = {}, user, password: secret, ends } of logins) {
    it.effect(`${why} (V2)`, () =>
      Effect.gen(function* () {
        const scene = yield* spawning({ settings: { maxAttempts: 1, ...settings } })
        const id = yield* orderV2(scene, { modelUser: user, modelPassword: secret })
        yield* TestClock.adjust("15 minutes")
        assert.strictEqual((yield* jobOf(scene, id)).status, ends)
        assert.deepInclude(yield* leftOver(scene), { machines: 0, workers: 0, leased: 0, violations: [] })
      }).pipe(seeded(`V2 ${why}`))
    )

    it.effect(`${why} (V1 model)`, () =>
      Effect.gen(function* () {
        const models = [{ ...builds[0]!, user, password: secret }]
        const scene = yield* spawning({ models, settings, ready: "10 minutes" })
        const id = yield* orderV1(scene, { model: "build-env" })
        yield* TestClock.adjust("15 minutes")
        assert.strictEqual((yield* jobOf(scene, id)).status, ends)
        assert.deepInclude(yield* leftOver(scene), { machines: 0, workers: 0, leased: 0, violations: [] })
      }).pipe(seeded(`V1 ${why}`))
    )
  }

  it.effect("with a secret of the model in it asked of CDS, for V2 jobs and V1 jobs on V2 models", () =>
    Effect.gen(function* () {
      const scene = yield* spawning({ settings: { credentials: [] } })
      yield* scene.cds.addModelAsCode({ path: asCode, username: "worker", password: "worker" })
      const v2 = yield* orderV2(scene, { modelUser: "worker", modelPassword: "${{ secrets.pass }}" })
      const v1 = yield* orderV1(scene, { model: asCode })
      yield* TestClock.adjust("6 minutes")
      assert.strictEqual((yield* jobOf(scene, v2)).status, "Success")
      assert.strictEqual((yield* jobOf(scene, v1)).status, "Success")
    }).pipe(seeded("secret"))
  )

  it.effect("none while CDS does not tell the secret: the job is refused, and its user reads what to set", () =>
    Effect.gen(function* () {
      const scene = yield* spawning({ settings: { credentials: [] } })
      yield* scene.cds.addModelAsCode({ path: asCode, username: "worker", password: "${{ secrets.pass }}" })
      const ids = [
        yield* orderV2(scene, { modelUser: "worker", modelPassword: "${{ secrets.pass }}" }),
        yield* orderV1(scene, { model: asCode })
      ]
      yield* TestClock.adjust("2 minutes")
      for (const id of ids) {
        assert.match(yield* waitsFor(scene, id), /is a secret that CDS does not tell .*vsphere.models for "debian12"/)
        assert.isTrue((yield* toldTo(scene, id)).some((message) => message.includes("vsphere.models")))
      }
      assert.deepStrictEqual(ours(scene), [])
    }).pipe(seeded("untold"))
  )

  it.effect("nobody's: a job whose model has none either is refused before anything is made for it", () =>
    Effect.gen(function* () {
      const models = [{ ...builds[0]!, user: "" }]
      const scene = yield* spawning({ models, settings: { credentials: [] }, ready: "10 minutes" })
      const id = yield* orderV2(scene)
      yield* TestClock.adjust("2 minutes")
      assert.match(yield* waitsFor(scene, id), /no guest login for "debian12" in hatchery.vsphere.models/)
      assert.deepStrictEqual(ours(scene), [])
    }).pipe(seeded("nobody"))
  )
})

type Trouble = (scene: Parameters<typeof leftOver>[0]) => Effect.Effect<void>

/** What goes wrong once, somewhere between the choice of a machine and the worker's sign in. */
const troubles: Readonly<Record<string, Trouble>> = {
  "the clone fails": ({ vcenter }) =>
    vcenter.inject({ _tag: "TaskFails", operation: "CloneVM_Task", fault: "NoDiskSpace" }),
  "the claim cannot be written": ({ vcenter }) =>
    vcenter.inject({ _tag: "TaskFails", operation: "ReconfigVM_Task", fault: "NoPermission" }),
  "the machine cannot be powered on": ({ vcenter }) =>
    vcenter.inject({ _tag: "TaskFails", operation: "PowerOnVM_Task", fault: "NoPermission" }),
  "the guest never boots": ({ vcenter }) => vcenter.inject({ _tag: "GuestFails", how: "NeverBoots" }),
  "the guest has another address": ({ vcenter }) => vcenter.inject({ _tag: "GuestFails", how: "WrongAddress" }),
  "the take is refused": ({ cds }) => cds.fault({ kind: "answer", status: 403, path: "/hatchery/take" }),
  "the worker cannot be downloaded": ({ cds }) =>
    cds.fault({ kind: "answer", status: 404, times: 3, path: "/download/worker" }),
  "its Tools never come up": ({ vcenter }) => vcenter.inject({ _tag: "GuestFails", how: "ToolsNever" })
}

describe("6.2.4 nothing is left of a spawn that failed, and the job runs after all, when", () => {
  for (const [what, trouble] of Object.entries(troubles))
    for (const [way, number] of [
      ["of the pool", 1],
      ["cloned for the job", 0]
    ] as const) {
      if (number === 1 && what === "the clone fails") continue
      if (number === 0 && (what === "the claim cannot be written" || what === "the machine cannot be powered on"))
        continue
      it.effect(`${what}, for a machine ${way}`, () =>
        Effect.gen(function* () {
          const scene = yield* spawning({ settings: pool(number) })
          const id = yield* orderV2(scene)
          yield* trouble(scene)
          yield* TestClock.adjust("40 minutes")
          assert.strictEqual((yield* jobOf(scene, id)).status, "Success")
          assert.strictEqual(yield* leases(scene, id), 2)
          assert.deepStrictEqual(yield* leftOver(scene), {
            on: 0,
            machines: number,
            workers: 0,
            leased: number,
            violations: []
          })
        }).pipe(seeded(what))
      )
    }

  it.effect("the pre-start script fails: the job's user reads its exit code and the end of its log", () =>
    Effect.gen(function* () {
      let failed = 0
      const scene = yield* spawning({
        settings: { ...pool(1), preStartScripts: new Map([["debian12", "mount /data || exit 3"]]) },
        fails: () =>
          failed++ > 0
            ? undefined
            : {
                exitCode: 1,
                powerOffAfterMs: 120_000,
                files: { "/tmp/cds-worker-setup.log": "the pre-start script ended with exit code 3\n" }
              }
      })
      const id = yield* orderV2(scene)
      yield* TestClock.adjust("20 minutes")
      const told = (yield* toldTo(scene, id)).find((message) => message.includes("could not run the worker"))
      assert.match(told ?? "", /exit code 1[\s\S]*the pre-start script ended with exit code 3/)
      assert.strictEqual((yield* jobOf(scene, id)).status, "Success")
      assert.deepInclude(yield* leftOver(scene), { on: 0, machines: 1, workers: 0, leased: 1, violations: [] })
    }).pipe(seeded("pre-start fails"))
  )
})
