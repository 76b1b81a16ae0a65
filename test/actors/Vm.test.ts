import { assert, describe, it } from "@effect/vitest"
import { Clock, Effect, Fiber } from "effect"
import { TestClock } from "effect/testing"
import { makeDeadlines } from "../../src/actors/Deadlines.ts"
import type { Action, Work } from "../../src/actors/vm/Action.ts"
import type { VmEvent } from "../../src/actors/vm/Event.ts"
import type { Vm } from "../../src/actors/vm/State.ts"
import { type Doing, makeHandle, run, send } from "../../src/actors/Vm.ts"
import { claim, env, facts, machine, minute, states } from "./vm/sample.ts"

const zero = { ...env, now: 0 }

/** A machine in a state since the start of the clock. */
const born = (name: "powered" | "booting" | "reaping" | "running"): Vm => {
  const state = states[name]
  const began = "claim" in state && state.claim !== undefined ? { ...state, claim: { ...claim, startedAt: 0 } } : state
  const vm = machine(began)
  return { ...vm, since: 0, deadline: (vm.deadline ?? 0) - env.now }
}

/** A bug that shows when its job's end is told. */
const crashing: Doing["told"] = (_, event) => (event._tag === "JobEnded" ? Effect.die("a bug") : Effect.void)

/** An actor whose works and actions are only noted; `work` answers their ends. */
const makeStand = Effect.fnUntraced(function* (vm: Vm, over: Partial<Doing> = {}) {
  const handle = yield* makeHandle(vm)
  const { arm } = yield* makeDeadlines(new Map([[vm.id, handle]]))
  const begun: Array<Work> = []
  const left: Array<Work> = []
  const acted: Array<Action["_tag"]> = []
  const doing: Doing = {
    arm,
    env: Effect.map(Clock.currentTimeMillis, (now) => ({ ...zero, now })),
    told: () => Effect.void,
    act: (_, action) => Effect.sync(() => void acted.push(action._tag)),
    work: (_, work) =>
      Effect.suspend(() => {
        begun.push(work)
        return Effect.onInterrupt(Effect.never, () => Effect.sync(() => void left.push(work)))
      }),
    ...over
  }
  const fiber = yield* Effect.forkScoped(run(handle, doing))
  yield* TestClock.adjust(1)
  const tell = (event: VmEvent) => Effect.andThen(send(handle, event), TestClock.adjust(1))
  return { handle, begun, left, acted, tell, fiber }
})

describe("a machine's actor", () => {
  it.effect("does the work of the state it is in, and leaves it with the state", () =>
    Effect.gen(function* () {
      const { handle, begun, left, tell } = yield* makeStand(born("powered"))
      assert.deepStrictEqual(begun, ["power"])
      yield* tell({ _tag: "Seen", facts: facts({ power: "poweredOn" }) })
      assert.deepStrictEqual(begun, ["power"])
      yield* tell({ _tag: "Cancel", reason: "stopped" })
      assert.strictEqual(handle.vm.state._tag, "Reaping")
      assert.deepStrictEqual(left, ["power"])
      assert.deepStrictEqual(begun, ["power", "reap"])
    })
  )

  it.effect("takes the end of a work as an event, and a crash of it as a failure whose outcome is not known", () =>
    Effect.gen(function* () {
      const works: Array<Effect.Effect<VmEvent | undefined>> = [Effect.succeed({ _tag: "Done" }), Effect.die("a bug")]
      const { handle } = yield* makeStand(born("booting"), {
        work: () => Effect.delay(works.shift() ?? Effect.never, "1 second")
      })
      yield* TestClock.adjust("1 second")
      assert.strictEqual(handle.vm.state._tag, "Settling")
      yield* TestClock.adjust("1 second")
      assert.strictEqual(handle.vm.state._tag, "Reaping")
      assert.match(handle.vm.reason ?? "", /its shutdown into the pool failed: a bug/)
    })
  )

  it.effect("ends with its machine, and leaves its last work", () =>
    Effect.gen(function* () {
      const { fiber, left, acted, tell } = yield* makeStand(born("reaping"))
      yield* tell({ _tag: "Gone" })
      yield* Fiber.join(fiber)
      assert.deepStrictEqual(left, ["reap"])
      assert.deepStrictEqual(acted, ["FreeIp", "FreeCapacity"])
    })
  )

  it.effect("takes its state's deadline when it comes, and none that has moved", () =>
    Effect.gen(function* () {
      const { handle, tell } = yield* makeStand(born("running"))
      yield* TestClock.adjust(zero.times.workerRegistrationTtlMs - 10)
      yield* tell({ _tag: "SignedIn" })
      yield* TestClock.adjust(30 * minute)
      assert.strictEqual(handle.vm.state._tag, "Running")
      yield* TestClock.adjust(zero.times.workerTtlMs - 41 * minute)
      assert.strictEqual(handle.vm.state._tag, "Running")
      yield* TestClock.adjust(2 * minute)
      assert.strictEqual(handle.vm.state._tag, "Reaping")
    })
  )

  it.effect("that crashes goes on where it was, and starts nothing a second time that may have been started", () =>
    Effect.gen(function* () {
      let crashes = 1
      const act = () => Effect.suspend(() => (crashes-- > 0 ? Effect.die("a bug in an action") : Effect.void))
      const { handle, begun, left, tell } = yield* makeStand(born("powered"), { act })
      yield* tell({ _tag: "Done" })
      assert.deepStrictEqual(left, ["power"])
      yield* TestClock.adjust("1 minute")
      assert.deepStrictEqual(begun, ["power", "bootstrap"])
      assert.deepInclude(handle.vm.state, { _tag: "Running", resumed: true })
    })
  )

  it.effect("that crashes again and again raises an alarm and has its machine reaped, a worker's at its deadline", () =>
    Effect.gen(function* () {
      const stands = [
        yield* makeStand(born("powered"), { told: crashing }),
        yield* makeStand(born("running"), { told: crashing })
      ]
      for (const { handle } of stands)
        for (let n = 0; n < 6; n++) yield* send(handle, { _tag: "JobEnded", status: "Building" })
      const standing = () => stands.map(({ handle, acted }) => `${handle.vm.state._tag} ${acted.join()}`)
      yield* TestClock.adjust(5_000)
      assert.deepStrictEqual(standing(), ["Powered ", "Running "])
      yield* TestClock.adjust(5_000)
      assert.deepStrictEqual(standing(), ["Reaping Alarm", "Running Alarm"])
      yield* TestClock.adjust(zero.times.workerRegistrationTtlMs - 10_000)
      assert.deepStrictEqual(standing(), ["Reaping Alarm", "Reaping Alarm"])
      assert.match(stands[1]?.handle.vm.reason ?? "", /its actor crashed: a bug/)
    })
  )
})
