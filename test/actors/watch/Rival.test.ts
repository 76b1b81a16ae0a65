import { assert, describe, it } from "@effect/vitest"
import { Context, Effect } from "effect"
import { TestClock } from "effect/testing"
import { Inventory } from "../../../src/services/Inventory.ts"
import { Monitor } from "../../../src/services/Monitor.ts"
import { makeWorld, seeded, start, type World } from "../../support/world.ts"
import { ours } from "../scene.ts"

type Process = Effect.Success<ReturnType<typeof start>>

const doubt = ({ context }: Process) =>
  Effect.map(
    Effect.flatMap(Inventory, (inventory) => inventory.doubt).pipe(Effect.provide(context)),
    (one) => one?.reason
  )

const alert = ({ context }: Process) =>
  Effect.map(Context.get(context, Monitor).status, ({ lines }) =>
    lines.filter(({ status }) => status === "AL").map(({ value }) => value)
  )

/** What changes vCenter. */
const changing = /^(CloneVM_Task|ReconfigVM_Task|PowerOn|PowerOff|Destroy_Task|ShutdownGuest|StartProgramInGuest)/
const changes = ({ calls }: Process) => calls.filter((call) => changing.test(call))

/** Jobs one after the other for so many minutes. */
const traffic = Effect.fnUntraced(function* (world: World, minutes: number) {
  for (let minute = 0; minute < minutes; minute++) {
    if (minute % 3 === 0) yield* world.cds.enqueue({ count: 1, durationMs: 20_000 })
    yield* TestClock.adjust("1 minute")
  }
})

/** One process, and four minutes later another one of the same name. */
const two = Effect.gen(function* () {
  const world = yield* makeWorld()
  const first = yield* start(world)
  yield* TestClock.adjust("4 minutes")
  return { world, first, second: yield* start(world) }
})

describe("two processes with one name", () => {
  it.effect("notice each other, stop changing anything, and say what to do", () =>
    Effect.gen(function* () {
      const { world, first, second } = yield* two
      yield* TestClock.adjust("3 minutes")
      yield* traffic(world, 6)
      const frozen: Array<Process> = []
      for (const process of [first, second]) if ((yield* doubt(process)) !== undefined) frozen.push(process)
      assert.isAtLeast(frozen.length, 1)
      const before = frozen.map((process) => changes(process).length)
      yield* TestClock.adjust("5 minutes")
      for (const [index, process] of frozen.entries()) {
        const [told] = yield* alert(process)
        assert.match(told ?? "", /^frozen: another process works as hatchery rookery: .*stop one of the two/)
        assert.deepStrictEqual(changes(process).slice(before[index]), [])
      }
    }).pipe(seeded("rivals"))
  )

  it.effect("do no harm: no job runs twice, none is lost, and one process goes on alone", () =>
    Effect.gen(function* () {
      const { world, first, second } = yield* two
      yield* traffic(world, 30)
      yield* TestClock.adjust("30 minutes")
      const doubts = [yield* doubt(first), yield* doubt(second)].filter((one) => one !== undefined)
      assert.isAtMost(doubts.length, 1)
      yield* traffic(world, 12)
      yield* TestClock.adjust("30 minutes")
      assert.deepInclude(yield* world.cds.counts, { running: 0, waiting: 0, failed: 0 })
      for (const job of yield* world.cds.jobs)
        assert.isAtMost(job.history.filter(({ why }) => why === "worker take").length, 1)
    }).pipe(seeded("no harm"))
  )

  it.effect("are one again when the other is stopped: the one that is left goes on by itself", () =>
    Effect.gen(function* () {
      const { world, first, second } = yield* two
      yield* TestClock.adjust("3 minutes")
      yield* traffic(world, 6)
      yield* second.kill
      yield* TestClock.adjust("31 minutes")
      assert.isUndefined(yield* doubt(first))
      yield* traffic(world, 3)
      yield* TestClock.adjust("10 minutes")
      assert.deepInclude(yield* world.cds.counts, { running: 0, waiting: 0 })
      assert.strictEqual(ours(world).length, 2)
    }).pipe(seeded("left"))
  )
})

describe("a restart", () => {
  for (const [title, end] of [
    ["after a kill", (process: Process) => process.kill],
    ["after a stop", (process: Process) => process.stop]
  ] as const)
    it.effect(`${title} is no rival: what the process before wrote is believed`, () =>
      Effect.gen(function* () {
        const world = yield* makeWorld()
        const first = yield* start(world)
        yield* TestClock.adjust("4 minutes")
        yield* world.cds.enqueue({ count: 2, durationMs: 5 * 60_000 })
        yield* TestClock.adjust("10 seconds")
        yield* end(first)
        const second = yield* start(world)
        for (let minute = 0; minute < 12; minute++) {
          yield* TestClock.adjust("1 minute")
          assert.isUndefined(yield* doubt(second))
        }
        assert.deepInclude(yield* world.cds.counts, { running: 0, waiting: 0, done: 2 })
      }).pipe(seeded(title))
    )
})
