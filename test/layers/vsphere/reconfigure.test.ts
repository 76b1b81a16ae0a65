import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { SimVCenter } from "../../../src/layers/simulated/vcenter/SimVCenter.ts"
import type { MachineFacts } from "../../../src/schema/Machine.ts"
import { VSphere } from "../../../src/services/VSphere.ts"
import { always, Calls, cloned, factsOf, oursText, plan, play, sent, stand } from "./stand.ts"

const raced = (
  meanwhile: (ref: string) => Effect.Effect<unknown, never, SimVCenter>,
  still: (facts: MachineFacts) => boolean
) =>
  Effect.gen(function* () {
    const ref = yield* play(cloned(), "60 seconds")
    yield* (yield* SimVCenter).inject({ _tag: "UpdatesLate", count: 1, delayMs: 2_000 })
    yield* meanwhile(ref)
    const exit = yield* play(
      Effect.result((yield* VSphere).reconfigure(ref, still, { annotation: oursText("worker-a") })),
      "10 seconds"
    )
    return { ref, exit, calls: yield* sent("ReconfigVM_Task") }
  })

describe("reconfigure", () => {
  const change = { name: "worker-a", annotation: oursText("worker-a"), size: { cpus: 4, memoryMB: 8192 } }

  it.effect("sets name, annotation and size in one guarded task", () =>
    Effect.gen(function* () {
      const ref = yield* play(cloned(), "60 seconds")
      yield* (yield* VSphere).powerOff(ref).pipe((off) => play(off, "10 seconds"))
      const { changeVersion } = yield* factsOf(ref)
      yield* play((yield* VSphere).reconfigure(ref, always, change), "5 seconds")
      const [call, ...more] = (yield* Calls).of("ReconfigVM_Task")
      assert.deepStrictEqual(more, [])
      assert.strictEqual(
        JSON.stringify(call!.args["spec"]),
        JSON.stringify({
          changeVersion,
          name: change.name,
          annotation: change.annotation,
          numCPUs: 4,
          memoryMB: 8192
        })
      )
      const { name, numCpu, memoryMB } = yield* factsOf(ref)
      assert.deepStrictEqual([name, numCpu, memoryMB], ["worker-a", 4, 8192])
    }).pipe(Effect.provide(stand()))
  )

  it.effect("is tried again when only the version moved", () =>
    Effect.gen(function* () {
      const vcenter = yield* SimVCenter
      const { ref, exit, calls } = yield* raced((machine) => Effect.sync(() => vcenter.others.disturb(machine)), always)
      assert.strictEqual(exit._tag, "Success")
      assert.strictEqual(calls, 2)
      assert.strictEqual((yield* factsOf(ref)).annotation, oursText("worker-a"))
    }).pipe(Effect.provide(stand()))
  )

  it.effect("concedes when what was decided upon is not there any more", () =>
    Effect.gen(function* () {
      const vcenter = yield* SimVCenter
      const { exit, calls } = yield* raced(
        (machine) => Effect.sync(() => vcenter.others.annotate(machine, oursText("somebody-else"))),
        ({ annotation }) => annotation === plan().annotation
      )
      const conceded = exit._tag === "Failure" && exit.failure._tag === "Conceded" ? exit.failure : undefined
      assert.strictEqual(conceded?.facts.annotation, oursText("somebody-else"))
      assert.strictEqual(calls, 1)
    }).pipe(Effect.provide(stand()))
  )

  it.effect("whose answer is lost is looked up: what is there counts as done, and is sent once", () =>
    Effect.gen(function* () {
      const ref = yield* play(cloned(), "60 seconds")
      yield* (yield* SimVCenter).inject({ _tag: "AnswerLost", operation: "ReconfigVM_Task" })
      yield* play((yield* VSphere).reconfigure(ref, always, { annotation: oursText("w") }), "15 seconds")
      assert.strictEqual(yield* sent("ReconfigVM_Task"), 1)
    }).pipe(Effect.provide(stand()))
  )

  it.effect("that never arrived, though it may have, is unknown", () =>
    Effect.gen(function* () {
      const ref = yield* play(cloned(), "60 seconds")
      yield* (yield* SimVCenter).inject({ _tag: "CallDropped", operation: "ReconfigVM_Task" })
      const error = yield* play(
        Effect.flip((yield* VSphere).reconfigure(ref, always, { annotation: oursText("w") })),
        "15 seconds"
      )
      assert.strictEqual(error._tag === "VSphereError" && error.kind, "unknown")
      assert.strictEqual(yield* sent("ReconfigVM_Task"), 1)
    }).pipe(Effect.provide(stand()))
  )
})
