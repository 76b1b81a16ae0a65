/**
 * Seed 001 section 4: worker models of both kinds. How templates are built is in test/actors/models/Registrar.test.ts, registration in 06.7; which model a
 * job gets is in 06.5 and 06.8.
 */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Redacted } from "effect"
import { TestClock } from "effect/testing"
import {
  asideName,
  buildName,
  isBuildOf,
  retired,
  standingOf,
  templatesOf
} from "../../src/actors/models/modelTemplates.ts"
import type { Vm } from "../../src/actors/vm/State.ts"
import type { MachineFacts } from "../../src/schema/Machine.ts"
import { type ModelV1, stampOf } from "../../src/schema/ModelV1.ts"
import { modelV1, templateV1 } from "../support/models.ts"
import { makeWorld, seeded } from "../support/world.ts"
import { enter, makeV1, named, ours, registered, templates } from "../actors/scene.ts"
import { facts, goAnnotation, machine, states } from "../actors/vm/sample.ts"

const model = modelV1({ name: "build-env", group: "ci", lastModified: "200" })

const template = (name: string, lastModified: string, path = "ci/build-env"): MachineFacts =>
  templateV1({ path, lastModified }, { ref: `vm-${name}`, name })

const stands = (...machines: ReadonlyArray<MachineFacts>) => standingOf(model, machines, "rookery")

describe("the template of a V1 model (4.1)", () => {
  const current = template("build-env", "200")
  const older = template("build-env", "100")
  const built = template("build-env-tmp", "200")

  it("is the one with the model's name and stamp, whoever built it", () => {
    assert.deepStrictEqual(stands(current), { _tag: "Ready", template: current })
  })

  it("that was built aside is swapped in, the older one going out of its way first", () => {
    assert.deepStrictEqual(stands(built), { _tag: "Aside", template: built, older: undefined })
    assert.deepStrictEqual(stands(older, built), { _tag: "Aside", template: built, older })
  })

  it("is missing when there is none of its stamp", () => {
    assert.deepStrictEqual(stands(), { _tag: "Missing" })
    assert.deepStrictEqual(stands(older, template("build-env-tmp", "100")), { _tag: "Missing" })
  })

  it("is built under a name that nothing else has", () => {
    assert.strictEqual(buildName(model, new Set(["build-env"])), "build-env-tmp")
    assert.strictEqual(buildName(model, new Set(["build-env-tmp"])), "build-env-2-tmp")
    assert.strictEqual(buildName(model, new Set(["build-env-tmp", "build-env-2-tmp"])), "build-env-3-tmp")
  })

  it("is built once: one that is being removed is waited for, as it may still become a template", () => {
    const made = { model: stampOf(model), poolName: "build-env-tmp" }
    for (const state of [states.preparing, states.converting, states.reaping])
      assert.isTrue(isBuildOf("ci/build-env", machine(state, made)))
    assert.isFalse(isBuildOf("ci/tools", machine(states.reaping, made)))
    assert.isFalse(
      isBuildOf("ci/build-env", machine(states.reaping, { ...made, poolName: "provision-v1-busy-hopper" }))
    )
  })

  it("is never taken from another path of the same name, nor from a machine", () => {
    for (const other of [
      template("build-env", "200", "other/build-env"),
      facts({ name: "build-env" }),
      facts({ name: "build-env", template: true, annotation: "" })
    ])
      assert.strictEqual(stands(other, built)._tag, "Taken")
  })
})

const gone = (
  machines: ReadonlyArray<MachineFacts>,
  living: ReadonlyArray<Vm> = [],
  present: ReadonlyArray<ModelV1> = [],
  deleted: ReadonlyArray<string> = []
) => retired({ present, gone: new Set(deleted) }, machines, living, "rookery").map(({ name }) => name)

const foreign = (one: MachineFacts): MachineFacts => ({
  ...one,
  annotation: one.annotation.replace('"rookery"', '"other"')
})

describe("a template that was replaced", () => {
  const old = template(asideName({ path: "ci/build-env", lastModified: "100" }), "100")

  it("goes when nothing carries its stamp", () => {
    assert.deepStrictEqual(gone([old, template("build-env", "200")]), ["build-env-old-100"])
  })

  it("stays while a machine in vCenter carries it, or one that does not show yet", () => {
    const child = facts({
      name: "busy-hopper",
      annotation: goAnnotation({ workerModelPath: "ci/build-env", workerModelLastModified: "100" })
    })
    assert.deepStrictEqual(gone([old, child]), [])
    assert.deepStrictEqual(gone([old, foreign(child)]), [], "another hatchery's machine may descend from it")
    const stamp = { path: "ci/build-env", lastModified: "100" }
    assert.deepStrictEqual(gone([old], [machine(states.cloning, { model: stamp })]), [])
    assert.deepStrictEqual(gone([old], [machine(states.cloning, { model: stampOf(model) })]), ["build-env-old-100"])
  })

  it("is known by the name under which it was put aside, also when CDS has its model no more", () => {
    assert.deepStrictEqual(gone([template("build-env", "100"), template("build-env-old-99", "100")]), [])
  })

  it("is known under any name that somebody gave it, once the model's present one is in its place", () => {
    const renamed = template("renamed-by-hand", "100")
    const current = template("build-env", "200")
    assert.deepStrictEqual(gone([renamed, template("build-env-tmp", "200")], [], [model]), [])
    assert.deepStrictEqual(gone([renamed, current, template("tools", "100", "ci/tools")], [], [model]), [
      "renamed-by-hand"
    ])
    const child = [machine(states.cloning, { model: { path: "ci/build-env", lastModified: "100" } })]
    assert.deepStrictEqual(gone([renamed, current], child, [model]), [])
  })

  it("is also one of the same version that came second: another has the model's name", () => {
    const second = template("build-env-2-tmp", "200")
    assert.deepStrictEqual(gone([second, foreign(template("build-env", "200"))], [], [model]), ["build-env-2-tmp"])
  })

  it("is never another hatchery's", () => {
    assert.deepStrictEqual(gone([foreign(old)], [], [model], ["ci/build-env"]), [])
    assert.deepStrictEqual(templatesOf([foreign(old)], "rookery"), [])
  })
})

describe("the template of a model that CDS has no more", () => {
  it("goes when nothing carries its stamp; those of others stay", () => {
    const last = template("build-env", "200")
    const child = [machine(states.cloning, { model: stampOf(model) })]
    assert.deepStrictEqual(gone([last, template("tools", "100", "ci/tools")], [], [], ["ci/build-env"]), ["build-env"])
    assert.deepStrictEqual(gone([last], child, [], ["ci/build-env"]), [])
  })
})

describe("a model whose name another hatchery's template has", () => {
  const current = foreign(template("build-env", "200"))

  it("shares it while it is of the present version", () => {
    assert.deepStrictEqual(stands(current), { _tag: "Ready", template: current })
  })

  it("waits for that hatchery to replace it where it is of another version, whatever it has built itself", () => {
    const standing = stands(foreign(template("build-env", "100")), template("build-env-tmp", "200"))
    assert.match(
      standing._tag === "Taken" ? standing.reason : "",
      /the template of another version, which hatchery other has to replace: remove it if that one is gone/
    )
  })

  it("does not swap in what the other builds", () => {
    assert.deepStrictEqual(stands(foreign(template("build-env-tmp", "200"))), { _tag: "Missing" })
  })
})

const path = "shared.infra/build-env"

describe("a job on a V1 model", () => {
  it.effect("runs on a clone of the model's template, by the model's own commands and login", () =>
    Effect.gen(function* () {
      const world = yield* makeV1([{ name: "build-env", ...registered }])
      const process = yield* enter(world)
      yield* TestClock.adjust("5 minutes")
      const [id = ""] = yield* world.cds.enqueueV1({ model: path })
      yield* TestClock.adjust("10 minutes")
      assert.strictEqual((yield* world.cds.job(id))?.status, "Success")
      assert.deepStrictEqual(ours(world), [])
      assert.strictEqual((yield* process.capacity.used).workers, 0)
      assert.deepStrictEqual(yield* world.cds.violations, [])
    }).pipe(seeded("job"))
  )

  it.effect("runs though every second list of CDS lacks the model", () =>
    Effect.gen(function* () {
      const world = yield* makeV1([{ name: "build-env", ...registered }])
      yield* enter(world)
      yield* TestClock.adjust("5 minutes")
      const [id = ""] = yield* world.cds.enqueueV1({ model: path })
      for (let list = 0; list < 60; list++) {
        yield* TestClock.adjust("10 seconds")
        const { model } = world
        if (model !== undefined) Object.assign(model, { draft: { ...model.draft, disabled: list % 2 === 0 } })
      }
      assert.strictEqual((yield* world.cds.job(id))?.status, "Success")
      const history = (yield* world.cds.job(id))?.history.filter(({ why }) => why.includes("book")) ?? []
      assert.lengthOf(history, 1)
    }).pipe(seeded("every second list"))
  )

  it.effect("that is deprecated runs, and its user is told once", () =>
    Effect.gen(function* () {
      const world = yield* makeV1([{ name: "build-env", deprecated: true, ...registered }])
      yield* enter(world)
      yield* TestClock.adjust("5 minutes")
      const [id = ""] = yield* world.cds.enqueueV1({ model: path })
      yield* TestClock.adjust("10 minutes")
      const job = yield* world.cds.job(id)
      assert.strictEqual(job?.status, "Success")
      const told = job?.infos.filter(({ message }) => /deprecated/i.test(message)) ?? []
      assert.lengthOf(told, 1)
      assert.include(told[0]?.message, path)
      assert.deepStrictEqual(yield* world.cds.violations, [])
    }).pipe(seeded("deprecated"))
  )

  it.effect("waits, with the reason, until the model has its template and its registration", () =>
    Effect.gen(function* () {
      const world = yield* makeV1([{ name: "build-env" }])
      const process = yield* enter(world)
      yield* TestClock.adjust("15 seconds")
      const [id = ""] = yield* world.cds.enqueueV1({ model: path })
      yield* TestClock.adjust("10 seconds")
      const [decision] = yield* process.dispatcher.waiting
      assert.strictEqual(decision?.job, id)
      assert.match(decision?.reason ?? "", /has to be registered first|is not built yet/)
      yield* TestClock.adjust("15 minutes")
      assert.strictEqual((yield* world.cds.job(id))?.status, "Success")
    }).pipe(seeded("waits"))
  )
})

const credential = (password: string) => ({
  modelCredentials: [{ modelPath: path, username: "worker", password: Redacted.make(password) }]
})

describe("the guest login of a V1 model (6.2.3)", () => {
  it.effect("is the configuration's for its path, though the model has another", () =>
    Effect.gen(function* () {
      const world = yield* makeV1([{ name: "build-env", user: "nobody", password: "wrong", ...registered }], {
        settings: credential("worker")
      })
      yield* enter(world)
      yield* TestClock.adjust("5 minutes")
      assert.deepStrictEqual(templates(world), ["build-env", "debian12"])
    }).pipe(seeded("configured"))
  )

  it.effect("is not the model's where the configuration has one, right or wrong", () =>
    Effect.gen(function* () {
      const world = yield* makeV1([{ name: "build-env", ...registered }], { settings: credential("wrong") })
      yield* enter(world)
      yield* TestClock.adjust("5 minutes")
      assert.isUndefined(named(world, "build-env"))
    }).pipe(seeded("wrong"))
  )
})

describe("a V2 model (4.2)", () => {
  it.effect("names its template, is registered nowhere, and no template is built for it", () =>
    Effect.gen(function* () {
      const world = yield* makeWorld({ settings: { provision: [] } })
      yield* enter(world)
      const [id = ""] = yield* world.cds.enqueue()
      yield* TestClock.adjust("10 minutes")
      assert.strictEqual((yield* world.cds.job(id))?.status, "Success")
      assert.strictEqual(world.vcenter.summary().created, 1)
      assert.deepStrictEqual(templates(world), ["debian12"])
    }).pipe(seeded("v2"))
  )
})
