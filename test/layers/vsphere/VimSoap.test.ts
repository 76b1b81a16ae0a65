import * as http from "node:http"
import { X509Certificate } from "node:crypto"
import type { AddressInfo } from "node:net"
import { Readable, pipeline } from "node:stream"
import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Fiber, Metric } from "effect"
import type { TlsSettings } from "../../../src/schema/Settings.ts"
import { VimFault, VimUnreachable } from "../../../src/schema/Errors.ts"
import { serveVim } from "../../../src/layers/vsphere/soap/VimServer.ts"
import type { VimServerOptions } from "../../../src/layers/vsphere/soap/VimServer.ts"
import { operations } from "../../../src/layers/vsphere/Vim.ts"
import { make, soapBytes } from "../../../src/layers/vsphere/VimSoap.ts"
import { makeCertificates } from "./certificates.ts"
import { samples } from "./soap/samples.ts"

const verified = { ca: undefined, thumbprint: undefined, insecure: false }
const login = samples.Login.args
const clock = samples.CurrentTime.args

/** A server of the API in which an operation answers what its sample says, if the handler is not given. */
const serve = (options: Partial<VimServerOptions> = {}) =>
  serveVim({ handler: (operation) => Effect.succeed({ result: samples[operation].result }), ...options })

const connect = (url: string, tls: Partial<TlsSettings> = {}) => make({ endpoint: url, tls: { ...verified, ...tls } })

/** A server that answers any request as `respond` does; with its address. */
const raw = (respond: http.RequestListener) =>
  Effect.acquireRelease(
    Effect.callback<http.Server>((resume) => {
      const server = http.createServer(respond).listen(0, "127.0.0.1", () => resume(Effect.succeed(server)))
    }),
    (server) =>
      Effect.callback<void>((resume) => {
        server.close(() => resume(Effect.void))
        server.closeAllConnections()
      })
  ).pipe(Effect.map((server) => `http://127.0.0.1:${(server.address() as AddressInfo).port}`))

/** Bytes of CurrentTime counted so far. */
const bytesOf = (direction: "sent" | "received") =>
  Effect.map(Metric.value(Metric.withAttributes(soapBytes, { operation: "CurrentTime", direction })), (state) =>
    Number(state.count)
  )

const endless = function* () {
  for (;;) yield " ".repeat(10_000)
}

const post = (url: string, body: string) =>
  Effect.promise(async () => {
    const response = await fetch(url, { method: "POST", body, headers: { SOAPAction: '"urn:vim25/8.0.2.0"' } })
    return { status: response.status, text: await response.text() }
  })

const envelope = (body: string) =>
  `<Envelope xmlns="http://schemas.xmlsoap.org/soap/envelope/"><Body>${body}</Body></Envelope>`

const unreachable = <A>(use: Effect.Effect<A, VimFault | VimUnreachable>) =>
  Effect.flatMap(Effect.flip(use), (error) => {
    assert.instanceOf(error, VimUnreachable)
    return Effect.succeed(error)
  })

describe("a call over SOAP", () => {
  it.live("brings arguments and answer of every operation over the wire unchanged", () =>
    Effect.gen(function* () {
      const seen: Array<unknown> = []
      const server = yield* serve({
        handler: (operation, args) => {
          seen.push([operation, args])
          return Effect.succeed({ result: samples[operation].result })
        }
      })
      const vim = yield* connect(server.url)
      for (const operation of operations)
        assert.deepStrictEqual(yield* vim.call(operation, samples[operation].args), samples[operation].result)
      assert.deepStrictEqual(
        seen,
        operations.map((operation) => [operation, samples[operation].args])
      )
    })
  )

  it.live("keeps the session's cookie and sends it with the calls and downloads that follow", () =>
    Effect.gen(function* () {
      const sessions: Array<string | undefined> = []
      const server = yield* serve({
        handler: (operation, _, session) => {
          sessions.push(session)
          return Effect.succeed({ result: undefined, ...(operation === "Login" ? { setSession: "52a-1" } : {}) })
        }
      })
      const vim = yield* connect(server.url)
      yield* vim.call("CurrentTime", clock)
      yield* vim.call("Login", login)
      yield* vim.call("CurrentTime", clock)
      assert.deepStrictEqual(sessions, [undefined, undefined, "52a-1"])
    })
  )

  it.live("is made in the version of our WSDL once the vCenter is known to speak it, else in 7.0", () =>
    Effect.gen(function* () {
      const spoken: Array<string | undefined> = []
      let known = ""
      const url = yield* raw((request, response) => {
        spoken.push(String(request.headers["soapaction"]).replace(/"urn:vim25\/(.*)"/, "$1"))
        const about = `<about><apiVersion>${known}</apiVersion></about>`
        const answer = `<RetrieveServiceContentResponse xmlns="urn:vim25"><returnval>${about}</returnval>`
        response.end(envelope(`${answer}</RetrieveServiceContentResponse>`))
      })
      const vim = yield* connect(url)
      for (known of ["7.0.1.0", "7.0.2.0", "8.0.1.0", "7.0", "10.0.0.0", "6.7.3"])
        yield* vim.call("RetrieveServiceContent", samples.RetrieveServiceContent.args)
      yield* vim.call("RetrieveServiceContent", samples.RetrieveServiceContent.args)
      assert.deepStrictEqual(spoken, ["7.0", "7.0", "7.0.2.0", "7.0.2.0", "7.0", "7.0.2.0", "7.0"])
    })
  )

  it.live("fails with the fault's vSphere type and message", () =>
    Effect.gen(function* () {
      const fault = new VimFault({ operation: "Login", fault: "InvalidLogin", message: "wrong <user> & password" })
      const server = yield* serve({ handler: () => Effect.fail(fault) })
      const vim = yield* connect(server.url)
      assert.deepStrictEqual(yield* Effect.flip(vim.call("Login", login)), fault)
    })
  )

  it.live("closes the connection when it is interrupted, and the server stops its work", () =>
    Effect.gen(function* () {
      const begun = yield* Deferred.make<void>()
      const stopped = yield* Deferred.make<void>()
      const server = yield* serve({
        handler: () =>
          Deferred.succeed(begun, undefined).pipe(
            Effect.andThen(Effect.never),
            Effect.onInterrupt(() => Deferred.succeed(stopped, undefined))
          )
      })
      const vim = yield* connect(server.url)
      const waiting = yield* Effect.forkChild(vim.call("WaitForUpdatesEx", samples.WaitForUpdatesEx.args))
      yield* Deferred.await(begun)
      yield* Fiber.interrupt(waiting)
      yield* Deferred.await(stopped)
    })
  )

  it.live("serves calls side by side", () =>
    Effect.gen(function* () {
      let now = 0
      let most = 0
      const all = yield* Deferred.make<void>()
      const server = yield* serve({
        handler: () =>
          Effect.suspend(() => {
            most = Math.max(most, ++now)
            return most === 20 ? Deferred.succeed(all, undefined) : Deferred.await(all)
          }).pipe(Effect.as({ result: "2026-01-02T03:04:05Z" }))
      })
      const vim = yield* connect(server.url)
      yield* Effect.all(
        Array.from({ length: 20 }, () => vim.call("CurrentTime", clock)),
        { concurrency: "unbounded" }
      )
      assert.strictEqual(most, 20)
    })
  )

  it.live("counts the bytes of both directions, and puts them on the span", () =>
    Effect.gen(function* () {
      const server = yield* serve()
      const vim = yield* connect(server.url)
      const before = { sent: yield* bytesOf("sent"), received: yield* bytesOf("received") }
      const attributes = yield* vim
        .call("CurrentTime", clock)
        .pipe(Effect.andThen(Effect.map(Effect.currentSpan, (span) => span.attributes)), Effect.withSpan("test"))
      const sent = (yield* bytesOf("sent")) - before.sent
      const received = (yield* bytesOf("received")) - before.received
      assert.isAbove(sent, 200)
      assert.isAbove(received, 200)
      assert.strictEqual(attributes.get("vim.bytes.sent"), sent)
      assert.strictEqual(attributes.get("vim.bytes.received"), received)
    })
  )
})

describe("an answer that is none", () => {
  const cases: ReadonlyArray<readonly [title: string, reason: string, respond: http.RequestListener]> = [
    ["is cut", "socket hang up", (request) => request.socket.destroy()],
    [
      "breaks off",
      "aborted",
      (_, response) => response.writeHead(200, { "content-length": 99 }).write("<", () => response.destroy())
    ],
    ["has another status", "HTTP status 503", (_, response) => response.writeHead(503).end("<html/>")],
    ["is a page", "not an answer", (_, response) => response.writeHead(200).end("<html><body/></html>")],
    ["has a DOCTYPE", "DOCTYPE", (_, response) => response.end('<!DOCTYPE x [<!ENTITY e "v">]><x>&e;</x>')],
    ["is empty", "not SOAP", (_, response) => response.end()]
  ]
  for (const [title, reason, respond] of cases)
    it.live(`that ${title} leaves open whether the operation took place`, () =>
      Effect.gen(function* () {
        const vim = yield* connect(
          yield* raw((request, response) => void request.resume().on("end", () => respond(request, response)))
        )
        const error = yield* unreachable(vim.call("PowerOnVM_Task", samples.PowerOnVM_Task.args))
        assert.include(error.reason, reason)
        assert.isTrue(error.sent)
      })
    )

  it.live("of the handler's own VimUnreachable is a connection that is cut", () =>
    Effect.gen(function* () {
      const lost = new VimUnreachable({ operation: "CurrentTime", reason: "lost", sent: true })
      const server = yield* serve({ handler: () => Effect.fail(lost) })
      const error = yield* unreachable((yield* connect(server.url)).call("CurrentTime", clock))
      assert.isTrue(error.sent)
    })
  )

  it.live("that is too long is not read to its end", () =>
    Effect.gen(function* () {
      const closed = Promise.withResolvers<void>()
      const url = yield* raw((_, response) => pipeline(Readable.from(endless()), response, () => closed.resolve()))
      const vim = yield* make({ endpoint: url, tls: verified, maxAnswerBytes: 100_000 })
      const error = yield* unreachable(vim.call("CurrentTime", clock))
      assert.include(error.reason, "100000 bytes")
      yield* Effect.promise(() => closed.promise)
    })
  )

  it.live("for want of a server says that nothing was sent", () =>
    Effect.gen(function* () {
      const { url } = yield* Effect.scoped(serve())
      const error = yield* unreachable((yield* connect(url)).call("PowerOnVM_Task", samples.PowerOnVM_Task.args))
      assert.include(error.reason, "ECONNREFUSED")
      assert.isUndefined(error.setting)
      assert.isFalse(error.sent)
    })
  )
})

const expectRefused = (
  { failure, calls }: { readonly failure: VimFault | VimUnreachable | undefined; readonly calls: number },
  setting: string,
  ...words: ReadonlyArray<string>
) => {
  assert.instanceOf(failure, VimUnreachable)
  assert.strictEqual(failure.setting, setting)
  for (const word of words) assert.include(failure.reason, word)
  assert.isFalse(failure.sent)
  assert.strictEqual(calls, 0)
}

const accepted = { failure: undefined, calls: 1 }

describe("the server's certificate", () => {
  const { ca, cert, key } = makeCertificates()
  const { fingerprint, fingerprint256 } = new X509Certificate(cert)

  /** Calls a TLS server with these settings: the failure, if any, and how many calls reached the server. */
  const attempt = (settings: Partial<TlsSettings>) =>
    Effect.gen(function* () {
      let calls = 0
      const server = yield* serve({ tls: { cert, key }, handler: () => Effect.sync(() => ({ result: `${++calls}` })) })
      const vim = yield* connect(server.url, settings)
      const failure = yield* Effect.match(vim.call("CurrentTime", clock), {
        onSuccess: () => undefined,
        onFailure: (error) => error
      })
      return { failure, calls }
    })

  it.live("is refused when nobody known has signed it, naming the settings that would accept it", () =>
    Effect.gen(function* () {
      expectRefused(
        yield* attempt({}),
        "hatchery.vsphere.tls.ca",
        "set hatchery.vsphere.tls.ca",
        "hatchery.vsphere.tls.thumbprint",
        "hatchery.vsphere.tls.insecure"
      )
    })
  )

  it.live("is accepted with the authority that signed it, and still checked for its name", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(yield* attempt({ ca: `# ours\n${ca}` }), accepted)
      const server = yield* serve({ tls: { cert, key } })
      const vim = yield* connect(server.url.replace("127.0.0.1", "localhost"), { ca })
      const error = yield* unreachable(vim.call("CurrentTime", clock))
      assert.include(error.reason, "not trusted")
      assert.strictEqual(error.setting, "hatchery.vsphere.tls.ca")
      assert.isFalse(error.sent)
    })
  )

  it.live("is accepted by its SHA-1 or SHA-256 fingerprint alone, and no other one is", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(yield* attempt({ thumbprint: fingerprint }), accepted)
      assert.deepStrictEqual(yield* attempt({ thumbprint: fingerprint256.replaceAll(":", "").toLowerCase() }), accepted)
      const other = "00:".repeat(19) + "00"
      expectRefused(yield* attempt({ thumbprint: other, ca }), "hatchery.vsphere.tls.thumbprint", fingerprint)
      expectRefused(yield* attempt({ thumbprint: other, insecure: true }), "hatchery.vsphere.tls.thumbprint")
    })
  )

  it.live("is not looked at when that is asked for", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(yield* attempt({ insecure: true }), accepted)
    })
  )

  it.live("is missing where the server speaks plain HTTP", () =>
    Effect.gen(function* () {
      const server = yield* serve()
      const vim = yield* connect(server.url.replace("http:", "https:"))
      const error = yield* unreachable(vim.call("CurrentTime", clock))
      assert.include(error.reason, "hatchery.vsphere.endpoint")
      assert.isFalse(error.sent)
    })
  )

  it.live("cannot be judged by settings that do not parse", () =>
    Effect.gen(function* () {
      for (const settings of [{ thumbprint: "12:34" }, { ca: "no certificate" }, { ca: ca.replace("MII", "AAA") }]) {
        const error = yield* Effect.flip(connect("vc", settings))
        assert.include(error.message, `hatchery.vsphere.tls.${Object.keys(settings)[0]}`)
      }
    })
  )
})

describe("the endpoint", () => {
  it.live("gets https and /sdk unless it says otherwise, and holds no credentials", () =>
    Effect.gen(function* () {
      const paths: Array<string | undefined> = []
      const url = yield* raw((request, response) => {
        paths.push(request.url)
        response.writeHead(404).end()
      })
      for (const path of ["", "/", "/sdk", "/other/sdk"])
        yield* unreachable((yield* connect(url + path)).call("CurrentTime", clock))
      assert.deepStrictEqual(paths, ["/sdk", "/sdk", "/sdk", "/other/sdk"])
      const bare = yield* unreachable((yield* connect(url.replace("http://", ""))).call("CurrentTime", clock))
      assert.include(bare.reason, "TLS")
      for (const endpoint of ["https://user:hunter2@vc", "ftp://vc", "https://", "vc:port"]) {
        const error = yield* Effect.flip(connect(endpoint))
        assert.include(error.message, "hatchery.vsphere.endpoint")
        assert.notInclude(error.message, "hunter2")
      }
    })
  )
})

describe("a download", () => {
  it.live("takes the last bytes of a guest file from the vCenter itself where the host is a star", () =>
    Effect.gen(function* () {
      const paths: Array<string> = []
      const text = Array.from({ length: 20_000 }, (_, line) => `line ${line}\n`).join("")
      const server = yield* serve({
        file: (path) => {
          paths.push(path)
          return Effect.succeed(path.startsWith("/guestFile?id=3") ? Buffer.from(text) : undefined)
        }
      })
      const vim = yield* connect(server.url)
      const tail = yield* vim.download("https://*:443/guestFile?id=3&token=52", 1000)
      assert.strictEqual(Buffer.from(tail).toString(), text.slice(-1000))
      const whole = yield* vim.download("https://*/guestFile?id=3&token=52", 1_000_000)
      assert.strictEqual(Buffer.from(whole).toString(), text)
      const missing = yield* unreachable(vim.download(`http://127.0.0.1:${server.port}/guestFile?id=4`, 10))
      assert.include(missing.reason, "404")
      assert.deepStrictEqual(paths, ["/guestFile?id=3&token=52", "/guestFile?id=3&token=52", "/guestFile?id=4"])
      assert.isFalse((yield* unreachable(vim.download("file:///etc/passwd", 10))).sent)
    })
  )

  it.live("gives the session to the vCenter only", () =>
    Effect.gen(function* () {
      const cookies: Array<string | undefined> = []
      const listen: http.RequestListener = (request, response) => {
        cookies.push(request.headers.cookie)
        response.writeHead(200, { "set-cookie": 'vmware_soap_session="52a-1"; Path=/; HttpOnly' }).end("<html/>")
      }
      const vcenter = yield* raw(listen)
      const host = yield* raw(listen)
      const vim = yield* connect(vcenter)
      yield* unreachable(vim.call("CurrentTime", clock))
      yield* vim.download(`${vcenter}/guestFile`, 10)
      yield* vim.download(`${host}/guestFile`, 10)
      assert.deepStrictEqual(cookies, [undefined, 'vmware_soap_session="52a-1"', undefined])
    })
  )
})

describe("the server", () => {
  it.live("answers faults with status 500, the type of the fault and its element", () =>
    Effect.gen(function* () {
      const fault = new VimFault({ operation: "CurrentTime", fault: "NotAuthenticated", message: "log in" })
      const server = yield* serve({ handler: () => Effect.fail(fault) })
      const answer = yield* post(server.url, envelope('<CurrentTime xmlns="urn:vim25"/>'))
      assert.strictEqual(answer.status, 500)
      assert.match(answer.text, /<detail><NotAuthenticatedFault [^>]*xsi:type="NotAuthenticated">/)
      assert.include(answer.text, "<faultstring>log in</faultstring>")
    })
  )

  it.live("refuses what is no operation of the API with InvalidRequest", () =>
    Effect.gen(function* () {
      const server = yield* serve()
      for (const body of [envelope('<Reboot xmlns="urn:vim25"/>'), envelope(""), "no xml", "<!DOCTYPE a><a/>"]) {
        const answer = yield* post(server.url, body)
        assert.strictEqual(answer.status, 500)
        assert.include(answer.text, 'xsi:type="InvalidRequest"')
      }
      assert.strictEqual((yield* post(server.url.replace("/sdk", "/other"), "")).status, 404)
    })
  )
})
