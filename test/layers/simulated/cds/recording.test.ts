/** The simulated API against what the real one said: `test/real/cds/jobs.test.ts` records, this replays. */
import { assert, it } from "@effect/vitest"
import { Effect } from "effect"
import { read } from "../../../real/cds/Recording.ts"
import { replay } from "../../../real/cds/Replay.ts"

const recording = read()

it.effect(
  "The simulated API answers a recorded run, of hatchery and real workers, with the same status and shape",
  () =>
    Effect.gen(function* () {
      assert.isAbove(recording.story.length, 100)
      assert.deepStrictEqual(yield* replay(recording), [])
    })
)

const take = "POST /v2/queue/default/job/{job}/hatchery/take 200 to hatchery of V2"

it.effect("A replay tells a status, a type and a part that differ, and one that is missing", () =>
  Effect.gen(function* () {
    const { [".hatchery_name"]: _, ...shape } = recording.answers[take]!
    const truth = { ...shape, ".retry": "string", ".priority": "number" }
    const story = recording.story.map((step) =>
      "answer" in step && step.path === "/worker/waiting" ? { ...step, status: 403 } : step
    )
    const lines = yield* replay({ ...recording, answers: { ...recording.answers, [take]: truth }, story })
    assert.deepStrictEqual(lines.toSorted(), [
      `${take}: .hatchery_name is not in the truth`,
      `${take}: .priority is missing`,
      `${take}: .retry is number, not string`,
      "POST /worker/waiting 204 to worker of V1: the simulated API says 204 undefined, not 403"
    ])
  })
)
