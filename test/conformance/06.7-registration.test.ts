/** Seed 001 section 6.7: which V1 models need registration, and how they get it. */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { TestClock } from "effect/testing"
import { standingOf, unready } from "../../src/actors/models/modelTemplates.ts"
import type { Programs } from "../../src/layers/simulated/vcenter/Options.ts"
import { defaultTimes } from "../../src/schema/config/defaults.ts"
import type { MachineFacts } from "../../src/schema/Machine.ts"
import type { ModelV1 } from "../../src/schema/ModelV1.ts"
import { modelV1, templateV1 } from "../support/models.ts"
import { start, seeded } from "../support/world.ts"
import { enter, makeV1, ours, registered, standing, templates, until } from "../actors/scene.ts"

const model = modelV1({ name: "build-env", group: "ci", lastModified: "1776240000" })

const template = (lastModified: string, more: Partial<MachineFacts> = {}): MachineFacts =>
  templateV1({ path: "ci/build-env", lastModified }, more)

const why = (changes: Partial<ModelV1>, machines: ReadonlyArray<MachineFacts>) => {
  const changed = { ...model, ...changes }
  return unready(changed, standingOf(changed, machines, "rookery"))
}

describe("a V1 model", () => {
  it("needs nothing while its template carries its stamp and CDS does not ask for a registration", () => {
    assert.isUndefined(why({}, [template("1776240000")]))
  })

  it("needs a template when there is none, or when the model was changed since", () => {
    assert.match(why({}, []) ?? "", /is not built yet/)
    assert.match(why({}, [template("1776239999")]) ?? "", /is not built yet/)
  })

  it("needs a registration when CDS says so, though its template is current", () => {
    assert.match(why({ needRegistration: true }, [template("1776240000")]) ?? "", /is not registered yet/)
  })

  it("is used as it is while CDS wants it checked again", () => {
    assert.isUndefined(why({ checkRegistration: true }, [template("1776240000")]))
  })

  it("shares the template of another hatchery, and has no use for a machine, or for one that is not marked as a model's", () => {
    const foreign = template("1776240000").annotation.replace('"rookery"', '"other"')
    assert.isUndefined(why({}, [template("1776240000", { annotation: foreign })]))
    for (const one of [template("1776240000", { template: false }), template("1776240000", { annotation: "" })])
      assert.match(
        why({}, [one]) ?? "",
        /its name "build-env" is taken in vCenter by a machine or template that is not/
      )
  })

  it("says so where the template of its name is its own but for the mark, which somebody took away", () => {
    const { annotation } = template("1776240000")
    const unmarked = template("1776240000", { annotation: annotation.replace('"model":true,', "") })
    assert.notStrictEqual(unmarked.annotation, annotation)
    assert.match(why({}, [unmarked]) ?? "", /is taken in vCenter by a template that names this model and is not marked/)
  })

  it("says so where what has its name cannot be read", () => {
    const hidden = template("1776240000", { annotation: "", unreadable: ["config.annotation"] })
    assert.match(why({}, [hidden]) ?? "", /is taken in vCenter by a machine that cannot be read: .*config.annotation/)
  })
})

const path = "shared.infra/build-env"

const log = "worker: git is not installed\n"

/** Guests in which a registration fails with a log, and anything else does as it is told. */
const failing: Programs = ({ arguments: text, write }) =>
  Effect.sync(() => {
    if (!text.includes("worker register"))
      return text.includes("shutdown") ? { exitCode: 0, powerOffAfterMs: 0 } : { exitCode: 0 }
    write("/tmp/worker.register.log", log)
    return { exitCode: 3 }
  })

describe("the registration of a new V1 model", () => {
  it.effect("is done by a worker of its own template: CDS knows the model then, and the machine is gone", () =>
    Effect.gen(function* () {
      const world = yield* makeV1([{ name: "build-env" }])
      const process = yield* enter(world)
      yield* TestClock.adjust("10 minutes")
      assert.isFalse(world.model?.needRegistration)
      assert.isAbove(world.model?.capabilities.length ?? 0, 0)
      assert.deepStrictEqual(world.model?.spawnErrors, [])
      assert.deepStrictEqual(templates(world), ["build-env", "debian12"])
      assert.deepStrictEqual(ours(world), [])
      assert.strictEqual((yield* process.ips.count).leased, 0)
      assert.strictEqual((yield* process.capacity.used).workers, 0)
      assert.match((yield* process.said(path)).join(), /it is registered by register-build-env-/)
      assert.deepStrictEqual(yield* world.cds.violations, [])
      assert.strictEqual(world.vcenter.summary().created, 2, "one clone for the template, one for the worker")
    }).pipe(seeded("registered"))
  )

  it.effect("is done once, though the list of models is older than its end", () =>
    Effect.gen(function* () {
      const settings = { times: { ...defaultTimes, registerMs: 1_000 } }
      const world = yield* makeV1([{ name: "build-env" }], { settings })
      yield* start(world)
      yield* TestClock.adjust("10 minutes")
      assert.isFalse(world.model?.needRegistration)
      assert.strictEqual(world.vcenter.summary().created, 2)
    }).pipe(seeded("once"))
  )

  it.effect("is done again for a model that CDS wants checked, without a new template", () =>
    Effect.gen(function* () {
      const world = yield* makeV1([{ name: "build-env", ...registered }])
      yield* start(world)
      yield* TestClock.adjust("5 minutes")
      if (world.model !== undefined) Object.assign(world.model, { checkRegistration: true })
      yield* TestClock.adjust("10 minutes")
      assert.isFalse(world.model?.checkRegistration)
      assert.strictEqual(world.vcenter.summary().created, 2)
    }).pipe(seeded("checked"))
  )

  it.effect("is no condition for the jobs of a model that CDS wants checked: they run meanwhile", () =>
    Effect.gen(function* () {
      const world = yield* makeV1([{ name: "build-env", ...registered }])
      yield* start(world)
      yield* TestClock.adjust("5 minutes")
      const booking = { serviceId: 0, until: Infinity }
      if (world.model !== undefined) Object.assign(world.model, { checkRegistration: true, booking })
      yield* TestClock.adjust("1 minute")
      const [id = ""] = yield* world.cds.enqueueV1({ model: path })
      yield* TestClock.adjust("10 minutes")
      assert.strictEqual((yield* world.cds.job(id))?.status, "Success")
      assert.isTrue(world.model?.checkRegistration)
    }).pipe(seeded("check and job"))
  )

  it.effect("that fails is told to CDS with the end of its log, and tried again until CDS has had enough of it", () =>
    Effect.gen(function* () {
      const world = yield* makeV1([{ name: "build-env" }], { vcenter: { programs: failing } })
      const process = yield* enter(world)
      yield* TestClock.adjust("10 minutes")
      const [error] = world.model?.spawnErrors ?? []
      assert.match(error?.error ?? "", /the worker's start script ended with exit code 3/)
      assert.include(error?.log ?? "", log.trim())
      yield* TestClock.adjust("2 hours")
      assert.strictEqual(world.model?.spawnErrors.length, 6)
      assert.isTrue(world.model?.needRegistration)
      assert.deepStrictEqual(ours(world), [])
      assert.match((yield* process.said(path)).at(-1) ?? "", /it failed 6 times and is left alone/)
    }).pipe(seeded("fails"))
  )

  it.effect("that fails in a version that was changed meanwhile is no error of the present one", () =>
    Effect.gen(function* () {
      const world = yield* makeV1([{ name: "build-env" }], { vcenter: { programs: failing } })
      const process = yield* enter(world)
      yield* until(() => standing(process) === "Running")
      yield* world.cds.addModel({ name: "build-env", password: "worker" })
      yield* until(() => standing(process).includes("Reaping"))
      yield* TestClock.adjust("1 minute")
      assert.deepStrictEqual(world.model?.spawnErrors, [])
      assert.notMatch(
        ours(world)
          .map((machine) => machine.name)
          .join(),
        /register-/
      )
    }).pipe(seeded("changed while it failed"))
  )

  it.effect("whose worker never signs in is given up after workerRegistrationTTL", () =>
    Effect.gen(function* () {
      const world = yield* makeV1([{ name: "build-env" }], { behaviour: () => ({ neverRegisters: true }) })
      yield* start(world)
      yield* TestClock.adjust("20 minutes")
      assert.match(world.model?.spawnErrors[0]?.error ?? "", /did not sign in within workerRegistrationTTL/)
    }).pipe(seeded("never"))
  )

  it.effect("is left to another hatchery that has booked it: nothing is cloned for it", () =>
    Effect.gen(function* () {
      const world = yield* makeV1([{ name: "build-env", ...registered }])
      const { said, ips, capacity } = yield* enter(world)
      yield* TestClock.adjust("5 minutes")
      const booking = { serviceId: 0, until: Infinity }
      if (world.model !== undefined) Object.assign(world.model, { checkRegistration: true, booking })
      yield* TestClock.adjust("2 minutes")
      assert.strictEqual(world.vcenter.summary().created, 1)
      assert.strictEqual((yield* ips.count).leased, 0)
      assert.strictEqual((yield* capacity.used).workers, 0)
      assert.match((yield* said(path)).at(-1) ?? "", /left for now: .*worker model already booked/)
    }).pipe(seeded("booked"))
  )

  it.effect("goes on after a restart: its worker is not started twice, and its machine goes", () =>
    Effect.gen(function* () {
      const world = yield* makeV1([{ name: "build-env" }], { behaviour: () => ({ startMs: 60_000 }) })
      const first = yield* enter(world)
      yield* until(() => standing(first) === "Running")
      yield* TestClock.adjust("10 seconds")
      yield* first.kill
      const second = yield* enter(world)
      yield* TestClock.adjust("10 seconds")
      assert.strictEqual(standing(second), "Running")
      yield* TestClock.adjust("10 minutes")
      assert.isFalse(world.model?.needRegistration)
      assert.deepStrictEqual(world.model?.spawnErrors, [])
      assert.deepStrictEqual(ours(world), [])
      assert.strictEqual(world.vcenter.summary().created, 2)
    }).pipe(seeded("restart"))
  )

  for (const call of ["PUT /worker/model/shared.infra/build-env/book", "CloneVM_Task", "StartProgramInGuest"])
    for (const when of ["before", "unanswered"] as const)
      it.effect(`comes about, and nothing else is left, when the process dies at ${call}, ${when}`, () =>
        Effect.gen(function* () {
          const plan = yield* makeV1([{ name: "build-env" }])
          const rehearsal = yield* start(plan)
          yield* TestClock.adjust("10 minutes")
          const at = rehearsal.calls.lastIndexOf(call) + 1
          assert.isAbove(at, 0)
          yield* rehearsal.kill
          const world = yield* makeV1([{ name: "build-env" }])
          const first = yield* start(world, { at, when })
          yield* TestClock.adjust("10 minutes")
          assert.isTrue(yield* first.crashed)
          yield* first.kill
          const second = yield* enter(world)
          yield* TestClock.adjust("30 minutes")
          assert.isFalse(world.model?.needRegistration)
          assert.strictEqual(world.vcenter.summary().created, 2, "the first machine has done it")
          assert.deepStrictEqual(ours(world), [])
          assert.strictEqual((yield* second.ips.count).leased, 0)
          assert.deepStrictEqual(yield* world.cds.violations, [])
        }).pipe(seeded("cut"))
      )

  it.effect("is done for no more models at once than maxConcurrentRegistering", () =>
    Effect.gen(function* () {
      const models = ["a", "b", "c", "d"].map((one) => ({ name: one }))
      const world = yield* makeV1(models, { settings: { maxConcurrentRegistering: 2 } })
      yield* start(world)
      const counts: Array<number> = []
      for (let i = 0; i < 120; i++) {
        yield* TestClock.adjust("10 seconds")
        counts.push(ours(world).length)
      }
      // One that is being removed does not count any more.
      assert.isAtMost(Math.max(...counts), 4)
      assert.isTrue(
        yield* Effect.sync(() => [...world.cds.state.v1.models.values()].every((one) => !one.needRegistration))
      )
    }).pipe(seeded("limit"))
  )
})
