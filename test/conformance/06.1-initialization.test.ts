/** Seed 001 section 6.1: what a hatchery does at its start, and in which order. */
import { assert, describe, it } from "@effect/vitest"
import { Cause, Context, Effect, Exit, Fiber, Redacted } from "effect"
import { TestClock } from "effect/testing"
import { Monitor } from "../../src/services/Monitor.ts"
import { seeded } from "../support/world.ts"
import { hatched, order, restart, started, type Case, type Stand } from "../regressions/support.ts"

const places = (text: ReadonlyArray<string>, ...names: ReadonlyArray<string>) => names.map((name) => text.indexOf(name))

const ascending = (numbers: ReadonlyArray<number>): boolean =>
  numbers.every((one, index) => one >= 0 && (index === 0 || one > numbers[index - 1]!))

const changing = /^(CloneVM_Task|ReconfigVM_Task|PowerOnVM_Task|Destroy_Task|StartProgramInGuest)$/

const lines = ({ process }: Stand) => Effect.map(Context.get(process.context, Monitor).status, (status) => status.lines)

describe("6.1 the start", () => {
  it.effect("logs in, finds the datacenter, and reads what is there before anything is changed", () =>
    Effect.gen(function* () {
      const { process } = yield* hatched()
      const calls = process.calls.filter((call) => !call.includes("/"))
      const [login, view, updates] = places(calls, "Login", "CreateContainerView", "WaitForUpdatesEx")
      assert.isTrue(ascending([login!, view!, updates!, calls.findIndex((call) => changing.test(call))]), calls.join())
    }).pipe(seeded("order"))
  )

  it.effect("signs in at CDS before jobs are asked for, and then beats", () =>
    Effect.gen(function* () {
      const { process } = yield* hatched({ v1: true })
      for (const [signin, queue, beat] of [
        ["POST /auth/consumer/builtin/signin", "GET /queue/workflows", "POST /services/heartbeat"],
        ["POST /v2/auth/consumer/hatchery/signin", "GET /v2/queue/default", "POST /v2/hatchery/heartbeat"]
      ] as const) {
        assert.isTrue(ascending(places(process.calls, signin, queue)), signin)
        assert.isTrue(ascending(places(process.calls, signin, beat)), signin)
      }
    }).pipe(seeded("signin"))
  )

  it.effect("takes over the machines of ours that are there before a job is given one", () =>
    Effect.gen(function* () {
      const stand = yield* hatched()
      yield* stand.process.kill
      yield* order(stand)
      yield* restart(stand)
      yield* TestClock.adjust("2 minutes")
      assert.strictEqual(stand.vcenter.summary().created, 3)
      assert.strictEqual((yield* stand.cds.counts).running + (yield* stand.cds.counts).done, 1)
    }).pipe(seeded("adopted"))
  )

  it.effect("starts each loop, and the status tells of each: pools, removal, models, jobs, heartbeat", () =>
    Effect.gen(function* () {
      const stand = yield* hatched()
      const running = (yield* lines(stand)).filter(({ component }) => component.startsWith("goroutine/"))
      assert.includeMembers(
        running.map(({ component, value }) => `${component} ${value}`),
        ["Nursery", "Reaper", "Registrar", "Dispatcher", "Heart"].map((part) => `goroutine/${part} Running`)
      )
    }).pipe(seeded("loops"))
  )

  it.effect("waits for a vCenter and a CDS that are away, and goes on when they are back", () =>
    Effect.gen(function* () {
      const stand = yield* started()
      yield* stand.vcenter.inject({ _tag: "Restart", downMs: 10 * 60_000 })
      yield* stand.cds.fault({ kind: "answer", status: 503, path: "signin", times: 20 })
      yield* TestClock.adjust("5 minutes")
      assert.strictEqual(stand.vcenter.summary().created, 0)
      assert.isUndefined(stand.process.running.pollUnsafe())
      yield* TestClock.adjust("12 minutes")
      assert.strictEqual(stand.vcenter.owned("rookery").length, 2)
    }).pipe(seeded("away"))
  )
})

describe("6.1 the start ends, and names the setting, when", () => {
  const wrong: ReadonlyArray<readonly [string, Case, RegExp]> = [
    ["vCenter has no such datacenter", { vsphere: { datacenter: "DC9" } }, /hatchery\.vsphere\.datacenterString = DC9/],
    ["vCenter has no such network", { vsphere: { network: "nowhere" } }, /hatchery\.vsphere\.networkString = nowhere/],
    ["vCenter has no such datastore", { vsphere: { datastore: "full" } }, /hatchery\.vsphere\.datastoreString = full/],
    [
      "vCenter refuses the password",
      { vsphere: { password: Redacted.make("wrong") } },
      /hatchery\.vsphere\.(user|password)/
    ]
  ]
  for (const [why, given, setting] of wrong)
    it.effect(why, () =>
      Effect.gen(function* () {
        const { process } = yield* started(given)
        const ending = yield* Effect.forkChild(Effect.exit(Fiber.join(process.running)))
        yield* TestClock.adjust("3 minutes")
        const exit = yield* Fiber.join(ending)
        assert.isTrue(Exit.isFailure(exit))
        const failure = Exit.isFailure(exit) ? Cause.squash(exit.cause) : undefined
        assert.match(String((failure as Error).message), setting)
      }).pipe(seeded(why))
    )
})
