import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { TestClock } from "effect/testing"
import type { Programs } from "../../../src/layers/simulated/vcenter/Options.ts"
import { parse } from "../../../src/schema/Annotation.ts"
import { name, seeded, start, type World } from "../../support/world.ts"
import { enter, makeV1, named, ours, registered, standing, templates, until } from "../scene.ts"

const stampOn = (world: World, wanted: string) => parse(named(world, wanted)?.annotation ?? "")?.workerModelLastModified

/** A guest in which a command that says `shutdown` turns the machine off, and one that says `exit 3` fails. */
const guests: Programs = ({ arguments: text, write }) =>
  Effect.sync(() => {
    if (text.includes("exit 3")) {
      write("/tmp/worker.build.log", "apt-get: no space left\n")
      return { exitCode: 3 }
    }
    return text.includes("shutdown") ? { exitCode: 0, powerOffAfterMs: 0 } : { exitCode: 0 }
  })

describe("a V1 model without a template", () => {
  it.effect("gets one, built aside from its base image, with its stamp, and its address is free again", () =>
    Effect.gen(function* () {
      const world = yield* makeV1([{ name: "build-env", ...registered }])
      const process = yield* enter(world)
      yield* TestClock.adjust("15 seconds")
      assert.strictEqual(standing(process), "Cloning")
      yield* TestClock.adjust("20 seconds")
      assert.strictEqual(named(world, "build-env-tmp")?.power, "poweredOn")
      assert.strictEqual((yield* process.ips.count).leased, 1)
      yield* TestClock.adjust("4 minutes")
      assert.deepStrictEqual(templates(world), ["build-env", "debian12"])
      assert.deepStrictEqual(ours(world), [])
      assert.strictEqual((yield* process.ips.count).leased, 0)
      const annotation = parse(named(world, "build-env")?.annotation ?? "")
      assert.deepInclude(annotation, {
        hatcheryName: name,
        model: true,
        workerModelPath: "shared.infra/build-env",
        workerName: undefined
      })
      assert.match(annotation?.workerModelLastModified ?? "", /^\d+$/)
    }).pipe(seeded("built"))
  )

  const shares = [
    { what: "has a snapshot, so that the clones of its pool share its disks", snapshot: true },
    { what: "has none without the right to take one, and is built all the same", snapshot: false, refused: true },
    {
      what: "has none where a flavor may have a disk grow",
      snapshot: false,
      flavors: [{ name: "large", cpus: 2, memoryMB: 2_048, diskSizeGB: 100 }]
    }
  ]

  it.effect.each(shares)("$what", ({ snapshot, refused, flavors = [] }) =>
    Effect.gen(function* () {
      const settings = { modelProvision: [{ modelPath: "shared.infra/build-env", number: 1 }], flavors }
      const world = yield* makeV1([{ name: "build-env", ...registered }], { settings })
      const operation = "CreateSnapshot_Task"
      if (refused) yield* world.vcenter.inject({ _tag: "CallFails", operation, fault: "NoPermission", count: 1 })
      yield* start(world)
      yield* TestClock.adjust("10 minutes")
      assert.strictEqual(named(world, "build-env")?.snapshot !== undefined, snapshot)
      assert.lengthOf(ours(world), 1)
    }).pipe(seeded("snapshot"))
  )

  it.effect("is built once: a later process finds the template by its stamp", () =>
    Effect.gen(function* () {
      const world = yield* makeV1([{ name: "build-env", ...registered }])
      const first = yield* start(world)
      yield* TestClock.adjust("5 minutes")
      yield* first.kill
      yield* start(world)
      yield* TestClock.adjust("10 minutes")
      assert.strictEqual(world.vcenter.summary().created, 1)
      assert.deepStrictEqual(templates(world), ["build-env", "debian12"])
    }).pipe(seeded("once"))
  )

  for (const call of [
    "CloneVM_Task",
    "StartProgramInGuest",
    "ReconfigVM_Task",
    "CreateSnapshot_Task",
    "MarkAsTemplate",
    "Rename_Task"
  ])
    for (const when of ["before", "unanswered"] as const)
      it.effect(`has it in the end, and nothing else is left, when the process dies at ${call}, ${when}`, () =>
        Effect.gen(function* () {
          const plan = yield* makeV1([{ name: "build-env", ...registered }])
          const rehearsal = yield* start(plan)
          yield* TestClock.adjust("5 minutes")
          const at = rehearsal.calls.lastIndexOf(call) + 1
          assert.isAbove(at, 0)
          yield* rehearsal.kill
          const world = yield* makeV1([{ name: "build-env", ...registered }])
          const first = yield* start(world, { at, when })
          yield* TestClock.adjust("5 minutes")
          assert.isTrue(yield* first.crashed)
          yield* first.kill
          const second = yield* enter(world)
          yield* TestClock.adjust("40 minutes")
          assert.deepStrictEqual(templates(world), ["build-env", "debian12"])
          assert.deepStrictEqual(ours(world), [])
          assert.strictEqual((yield* second.ips.count).leased, 0)
        }).pipe(seeded("cut"))
      )

  it.effect("and without a post command is shut down by the hatchery", () =>
    Effect.gen(function* () {
      const world = yield* makeV1([{ name: "build-env", postCmd: "", ...registered }])
      yield* start(world)
      yield* TestClock.adjust("5 minutes")
      assert.deepStrictEqual(templates(world), ["build-env", "debian12"])
    }).pipe(seeded("no post command"))
  )

  it.effect("is not built where registrations are turned off (maxConcurrentRegistering = -1)", () =>
    Effect.gen(function* () {
      const world = yield* makeV1([{ name: "build-env" }], { settings: { maxConcurrentRegistering: -1 } })
      yield* start(world)
      yield* TestClock.adjust("10 minutes")
      assert.strictEqual(world.vcenter.summary().created, 0)
    }).pipe(seeded("off"))
  )

  it.effect("waits while as many are built as may be registered at once", () =>
    Effect.gen(function* () {
      const models = ["a", "b", "c"].map((model) => ({ name: model, ...registered }))
      const world = yield* makeV1(models, { settings: { maxConcurrentRegistering: 2 } })
      yield* start(world)
      yield* TestClock.adjust("40 seconds")
      assert.strictEqual(ours(world).length, 2)
      yield* TestClock.adjust("10 minutes")
      assert.deepStrictEqual(templates(world), ["a", "b", "c", "debian12"])
    }).pipe(seeded("limit"))
  )

  it.effect("is of another type, or disabled: it is nobody's here", () =>
    Effect.gen(function* () {
      const world = yield* makeV1([
        { name: "docker", type: "docker" },
        { name: "old", disabled: true }
      ])
      yield* start(world)
      yield* TestClock.adjust("5 minutes")
      assert.strictEqual(world.vcenter.summary().created, 0)
    }).pipe(seeded("others"))
  )
})

describe("a V1 model that was changed", () => {
  it.effect("gets a new template, and the old one goes when nothing descends from it", () =>
    Effect.gen(function* () {
      const world = yield* makeV1([{ name: "build-env", ...registered }])
      const { said } = yield* enter(world)
      yield* TestClock.adjust("5 minutes")
      const before = stampOn(world, "build-env")
      yield* world.cds.addModel({ name: "build-env", password: "worker", preCmd: "true", ...registered })
      yield* TestClock.adjust("5 minutes")
      assert.notStrictEqual(stampOn(world, "build-env"), before)
      assert.deepStrictEqual(templates(world), ["build-env", "debian12"])
      assert.include(yield* said("build-env"), `renamed to build-env-old-${before}`)
    }).pipe(seeded("changed"))
  )

  it.effect("keeps the old one aside as long as a machine of its stamp is there", () =>
    Effect.gen(function* () {
      const world = yield* makeV1([{ name: "build-env", ...registered }])
      yield* start(world)
      yield* TestClock.adjust("5 minutes")
      const before = stampOn(world, "build-env") ?? ""
      const annotation = JSON.stringify({
        hatchery_name: name,
        worker_name: "at-work",
        worker_model_path: "shared.infra/build-env",
        worker_model_last_modified: before
      })
      const [child] = world.vcenter.addForeign({ count: 1, prefix: "child", annotation })
      yield* world.cds.addModel({ name: "build-env", password: "worker", preCmd: "true", ...registered })
      yield* TestClock.adjust("5 minutes")
      assert.deepStrictEqual(templates(world), ["build-env", `build-env-old-${before}`, "debian12"])
      world.vcenter.others.destroy(child?.value ?? "")
      yield* TestClock.adjust("5 minutes")
      assert.deepStrictEqual(templates(world), ["build-env", "debian12"])
    }).pipe(seeded("kept"))
  )

  it.effect("while its template was being built has that one removed too", () =>
    Effect.gen(function* () {
      const world = yield* makeV1([{ name: "build-env", ...registered }])
      const { said } = yield* enter(world)
      yield* TestClock.adjust("50 seconds")
      yield* world.cds.addModel({ name: "build-env", password: "worker", preCmd: "true", ...registered })
      yield* TestClock.adjust("10 minutes")
      assert.deepStrictEqual(templates(world), ["build-env", "debian12"])
      assert.deepStrictEqual(yield* said("build-env-2-tmp"), ["renamed to build-env"])
      assert.deepStrictEqual(yield* said("build-env-tmp"), ["no machine descends from it: removed"])
      assert.deepStrictEqual(ours(world), [])
    }).pipe(seeded("meanwhile"))
  )
})

describe("a V1 model that CDS has no more", () => {
  const scene = Effect.gen(function* () {
    const world = yield* makeV1([{ name: "build-env", ...registered }])
    const process = yield* enter(world)
    yield* TestClock.adjust("5 minutes")
    assert.deepStrictEqual(templates(world), ["build-env", "debian12"])
    const enable = (enabled: boolean) =>
      Effect.sync(() => Object.assign(world.model ?? {}, { draft: { ...world.model?.draft, disabled: !enabled } }))
    return { world, enable, ...process }
  })

  it.effect("by two lists in a row leaves no template behind, and gets one when it is there again", () =>
    Effect.gen(function* () {
      const { world, enable, said } = yield* scene
      yield* enable(false)
      yield* TestClock.adjust("2 minutes")
      assert.deepStrictEqual(templates(world), ["debian12"])
      assert.include(yield* said("build-env"), "no machine descends from it: removed")
      yield* enable(true)
      yield* TestClock.adjust("5 minutes")
      assert.deepStrictEqual(templates(world), ["build-env", "debian12"])
    }).pipe(seeded("deleted"))
  )

  it.effect("while its process has no V1 token keeps its template: nobody says that it is gone", () =>
    Effect.gen(function* () {
      const { world, kill } = yield* scene
      yield* kill
      const cds = { ...world.settings.cds, token: undefined }
      yield* enter({ ...world, settings: { ...world.settings, cds } })
      yield* TestClock.adjust("10 minutes")
      assert.deepStrictEqual(templates(world), ["build-env", "debian12"])
    }).pipe(seeded("no token"))
  )

  it.effect("keeps its template while a machine cannot be read that may descend from it, and says which", () =>
    Effect.gen(function* () {
      const { world, enable, said } = yield* scene
      yield* world.vcenter.inject({ _tag: "Unreadable", path: "config.annotation", forMs: 5 * 60_000 })
      world.vcenter.addForeign({ count: 1, prefix: "hidden" })
      yield* enable(false)
      yield* TestClock.adjust("4 minutes")
      assert.deepStrictEqual(templates(world), ["build-env", "debian12"])
      const why = (yield* said("build-env")).filter((text) => text.includes("stays"))
      assert.lengthOf(why, 1)
      assert.match(why[0] ?? "", /stays: hidden\S* may descend from it and cannot be read/)
      yield* TestClock.adjust("4 minutes")
      assert.deepStrictEqual(templates(world), ["debian12"])
    }).pipe(seeded("hidden"))
  )
})

describe("a model whose name is taken", () => {
  it.effect("while its template is built has it built again under another, and what became somebody else's stays", () =>
    Effect.gen(function* () {
      const world = yield* makeV1([{ name: "build-env", ...registered }])
      const process = yield* enter(world)
      while (standing(process) !== "Preparing") yield* TestClock.adjust("1 second")
      const lost = named(world, "build-env-tmp")?.ref.value ?? ""
      world.vcenter.others.annotate(lost, "mine now")
      yield* TestClock.adjust("20 minutes")
      assert.strictEqual(named(world, "build-env-tmp")?.ref.value, lost)
      assert.deepStrictEqual(templates(world), ["build-env", "debian12"])
    }).pipe(seeded("lost"))
  )

  it.effect("by another group's model has the reason told, and harms nobody", () =>
    Effect.gen(function* () {
      const cds = { hatcheries: [{ name, region: "default", groups: ["shared.infra", "team"] }] }
      const world = yield* makeV1([{ name: "build-env", ...registered }], { cds })
      const { said } = yield* enter(world)
      yield* TestClock.adjust("5 minutes")
      const first = named(world, "build-env")
      yield* world.cds.addModel({ name: "build-env", group: "team", password: "worker", ...registered })
      yield* TestClock.adjust("10 minutes")
      assert.strictEqual(named(world, "build-env")?.ref.value, first?.ref.value)
      assert.deepStrictEqual(templates(world), ["build-env", "debian12"])
      assert.deepStrictEqual(yield* said("team/build-env"), [
        'its name "build-env" is taken in vCenter by the template of shared.infra/build-env: rename one of the two'
      ])
    }).pipe(seeded("two groups"))
  )

  it.effect("by its own template, from which somebody took the mark, has jobs wait, and they are told why", () =>
    Effect.gen(function* () {
      const world = yield* makeV1([{ name: "build-env", ...registered }])
      const { dispatcher } = yield* enter(world)
      yield* TestClock.adjust("5 minutes")
      const built = named(world, "build-env")
      world.vcenter.others.annotate(built?.ref.value ?? "", built?.annotation.replace('"model":true,', "") ?? "")
      yield* world.cds.enqueueV1({ model: "shared.infra/build-env" })
      const reason = Effect.map(dispatcher.waiting, ([decision]) => decision?.reason ?? "")
      yield* TestClock.adjust("1 minute")
      assert.match(yield* reason, /has no template: its name "build-env" is taken in vCenter by a template that/)
      yield* world.cds.addModel({ name: "build-env", password: "worker" })
      yield* TestClock.adjust("1 minute")
      assert.match(yield* reason, /has to be registered first, and cannot be: its name "build-env" is taken/)
      assert.strictEqual(named(world, "build-env")?.ref.value, built?.ref.value)
    }).pipe(seeded("unmarked"))
  )

  it.effect("by its own base image leaves that alone", () =>
    Effect.gen(function* () {
      const world = yield* makeV1([{ name: "debian12", ...registered }])
      const { said } = yield* enter(world)
      yield* TestClock.adjust("10 minutes")
      assert.strictEqual(world.vcenter.summary().created, 0)
      assert.match((yield* said("shared.infra/debian12"))[0] ?? "", /is taken in vCenter by a machine or template/)
    }).pipe(seeded("base image"))
  )
})

describe("a template that cannot be built", () => {
  it.effect("is tried again at once when its model was corrected: the pause is that of the version that fails", () =>
    Effect.gen(function* () {
      const world = yield* makeV1([{ name: "build-env", image: "nowhere", ...registered }])
      const process = yield* enter(world)
      const failures = Effect.map(process.said("shared.infra/build-env"), (texts) => texts.length)
      yield* TestClock.adjust("1 hour")
      const known = yield* failures
      while ((yield* failures) === known) yield* TestClock.adjust("1 second")
      yield* TestClock.adjust("5 minutes")
      assert.strictEqual(yield* failures, known + 1)
      yield* world.cds.addModel({ name: "build-env", password: "worker", ...registered })
      yield* TestClock.adjust("75 seconds")
      assert.notStrictEqual(standing(process), "")
      yield* TestClock.adjust("5 minutes")
      assert.deepStrictEqual(templates(world), ["build-env", "debian12"])
    }).pipe(seeded("corrected"))
  )

  it.effect("is told to CDS with the end of the log, removed, and tried again with growing pauses", () =>
    Effect.gen(function* () {
      const world = yield* makeV1([{ name: "build-env", postCmd: "exit 3" }], { vcenter: { programs: guests } })
      const process = yield* enter(world)
      yield* TestClock.adjust("4 minutes")
      const { model } = world
      const [error] = model?.spawnErrors ?? []
      assert.match(error?.error ?? "", /its post command ended with exit code 3/)
      assert.match(error?.log ?? "", /no space left/)
      yield* TestClock.adjust("3 hours")
      assert.strictEqual(model?.spawnErrors.length, 6, "above five CDS wants it left alone")
      assert.match((yield* process.said("shared.infra/build-env")).at(-1) ?? "", /it failed 6 times and is left alone/)
      assert.deepStrictEqual(ours(world), [])
      assert.strictEqual((yield* process.ips.count).leased, 0)
    }).pipe(seeded("fails"))
  )

  it.effect("because its post command ends well and leaves the machine on has that told at once, and its time", () =>
    Effect.gen(function* () {
      const world = yield* makeV1([{ name: "build-env", postCmd: "true" }], { vcenter: { programs: guests } })
      const { said } = yield* enter(world)
      const text = Effect.map(said("shared.infra/build-env"), (all) => all.join())
      yield* TestClock.adjust("4 minutes")
      assert.match(yield* text, /its post command has ended with exit code 0, and the machine is still on/)
      assert.notMatch(yield* text, /building failed/)
      yield* TestClock.adjust("15 minutes")
      assert.match(yield* text, /building failed: preparing the template took too long/)
    }).pipe(seeded("stays on"))
  )

  it.effect("in a version that was changed meanwhile is no error of the present one", () =>
    Effect.gen(function* () {
      const world = yield* makeV1([{ name: "build-env", postCmd: "exit 3" }], { vcenter: { programs: guests } })
      const process = yield* enter(world)
      yield* until(() => process.calls.includes("StartProgramInGuest"))
      yield* world.cds.addModel({ name: "build-env", password: "worker" })
      yield* TestClock.adjust("1 minute")
      assert.match((yield* process.said("shared.infra/build-env")).join(), /building failed: .*exit code 3/)
      assert.deepStrictEqual(world.model?.spawnErrors, [])
    }).pipe(seeded("changed while it failed"))
  )

  it.effect("because its base image is missing says which", () =>
    Effect.gen(function* () {
      const world = yield* makeV1([{ name: "build-env", image: "nosuch", ...registered }])
      const { said } = yield* enter(world)
      yield* TestClock.adjust("5 minutes")
      assert.match((yield* said("shared.infra/build-env"))[0] ?? "", /building failed: .*nosuch/)
    }).pipe(seeded("no image"))
  )

  it.effect("because no address is free waits for one, and CDS counts no error of the model's", () =>
    Effect.gen(function* () {
      const base = yield* makeV1([{ name: "build-env" }])
      const { vsphere } = base.settings
      const networks = [{ ipRange: "10.0.0.8/32", gateway: undefined, subnetMask: "255.255.255.0" }]
      const world = { ...base, settings: { ...base.settings, vsphere: { ...vsphere, networks } } }
      const annotation = JSON.stringify({ hatchery_name: "other", worker_name: "w", ip_address: "10.0.0.8" })
      const [holder] = world.vcenter.addForeign({ count: 1, prefix: "holder", annotation })
      const { said } = yield* enter(world)
      yield* TestClock.adjust("2 hours")
      assert.deepStrictEqual(base.model?.spawnErrors, [])
      assert.match((yield* said("shared.infra/build-env")).join(), /left for now: .*iprange/)
      world.vcenter.others.destroy(holder?.value ?? "")
      yield* TestClock.adjust("10 minutes")
      assert.deepStrictEqual(templates(world), ["build-env", "debian12"])
    }).pipe(seeded("no address"))
  )

  it.effect(
    "because vCenter cannot clone now is tried again for as long as it takes, and CDS counts no error of the model's",
    () =>
      Effect.gen(function* () {
        const world = yield* makeV1([{ name: "build-env" }])
        yield* world.vcenter.inject({ _tag: "DatastoreFull", forMs: 3 * 3_600_000 })
        const { said } = yield* enter(world)
        yield* TestClock.adjust("3 hours")
        assert.match((yield* said("shared.infra/build-env")).join(), /building failed: /)
        assert.deepStrictEqual(world.model?.spawnErrors, [])
        yield* TestClock.adjust("30 minutes")
        assert.deepStrictEqual(templates(world), ["build-env", "debian12"])
      }).pipe(seeded("datastore full"))
  )

  it.effect("because nobody can log in says which settings are missing", () =>
    Effect.gen(function* () {
      const world = yield* makeV1([{ name: "build-env", user: "", password: "", ...registered }])
      const { said } = yield* enter(world)
      yield* TestClock.adjust("5 minutes")
      assert.include((yield* said("shared.infra/build-env")).join(), "set hatchery.vsphere.models (modelPath")
    }).pipe(seeded("no login"))
  )
})
