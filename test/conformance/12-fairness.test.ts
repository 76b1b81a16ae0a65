/** Seed 001 section 12: what is short is shared between projects, whichever API their jobs come from. */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { TestClock } from "effect/testing"
import { seeded } from "../support/world.ts"
import { jobOf, pool, spawning, type Spawning } from "./spawns.ts"

const asCode = "PROJ/github/acme/app/debian"

type Queue = (scene: Spawning, project: string, count: number) => Effect.Effect<ReadonlyArray<string>>

const queues: Readonly<Record<string, Queue>> = {
  V2: ({ cds }, project, count) => cds.enqueue({ project, count }),
  V1: ({ cds }, project, count) => cds.enqueueV1({ project, count, model: asCode })
}

/** When the job was taken for the first time; undefined while it was not. */
const takenAt = (scene: Spawning, id: string) =>
  Effect.map(jobOf(scene, id), ({ history }) => history.find(({ status }) => status === "Scheduling")?.at)

/** How many of these jobs were taken before that moment. */
const takenBefore = Effect.fnUntraced(function* (scene: Spawning, ids: ReadonlyArray<string>, at: number) {
  const times = yield* Effect.forEach(ids, (id) => takenAt(scene, id))
  return times.filter((time) => time !== undefined && time < at).length
})

/** Three workers at once: by machines of the pool, or all of them by clones. */
const settingsOf = (machines: number) => ({ ...pool(machines), maxWorker: 3 })

describe("12 a project with 100 queued jobs", () => {
  for (const [many, queueMany] of Object.entries(queues))
    for (const [few, queueFew] of Object.entries(queues))
      for (const [way, machines] of [
        ["a pool", 3],
        ["clones", 0]
      ] as const)
        it.effect(`of ${many} does not hold up another's two of ${few}, with ${way}: they get the next machines`, () =>
          Effect.gen(function* () {
            const scene = yield* spawning({ settings: settingsOf(machines) })
            yield* scene.cds.addModelAsCode({ path: asCode })
            const busy = yield* queueMany(scene, "BUSY", 100)
            yield* TestClock.adjust("10 seconds")
            const calm = yield* queueFew(scene, "CALM", 2)
            yield* TestClock.adjust("10 minutes")
            const times = yield* Effect.forEach(calm, (id) => takenAt(scene, id))
            // The three that were at work already, and two where both projects had as many: then the job that waits for longer is the next.
            for (const at of times) assert.isAtMost(yield* takenBefore(scene, busy, at ?? Infinity), 5)
            assert.isAbove(yield* takenBefore(scene, busy, Infinity), 8)
          }).pipe(seeded(`${many} ${few}`))
        )
})

describe("12 projects whose jobs one poll brings", () => {
  for (const [api, queue] of Object.entries(queues))
    for (const [way, machines] of [
      ["a pool", 3],
      ["clones", 0]
    ] as const)
      it.effect(`share the first machines, whichever was queued first (${api}, ${way})`, () =>
        Effect.gen(function* () {
          const scene = yield* spawning({ settings: settingsOf(machines) })
          yield* scene.cds.addModelAsCode({ path: asCode })
          yield* scene.cds.set({ eventCopies: 0 })
          const busy = yield* queue(scene, "BUSY", 20)
          const calm = yield* queue(scene, "CALM", 2)
          yield* TestClock.adjust("30 seconds")
          const taken = (ids: ReadonlyArray<string>) => takenBefore(scene, ids, Infinity)
          assert.strictEqual((yield* taken(busy)) + (yield* taken(calm)), 3)
          assert.isAtLeast(yield* taken(calm), 1)
        }).pipe(seeded(`together ${api} ${way}`))
      )
})

describe("12 jobs of one project", () => {
  it.effect("are served in the order in which they were queued", () =>
    Effect.gen(function* () {
      const scene = yield* spawning({ settings: { ...pool(1), maxWorker: 1 } })
      const ids: Array<string> = []
      for (let index = 0; index < 4; index++) {
        ids.push(...(yield* scene.cds.enqueue({ project: "ONE" })))
        yield* TestClock.adjust("2 seconds")
      }
      yield* TestClock.adjust("15 minutes")
      const times = yield* Effect.forEach(ids, (id) => takenAt(scene, id))
      assert.notInclude(times, undefined)
      assert.deepStrictEqual(
        times,
        times.toSorted((a, b) => (a ?? 0) - (b ?? 0))
      )
    }).pipe(seeded("order"))
  )
})
