import { generateKeyPairSync } from "node:crypto"
import { mkdtempSync, readFileSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join, resolve } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import * as Process from "../real/harness/Process.ts"
import { receiver } from "../support/otlp.ts"
import { leaks } from "./Secrets.ts"

const program = resolve(import.meta.dirname, "../../src/main.ts")

const privateKey = generateKeyPairSync("rsa", { modulusLength: 2048 }).privateKey
const rsaPrivateKey = privateKey.export({ type: "pkcs8", format: "pem" }).toString()
const secrets = { password: "Vc-p4ssword-7Qz", injected: "In-v4lue-of-a-variable-6Lm", rsaPrivateKey }

const configFile = (vcenter: string, cds: string, token: string): string => {
  const path = join(mkdtempSync(join(tmpdir(), "rookery-security-")), "cds.toml")
  writeFileSync(
    path,
    `[log]
level = "debug"
[hatchery.vsphere]
user = "rookery@vsphere.local"
password = "${secrets.password}"
endpoint = "${vcenter}"
datacenterString = "DC0"
networkString = "VM Network"
iprange = "10.0.0.0/24"
gateway = "10.0.0.1"
[[hatchery.vsphere.workerProvisioning]]
modelVMWare = "debian12"
number = 1
[[hatchery.vsphere.models]]
modelVMWare = "debian12"
username = "worker"
password = "worker"
[hatchery.vsphere.rookery]
drainTimeout = "2s"
[hatchery.vsphere.commonConfiguration]
name = "hatch"
http.addr = "127.0.0.1"
http.port = 0
api.tokenV2 = "${token}"
api.http.url = "${cds}"
provision.injectEnvVars = ["DEPLOY_TOKEN=${secrets.injected}"]
rsaPrivateKey = """
${rsaPrivateKey}"""
`
  )
  return path
}

const json = (url: string, init?: RequestInit) =>
  Effect.promise(() => fetch(url, init).then((response) => response.json() as Promise<any>))

const text = (url: string) => Effect.promise(() => fetch(url).then((response) => response.text()))

describe("the hatchery as a process", () => {
  it.live("has no secret in its arguments, its outputs at level debug, its pages and its traces", () =>
    Effect.gen(function* () {
      const { exports, url } = yield* receiver(200)
      const [vcenterProcess, cdsProcess] = yield* Effect.all([
        Process.startNode(program, ["simulate", "vcenter", "--time-scale", "0.03", "--password", secrets.password]),
        Process.startNode(program, ["simulate", "cds", "--name", "hatch"])
      ])
      const vcenter = JSON.parse(yield* vcenterProcess.line(/^\{"url"/))
      const cds = JSON.parse(yield* cdsProcess.line(/^\{"url"/))
      const { token } = cds.hatcheries[0]
      const hatchery = yield* Process.startNode(
        program,
        ["start", "hatchery:vsphere", "--config", configFile(vcenter.url, cds.url, token)],
        { env: { OTEL_EXPORTER_OTLP_ENDPOINT: url, DEBUG: "*" } }
      )
      const [, mon] = /listening on (\S+)/.exec(yield* hatchery.line(/listening on/))!
      const { ids } = yield* json(`${cds.control}/jobs`, { method: "POST", body: '{"durationMs":200}' })
      yield* hatchery.line(/Running → Reaping/)
      assert.strictEqual((yield* json(`${cds.control}/jobs/${ids[0]}`)).status, "Success")

      const seen = [readFileSync(`/proc/${hatchery.pid}/cmdline`, "utf8")]
      for (const page of ["version", "status", "metrics", "machines", "decisions"])
        seen.push(yield* text(`${mon}/mon/${page}`))
      yield* hatchery.kill("SIGTERM")
      assert.strictEqual((yield* hatchery.exit).code, 0)
      seen.push(...hatchery.lines, JSON.stringify(exports))

      assert.match(seen.join("\n"), /Vim\.StartProgramInGuest/)
      assert.match(seen.join("\n"), /\[DEBUG\]/)
      assert.deepStrictEqual(leaks(seen.join("\n"), { ...secrets, token }), [])
    })
  )
})
