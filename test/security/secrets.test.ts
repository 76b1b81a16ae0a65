import { generateKeyPairSync, randomBytes } from "node:crypto"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Logger, Redacted } from "effect"
import { HttpBody, HttpClient, HttpClientResponse } from "effect/http"
import * as HatcheryKey from "../../src/layers/cds/HatcheryKey.ts"
import { signConsumerToken } from "../../src/layers/simulated/cds/Keys.ts"
import { Vim, type VimOperation } from "../../src/layers/vsphere/Vim.ts"
import { serveVim } from "../../src/layers/vsphere/soap/VimServer.ts"
import * as VimSoap from "../../src/layers/vsphere/VimSoap.ts"
import { textLogger } from "../../src/layers/telemetry/Log.ts"
import { VimFault } from "../../src/schema/Errors.ts"
import { makeCertificates } from "../layers/vsphere/certificates.ts"
import { samples } from "../layers/vsphere/soap/samples.ts"
import { seeded, type World } from "../support/world.ts"
import { Chance } from "./fuzz/Chance.ts"
import { withNonsense } from "./fuzz/nonsense.ts"
import { makeXml } from "./fuzz/xml.ts"
import { runJob, type Deviation } from "./job.ts"
import { leaks } from "./Secrets.ts"

const jobWith = (deviation?: Deviation) => runJob(deviation).pipe(seeded("secrets"))

const redacted = Redacted.make

/** A vCenter that refuses an operation and tells in its fault what it was sent. */
const refusing =
  (refused: VimOperation) =>
  (world: World): World => ({
    ...world,
    transports: (line) =>
      Layer.effect(
        Vim,
        Effect.map(Vim, (vim) => ({
          ...vim,
          call: (operation, args) =>
            operation === refused
              ? Effect.fail(
                  new VimFault({ operation, fault: "InvalidArgument", message: `cannot use ${JSON.stringify(args)}` })
                )
              : vim.call(operation, args)
        }))
      ).pipe(Layer.provideMerge(world.transports(line)))
  })

/** An API that tells in each refusal what it was sent, credentials included. */
const echoing = (world: World): World => ({
  ...world,
  transports: (line) =>
    Layer.effect(
      HttpClient.HttpClient,
      Effect.map(HttpClient.HttpClient, () =>
        HttpClient.make((request) => {
          const body = request.body instanceof HttpBody.Uint8Array ? new TextDecoder().decode(request.body.body) : ""
          const text = JSON.stringify({
            id: 74,
            message: `cannot read ${body}`,
            from: request.headers["authorization"]
          })
          const response = HttpClientResponse.fromWeb(request, new Response(null, { status: 400 }))
          return Effect.succeed(Object.defineProperty(response, "text", { value: Effect.succeed(text) }))
        })
      )
    ).pipe(Layer.provideMerge(world.transports(line)))
})

describe("the search for secrets", () => {
  it("finds a secret as it is, quoted, in an address, and inside base64 at any place", () => {
    const secrets = { password: 'pass"w&rd-7Qz-of-somebody', other: "nowhere to be found" }
    const found = (text: string) => assert.deepStrictEqual(leaks(text, secrets), ["password"], text)
    found(`x ${secrets.password} y`)
    found(JSON.stringify({ a: secrets.password }))
    found(`http://u:${encodeURIComponent(secrets.password)}@h/`)
    for (const before of ["", "a", "ab", "abc"])
      for (const encoding of ["base64", "base64url"] as const)
        found(`CDS_CONFIG=${Buffer.from(`${before}${secrets.password}${before}`).toString(encoding)}`)
    assert.deepStrictEqual(leaks("nothing of it", secrets), [])
  })

  it("finds a line of a key and the signature of a token", () => {
    const key = generateKeyPairSync("rsa", { modulusLength: 2048 }).privateKey.export({ type: "pkcs8", format: "pem" })
    const token = `eyJh.eyJi.${randomBytes(64).toString("base64url")}`
    assert.deepStrictEqual(leaks(`... ${key.toString().split("\n")[7]} ...`, { key: key.toString() }), ["key"])
    assert.deepStrictEqual(leaks(`... ${token.split(".")[2]} ...`, { token }), ["token"])
  })
})

const quiet = (title: string, make: Effect.Effect<Deviation> | Deviation, happened: RegExp) =>
  it.effect(title, () =>
    Effect.gen(function* () {
      const deviation = Effect.isEffect(make) ? yield* make : make
      const { secrets, said } = yield* jobWith(deviation)
      assert.match(said, happened)
      assert.deepStrictEqual(leaks(said, secrets), [])
    })
  )

describe("no secret is in a log line, a span, the event log, the monitor, an annotation or a message to CDS", () => {
  it.effect("when a job is served from its signin to the removal of its machine", () =>
    Effect.gen(function* () {
      const { secrets, said, lines, spans, requests, world } = yield* jobWith()
      assert.strictEqual((yield* world.cds.counts).done, 1)
      assert.includeMembers(Object.keys(secrets), ["CDS_CONFIG", "workerToken", "bearer token 0", "bearer token 2"])
      assert.includeMembers(
        spans.map(({ name }) => name),
        ["Vim.Login", "Vim.StartProgramInGuest", "Cds.signin", "Cds.workerToken", "POST"]
      )
      assert.isAbove(lines.length, 20)
      assert.strictEqual(requests.at(-1)?.env["DEPLOY_TOKEN"], secrets["injected"])
      assert.deepStrictEqual(leaks(said, secrets), [])
    })
  )

  quiet(
    "when vCenter refuses the password",
    { settings: ({ vsphere }) => ({ vsphere: { ...vsphere, password: redacted("Wr-0ng-p4ssword-7Qz") } }) },
    /hatchery\.vsphere\.password/
  )

  quiet(
    "when CDS refuses the consumer token",
    {
      settings: ({ cds }) => {
        const privateKey = generateKeyPairSync("rsa", { modulusLength: 2048 }).privateKey
        const token = signConsumerToken({ privateKey, publicKey: privateKey }, { consumerId: "c", iat: 0, expire: 0 })
        return { cds: { ...cds, tokenV2: redacted(token) } }
      }
    },
    /tokenV2/
  )

  quiet(
    "when the consumer token is no token at all",
    { settings: ({ cds }) => ({ cds: { ...cds, tokenV2: redacted("N0-consumer-token-at-all-9Wd") } }) },
    /is not a CDS consumer token/
  )

  it.effect("when the RSA key is none", () =>
    Effect.gen(function* () {
      const secret = "N0-rsa-key-at-all-3Tn-9Wd"
      const error = yield* Effect.flip(HatcheryKey.parse(redacted(secret)))
      assert.include(error.message, "rsaPrivateKey")
      assert.deepStrictEqual(leaks(error.message + JSON.stringify(error), { secret }), [])
    })
  )

  quiet(
    "when the guest refuses the login",
    {
      settings: ({ credentials }) => ({
        credentials: credentials.map((one) => ({ ...one, password: redacted("Wr-0ng-guest-p4ssword") }))
      })
    },
    /Failed to authenticate with the guest/
  )

  quiet(
    "when the worker prints its environment and fails",
    {
      program: ({ env, write }) =>
        Effect.sync(() => {
          const config = Buffer.from(env["CDS_CONFIG"] ?? "", "base64").toString()
          write(
            "/tmp/worker.log",
            `${config}\n${JSON.stringify(env)}\n${env["DEPLOY_TOKEN"]}: no space left on device\n`
          )
          return { exitCode: 3 }
        })
    },
    /no space left on device/
  )

  quiet("when CDS tells in its refusals what it was sent", { world: echoing }, /cannot read/)

  for (const operation of ["Login", "StartProgramInGuest", "ReconfigVM_Task"] as const)
    quiet(`when vCenter refuses ${operation} and tells what it was sent`, { world: refusing(operation) }, /cannot use/)

  quiet(
    "when vCenter and CDS answer nonsense",
    Effect.map(makeXml, (xml) => ({
      world: (world) => withNonsense(world, { chance: new Chance(7), share: 0.3, sent: [] }, xml)
    })),
    /malformed|not what the protocol says|not SOAP|instead of/
  )

  it.live("when vCenter's certificate is refused", () =>
    Effect.gen(function* () {
      const secret = "Vc-p4ssword-7Qz"
      const { cert, key } = makeCertificates()
      let calls = 0
      const handler = () => Effect.sync(() => ({ result: ++calls }))
      const { url } = yield* serveVim({ handler, tls: { cert, key } })
      for (const thumbprint of [undefined, "00".repeat(32)]) {
        const tls = { ca: undefined, thumbprint, insecure: false }
        const vim = yield* VimSoap.make({ endpoint: url, tls })
        const error = yield* Effect.flip(vim.call("Login", { ...samples.Login.args, password: secret }))
        assert.match(error._tag === "VimUnreachable" ? error.reason : "", /certificate/)
        assert.deepStrictEqual(leaks(JSON.stringify(error) + String(error.stack), { secret }), [])
      }
      assert.strictEqual(calls, 0)
    })
  )
})

describe("a line of the log", () => {
  it.effect("shows what would steer a terminal instead of doing it, and stays one line", () =>
    Effect.gen(function* () {
      const lines: Array<string> = []
      const logger = Logger.map(textLogger, (line) => void lines.push(line))
      yield* Effect.logInfo("machine \u001b[2J\rroot: all is well\u0007").pipe(
        Effect.annotateLogs({ name: "\u009b31m\nroot: all is well" }),
        Effect.provide(Logger.layer([logger]))
      )
      assert.strictEqual(lines.length, 1)
      assert.match(lines[0]!, /^[ -~]*$/)
      assert.include(lines[0], "\\u001b[2J\\u000droot")
    })
  )
})
