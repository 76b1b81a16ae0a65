import { assert, describe, it } from "@effect/vitest"
import { execFile } from "node:child_process"
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync
} from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { Effect } from "effect"
import { script, secondStart } from "../../src/schema/Bootstrap.ts"
import type { Bootstrap } from "../../src/schema/Bootstrap.ts"

const bootstrap: Bootstrap = { workerName: "stoic-keldysh", apiUrl: "http://api.test/", osArch: "linux/amd64" }

/** Tools of the guest that the script may use; whatever is not here is not there. */
const system = ["sh", "cat", "chmod", "cp", "echo", "mkdir"]

/** A downloader that notes its arguments and puts `worker` where it is told. */
const curl = (dir: string) => `echo "$@" >>${dir}/curl.args
while [ "$1" != --output ]; do shift; done
cp ${dir}/remote "$2"`
const wget = (dir: string) => `echo "$@" >>${dir}/wget.args
for word; do case $word in --output-document=*) cp ${dir}/remote "\${word#*=}";; esac; done`

/** A guest in a folder of its own: its `/usr/local/bin` and `/tmp`, and only these commands. */
const guest = Effect.acquireRelease(
  Effect.sync(() => {
    const dir = mkdtempSync(join(tmpdir(), "bootstrap-"))
    const bin = join(dir, "bin")
    mkdirSync(bin)
    mkdirSync(join(dir, "local"))
    const command = (name: string, text: string) => {
      writeFileSync(join(bin, name), `#!/bin/sh\n${text}\n`)
      chmodSync(join(bin, name), 0o755)
    }
    for (const name of system)
      symlinkSync(existsSync(`/bin/${name}`) ? `/bin/${name}` : `/usr/bin/${name}`, join(bin, name))
    command("sudo", `echo "$@" >>${dir}/sudo.args`)
    writeFileSync(join(dir, "remote"), '#!/bin/sh\necho "working with $CDS_CONFIG"\nexit "${EXIT:-0}"\n')
    const read = (name: string) =>
      existsSync(join(dir, name)) ? readFileSync(join(dir, name), "utf8").trim() : undefined
    return { dir, bin, command, read }
  }),
  ({ dir }) => Effect.sync(() => rmSync(dir, { recursive: true }))
)

type Guest = Effect.Success<typeof guest>

/** Runs the script as the guest would and answers its exit code. */
const run = ({ dir, bin }: Guest, input: Bootstrap, env: Record<string, string> = {}) =>
  Effect.callback<number>((resume) => {
    const text = script(input).replaceAll("/tmp/", `${dir}/`).replaceAll("/usr/local/bin/", `${dir}/local/`)
    const path = `${bin}:${dir}/local`
    execFile("/bin/sh", ["-c", text], { cwd: dir, env: { PATH: path, CDS_CONFIG: "c29tZQ==", ...env } }, (error) =>
      resume(Effect.succeed(error === null ? 0 : Number(error.code)))
    )
  })

describe("the bootstrap", () => {
  it.live("downloads the worker with curl, runs it with its configuration, and turns the machine off", () =>
    Effect.gen(function* () {
      const machine = yield* guest
      machine.command("curl", curl(machine.dir))
      machine.command("wget", "exit 9")
      assert.strictEqual(yield* run(machine, bootstrap), 0)
      assert.match(machine.read("curl.args") ?? "", / http:\/\/api\.test\/download\/worker\/linux\/amd64$/)
      assert.include(machine.read("curl.args"), "--retry 10 --retry-max-time 120")
      assert.notInclude(machine.read("curl.args"), "--insecure")
      assert.strictEqual(machine.read("worker.log"), "working with c29tZQ==")
      assert.include(machine.read("cds-worker-setup.log"), "exit code 0")
      assert.strictEqual(machine.read("sudo.args"), "shutdown -h now")
    })
  )

  it.live("downloads with wget where there is no curl", () =>
    Effect.gen(function* () {
      const machine = yield* guest
      machine.command("wget", wget(machine.dir))
      assert.strictEqual(yield* run(machine, { ...bootstrap, apiInsecure: true }), 0)
      assert.include(machine.read("wget.args"), "--no-check-certificate")
      assert.strictEqual(machine.read("worker.log"), "working with c29tZQ==")
    })
  )

  it.live("ends with the worker's exit code, and leaves two minutes to read it", () =>
    Effect.gen(function* () {
      const machine = yield* guest
      machine.command("curl", curl(machine.dir))
      assert.strictEqual(yield* run(machine, bootstrap, { EXIT: "7" }), 7)
      assert.strictEqual(machine.read("sudo.args"), "shutdown -h +2")
    })
  )

  it.live("started a second time ends with 75 and starts no second worker", () =>
    Effect.gen(function* () {
      const machine = yield* guest
      machine.command("curl", curl(machine.dir))
      assert.strictEqual(yield* run(machine, bootstrap), 0)
      rmSync(join(machine.dir, "worker.log"))
      assert.strictEqual(yield* run(machine, bootstrap), secondStart)
      assert.isUndefined(machine.read("worker.log"))
      assert.strictEqual(machine.read("sudo.args"), "shutdown -h now")
      assert.include(machine.read("cds-worker-setup.log"), "was started before")
      assert.strictEqual(yield* run(machine, { ...bootstrap, workerName: "another" }), 0)
    })
  )

  it.live("ends with 1 and says why when there is neither curl nor wget", () =>
    Effect.gen(function* () {
      const machine = yield* guest
      assert.strictEqual(yield* run(machine, bootstrap), 1)
      assert.include(machine.read("cds-worker-setup.log"), "neither curl nor wget")
      assert.strictEqual(machine.read("sudo.args"), "shutdown -h +2")
      assert.isUndefined(machine.read("worker.log"))
    })
  )

  it.live("ends with 1 and says why when the download fails", () =>
    Effect.gen(function* () {
      for (const name of ["curl", "wget"]) {
        const machine = yield* guest
        machine.command(name, "echo 'HTTP 502' >&2; exit 22")
        assert.strictEqual(yield* run(machine, bootstrap), 1)
        const log = machine.read("cds-worker-setup.log")
        assert.include(log, "HTTP 502")
        assert.include(log, "cannot be downloaded from http://api.test/download/worker/linux/amd64")
        assert.strictEqual(machine.read("sudo.args"), "shutdown -h +2")
        assert.isUndefined(machine.read("worker.log"))
      }
    })
  )

  it.live("turns the machine off without sudo where there is none", () =>
    Effect.gen(function* () {
      const machine = yield* guest
      machine.command("curl", curl(machine.dir))
      rmSync(join(machine.bin, "sudo"))
      machine.command("shutdown", `echo "$@" >>${machine.dir}/shutdown.args`)
      assert.strictEqual(yield* run(machine, bootstrap), 0)
      assert.strictEqual(machine.read("shutdown.args"), "-h now")
    })
  )

  it.live("takes no value for shell text", () =>
    Effect.gen(function* () {
      const machine = yield* guest
      machine.command("curl", curl(machine.dir))
      const evil = "'; echo hacked >hacked; '$(echo hacked >hacked)`echo hacked >hacked`\necho hacked >hacked\n"
      assert.strictEqual(yield* run(machine, { workerName: evil, apiUrl: evil, osArch: evil }), 0)
      assert.isUndefined(machine.read("hacked"))
    })
  )

  it("names the worker, so that its process can be found", () => {
    assert.match(script(bootstrap), /^# CDS worker stoic-keldysh$/m)
  })
})
