import { assert, describe, it } from "@effect/vitest"
import { Effect, Logger } from "effect"
import { SimVCenter } from "../../../src/layers/simulated/vcenter/SimVCenter.ts"
import { VSphere } from "../../../src/services/VSphere.ts"
import { Calls, cloned, oursText, play, stand, template } from "./stand.ts"

const linked = stand({ vcenter: { templates: [{ ...template, nics: 1, snapshot: true }] } })
const full = stand({ vcenter: { templates: [{ ...template, nics: 1, snapshot: false }] } })

const large = (diskSizeGB: number) => ({ cpus: 4, memoryMB: 8192, diskSizeGB })

const played = <A, E, R>(effect: Effect.Effect<A, E, R>) => play(effect, "2 minutes")

/** The size of the disk in GB of the machine that is no template. */
const diskGB = Effect.map(SimVCenter, (vcenter) => {
  const machine = vcenter.machines().find((one) => !one.template)
  return (machine?.diskKB ?? 0) / 1_048_576
})

/** A machine that is off, as in the pool. */
const pooled = Effect.gen(function* () {
  const ref = yield* played(cloned())
  yield* played((yield* VSphere).powerOff(ref))
  return ref
})

const resize = (ref: string, diskSizeGB: number, name = "worker-a") =>
  Effect.flatMap(VSphere, (vsphere) =>
    played(vsphere.reconfigure(ref, () => true, { annotation: oursText(name), size: large(diskSizeGB) }))
  )

/** What is logged while it runs. */
const logged = <A, E, R>(self: Effect.Effect<A, E, R>) => {
  const lines: Array<string> = []
  const logger = Logger.make(({ message }) => void lines.push(String(message)))
  return Effect.map(Effect.provide(self, Logger.layer([logger])), () => lines.filter((line) => line.includes("disk")))
}

describe("a flavor's disk size", () => {
  it.effect("grows the first disk of a machine that is off, in the same guarded step as CPUs and memory", () =>
    Effect.gen(function* () {
      const ref = yield* pooled
      yield* resize(ref, 60)
      assert.strictEqual(yield* diskGB, 60)
      const [call, ...more] = (yield* Calls).of("ReconfigVM_Task")
      assert.deepStrictEqual(more, [])
      const spec = call!.args["spec"] as Record<string, unknown>
      assert.deepStrictEqual(Object.keys(spec), ["changeVersion", "annotation", "numCPUs", "memoryMB", "deviceChange"])
      const [{ operation, device }] = spec["deviceChange"] as [{ operation: string; device: Record<string, unknown> }]
      assert.strictEqual(operation, "edit")
      assert.deepStrictEqual(Object.keys(device), [
        "_type",
        "key",
        "backing",
        "controllerKey",
        "unitNumber",
        "capacityInKB",
        "capacityInBytes"
      ])
    }).pipe(Effect.provide(full))
  )

  it.effect("never makes it smaller", () =>
    Effect.gen(function* () {
      const ref = yield* pooled
      yield* resize(ref, 60)
      yield* resize(ref, 5, "worker-b")
      assert.strictEqual(yield* diskGB, 60)
    }).pipe(Effect.provide(full))
  )

  it.effect("is read for with one call, and only where a flavor has one", () =>
    Effect.gen(function* () {
      const ref = yield* pooled
      const reads = Effect.map(Calls, (calls) => calls.of("RetrievePropertiesEx").length)
      const before = yield* reads
      yield* resize(ref, 60)
      assert.strictEqual(yield* reads, before + 1)
      yield* played((yield* VSphere).reconfigure(ref, () => true, { size: { cpus: 4, memoryMB: 4096 } }))
      assert.strictEqual(yield* reads, before + 1)
    }).pipe(Effect.provide(full))
  )

  it.effect("grows the disk of a clone that is a full copy", () =>
    Effect.gen(function* () {
      yield* played(cloned({ flavor: large(40) }))
      assert.strictEqual(yield* diskGB, 40)
    }).pipe(Effect.provide(full))
  )

  it.effect("leaves a disk that is shared with the template as it is, and says so once for all its machines", () =>
    Effect.gen(function* () {
      const lines = yield* logged(
        Effect.gen(function* () {
          const ref = yield* played(cloned({ flavor: large(40) }))
          yield* played((yield* VSphere).powerOff(ref))
          yield* played(cloned({ flavor: large(40), id: "22222222-1111-4111-8111-111111111111", name: "two" }))
        })
      )
      assert.strictEqual(yield* diskGB, 20)
      assert.strictEqual(lines.length, 1, lines.join("\n"))
      assert.match(lines[0] ?? "", /machines of debian12 share its disk, which cannot grow then: .*diskSizeGB/)
    }).pipe(Effect.provide(linked))
  )

  it.effect("leaves the disk of a linked pool machine as it is, and gives it the rest of the flavor", () =>
    Effect.gen(function* () {
      const ref = yield* pooled
      const lines = yield* logged(Effect.andThen(resize(ref, 60), resize(ref, 60, "worker-b")))
      assert.strictEqual(yield* diskGB, 20)
      assert.strictEqual((yield* SimVCenter).machines().find((one) => !one.template)?.cpus, 4)
      assert.strictEqual(lines.length, 1, lines.join("\n"))
    }).pipe(Effect.provide(linked))
  )
})
