import { assert, describe, it } from "@effect/vitest"
import { Effect, Schedule } from "effect"
import { front } from "../../../../src/layers/simulated/vcenter/Front.ts"
import type { PartialOptions } from "../../../../src/layers/simulated/vcenter/Options.ts"
import type { Ref } from "../../../../src/layers/simulated/vcenter/Wire.ts"
import * as VimSoap from "../../../../src/layers/vsphere/VimSoap.ts"
import { changesOf, clientOver, cloneArgs, exact, faultOf, plain, updatesOf, viewSpec } from "./client.ts"

const tls = { ca: undefined, thumbprint: undefined, insecure: false }

/** A front whose times are nothing, and a client of it over real SOAP. */
const served = Effect.fnUntraced(function* (vcenter: PartialOptions = {}) {
  const made = yield* front({ vcenter: { ...exact, ...vcenter, timings: { jitter: 0, scale: 0 } } })
  const client = clientOver(yield* VimSoap.make({ endpoint: made.url, tls }))
  yield* client.signIn()
  return { ...made, client, template: made.vcenter.machines().find(({ template }) => template)!.ref }
})

const get = (url: string, init?: RequestInit) => Effect.promise(() => fetch(url, init))
const post = (url: string, body: unknown) => get(url, { method: "POST", body: JSON.stringify(body) })

describe("The front of the simulated vCenter", () => {
  it.live("clones, boots and tells it in updates over real SOAP", () =>
    Effect.gen(function* () {
      const { client, template, vcenter } = yield* served()
      yield* client.filter(viewSpec(yield* client.view()))
      const first = yield* client.wait("")
      assert.strictEqual(changesOf(first, template)["name"], "debian12")
      yield* client.task("CloneVM_Task", template, cloneArgs("worker-1", { ip: "10.0.0.7" }))
      const ready = Effect.suspend(() => {
        const made = vcenter.machines().find(({ name }) => name === "worker-1")
        return made?.guest.ready === true ? Effect.succeed(made) : Effect.fail("not ready")
      })
      const made = yield* Effect.retry(ready, Schedule.spaced("5 millis"))
      const told = changesOf(yield* client.wait(first!.version), made.ref)
      assert.strictEqual(told["guest.ipAddress"], "10.0.0.7")
      assert.strictEqual(told["config.annotation"], `{"hatchery_name":"rook"}`)
      assert.strictEqual(told["config.instanceUuid"], made.instanceUuid)
    })
  )

  it.live("runs a guest program and serves the file it wrote", () =>
    Effect.gen(function* () {
      const { client, template, vcenter } = yield* served({
        programs: ({ env }) => Effect.succeed({ exitCode: 7, files: { "/tmp/worker.log": `A is ${env["A"]}` } })
      })
      yield* client.task("CloneVM_Task", template, cloneArgs("worker-1"))
      const ready = Effect.suspend(() => {
        const made = vcenter.machines().find(({ guest }) => guest.ready)
        return made === undefined ? Effect.fail("not ready") : Effect.succeed(made.ref)
      })
      const vm = yield* Effect.retry(ready, Schedule.spaced("5 millis"))
      const auth = {
        _type: "NamePasswordAuthentication",
        interactiveSession: false,
        username: "worker",
        password: "worker"
      }
      const processes = { type: "GuestProcessManager", value: "guestOperationsProcessManager" }
      const spec = { programPath: "/bin/sh", arguments: "-c env", envVariables: ["A=a < b & c"] }
      const pid = yield* client.call("StartProgramInGuest", { _this: processes, vm, auth, spec })
      const listed = yield* client.call("ListProcessesInGuest", {
        _this: processes,
        vm,
        auth,
        pids: [plain(pid as string)]
      })
      const [process] = [listed].flat() as ReadonlyArray<{ exitCode: unknown }>
      assert.strictEqual(Number(process?.exitCode), 7)
      const transfer = (yield* client.call("InitiateFileTransferFromGuest", {
        _this: { type: "GuestFileManager", value: "guestOperationsFileManager" },
        vm,
        auth,
        guestFilePath: "/tmp/worker.log"
      })) as { readonly url: string }
      assert.match(transfer.url, /^https?:\/\/\*/)
      const bytes = yield* client.download(transfer.url, 1_000)
      assert.strictEqual(new TextDecoder().decode(bytes), "A is a < b & c")
    })
  )

  it.live("answers faults as faults and cuts the connection for an answer that is lost", () =>
    Effect.gen(function* () {
      const { client, controlUrl } = yield* served()
      const nowhere: Ref = { type: "VirtualMachine", value: "vm-0" }
      assert.strictEqual(faultOf(yield* Effect.flip(client.task("PowerOnVM_Task", nowhere))), "ManagedObjectNotFound")
      const armed = yield* post(`${controlUrl}/fault`, { _tag: "AnswerLost", operation: "CreateContainerView" })
      assert.strictEqual(armed.status, 204)
      const lost = yield* Effect.flip(client.view())
      assert.isTrue("sent" in lost && lost.sent)
      yield* client.view()
    })
  )

  it.live("is driven over the control port: foreign machines, other people's deeds, and the truth", () =>
    Effect.gen(function* () {
      const { client, controlUrl } = yield* served()
      yield* client.filter(viewSpec(yield* client.view(), ["name"]))
      const { version } = (yield* client.wait(""))!
      const added = yield* post(`${controlUrl}/machines`, { count: 2, prefix: "theirs" })
      const { refs } = (yield* Effect.promise(() => added.json())) as { refs: ReadonlyArray<string> }
      assert.strictEqual((yield* post(`${controlUrl}/machines/${refs[0]}/rename`, { to: "x" })).status, 204)
      const told = updatesOf(yield* client.wait(version)).flatMap(({ changeSet }) =>
        changeSet?.map(({ val }) => plain(val))
      )
      assert.deepStrictEqual(told.toSorted(), [`theirs-${refs[1]!.slice(3)}`, "x"].toSorted())
      assert.strictEqual((yield* post(`${controlUrl}/machines/${refs[1]}/rename`, { to: "x" })).status, 409)
      assert.strictEqual((yield* post(`${controlUrl}/machines/nobody/destroy`, {})).status, 404)
      assert.strictEqual((yield* post(`${controlUrl}/fault`, { _tag: "Nonsense" })).status, 400)
      const state = yield* Effect.flatMap(get(`${controlUrl}/state`), (answer) => Effect.promise(() => answer.json()))
      assert.strictEqual((state as { summary: { foreign: number } }).summary.foreign, 2)
    })
  )
})
