/** The hatchery as a process, against VMware's simulator and the simulated CDS as processes of their own. */
import { assert, it } from "@effect/vitest"
import { Effect } from "effect"
import * as Go from "./harness/Go.ts"
import { sideBySide } from "./harness/real.ts"
import * as Stand from "./harness/Stand.ts"
import type { Exchange } from "./harness/Tap.ts"
import type * as Vcenter from "./harness/Vcenter.ts"

const isBootstrap = ({ operation, request }: Exchange): boolean =>
  operation === "StartProgramInGuest" && request.includes("/download/worker/")

/** The calls after which nothing may go wrong if the process is gone, in the order of a job's life. */
const calls: ReadonlyArray<{
  readonly name: string
  readonly side: "vcenter" | "cds"
  readonly is: (exchange: Exchange) => boolean
}> = [
  {
    name: "the claim's reconfigure",
    side: "vcenter",
    is: ({ operation, request }) => operation === "ReconfigVM_Task" && request.includes("job_id")
  },
  { name: "the refill's clone", side: "vcenter", is: ({ operation }) => operation === "CloneVM_Task" },
  { name: "the take", side: "cds", is: ({ path, status }) => path.endsWith("/hatchery/take") && status === 200 },
  { name: "the power on", side: "vcenter", is: ({ operation }) => operation === "PowerOnVM_Task" },
  { name: "the bootstrap's start", side: "vcenter", is: isBootstrap },
  { name: "the machine's destruction", side: "vcenter", is: ({ operation }) => operation === "Destroy_Task" }
]

/** Machines by reference, with all that a change would show. */
const byRef = (machines: ReadonlyArray<Vcenter.Seen>) => machines.toSorted((a, b) => a.ref.localeCompare(b.ref))

sideBySide("the hatchery between VMware's simulator and the simulated CDS", Go.goMissing(), () => {
  it.live("hatches machines, serves a job from one, reaps it when the worker has left, and refills the pool", () =>
    Effect.gen(function* () {
      const stand = yield* Stand.start({ configuration: { reaperInterval: "30s" } })
      yield* stand.hatchery
      const hatched = yield* stand.pool()
      const before = yield* stand.vcenter.inventory
      yield* stand.taps.vcenter.forget
      const jobId = yield* stand.cds.enqueue({ durationMs: 1000 })
      const { worker } = yield* stand.cds.until(jobId, "Building")
      const busy = yield* stand.vcenter.until(({ name }) => name === worker, "the worker's")
      assert.include(
        hatched.map(({ ref }) => ref),
        busy.ref
      )
      assert.deepInclude(JSON.parse(busy.annotation), { worker_name: worker, job_id: jobId })
      assert.isAbove(busy.processes, 0)

      yield* Stand.inOrder(stand, jobId, before)
      assert.notInclude(
        (yield* stand.vcenter.inventory).map(({ ref }) => ref),
        busy.ref
      )
      const sent = stand.taps.vcenter.exchanges
      assert.strictEqual(sent.filter(isBootstrap).length, 1)
      const operations = sent.map(({ operation }) => operation)
      assert.notInclude(operations, "PowerOffVM_Task", "the guest has shut down by itself")
    }).pipe(Effect.scoped)
  )

  for (const call of calls)
    it.live(`comes to the same end when it is killed after ${call.name} and started again`, () =>
      Effect.gen(function* () {
        const stand = yield* Stand.start()
        const first = yield* stand.hatchery
        yield* stand.pool()
        const before = yield* stand.vcenter.inventory
        const answered = yield* stand.taps[call.side].withhold(call.is)
        const jobId = yield* stand.cds.enqueue({ durationMs: 1000 })
        yield* answered
        yield* first.kill("SIGKILL")
        assert.deepStrictEqual(yield* first.exit, { code: null, signal: "SIGKILL" })

        yield* stand.hatchery
        yield* Stand.inOrder(stand, jobId, before)
        assert.strictEqual(stand.taps.vcenter.exchanges.filter(isBootstrap).length, 1)
      }).pipe(Effect.scoped)
    )

  it.live("stops on SIGTERM with exit code 0, logged out, and touches no machine", () =>
    Effect.gen(function* () {
      const stand = yield* Stand.start()
      const hatchery = yield* stand.hatchery
      yield* stand.pool()
      const before = byRef(yield* stand.vcenter.inventory)
      yield* hatchery.kill("SIGTERM")
      assert.deepStrictEqual(yield* hatchery.exit, { code: 0, signal: null }, hatchery.lines.join("\n"))
      const sessions = stand.taps.vcenter.exchanges.filter(({ operation }) => /^Log(in|out)$/.test(operation))
      assert.deepStrictEqual(
        sessions.map(({ operation, status }) => `${operation} ${status}`),
        ["Login 200", "Logout 200"],
        hatchery.lines.join("\n")
      )
      assert.deepStrictEqual(byRef(yield* stand.vcenter.inventory), before)
    }).pipe(Effect.scoped)
  )

  it.live("leaves a worker alone when it is told to stop, and the next process sees the job through", () =>
    Effect.gen(function* () {
      const stand = yield* Stand.start()
      const first = yield* stand.hatchery
      yield* stand.pool()
      const before = yield* stand.vcenter.inventory
      const jobId = yield* stand.cds.enqueue({ durationMs: 6000 })
      const { worker } = yield* stand.cds.until(jobId, "Building")
      yield* first.kill("SIGTERM")
      assert.deepStrictEqual(yield* first.exit, { code: 0, signal: null }, first.lines.join("\n"))
      const busy = yield* stand.vcenter.until(({ name }) => name === worker, "the worker's")
      assert.deepInclude(busy, { power: "poweredOn", processes: 1 })
      assert.strictEqual((yield* stand.cds.job(jobId)).status, "Building")

      yield* stand.hatchery
      yield* Stand.inOrder(stand, jobId, before)
    }).pipe(Effect.scoped)
  )
})
