/** vCenter shows none of its machines any more, as when the account loses its permission, while jobs run on them. */
import { assert, it } from "@effect/vitest"
import { Effect } from "effect"
import { mutations } from "../../src/layers/vsphere/Vim.ts"
import * as Go from "./harness/Go.ts"
import type * as Process from "./harness/Process.ts"
import * as Program from "./harness/Program.ts"
import { real } from "./harness/real.ts"
import * as Stand from "./harness/Stand.ts"

/** Looks every 100 ms, for a minute. */
const until = <E>(what: string, holds: Effect.Effect<boolean, E>) =>
  Effect.gen(function* () {
    while (!(yield* holds)) yield* Effect.sleep(100)
  }).pipe(
    Effect.timeoutOrElse({
      duration: "1 minute",
      orElse: () => Effect.sync(() => assert.fail(`not within a minute: ${what}`))
    })
  )

const states = (hatchery: Process.Running) =>
  Effect.map(Program.machines(hatchery), (machines) => machines.map(({ state }) => state).toSorted())

/** The three places, of which each tells alone whether the hatchery is frozen: the status and its reason, the gauge, the log. */
const frozen = Effect.fnUntraced(function* (hatchery: Process.Running) {
  const status = yield* Program.told(hatchery, "/mon/status")
  const { text: metrics } = yield* Program.told(hatchery, "/mon/metrics")
  const log = hatchery.lines.findLast((line) => /the inventory is (in doubt|certain)/.test(line))
  return {
    status: status.status,
    reason: /frozen: ([^"]*)/.exec(status.text)?.[1],
    gauge: /^cds_hatchery_vsphere_frozen\{.*\} (\d)$/m.exec(metrics)?.[1],
    log: /the inventory is .*/.exec(log ?? "")?.[0]
  }
})

const changing: ReadonlySet<string> = mutations

const thawed = { status: 200, reason: undefined, gauge: "0", log: "the inventory is certain" }

real("a hatchery that is shown no machine any more", Go.goMissing(), () => {
  it.live("changes nothing, tells why in its status, metrics and log, and goes on when it sees again", () =>
    Effect.gen(function* () {
      const stand = yield* Stand.start()
      const hatchery = yield* stand.hatchery
      yield* stand.pool()
      const before = yield* stand.vcenter.inventory
      const brief = yield* stand.cds.enqueue({ durationMs: 8000 })
      const long = yield* stand.cds.enqueue({ durationMs: 20_000 })
      for (const id of [brief, long]) yield* stand.cds.until(id, "Building")
      const wanted = ["provisioned", "provisioned", "running", "running"]
      yield* until(
        "two workers and a full pool",
        Effect.map(states(hatchery), (now) => `${now}` === `${wanted}`)
      )
      const machines = (yield* stand.vcenter.inventory).map(({ ref }) => ref).toSorted()
      assert.deepStrictEqual(yield* frozen(hatchery), thawed)

      yield* stand.taps.vcenter.forget
      yield* stand.vcenter.order("POST", "/privileges", ["System.Read"])
      const doubted = yield* hatchery.line(/the inventory is in doubt/)
      const reason = /in doubt: (.*)/.exec(doubted)?.[1] ?? "nothing"
      assert.include(reason, "left the inventory at once without our doing")
      assert.deepStrictEqual(yield* frozen(hatchery), {
        status: 503,
        reason,
        gauge: "1",
        log: `the inventory is in doubt: ${reason}`
      })
      yield* stand.cds.until(brief, "Success")
      const operations = Effect.sync(() => stand.taps.vcenter.exchanges.map(({ operation }) => operation))
      const readAgain = /CreateFilter.*DestroyPropertyCollector/
      yield* until(
        "it has been read again",
        Effect.map(operations, (sent) => readAgain.test(sent.join()))
      )
      assert.deepInclude(yield* frozen(hatchery), { status: 503, reason, gauge: "1" })
      assert.deepStrictEqual(yield* states(hatchery), wanted)
      assert.deepStrictEqual((yield* stand.vcenter.inventory).map(({ ref }) => ref).toSorted(), machines)
      assert.deepStrictEqual(
        (yield* operations).filter((operation) => changing.has(operation)),
        []
      )

      yield* stand.vcenter.order("POST", "/privileges", [])
      yield* until(
        "it is certain again",
        Effect.map(frozen(hatchery), ({ status }) => status === 200)
      )
      assert.deepStrictEqual(yield* frozen(hatchery), thawed)
      for (const id of [brief, long]) yield* stand.cds.until(id, "Success")
      for (const id of [brief, long]) yield* Stand.inOrder(stand, id, before)
    }).pipe(Effect.scoped)
  )
})
