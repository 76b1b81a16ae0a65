/** What comes over a job and its machine. The job ends, or goes back to the queue and is served then, and nothing is left over. */
import { assert, it } from "@effect/vitest"
import { Effect, type Scope } from "effect"
import { HarnessError } from "../harness/HarnessError.ts"
import type * as Process from "../harness/Process.ts"
import * as Program from "../harness/Program.ts"
import type * as Stand from "../harness/Stand.ts"
import type * as Vcenter from "../harness/Vcenter.ts"
import type { Job } from "./Job.ts"
import type { RealCds } from "./RealCds.ts"
import * as RealStand from "./RealStand.ts"

const minutes = (count: number) => count * 60_000

interface Scene {
  readonly stand: RealStand.RealStand
  /** The machine of the pool, which the first job gets. */
  readonly ready: Stand.Owned
  /** Queues a job of that kind on the default model. */
  readonly queue: (kind: "V1" | "V2", script: string) => Effect.Effect<Job, HarnessError>
}

const sceneOf = (stand: RealStand.RealStand, ready: Stand.Owned): Scene => {
  const { cds } = stand
  const requirements = [{ model: `${cds.pathOf("debian")}@master` }]
  return {
    stand,
    ready,
    queue: (kind, script) => (kind === "V2" ? cds.runV2Job({ script }) : cds.runV1Job({ script, requirements }))
  }
}

/** The machine that carries the job, when it is on. */
const machineOf = ({ vcenter }: RealStand.RealStand, { id }: Job): Effect.Effect<Vcenter.Seen, HarnessError> =>
  vcenter.until(
    ({ power, annotation }) => power === "poweredOn" && annotation.includes(`"job_id":"${id}"`),
    `on for job ${id}`,
    minutes(2)
  )

/** Guests take so long from now on that there is time to meddle. */
const bootSlowly = ({ vcenter }: RealStand.RealStand) => vcenter.order("POST", "/habits", { match: "*", boot_ms: 5000 })

/** The machine of the job while its guest boots: CDS waits for its worker. */
const hatching = Effect.fnUntraced(function* ({ stand, queue }: Scene, kind: "V1" | "V2", script: string) {
  yield* bootSlowly(stand)
  const job = yield* queue(kind, script)
  const machine = yield* machineOf(stand, job)
  // A booked V1 job waits as before.
  assert.strictEqual((yield* job.state).status, kind === "V2" ? "Scheduling" : "Waiting")
  return { job, machine }
})

const running = Effect.fnUntraced(function* ({ stand, queue }: Scene, kind: "V1" | "V2", script: string) {
  const job = yield* queue(kind, script)
  const { worker } = yield* job.until("Building", minutes(3))
  return { job, worker, machine: yield* machineOf(stand, job) }
})

/** The jobs end well, and have printed 1001, 1002 and so on. */
const allPrint = (stand: RealStand.RealStand, jobs: ReadonlyArray<Job>) =>
  Effect.forEach(jobs, (job, index) => Effect.andThen(RealStand.succeeds(stand, job), job.printed(`${1001 + index}`)), {
    discard: true
  })

const destroy = ({ vcenter }: RealStand.RealStand, { ref }: Vcenter.Seen) =>
  vcenter.order("POST", "/destroy", { name: ref })

/** How the hatchery itself counts: machines, and addresses of the range that are not free. */
const accounts = (hatchery: Process.Running) =>
  Effect.gen(function* () {
    const { text } = yield* Program.told(hatchery, "/mon/metrics")
    const reserved = /^cds_hatchery_vsphere_ip_reserved_count\{.*\} (\d+)$/m.exec(text)?.[1]
    return { machines: (yield* Program.machines(hatchery)).map(({ state }) => state), addresses: Number(reserved) }
  })

const nothingLeft = Effect.fnUntraced(function* (
  stand: RealStand.RealStand,
  hatchery: Process.Running,
  number: number
) {
  yield* RealStand.nothingLeft(stand, number)
  const wanted = { machines: Array.from({ length: number }, () => "provisioned"), addresses: number }
  let last: unknown
  const settled = Effect.gen(function* () {
    while (JSON.stringify((last = yield* accounts(hatchery))) !== JSON.stringify(wanted)) yield* Effect.sleep(100)
  })
  const late = Effect.suspend(() =>
    Effect.fail(new HarnessError({ message: `more is left than the pool: ${JSON.stringify(last)}` }))
  )
  yield* Effect.timeoutOrElse(settled, { duration: "1 minute", orElse: () => late })
})

/** A hatchery of this name with so many machines ready; what is told happens; then the pool is as before. */
const stage = Effect.fnUntraced(function* (
  cds: Effect.Effect<RealCds>,
  name: string,
  number: number,
  tell: (scene: Scene) => Effect.Effect<void, HarnessError, Scope.Scope>
) {
  const stand = yield* RealStand.around(yield* (yield* cds).another(name))
  const hatchery = yield* stand.hatchery({ number })
  const [ready] = yield* stand.pool(number, minutes(2))
  yield* tell(sceneOf(stand, ready!)).pipe(
    Effect.tapError(() => Effect.sync(() => console.error(hatchery.lines.join("\n"))))
  )
  yield* nothingLeft(stand, hatchery, number)
}, Effect.scoped)

/** With how many minutes the story may take, and the name of its hatchery. Those that take longest come first. */
const stories: ReadonlyArray<
  readonly [
    minutes: number,
    hatchery: string,
    title: string,
    (scene: Scene) => Effect.Effect<void, HarnessError, Scope.Scope>
  ]
> = [
  [
    15,
    "destroyed-v2",
    "a V2 job that runs when its machine is destroyed is stopped by CDS, which misses the worker",
    (scene) =>
      Effect.gen(function* () {
        const { job, machine } = yield* running(scene, "V2", "sleep 1000")
        yield* destroy(scene.stand, machine)
        yield* job.until("Stopped", minutes(12))
      })
  ],
  [
    5,
    "destroyed-v1",
    "a V1 job that runs when its machine is destroyed fails",
    (scene) =>
      Effect.gen(function* () {
        const { job, machine } = yield* running(scene, "V1", "sleep 1000")
        yield* destroy(scene.stand, machine)
        yield* job.until("Fail", minutes(2))
      })
  ],
  ...(["V1", "V2"] as const).flatMap((kind) => [
    [
      5,
      `bereft-${kind.toLowerCase()}`,
      `a ${kind} job whose machine is destroyed while it hatches is done by another`,
      (scene: Scene) =>
        Effect.gen(function* () {
          const { job, machine } = yield* hatching(scene, kind, "echo from $(hostname), $((1000 + 1))")
          assert.strictEqual(machine.ref, scene.ready.ref)
          yield* destroy(scene.stand, machine)
          yield* RealStand.succeeds(scene.stand, job)
          assert.notInclude(yield* job.printed("1001"), scene.ready.name)
        })
    ] as const,
    [
      5,
      `unhatched-${kind.toLowerCase()}`,
      `a ${kind} job that its user stops while its machine hatches is stopped, and its machine reaped`,
      (scene: Scene) =>
        Effect.gen(function* () {
          const { job, machine } = yield* hatching(scene, kind, "true")
          yield* job.stop
          yield* job.until("Stopped")
          yield* gone(scene.stand, machine)
          assert.strictEqual((yield* job.state).worker, "")
        })
    ] as const,
    [
      5,
      `halted-${kind.toLowerCase()}`,
      `a ${kind} job that its user stops while it runs is stopped, and its machine reaped`,
      (scene: Scene) =>
        Effect.gen(function* () {
          const { job, machine } = yield* running(scene, kind, "sleep 1000")
          yield* job.stop
          yield* job.until("Stopped")
          yield* gone(scene.stand, machine)
        })
    ] as const
  ]),
  [
    5,
    "disabled",
    "a V1 job whose worker is disabled through the API fails, and its machine is reaped",
    (scene) =>
      Effect.gen(function* () {
        const { cds } = scene.stand
        const { job, worker, machine } = yield* running(scene, "V1", "sleep 1000")
        const [listed] = (yield* cds.workersV1).filter(({ name }) => name === worker)
        yield* cds.disableWorker(listed?.id ?? "")
        yield* job.until("Fail")
        yield* gone(scene.stand, machine)
      })
  ],
  [
    5,
    "cut-off",
    "jobs of both kinds are served while the websockets are cut, and the websockets come back",
    ({ stand, queue }) =>
      Effect.gen(function* () {
        const paths = ["/v2/hatchery/ws", "/ws"]
        const { tap } = stand
        assert.deepStrictEqual((yield* tap.websockets).toSorted(), paths)
        const before = yield* queue("V2", "sleep 5; echo $((1000 + 1))")
        yield* before.until("Building", minutes(3))
        const mend = yield* tap.cutWebsockets
        const during = [yield* queue("V1", "echo $((1000 + 2))"), yield* queue("V2", "echo $((1000 + 3))")]
        yield* allPrint(stand, [before, ...during])
        assert.deepStrictEqual(yield* tap.websockets, [])
        yield* mend
        while ((yield* tap.websockets).toSorted().join() !== paths.join()) yield* Effect.sleep(100)
      })
  ]
]

const gone = Effect.fnUntraced(function* ({ vcenter }: RealStand.RealStand, { ref }: Vcenter.Seen) {
  const wait = Effect.gen(function* () {
    while ((yield* vcenter.inventory).some((machine) => machine.ref === ref)) yield* Effect.sleep(100)
  })
  const late = Effect.fail(new HarnessError({ message: `the machine ${ref} is still there` }))
  yield* Effect.timeoutOrElse(wait, { duration: "2 minutes", orElse: () => late })
})

/** Each has a hatchery of its own, and disturbs no other. */
export const troubles = (cds: Effect.Effect<RealCds>): void => {
  for (const [within, hatchery, title, tell] of stories)
    it.live(title, () => stage(cds, hatchery, 1, tell), minutes(within))
}

/** Concerns all hatcheries of the API. */
export const restart = (cds: Effect.Effect<RealCds>): void =>
  it.live(
    "jobs that run, and one whose machine hatches, are done to their end when the API crashes and comes back",
    () =>
      stage(cds, "restarted", 3, (scene) =>
        Effect.gen(function* () {
          const { engine } = yield* cds
          const { job: v2 } = yield* running(scene, "V2", "sleep 10")
          const { job: v1 } = yield* running(scene, "V1", "sleep 10")
          const { job: next } = yield* hatching(scene, "V2", "true")
          yield* engine.stopApi("SIGKILL")
          yield* Effect.sleep("3 seconds")
          yield* engine.startApi
          // What a step printed while the API was away may be lost.
          for (const job of [v2, v1, next]) yield* RealStand.succeeds(scene.stand, job)
        })
      ),
    minutes(6)
  )
