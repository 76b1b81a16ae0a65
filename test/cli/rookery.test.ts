import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { generateKeyPairSync } from "node:crypto"
import { mkdtempSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join, resolve } from "node:path"
import * as Process from "../real/harness/Process.ts"
import { attribute, receiver, spansOf, type Span } from "../support/otlp.ts"

const program = resolve(import.meta.dirname, "../../src/main.ts")
const folder = mkdtempSync(join(tmpdir(), "rookery-cli-"))

const rsaPrivateKey = generateKeyPairSync("rsa", { modulusLength: 2048 })
  .privateKey.export({ type: "pkcs8", format: "pem" })
  .toString()

/** Runs the program to its end. */
const rookery = (...args: ReadonlyArray<string>) => rookeryIn({}, ...args)

const rookeryIn = (env: Readonly<Record<string, string | undefined>>, ...args: ReadonlyArray<string>) =>
  Effect.scoped(
    Effect.gen(function* () {
      const running = yield* Process.startNode(program, args, { env })
      const { code } = yield* running.exit
      return { code, lines: running.lines }
    })
  )

interface Addresses {
  readonly vcenter: string
  readonly cds: string
  readonly token: string
}

const nowhere: Addresses = { vcenter: "http://127.0.0.1:9", cds: "http://127.0.0.1:9", token: "t" }

const configFile = (name: string, { vcenter, cds, token }: Addresses, more = ""): string => {
  const path = join(folder, name)
  writeFileSync(
    path,
    `[hatchery.vsphere]
user = "rookery@vsphere.local"
password = "rookery"
endpoint = "${vcenter}"
datacenterString = "DC0"
networkString = "VM Network"
iprange = "10.0.0.0/24"
gateway = "10.0.0.1"
${more}
[[hatchery.vsphere.workerProvisioning]]
modelVMWare = "debian12"
number = 1
[[hatchery.vsphere.models]]
modelVMWare = "debian12"
username = "worker"
password = "worker"
[hatchery.vsphere.rookery]
provisioningInterval = "1s"
reaperInterval = "500ms"
drainTimeout = "2s"
[hatchery.vsphere.commonConfiguration]
name = "hatch"
http.addr = "127.0.0.1"
http.port = 0
api.tokenV2 = "${token}"
api.http.url = "${cds}"
rsaPrivateKey = """
${rsaPrivateKey}"""
`
  )
  return path
}

/**
 * Of each job that got a machine: the transitions under its `Job` span in order of their start, and the first call under each. A job that
 * had to wait has `Job` spans without transitions, too.
 */
const waysOfJobs = (spans: ReadonlyArray<Span>) => {
  const inOrder = spans.toSorted((a, b) => Number(BigInt(a.startTimeUnixNano) - BigInt(b.startTimeUnixNano)))
  const below = (parent: Span) => inOrder.filter(({ parentSpanId }) => parentSpanId === parent.spanId)
  const chosen = /Provisioned → Reserved|Reserved → Renamed|Renamed → Powered/
  return inOrder
    .filter((span) => span.name === "Job" && attribute(span, "job.id") !== undefined)
    .map((job) => below(job).filter(({ name }) => chosen.test(name)))
    .filter((transitions) => transitions.length > 0)
    .map((transitions) => transitions.map((span) => `${span.name}: ${below(span)[0]?.name}`))
}

const fetchJson = (url: string, init?: RequestInit) =>
  Effect.promise(() => fetch(url, init).then((response) => response.json() as Promise<any>))

describe("the command line", () => {
  it.live("refuses an older Node in one line, before it loads anything, and exits 2", () =>
    Effect.gen(function* () {
      const older = 'data:text/javascript,Object.defineProperty(process,"versions",{value:{node:"20.19.2"}})'
      const running = yield* Process.start({ command: process.execPath, args: ["--import", older, program] })
      const { code } = yield* running.exit
      assert.strictEqual(code, 2)
      assert.deepStrictEqual(running.lines, [
        'rookery needs Node 22.19 or newer and this is 20.19.2; "npm start" uses the right one'
      ])
    })
  )

  it.live("exits 2 on flags and commands that it does not know, naming them", () =>
    Effect.gen(function* () {
      const [flag, command] = yield* Effect.all([rookery("--job", "3"), rookery("strat")], { concurrency: 2 })
      assert.deepStrictEqual([flag.code, command.code], [2, 2])
      assert.match(flag.lines.join("\n"), /--job\b/)
      assert.match(command.lines.join("\n"), /strat/)
    })
  )

  it.live("takes what to start from CDS_SERVICE where the command line does not say it", () =>
    Effect.gen(function* () {
      const start = ["start", "--config", "nowhere.toml"]
      const [none, ours, other] = yield* Effect.all(
        [
          rookeryIn({ CDS_SERVICE: undefined }, ...start),
          rookeryIn({ CDS_SERVICE: "hatchery:vsphere" }, ...start),
          rookeryIn({ CDS_SERVICE: "hatchery:swarm" }, ...start)
        ],
        { concurrency: 3 }
      )
      assert.match(none.lines[0]!, /Missing required argument: service/)
      assert.match(ours.lines[0]!, /^--config = nowhere\.toml: the file cannot be read/)
      assert.match(other.lines.join("\n"), /CDS_SERVICE/)
      assert.deepStrictEqual([none.code, ours.code, other.code], [2, 2, 2])
    })
  )

  it.live("checks a configuration: 0 when it is good, 2 with every problem a line when it is not", () =>
    Effect.gen(function* () {
      const odd = configFile("odd.toml", nowhere, "maxCpu = 3")
      const bad = configFile("bad.toml", nowhere, 'dns = "x"\ncardName = "ne2000"')
      const [good, strict, wrong, start] = yield* Effect.all(
        [
          rookery("config", "check", "--config", odd),
          rookery("config", "check", "--strict", "--config", odd),
          rookery("config", "check", "--config", bad),
          rookery("start", "hatchery:vsphere", "--config", bad)
        ],
        { concurrency: 2 }
      )
      assert.strictEqual(good.code, 0)
      assert.match(good.lines.join("\n"), /warning: hatchery\.vsphere\.maxCpu/)
      assert.strictEqual(strict.code, 2)
      for (const { code, lines } of [wrong, start]) {
        assert.strictEqual(code, 2)
        assert.deepStrictEqual(
          lines.map((line) => line.split(" = ")[0]),
          ["hatchery.vsphere.cardName", "hatchery.vsphere.dns"]
        )
      }
    })
  )

  it.live("prints a new configuration, which is good when it is filled in, and the schema of one", () =>
    Effect.gen(function* () {
      const [written, schema] = yield* Effect.all([rookery("config", "new"), rookery("config", "schema")], {
        concurrency: 2
      })
      assert.deepStrictEqual([written.code, schema.code], [0, 0])
      assert.property(JSON.parse(schema.lines.join("\n")), "$schema")
      const path = join(folder, "new.toml")
      const filled = written.lines
        .join("\n")
        .replaceAll(/^(# tokenV2|\w+) = ""$/gm, (line) =>
          line.replace("# ", "").replace('""', line.startsWith("url") ? '"http://cds.example"' : '"something"')
        )
      writeFileSync(path, filled)
      const check = yield* rookery("config", "check", "--strict", "--config", path)
      assert.strictEqual(check.code, 0, check.lines.join("\n"))
    })
  )

  it.live("plays the demo to its end, the last line being the judges' count, the traces telling each job's way", () =>
    Effect.gen(function* () {
      const { exports, url } = yield* receiver(200)
      const running = yield* Process.startNode(program, ["--jobs", "3", "--rate", "600", "--pool", "3", "--json"], {
        env: { OTEL_EXPORTER_OTLP_ENDPOINT: url }
      })
      const { code } = yield* running.exit
      assert.strictEqual(code, 0, running.lines.slice(-5).join("\n"))
      const summary = JSON.parse(running.lines.at(-1)!)
      assert.deepStrictEqual(summary.jobs, { done: 3, failed: 0 })
      assert.strictEqual(summary.machines.left, 0)
      assert.isAtLeast(summary.machines.created, 3)
      assert.deepStrictEqual(summary.ips, { leased: 0 })
      assert.isAtMost(summary.p50_ms, summary.p99_ms)
      assert.isTrue(running.lines.some((line) => line.includes("Provisioned → Reserved")))

      const ways = waysOfJobs(spansOf(exports))
      assert.strictEqual(ways.length, 3)
      for (const way of ways)
        assert.deepStrictEqual(way, [
          "Vm Provisioned → Reserved: VSphere.reconfigure",
          "Vm Reserved → Renamed: Cds.take",
          "Vm Renamed → Powered: VSphere.powerOn"
        ])
    })
  )

  it.live("starts from a file, serves a job over the real protocols and drains on SIGTERM", () =>
    Effect.gen(function* () {
      const [vcenterProcess, cdsProcess] = yield* Effect.all([
        Process.startNode(program, ["simulate", "vcenter", "--time-scale", "0.03"]),
        Process.startNode(program, ["simulate", "cds", "--name", "hatch"])
      ])
      const vcenter = JSON.parse(yield* vcenterProcess.line(/^\{"url"/))
      const cds = JSON.parse(yield* cdsProcess.line(/^\{"url"/))
      const config = configFile("good.toml", { vcenter: vcenter.url, cds: cds.url, token: cds.hatcheries[0].token })

      const hatchery = yield* Process.startNode(program, ["start", "hatchery:vsphere", "--config", config])
      const [, mon] = /listening on (\S+)/.exec(yield* hatchery.line(/listening on/))!
      const body = JSON.stringify({ durationMs: 200 })
      const { ids } = yield* fetchJson(`${cds.control}/jobs`, { method: "POST", body })
      let status = ""
      for (let tries = 0; tries < 200 && status !== "Success"; tries++) {
        yield* Effect.sleep("100 millis")
        status = (yield* fetchJson(`${cds.control}/jobs/${ids[0]}`)).status
      }
      assert.strictEqual(status, "Success", hatchery.lines.slice(-10).join("\n"))
      assert.strictEqual((yield* fetchJson(`${mon}/mon/status`)).lines[0].component, "Version")

      yield* hatchery.kill("SIGTERM")
      assert.deepStrictEqual(yield* hatchery.exit, { code: 0, signal: null })
      assert.match(hatchery.lines.at(-1)!, /stopped/)
    })
  )
})
