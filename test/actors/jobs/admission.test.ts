import { assert, describe, it } from "@effect/vitest"
import { Redacted } from "effect"
import { admit } from "../../../src/actors/jobs/admission.ts"
import { defaults } from "../../../src/schema/Config.ts"
import type { Job, JobStatus, Model } from "../../../src/schema/Job.ts"
import type { SettingsShape } from "../../../src/services/Settings.ts"

const job: Job = {
  id: "job-1",
  status: "Waiting",
  region: "default",
  projectKey: "PROJ",
  workflowName: "build",
  jobName: "compile",
  runNumber: 1,
  queuedAt: 0,
  modelType: "vsphere",
  osArch: "linux/amd64",
  workerName: "",
  hatcheryName: "",
  runsOn: { model: "PROJ/github/acme/app/debian", memory: "", flavor: "" },
  hasServices: false
}

const model: Model = {
  name: "debian",
  type: "vsphere",
  osArch: "linux/amd64",
  image: "debian12",
  flavor: "",
  username: "",
  password: ""
}

const small = { cpus: 1, memoryMB: 1024 }
const large = { cpus: 8, memoryMB: 32768 }

const settings: SettingsShape = {
  ...defaults,
  flavors: [
    { name: "Small", ...small },
    { name: "large", ...large }
  ],
  credentials: [{ template: "debian12", username: "worker", password: Redacted.make("secret") }]
}

const asked = (runsOn: Partial<Job["runsOn"]>): Job => ({ ...job, runsOn: { ...job.runsOn, ...runsOn } })

const reason = (of: Job, by: Model = model, under = settings): string => {
  const admission = admit(of, by, under)
  return admission._tag === "Refused" ? admission.reason : admission._tag
}

const size = (of: Job, by = model, under = settings) => {
  const admission = admit(of, by, under)
  return admission._tag === "Wanted" ? admission.size : admission
}

describe("a job that is admitted", () => {
  it("names the template to run on, the model for its token, and no login where the configuration has one", () => {
    assert.deepStrictEqual(admit(job, model, settings), {
      _tag: "Wanted",
      pool: "debian12",
      template: "debian12",
      modelName: "debian",
      flavor: "",
      size: undefined,
      login: undefined
    })
  })

  it("gets the flavor it asks for, then its model's, then the default, then the machine as it is", () => {
    const own = { ...settings, defaultFlavor: "small" }
    assert.deepStrictEqual(size(asked({ flavor: "LARGE" }), { ...model, flavor: "small" }, own), large)
    assert.deepStrictEqual(size(job, { ...model, flavor: "large" }, own), large)
    assert.deepStrictEqual(size(job, model, own), small)
    assert.strictEqual(size(job), undefined)
  })

  it("carries its model's login when the configuration has none for the template", () => {
    const admission = admit(job, { ...model, username: "root", password: "hunter2" }, { ...settings, credentials: [] })
    assert.strictEqual(admission._tag, "Wanted")
    const login = admission._tag === "Wanted" && admission.login !== undefined ? admission.login : undefined
    assert.strictEqual(login?.username, "root")
    assert.notInclude(JSON.stringify(admission), "hunter2")
  })
})

describe("a job that is refused", () => {
  it("has a reason that names what to change", () => {
    assert.match(reason(job, { ...model, type: "openstack" }), /its model "debian" is of type openstack, not vsphere/)
    assert.match(reason(job, { ...model, image: "" }), /names no image \(spec.image\)/)
    assert.match(reason({ ...job, hasServices: true }), /service containers/)
    assert.match(reason(asked({ memory: "2048" })), /memory \(runs-on.memory\)/)
    assert.match(reason(asked({ flavor: "huge" })), /its flavor "huge" is not in hatchery.vsphere.flavors/)
    assert.match(reason(job, { ...model, flavor: "huge" }), /its flavor "huge"/)
    assert.match(reason(job, { ...model, image: "alpine" }), /no guest login for "alpine"/)
    assert.match(reason(job, { ...model, image: "alpine", username: "root" }), /no guest login/)
  })

  it("because of a secret in its login that nobody has put in, told without the rest of the login", () => {
    const own = { ...settings, credentials: [] }
    for (const [username, password] of [
      ["${{ secrets.user }}", "hunter2"],
      ["root", "hunter2${{ secrets.pass }}"],
      ["root", "hunter2${{ secr"]
    ] as const) {
      const why = reason(job, { ...model, username, password }, own)
      assert.match(why, /is a secret that CDS does not tell \(\$\{\{ secr.*set hatchery.vsphere.models for "debian12"/)
      assert.notInclude(why, "hunter2")
    }
  })

  it("names no model", () => {
    const admission = admit(job, undefined, settings)
    assert.deepInclude(admission, { _tag: "Refused", reason: "the job names no worker model (runs-on)" })
  })

  it("is over when it does not wait any more, and nothing is said about it", () => {
    const others: ReadonlyArray<JobStatus> = ["Blocked", "Scheduling", "Building", "Success", "Fail", "Stopped"]
    for (const status of others) assert.strictEqual(reason({ ...job, status, hasServices: true }), "Over", status)
  })
})
