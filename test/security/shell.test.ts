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
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Redacted } from "effect"
import { TestClock } from "effect/testing"
import type { ProgramRequest } from "../../src/layers/simulated/vcenter/Options.ts"
import { Guest } from "../../src/services/Guest.ts"
import { cloned, stand } from "../layers/vsphere/stand.ts"
import { seeded } from "../support/world.ts"
import { Chance } from "./fuzz/Chance.ts"
import { runJob } from "./job.ts"

/** Leaves a file behind wherever a shell takes it for a command. */
const evil = `'; touch pwned; '$(touch pwned)\`touch pwned\`"; touch pwned; "\ntouch pwned\n&& touch pwned | touch pwned #`

/** A folder in which nothing can be found but these commands; `curl` notes its arguments and brings a worker that does nothing. */
const jail = Effect.acquireRelease(
  Effect.sync(() => {
    const dir = mkdtempSync(join(tmpdir(), "shell-"))
    const bin = join(dir, "bin")
    mkdirSync(bin)
    for (const name of ["sh", "cat", "touch", "chmod", "mkdir"])
      symlinkSync(existsSync(`/bin/${name}`) ? `/bin/${name}` : `/usr/bin/${name}`, join(bin, name))
    const curl = `for word; do echo "[$word]" >>${dir}/curl.args; last=$word; done; echo 'exit 0' >${dir}/worker`
    writeFileSync(join(bin, "curl"), `#!/bin/sh\n${curl}\n`)
    chmodSync(join(bin, "curl"), 0o755)
    const read = (name: string) => readFileSync(join(dir, name), "utf8")
    return { dir, bin, read, pwned: () => existsSync(join(dir, "pwned")) }
  }),
  ({ dir }) => Effect.sync(() => rmSync(dir, { recursive: true }))
)

/** Runs a guest program as Tools on Linux do, path and arguments as one command line, with the guest's folders in the jail; its output. */
const asGuest = ({ dir, bin }: Effect.Success<typeof jail>, { programPath, arguments: args, env }: ProgramRequest) =>
  Effect.callback<string>((resume) => {
    const inJail = args.replaceAll("/tmp/", `${dir}/`).replaceAll("/usr/local/bin/", `${dir}/`)
    execFile(
      "/bin/sh",
      ["-c", `${programPath} ${inJail}`],
      { cwd: dir, env: { ...env, PATH: `${bin}:${dir}` } },
      (_, stdout) => resume(Effect.succeed(stdout))
    )
  })

const pieces = [
  "'",
  '"',
  "`",
  "$(touch pwned)",
  "\\",
  "\n",
  ";",
  "&",
  "|",
  "#",
  "$HOME",
  "*",
  "{a,b}",
  " ",
  "\u00e9",
  "x",
  "%s",
  "--"
]

/** Text that a shell would take apart. It must not hold the end mark below. */
const text = (chance: Chance) => Array.from({ length: 1 + chance.below(12) }, () => chance.pick(pieces)).join("")

const login = { username: "worker", password: Redacted.make("worker") }

describe("a script for a guest", () => {
  const asked: Array<ProgramRequest> = []
  const programs = (request: ProgramRequest) =>
    Effect.sync(() => {
      asked.push(request)
      return { exitCode: 0 }
    })

  it.effect("arrives at the guest's shell letter by letter, whatever stands in it", () =>
    Effect.gen(function* () {
      const clone = yield* Effect.forkScoped(cloned())
      yield* TestClock.adjust("2 minutes")
      const ref = yield* Fiber.join(clone)
      const guest = yield* Guest
      const shell = yield* jail
      const texts = [evil, ...Array.from({ length: 40 }, (_, seed) => text(new Chance(seed)))]
      for (const one of texts) {
        const script = `cat <<'END OF TEXT'\n${one}\nEND OF TEXT\n`
        const started = yield* Effect.forkScoped(guest.start(ref, login, { script, env: { A: Redacted.make(one) } }))
        yield* TestClock.adjust("1 second")
        yield* Fiber.join(started)
        const request = asked.at(-1)!
        assert.strictEqual(request.env["A"], one)
        assert.strictEqual(yield* asGuest(shell, request), `${one}\n`)
      }
      assert.isFalse(shell.pwned())
    }).pipe(Effect.provide(stand({ vcenter: { programs } })))
  )
})

describe("a job whose names are shell text", () => {
  it.effect("gets its worker; what runs in the guest takes none of the names for a command", () =>
    Effect.gen(function* () {
      const { requests, world } = yield* runJob({
        order: { project: evil, workflow: evil, job: evil, model: evil },
        program: () => Effect.succeed({ exitCode: 0 })
      })
      const request = requests.find(({ env }) => env["CDS_CONFIG"] !== undefined)!
      const config = JSON.parse(Buffer.from(request.env["CDS_CONFIG"]!, "base64").toString())
      assert.strictEqual(config.model, evil)
      assert.match(config.name, /^[a-z0-9-]+$/)

      const shell = yield* jail
      yield* asGuest(shell, request)
      const words = shell.read("curl.args")
      assert.include(words, `[http://cds.simulated/download/worker/linux/amd64]\n`)
      assert.include(shell.read("cds-worker-setup.log"), "exit code 0")
      assert.isFalse(shell.pwned())
      for (const { name } of world.vcenter.machines()) assert.match(name, /^[\w.-]+$/)
    }).pipe(seeded("evil names"))
  )
})
