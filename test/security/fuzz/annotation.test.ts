import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { annotate } from "../../../src/actors/vm/annotate.ts"
import { prove } from "../../../src/actors/vm/prove.ts"
import { step } from "../../../src/actors/vm/transition.ts"
import type { JournalState } from "../../../src/schema/Annotation.ts"
import { parse, print } from "../../../src/schema/Annotation.ts"
import type { MachineFacts } from "../../../src/schema/Machine.ts"
import { claim, env, events, facts, goAnnotation, poolName, written } from "../../actors/vm/sample.ts"
import { cases } from "./cases.ts"
import type { Chance } from "./Chance.ts"
import { mutateJsonText } from "./mutate.ts"

const states: ReadonlyArray<JournalState> = ["booting", "provisioned", "renamed", "running", "reaping"]

const samples = [...states.map((state) => written(state)), goAnnotation(), goAnnotation({ provisioning: false })]

const machineOf = (annotation: string, chance: Chance): MachineFacts =>
  facts({
    annotation,
    name: chance.pick([poolName, claim.workerName, "", "x"]),
    power: chance.pick(["poweredOn", "poweredOff", "suspended"]),
    createdAt: chance.pick([undefined, env.now]),
    guest: { ...facts().guest, customization: chance.pick([undefined, "SUCCEEDED", "FAILED"]) }
  })

const malformed = (chance: Chance): MachineFacts => machineOf(mutateJsonText(chance, chance.pick(samples)), chance)

/** What is read can be written, and read again as the same. */
const readAndWritten = (text: string) => {
  const annotation = parse(text)
  if (annotation === undefined) return
  assert.isAbove(annotation.hatcheryName.length, 0)
  assert.deepStrictEqual(parse(print(annotation)), annotation)
}

/** The machine is adopted or it is not; one that is takes every event, and what is written on it then is ours again. */
const adopted = (machine: MachineFacts) => {
  const vm = prove(machine, env)
  if (vm === undefined) return
  assert.isTrue(Number.isFinite(vm.since) && Number.isFinite(vm.createdAt), "times")
  assert.isTrue(vm.deadline === undefined || Number.isFinite(vm.deadline), "deadline")
  for (const event of events) step(vm, event, env)
  const journal = parse(annotate(vm, { state: "reaping", claim: undefined }, env))?.journal
  assert.strictEqual(journal?.state, "reaping")
  assert.strictEqual(journal?.generation, vm.generation + 1)
}

const both = (machine: MachineFacts) =>
  Effect.sync(() => {
    readAndWritten(machine.annotation)
    adopted(machine)
  })

/** Found by fuzzing, or close to what was. */
const corpus: ReadonlyArray<string> = [
  written("running").replace(/"generation":\d+/, `"generation":${Number.MAX_SAFE_INTEGER}`),
  written("running").replace(/"generation":\d+/, '"generation":-3'),
  written("running").replace(/"since":"[^"]*"/, '"since":"+275760-09-13T00:00:00Z"'),
  goAnnotation().replace(/"created":"[^"]*"/, '"created":"-271821-04-20T00:00:00Z"'),
  goAnnotation().slice(0, -1) + ',"rookery":null}',
  `${"[".repeat(50_000)}${"]".repeat(50_000)}`,
  `{"hatchery_name":"rookery","rookery":${'{"a":'.repeat(20_000)}1${"}".repeat(20_000)}}`,
  `${goAnnotation()}${goAnnotation()}`,
  '{"hatchery_name":"rookery","__proto__":{"model":true}}',
  '{"hatchery_name":"rookery"',
  "{"
]

describe("a malformed annotation", () => {
  it.effect("is nobody's, or means the same when it is written again; the machine's actor takes every event", () =>
    cases(1_500, malformed, both)
  )

  for (const text of corpus) it.effect(`does no harm: ${text.slice(0, 40)}`, () => both(facts({ annotation: text })))
})
