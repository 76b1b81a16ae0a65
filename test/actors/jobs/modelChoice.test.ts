import { assert, describe, it } from "@effect/vitest"
import { chooseModel, type Choice } from "../../../src/actors/jobs/modelChoice.ts"
import { defaults } from "../../../src/schema/Config.ts"
import type { JobV1 } from "../../../src/schema/Job.ts"
import type { ModelV1 } from "../../../src/schema/ModelV1.ts"
import type { SettingsShape } from "../../../src/services/Settings.ts"
import { modelV1 } from "../../support/models.ts"

const binary = (name: string) => ({ type: "binary", name, value: name })

const model = (change: Partial<ModelV1> = {}): ModelV1 =>
  modelV1({ registeredCapabilities: [binary("git"), binary("make")], ...change })

const job = (...asked: ReadonlyArray<readonly [type: string, value: string]>): JobV1 => ({
  requirements: asked.map(([type, value]) => ({ type, name: value, value })),
  execGroups: []
})

const defaultModels = [
  { model: "PROJ/github/acme/app/debian@main", binaries: ["git", "curl"] },
  { model: "PROJ/github/acme/app/golang", binaries: ["go", "git"] }
]
const withDefaults: SettingsShape = { ...defaults, defaultWorkerModelsV2: defaultModels }

const choose = (of: JobV1, models: ReadonlyArray<ModelV1> = [model()], settings: SettingsShape = defaults) =>
  chooseModel(of, models, settings)

const chosen = (choice: Choice): string =>
  choice._tag === "Model" ? choice.model.name : choice._tag === "AsCode" ? choice.reference : choice.reason

describe("a V1 job that names a model", () => {
  it("as code gets that V2 model, whatever V1 models there are", () => {
    assert.deepStrictEqual(choose(job(["model", "PROJ/github/acme/app/deb@main"])), {
      _tag: "AsCode",
      reference: "PROJ/github/acme/app/deb@main",
      named: true
    })
  })

  it("gets the V1 model of that path, of that name in shared.infra, or simply of that name; what follows the name is ignored", () => {
    const mine = model({ name: "mine", group: "team" })
    for (const name of ["shared.infra/deb", "deb", "deb --with=options"])
      assert.strictEqual(chosen(choose(job(["model", name]), [mine, model()])), "deb")
    for (const name of ["team/mine", "mine"])
      assert.strictEqual(chosen(choose(job(["model", name]), [model(), mine])), "mine")
  })

  it("gets a deprecated one, and needs no binary of it to be registered", () => {
    const old = model({ deprecated: true, registeredCapabilities: [] })
    assert.strictEqual(chosen(choose(job(["model", "deb"], ["binary", "rust"]), [old])), "deb")
    assert.include(chosen(choose(job(), [old])), "deb is deprecated, so a job has to name it")
  })

  it("is told why the model does not do", () => {
    const why = (change: Partial<ModelV1>, of = job(["model", "deb"])) => chosen(choose(of, [model(change)]))
    assert.include(why({ type: "docker" }), "deb is of type docker, not vsphere")
    assert.include(why({ needRegistration: true }), "deb has to be registered first")
    assert.strictEqual(why({ checkRegistration: true }), "deb")
    assert.strictEqual(why({ spawnErrors: 5 }), "deb")
    assert.include(why({ spawnErrors: 6 }), "deb failed 6 times in a row")
    assert.include(why({ spawnErrors: 6, needRegistration: true }), "deb failed 6 times in a row")
    assert.include(why({ cmd: "" }), "deb has no command (cmd)")
    assert.include(
      why({}, { ...job(["model", "deb"]), execGroups: ["team"] }),
      "belongs to group shared.infra, and the job is for team"
    )
    assert.include(
      why({}, job(["model", "deb"], ["os-architecture", "linux/arm64"])),
      "deb is for linux/amd64, not linux/arm64"
    )
    assert.strictEqual(
      why({ registeredOs: undefined }, job(["model", "deb"], ["os-architecture", "linux/arm64"])),
      "deb"
    )
    assert.strictEqual(chosen(choose(job(["model", "nix"]))), 'there is no enabled worker model "nix"')
  })
})

describe("a V1 job whose model cannot be registered", () => {
  it("is told what keeps it from that", () => {
    const known = { obstacle: ({ name }: ModelV1) => `"${name}" is taken` }
    const of = job(["model", "deb"])
    assert.strictEqual(
      chosen(chooseModel(of, [model({ needRegistration: true })], defaults, known)),
      'no worker model fits: deb has to be registered first, and cannot be: "deb" is taken'
    )
    assert.strictEqual(chosen(chooseModel(of, [model()], defaults, known)), "deb")
  })
})

describe("a V1 job that names no model", () => {
  it("without a binary gets the first default V2 model", () => {
    assert.strictEqual(chosen(choose(job(), [model()], withDefaults)), defaultModels[0]!.model)
  })

  it("gets the first default V2 model that has at least one of its binaries", () => {
    assert.strictEqual(chosen(choose(job(["binary", "go"]), [], withDefaults)), defaultModels[1]!.model)
    assert.strictEqual(
      chosen(choose(job(["binary", "go"], ["binary", "git"]), [], withDefaults)),
      defaultModels[0]!.model
    )
  })

  it("gets a V1 model where no default has one of its binaries, or the default cannot be had", () => {
    assert.strictEqual(chosen(choose(job(["binary", "make"]), [model()], withDefaults)), "deb")
    assert.strictEqual(
      chosen(chooseModel(job(["binary", "git"]), [model()], withDefaults, { withDefaults: false })),
      "deb"
    )
  })

  it("gets the first V1 model that has all its binaries", () => {
    const small = model({ name: "small", registeredCapabilities: [binary("git")] })
    assert.strictEqual(chosen(choose(job(["binary", "git"], ["binary", "make"]), [small, model()])), "deb")
    const none = choose(job(["binary", "rust"]), [small, model({ type: "docker" })])
    assert.strictEqual(chosen(none), "no worker model fits: small has no rust")
  })
})

describe("a V1 job that this hatchery cannot run", () => {
  it("because of what it asks for says so to its user", () => {
    for (const type of ["service", "memory", "hostname"])
      assert.deepInclude(choose(job(["model", "deb"], [type, "x"])), { _tag: "None", ours: true })
    assert.strictEqual(
      choose(job(["model", "deb"], ["plugin", "x"], ["secret", "y"], ["flavor", "large"]))._tag,
      "Model"
    )
  })

  it("because of its region is left to others, whichever model it names", () => {
    const here: SettingsShape = { ...withDefaults, region: "gra" }
    for (const asked of [[], [["model", "deb"]], [["model", "PROJ/github/acme/app/deb"]]] as const) {
      assert.notStrictEqual(choose(job(...asked, ["region", "gra"]), [model()], here)._tag, "None")
      assert.notStrictEqual(choose(job(...asked), [model()], here)._tag, "None")
      assert.deepInclude(choose(job(...asked, ["region", "sbg"]), [model()], here), { _tag: "None", ours: false })
      assert.deepInclude(choose(job(...asked, ["region", "sbg"])), { _tag: "None", ours: false })
      const strict = { ...here, ignoreJobWithNoRegion: true }
      assert.include(chosen(choose(job(...asked), [model()], strict)), "provision.ignoreJobWithNoRegion")
    }
  })
})
