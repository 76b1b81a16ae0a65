import { assert, describe, it } from "@effect/vitest"
import { Effect, Option, Tracer } from "effect"
import { TestClock } from "effect/testing"
import { enter, makeScene, ours, type Scene } from "../actors/scene.ts"

type Span = Tracer.NativeSpan

/** Keeps every span in the order of their starts. */
const makeRecorder = () => {
  const spans: Array<Span> = []
  const tracer = Tracer.make({
    span: (options) => {
      const span = new Tracer.NativeSpan(options)
      spans.push(span)
      return span
    }
  })
  const below = (parent: Span) => spans.filter((span) => Option.getOrUndefined(span.parent) === parent)
  const all = (root: Span): ReadonlyArray<Span> => [root, ...below(root).flatMap(all)]
  const jobs = () => spans.filter(({ name }) => name === "Job")
  return { spans, tracer, below, all, jobs }
}

const names = (spans: ReadonlyArray<Span>) => spans.map(({ name }) => name)

const isTransition = ({ name }: Span) => name.startsWith("Vm ")

/** The same name in a row counts once: how often a guest is asked is nobody's business here. */
const once = (list: ReadonlyArray<string>) => list.filter((one, index) => one !== list[index - 1])

/** What stands under a transition: our own calls, and what each asks of vCenter. */
const expected: Readonly<Record<string, ReadonlyArray<string>>> = {
  "Vm Provisioned → Reserved": ["VSphere.reconfigure: Vim.ReconfigVM_Task, Inventory.task"],
  "Vm Reserved → Renamed": ["Cds.take: "],
  "Vm Renamed → Powered": [
    "VSphere.powerOn: Vim.PowerOnVM_Task, Inventory.task",
    "Guest.ready: Vim.RetrievePropertiesEx, Vim.StartProgramInGuest",
    "VSphere.reconfigure: Vim.ReconfigVM_Task, Inventory.task"
  ],
  "Vm Powered → Running": [
    "Cds.job: ",
    "Cds.cdn: ",
    "Cds.workerToken: ",
    "Guest.start: Vim.StartProgramInGuest",
    "Guest.processes: Vim.ListProcessesInGuest"
  ],
  "Vm Running → Reaping": [
    "VSphere.reconfigure: Vim.ReconfigVM_Task, Inventory.task",
    "VSphere.powerOff: ",
    "Cds.job: ",
    "VSphere.destroy: Inventory.reread, Vim.Destroy_Task, Inventory.task"
  ]
}

/** A job of half a minute, from its event to its machine's end. */
const serve = Effect.fnUntraced(function* (scene: Pick<Scene, "cds">) {
  const [id = ""] = yield* scene.cds.enqueue()
  yield* TestClock.adjust("10 minutes")
  assert.strictEqual((yield* scene.cds.job(id))?.status, "Success")
  return id
})

describe("the trace of a job", () => {
  it.effect("is one root with the transitions of its machine in order, and under each the calls that it made", () => {
    const { tracer, below, all, jobs } = makeRecorder()
    return Effect.gen(function* () {
      const scene = yield* makeScene()
      const before = ours(scene).map(({ instanceUuid }) => instanceUuid)
      const id = yield* serve(scene)

      assert.strictEqual(jobs().length, 1)
      const [root] = jobs()
      assert.isTrue(Option.isNone(root!.parent))
      assert.strictEqual(root!.attributes.get("job.id"), id)
      const transitions = below(root!).filter(isTransition)
      const shown = transitions.map((transition): [string, ReadonlyArray<string>] => [
        transition.name,
        once(
          below(transition).map((call) => {
            const inner = names(below(call)).filter((name) => name.startsWith("Vim.") || name.startsWith("Inventory."))
            return `${call.name}: ${inner.join(", ")}`
          })
        )
      ])
      assert.deepStrictEqual(shown, Object.entries(expected))
      const others = names(below(root!).filter((span) => !isTransition(span)))
      assert.deepStrictEqual(others, ["Cds.job", "Cds.cdn", "Cds.tell", "Cds.tell"])

      const machine = transitions[0]!.attributes.get("vm.id")
      assert.include(before, machine)
      for (const transition of transitions) {
        assert.strictEqual(transition.attributes.get("vm.id"), machine)
        assert.strictEqual(transition.attributes.get("job.id"), id)
        assert.isString(transition.attributes.get("vm.name"))
      }
      for (const span of all(root!)) assert.strictEqual(span.status._tag, "Ended", span.name)
    }).pipe(Effect.withTracer(tracer))
  })

  it.effect("holds every change of its machine: nothing is done to it elsewhere", () => {
    const { spans, tracer, all, jobs } = makeRecorder()
    return Effect.gen(function* () {
      const scene = yield* makeScene()
      const made = spans.length
      yield* serve(scene)
      const traced = new Set(all(jobs()[0]!))
      const machine = [...traced].find(isTransition)?.attributes.get("vm.ref")
      const changes = spans
        .slice(made)
        .filter((span) => /^Vim\..*_Task$/.test(span.name) && span.attributes.get("vim.target") === machine)
      assert.deepStrictEqual(names(changes), [
        "Vim.ReconfigVM_Task",
        "Vim.PowerOnVM_Task",
        "Vim.ReconfigVM_Task",
        "Vim.ReconfigVM_Task",
        "Vim.Destroy_Task"
      ])
      assert.isTrue(changes.every((span) => traced.has(span)))
    }).pipe(Effect.withTracer(tracer))
  })

  it.effect("ends when its take is refused; another try is another trace", () => {
    const { tracer, below, jobs } = makeRecorder()
    return Effect.gen(function* () {
      const scene = yield* makeScene()
      const [id = ""] = yield* scene.cds.enqueue()
      yield* scene.cds.holdTakeLock(id)
      yield* TestClock.adjust("10 minutes")
      const traces = jobs().map((root) => names(below(root).filter(isTransition)))
      const claimed = ["Vm Provisioned → Reserved", "Vm Reserved → Renamed"]
      assert.isAtLeast(traces.length, 2)
      assert.deepStrictEqual(traces[0], [...claimed, "Vm Renamed → Returning"])
      assert.deepStrictEqual(
        traces.at(-1)?.filter((name) => name !== "Vm Running → Running"),
        Object.keys(expected)
      )
      for (const root of jobs()) assert.strictEqual(root.status._tag, "Ended")
    }).pipe(Effect.withTracer(tracer))
  })

  it.effect("shows the way of a machine without a job as roots of its own", () => {
    const { spans, tracer } = makeRecorder()
    return Effect.gen(function* () {
      const scene = yield* makeScene()
      const [machine] = ours(scene)
      const way = spans.filter((span) => isTransition(span) && span.attributes.get("vm.id") === machine?.instanceUuid)
      assert.deepStrictEqual(names(way), [
        "Vm Cloning → Cloning",
        "Vm Cloning → Booting",
        "Vm Booting → Settling",
        "Vm Settling → Provisioned"
      ])
      assert.isTrue(way.every(({ parent }) => Option.isNone(parent)))
      yield* scene.kill
      const made = spans.length
      yield* enter(scene.world)
      yield* TestClock.adjust("1 minute")
      const adopted = spans.slice(made).filter(isTransition)
      assert.deepStrictEqual(names(adopted), ["Vm Provisioned → Provisioned", "Vm Provisioned → Provisioned"])
    }).pipe(Effect.withTracer(tracer))
  })
})
