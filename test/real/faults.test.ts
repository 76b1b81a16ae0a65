/**
 * A job while vCenter or the way to it is at fault: refused and slow calls, tasks that fail late, lost calls and answers, ended sessions,
 * cut connections. The job ends as if nothing had been, or on a second machine, and the test looks that something was.
 */
import { assert, it } from "@effect/vitest"
import { Effect } from "effect"
import * as Go from "./harness/Go.ts"
import type { HarnessError } from "./harness/HarnessError.ts"
import { sideBySide } from "./harness/real.ts"
import * as Soap from "./harness/Soap.ts"
import * as Stand from "./harness/Stand.ts"
import type { Request } from "./harness/Tap.ts"
import * as Vcenter from "./harness/Vcenter.ts"

/** Puts something wrong. The inner effect tells how often it was met. */
type Trouble = (stand: Stand.Stand) => Effect.Effect<Effect.Effect<number, HarnessError>, HarnessError>

const calls = (stand: Stand.Stand, method: string) =>
  Effect.map(stand.vcenter.counters, (counters) => counters[method] ?? { count: 0, faults: 0, failed: 0 })

/** vCenter answers so many calls with a fault and does nothing. */
const refused =
  (method: string, fault: string, max: number): Trouble =>
  (stand) =>
    Effect.as(
      stand.vcenter.order("POST", "/faults", { method, fault, max }),
      Effect.map(calls(stand, method), ({ faults }) => faults)
    )

/** vCenter accepts one such call, and its task ends with the fault a while later with nothing done. */
const failsLate =
  (method: string, fault: string): Trouble =>
  (stand) =>
    Effect.as(
      stand.vcenter.order("POST", "/faults", { method, fault, late_ms: 700, max: 1 }),
      Effect.map(calls(stand, method), ({ failed }) => failed)
    )

/** The job is given back once, and while its first machine goes away another trouble comes. */
const givenBack =
  (trouble: Trouble): Trouble =>
  (stand) =>
    Effect.andThen(Stand.withoutWorker(stand), trouble(stand))

const lostCall =
  (method: string): Trouble =>
  ({ taps }) =>
    taps.vcenter.refuse(({ operation }) => operation === method, "cut", 1)

/** The connection is cut when the call was carried out: the judge has counted one that the tap has seen no answer of. */
const lostAnswer =
  (method: string, containing = ""): Trouble =>
  (stand) =>
    Effect.as(
      stand.vcenter.order("POST", "/losses", { method, containing }),
      Effect.map(
        calls(stand, method),
        ({ count }) => count - stand.taps.vcenter.exchanges.filter(({ operation }) => operation === method).length
      )
    )

/** So many calls do not get through. A clone's is not among them, as what becomes of one is waited for until its time is over. */
const broken =
  (side: "vcenter" | "cds", how: "cut" | number, times: number): Trouble =>
  ({ taps }) =>
    taps[side].refuse(isMeant, how, times)

/** The worker speaks with CDS by the same way. */
const isMeant = ({ path, operation }: Request): boolean =>
  operation !== "CloneVM_Task" && !/\/(worker|result)\b/.test(path)

const slow: Trouble = (stand) => {
  const methods = ["CloneVM_Task", "ReconfigVM_Task", "PowerOnVM_Task", "StartProgramInGuest", "Destroy_Task"]
  const delays = Object.fromEntries(methods.map((method) => [method, 1500]))
  return Effect.as(
    stand.vcenter.order("POST", "/delays", delays),
    Effect.map(stand.vcenter.counters, (counters) => Math.min(...methods.map((method) => counters[method]?.count ?? 0)))
  )
}

const endedSessions: Trouble = ({ vcenter, taps }) =>
  Effect.as(
    vcenter.order("DELETE", "/sessions"),
    Effect.sync(() => taps.vcenter.exchanges.filter(({ operation }) => operation === "Login").length)
  )

/** With how often the job is given back because of it; 0 unless given. The one that takes longest comes first, beside the others. */
const troubles: ReadonlyArray<readonly [name: string, trouble: Trouble, releases?: number]> = [
  ["a clone does not reach vCenter", lostCall("CloneVM_Task")],
  ["all sessions have been ended", endedSessions],
  ["vCenter answers 503 six times", broken("vcenter", 503, 6)],
  ["six connections to vCenter are cut", broken("vcenter", "cut", 6)],
  ["CDS answers 503 five times", broken("cds", 503, 5)],
  ["five connections to CDS are cut", broken("cds", "cut", 5)],
  ["vCenter takes its time for every change", slow],
  ["a machine's state does not let it be claimed, twice", refused("ReconfigVM_Task", "InvalidState", 2)],
  ["a machine's state does not let it be powered on, twice", refused("PowerOnVM_Task", "InvalidState", 2)],
  ["a task in progress is in the way of the removal, twice", refused("Destroy_Task", "TaskInProgress", 2)],
  ["guest operations are not there yet, twice", refused("StartProgramInGuest", "GuestOperationsUnavailable", 2)],
  ["the name of a clone is taken", refused("CloneVM_Task", "DuplicateName", 1)],
  ["the answer to a clone is lost", lostAnswer("CloneVM_Task")],
  ["the answer to a reconfigure is lost", lostAnswer("ReconfigVM_Task")],
  ["the answer to a power on is lost", lostAnswer("PowerOnVM_Task")],
  ["the answer to the probe is lost", lostAnswer("StartProgramInGuest")],
  ["the answer to the bootstrap's start is lost", lostAnswer("StartProgramInGuest", "/download/worker/")],
  ["the answer to a shutdown is lost", lostAnswer("ShutdownGuest")],
  ["the answer to a destroy is lost", lostAnswer("Destroy_Task")],
  ["the task of a clone fails late", failsLate("CloneVM_Task", "NoDiskSpace")],
  ["the task of a reconfigure fails late", failsLate("ReconfigVM_Task", "ResourceInUse")],
  ["the task of a power on fails late", failsLate("PowerOnVM_Task", "InsufficientMemoryResourcesFault")],
  ["the task of a power on fails late, for good", failsLate("PowerOnVM_Task", "MissingController"), 1],
  ["the task of a power off fails late", givenBack(failsLate("PowerOffVM_Task", "TaskInProgress")), 1],
  ["the task of a destroy fails late", failsLate("Destroy_Task", "FileLocked")],
  ["a reconfigure does not reach vCenter", lostCall("ReconfigVM_Task")],
  ["a power on does not reach vCenter", lostCall("PowerOnVM_Task")],
  ["a destroy does not reach vCenter", lostCall("Destroy_Task")]
]

/** Looks in a session of its own, as those from before may have been ended. */
const withOwnSession = (stand: Stand.Stand): Stand.Stand => ({
  ...stand,
  pool: () =>
    Effect.scoped(
      Effect.flatMap(Soap.login(stand.vcenter.url, Vcenter.account), (session) => Stand.pool(session, 2, 120_000))
    )
})

sideBySide("a job in trouble", Go.goMissing(), () => {
  for (const [name, trouble, releases = 0] of troubles)
    it.live(
      `ends well, with ${releases === 0 ? "one machine" : "a second machine"} and no clone too many, when ${name}`,
      () =>
        Effect.gen(function* () {
          const stand = yield* Stand.start({ configuration: { times: { cloneTimeout: "5s" } } })
          yield* stand.hatchery
          yield* stand.pool()
          const before = yield* stand.vcenter.inventory
          yield* stand.vcenter.order("DELETE", "/counters")
          yield* stand.taps.vcenter.forget
          const met = yield* trouble(stand)
          const jobId = yield* stand.cds.enqueue({ durationMs: 1000 })
          yield* Stand.inOrder(withOwnSession(stand), jobId, before, releases)

          assert.isAtLeast(yield* met, 1, "the trouble was met")
          for (const method of ["CloneVM_Task", "Destroy_Task"]) {
            const { count, faults, failed } = yield* calls(stand, method)
            assert.strictEqual(count - faults - failed, 1 + releases, method)
          }
        }).pipe(Effect.scoped)
    )
})
