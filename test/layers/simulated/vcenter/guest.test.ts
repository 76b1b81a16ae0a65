import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { TestClock } from "effect/testing"
import type { PartialOptions, ProgramRequest } from "../../../../src/layers/simulated/vcenter/Options.ts"
import type { Ref, WireObject } from "../../../../src/layers/simulated/vcenter/Wire.ts"
import { cloneArgs, exact, faultOf, world } from "./client.ts"

interface ProcessInfo {
  readonly pid: number
  readonly exitCode?: number
}

const auth = (password = "worker") => ({
  _type: "NamePasswordAuthentication",
  interactiveSession: false,
  username: "worker",
  password
})

const processManager = { type: "GuestProcessManager", value: "guestOperationsProcessManager" }
const fileManager = { type: "GuestFileManager", value: "guestOperationsFileManager" }

const readyGuest = Effect.fnUntraced(function* (options: PartialOptions = {}) {
  const made = yield* world({ ...exact, ...options })
  const { client, template } = made
  const task = yield* client.task("CloneVM_Task", template, cloneArgs("worker-1", { ip: "10.0.0.7" }))
  yield* TestClock.adjust("1 minute")
  const machine = (yield* client.taskInfo(task))["info.result"] as Ref
  const start = (spec: WireObject, password?: string) =>
    client.call("StartProgramInGuest", { _this: processManager, vm: machine, auth: auth(password), spec })
  const processes = (...pids: ReadonlyArray<number>) =>
    Effect.map(
      client.call("ListProcessesInGuest", { _this: processManager, vm: machine, auth: auth(), pids }),
      (answer) => answer as ReadonlyArray<ProcessInfo>
    )
  const tail = (guestFilePath: string) =>
    Effect.map(
      client.call("InitiateFileTransferFromGuest", { _this: fileManager, vm: machine, auth: auth(), guestFilePath }),
      (answer) => answer as { readonly size: number; readonly url: string }
    )
  return { ...made, machine, start, processes, tail }
})

describe("The guest of a simulated machine", () => {
  it.effect("tells a program who it is and what it was given", () =>
    Effect.gen(function* () {
      const seen: Array<ProgramRequest> = []
      const programs = (request: ProgramRequest) => Effect.sync(() => ({ exitCode: seen.push(request) - 1 }))
      const { start } = yield* readyGuest({ programs })
      yield* start({ programPath: "/bin/sh", arguments: "-c env", envVariables: ["A=1", "B=x=y"] })
      const { machine, programPath, arguments: given, env } = seen[0]!
      assert.deepStrictEqual(
        { name: machine.name, ip: machine.ip, programPath, given, env },
        { name: "worker-1", ip: "10.0.0.7", programPath: "/bin/sh", given: "-c env", env: { A: "1", B: "x=y" } }
      )
    })
  )

  it.effect("remembers the exit code of an ended program for five minutes", () =>
    Effect.gen(function* () {
      const { start, processes } = yield* readyGuest({
        programs: () => Effect.as(Effect.sleep("1 minute"), { exitCode: 3 })
      })
      const pid = Number(yield* start({ programPath: "/bin/true" }))
      assert.deepStrictEqual(
        (yield* processes(pid)).map(({ exitCode }) => exitCode),
        [undefined]
      )
      yield* TestClock.adjust("5 minutes")
      assert.deepStrictEqual(
        (yield* processes()).map(({ exitCode }) => exitCode),
        [3]
      )
      yield* TestClock.adjust("1 minute")
      assert.deepStrictEqual(yield* processes(), [])
    })
  )

  it.effect("hands out what a program wrote, while it runs and after", () =>
    Effect.gen(function* () {
      const { start, tail, client } = yield* readyGuest({
        programs: (request) =>
          Effect.sync(() => request.write("/tmp/worker.log", "started\n")).pipe(
            Effect.andThen(Effect.sleep("1 minute")),
            Effect.as({ exitCode: 0, files: { "/tmp/worker.log": "started\nended\n" } })
          )
      })
      yield* start({ programPath: "/bin/sh" })
      const text = (maxBytes: number) =>
        Effect.flatMap(tail("/tmp/worker.log"), ({ url }) =>
          Effect.map(client.download(url, maxBytes), (bytes) => new TextDecoder().decode(bytes))
        )
      assert.strictEqual(yield* text(100), "started\n")
      yield* TestClock.adjust("1 minute")
      assert.strictEqual(yield* text(6), "ended\n")
      const missing = yield* Effect.flip(tail("/tmp/other.log"))
      assert.strictEqual(faultOf(missing), "FileNotFound")
    })
  )

  it.effect("refuses a wrong guest password, and any in a foreign machine, with InvalidGuestLogin", () =>
    Effect.gen(function* () {
      const { client, start, vcenter } = yield* readyGuest()
      const [vm] = vcenter.addForeign({ count: 1 })
      const foreign = client.call("ListProcessesInGuest", { _this: processManager, vm, auth: auth(), pids: [] })
      assert.strictEqual(faultOf(yield* Effect.flip(foreign)), "InvalidGuestLogin")
      const refused = yield* Effect.flip(start({ programPath: "/bin/sh" }, "wrong"))
      assert.strictEqual(faultOf(refused), "InvalidGuestLogin")
    })
  )

  it.effect("refuses operations with GuestOperationsUnavailable until it is ready", () =>
    Effect.gen(function* () {
      const { client, start, machine } = yield* readyGuest()
      yield* client.task("PowerOffVM_Task", machine)
      yield* TestClock.adjust("2 seconds")
      const off = yield* Effect.flip(start({ programPath: "/bin/sh" }))
      assert.strictEqual(faultOf(off), "InvalidPowerState")
      yield* client.task("PowerOnVM_Task", machine)
      yield* TestClock.adjust("3 seconds")
      const booting = yield* Effect.flip(start({ programPath: "/bin/sh" }))
      assert.strictEqual(faultOf(booting), "GuestOperationsUnavailable")
      yield* TestClock.adjust("20 seconds")
      yield* start({ programPath: "/bin/sh" })
    })
  )

  it.effect("goes off when a program asks for it, and other programs end with it", () =>
    Effect.gen(function* () {
      const ended: Array<string> = []
      const programs = (request: ProgramRequest) =>
        request.programPath === "/sbin/shutdown"
          ? Effect.succeed({ exitCode: 0, powerOffAfterMs: 0 })
          : Effect.never.pipe(Effect.onInterrupt(() => Effect.sync(() => ended.push(request.programPath))))
      const { client, start, machine } = yield* readyGuest({ programs })
      yield* start({ programPath: "/usr/local/bin/worker" })
      yield* start({ programPath: "/sbin/shutdown" })
      yield* TestClock.adjust("5 seconds")
      assert.deepStrictEqual(yield* client.read(machine, ["runtime.powerState", "guest.toolsRunningStatus"]), {
        "runtime.powerState": "poweredOff",
        "guest.toolsRunningStatus": "guestToolsNotRunning"
      })
      assert.deepStrictEqual(ended, ["/usr/local/bin/worker"])
    })
  )

  it.effect("stays on for as long as a program wants it to, unless it is told to shut down before", () =>
    Effect.gen(function* () {
      const { client, start, machine } = yield* readyGuest({
        programs: () => Effect.succeed({ exitCode: 1, powerOffAfterMs: 120_000 })
      })
      const power = Effect.map(client.read(machine, ["runtime.powerState"]), (read) => read["runtime.powerState"])
      yield* start({ programPath: "/bin/sh" })
      yield* TestClock.adjust("2 minutes")
      assert.strictEqual(yield* power, "poweredOn")
      yield* TestClock.adjust("5 seconds")
      assert.strictEqual(yield* power, "poweredOff")

      yield* client.task("PowerOnVM_Task", machine)
      yield* TestClock.adjust("1 minute")
      yield* start({ programPath: "/bin/sh" })
      yield* client.call("ShutdownGuest", { _this: machine })
      yield* TestClock.adjust("5 seconds")
      assert.strictEqual(yield* power, "poweredOff")
      yield* client.task("PowerOnVM_Task", machine)
      yield* TestClock.adjust("5 minutes")
      assert.strictEqual(yield* power, "poweredOn")
    })
  )

  it.effect("may report a docker bridge first and IPv6 addresses beside the expected one", () =>
    Effect.gen(function* () {
      const { client, machine } = yield* readyGuest({ guestNoise: 1 })
      const { "guest.ipAddress": first, "guest.net": net } = yield* client.read(machine, [
        "guest.ipAddress",
        "guest.net"
      ])
      assert.strictEqual(first, "172.17.0.1")
      const nics = (
        net as { GuestNicInfo: ReadonlyArray<{ deviceConfigId: number; ipAddress: ReadonlyArray<string> }> }
      ).GuestNicInfo
      assert.deepStrictEqual(
        nics.map(({ deviceConfigId, ipAddress }) => [deviceConfigId, ipAddress[0]]),
        [
          [-1, "172.17.0.1"],
          [4000, "10.0.0.7"]
        ]
      )
      assert.match(nics[1]!.ipAddress[1]!, /^fe80::250:56ff:fe/)
    })
  )
})
