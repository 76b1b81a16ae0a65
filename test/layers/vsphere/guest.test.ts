import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Redacted } from "effect"
import { TestClock } from "effect/testing"
import type { ProgramRequest } from "../../../src/layers/simulated/vcenter/Options.ts"
import { SimVCenter } from "../../../src/layers/simulated/vcenter/SimVCenter.ts"
import { Guest } from "../../../src/services/Guest.ts"
import { Calls, cloned, play, stand } from "./stand.ts"

const login = { username: "worker", password: Redacted.make("worker") }
const ip = "10.0.0.7"
const fixed = { _tag: "Static", ip, subnetMask: "255.255.255.0", gateway: undefined, dns: [] } as const

type GuestFailure = "NeverBoots" | "ToolsNever" | "CustomizationFails" | "WrongAddress" | "NoAddress"

/** A clone that has just been made, whose boot goes wrong in that way. */
const machine = (how?: GuestFailure) =>
  Effect.gen(function* () {
    if (how !== undefined) yield* (yield* SimVCenter).inject({ _tag: "GuestFails", how, count: 1 })
    return yield* play(cloned({ addressing: fixed }), "22500 millis")
  })

/** Whether the guest is ready after each of these times, in seconds, from now on. */
const readyAfter = (ref: string, times: ReadonlyArray<number>, credentials = login) =>
  Effect.gen(function* () {
    const fiber = yield* Effect.forkScoped(Effect.result((yield* Guest).ready(ref, ip, credentials)))
    let now = 0
    const ended: Array<boolean> = []
    for (const time of times) {
      yield* TestClock.adjust((time - now) * 1000)
      now = time
      ended.push(fiber.pollUnsafe() !== undefined)
    }
    const result = ended.at(-1) === true ? yield* Fiber.join(fiber) : undefined
    return { ended, failure: result?._tag === "Failure" ? result.failure : undefined }
  })

describe("a guest is ready", () => {
  it.effect("when it is customized, has its address and accepts a program", () =>
    Effect.gen(function* () {
      const ref = yield* machine()
      const { ended, failure } = yield* readyAfter(ref, [20, 40])
      assert.deepStrictEqual(ended, [false, true])
      assert.isUndefined(failure)
      const [probe, ...more] = (yield* Calls).of("StartProgramInGuest")
      assert.deepStrictEqual(more, [])
      assert.deepInclude(probe!.args["spec"], { programPath: "/bin/sh", arguments: "-c 'env'" })
      assert.strictEqual((yield* Calls).of("RetrievePropertiesEx").filter(isMachineRead(ref)).length, 0)
    }).pipe(Effect.provide(stand()))
  )

  it.effect("without a probe where no login is given", () =>
    Effect.gen(function* () {
      const ref = yield* machine()
      const fiber = yield* Effect.forkScoped((yield* Guest).ready(ref, undefined, undefined))
      yield* TestClock.adjust("1 minute")
      yield* Fiber.join(fiber)
      assert.strictEqual((yield* Calls).of("StartProgramInGuest").length, 0)
    }).pipe(Effect.provide(stand()))
  )

  const stages: ReadonlyArray<readonly [GuestFailure, string, number]> = [
    ["ToolsNever", "operations", 180],
    ["WrongAddress", "address", 180 + 30],
    ["NoAddress", "address", 180 + 30]
  ]
  for (const [how, stage, within] of stages)
    it.effect(`or fails in the stage ${stage} in its time: ${how}`, () =>
      Effect.gen(function* () {
        const ref = yield* machine(how)
        const { ended, failure } = yield* readyAfter(ref, [within - 31, within + 1])
        assert.deepStrictEqual(ended, [false, true])
        assert.strictEqual(failure?.stage, stage)
        assert.strictEqual(failure?.machine, "provision-v2-one")
      }).pipe(Effect.provide(stand()))
    )

  it.effect("or fails at once when its customization failed", () =>
    Effect.gen(function* () {
      const ref = yield* machine("CustomizationFails")
      const { ended, failure } = yield* readyAfter(ref, [10, 40])
      assert.deepStrictEqual(ended, [false, true])
      assert.strictEqual(failure?.stage, "customization")
    }).pipe(Effect.provide(stand()))
  )

  it.effect("or fails in the stage probe after a minute of refused programs, one each second", () =>
    Effect.gen(function* () {
      const ref = yield* machine()
      const wrong = { username: "worker", password: Redacted.make("not-it") }
      const { ended, failure } = yield* readyAfter(ref, [85, 130], wrong)
      assert.deepStrictEqual(ended, [false, true])
      assert.strictEqual(failure?.stage, "probe")
      assert.approximately((yield* Calls).of("StartProgramInGuest").length, 60, 2)
      assert.notInclude(JSON.stringify(failure), "not-it")
    }).pipe(Effect.provide(stand()))
  )

  it.effect("or fails a moment after the machine goes: its actor hears of that first", () =>
    Effect.gen(function* () {
      const ref = yield* machine("ToolsNever")
      const fiber = yield* Effect.forkScoped(Effect.flip((yield* Guest).ready(ref, ip, login)))
      yield* TestClock.adjust("1 second")
      ;(yield* SimVCenter).others.destroy(ref)
      yield* TestClock.adjust("900 millis")
      assert.isUndefined(fiber.pollUnsafe())
      yield* TestClock.adjust("1 second")
      assert.match((yield* Fiber.join(fiber)).reason, /gone/)
    }).pipe(Effect.provide(stand()))
  )
})

const isMachineRead =
  (ref: string) =>
  ({ args }: { readonly args: unknown }) =>
    JSON.stringify(args).includes(`"value":"${ref}"`)

const played = <A, E, R>(effect: Effect.Effect<A, E, R>) => play(effect, "1 second")

describe("a program", () => {
  const asked: Array<ProgramRequest> = []
  const programs = (request: ProgramRequest) =>
    Effect.gen(function* () {
      asked.push(request)
      request.write("/tmp/worker.log", "0123456789 the end")
      yield* Effect.sleep("10 seconds")
      return { exitCode: 3 }
    })

  it.effect("is started once, quoted for a shell, watched to its exit code, and its log read", () =>
    Effect.gen(function* () {
      const ref = yield* machine()
      yield* TestClock.adjust("1 minute")
      const guest = yield* Guest
      const script = `echo "it's $CDS_CONFIG"`
      const pid = yield* played(guest.start(ref, login, { script, env: { CDS_CONFIG: Redacted.make("c2VjcmV0") } }))
      const request = asked.at(-1)!
      assert.strictEqual(request.programPath, "/bin/sh")
      assert.strictEqual(request.arguments, String.raw`-c 'echo "it'\''s $CDS_CONFIG"'`)
      assert.deepStrictEqual(request.env, { CDS_CONFIG: "c2VjcmV0" })
      const running = yield* played(guest.processes(ref, login, pid))
      assert.deepStrictEqual(
        running.map(({ pid, exitCode }) => [pid, exitCode]),
        [[pid, undefined]]
      )
      assert.strictEqual(yield* played(guest.tail(ref, login, "/tmp/worker.log", 7)), "the end")
      yield* TestClock.adjust("10 seconds")
      const [ended] = yield* played(guest.processes(ref, login, pid))
      assert.strictEqual(ended?.exitCode, 3)
      assert.isNumber(ended?.startedAt)
      assert.strictEqual((yield* Calls).of("StartProgramInGuest").length, 1)
    }).pipe(Effect.provide(stand({ vcenter: { programs } })))
  )

  it.effect("whose answer is lost is unknown, and not started again", () =>
    Effect.gen(function* () {
      const ref = yield* machine()
      yield* TestClock.adjust("1 minute")
      yield* (yield* SimVCenter).inject({ _tag: "AnswerLost", operation: "StartProgramInGuest" })
      const error = yield* played(Effect.flip((yield* Guest).start(ref, login, { script: "true", env: {} })))
      assert.strictEqual(error.kind, "unknown")
      assert.strictEqual((yield* Calls).of("StartProgramInGuest").length, 1)
    }).pipe(Effect.provide(stand()))
  )

  it.effect("is refused with kind login for wrong credentials, busy while Tools are not there", () =>
    Effect.gen(function* () {
      const ref = yield* machine()
      const guest = yield* Guest
      const early = yield* played(Effect.flip(guest.start(ref, login, { script: "true", env: {} })))
      assert.strictEqual(early.kind, "busy")
      yield* TestClock.adjust("1 minute")
      const wrong = { username: "worker", password: Redacted.make("not-it") }
      const refused = yield* played(Effect.flip(guest.start(ref, wrong, { script: "true", env: {} })))
      assert.strictEqual(refused.kind, "login")
    }).pipe(Effect.provide(stand()))
  )

  it.effect("is never started in a machine that is not ours", () =>
    Effect.gen(function* () {
      const [alien] = (yield* SimVCenter).addForeign({ count: 1 })
      yield* TestClock.adjust("1 second")
      const guest = yield* Guest
      const error = yield* played(Effect.flip(guest.start(alien!.value, login, { script: "true", env: {} })))
      assert.strictEqual(error.kind, "invalid")
      assert.strictEqual((yield* Calls).of("StartProgramInGuest").length, 0)
    }).pipe(Effect.provide(stand()))
  )
})
