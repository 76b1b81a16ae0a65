import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Layer, Redacted } from "effect"
import { TestClock } from "effect/testing"
import { SimVCenter } from "../../../src/layers/simulated/vcenter/SimVCenter.ts"
import { Vim } from "../../../src/layers/vsphere/Vim.ts"
import { VimUnreachable } from "../../../src/schema/Errors.ts"
import { Inventory } from "../../../src/services/Inventory.ts"
import { VSphere } from "../../../src/services/VSphere.ts"
import { Calls, cloned, play, sent, sentSpec, stand } from "./stand.ts"

describe("validate", () => {
  const problems = Effect.gen(function* () {
    return (yield* play(Effect.flip((yield* VSphere).validate), "10 minutes")).problems
  })

  it.effect("is content with a configuration that names what is there", () =>
    Effect.gen(function* () {
      yield* play((yield* VSphere).validate, "5 seconds")
    }).pipe(Effect.provide(stand()))
  )

  it.effect("tells a wrong password once and does not try it again", () =>
    Effect.gen(function* () {
      const [problem] = yield* problems
      assert.match(problem?.path ?? "", /hatchery\.vsphere\.password/)
      assert.notInclude(JSON.stringify(problem), "wrong-one")
      assert.strictEqual((yield* SimVCenter).summary().loginFailures, 1)
    }).pipe(Effect.provide(stand({ vsphere: { password: Redacted.make("wrong-one") } })))
  )

  it.effect("tells a certificate that is not trusted once, and does not wait for another one", () => {
    const setting = "hatchery.vsphere.tls.ca"
    const refused = new VimUnreachable({ operation: "Login", reason: "not trusted", sent: false, setting })
    const vim = Layer.succeed(Vim, { call: () => Effect.fail(refused), download: () => Effect.fail(refused) })
    return Effect.gen(function* () {
      assert.deepStrictEqual(yield* problems, [{ path: setting, value: "(does not fit)", rule: "not trusted" }])
    }).pipe(Effect.provide(stand({ vim })))
  })

  it.effect("names an unknown datacenter with those that there are", () =>
    Effect.gen(function* () {
      const [problem] = yield* problems
      assert.deepInclude(problem, { path: "hatchery.vsphere.datacenterString", value: "DC9" })
      assert.match(problem?.rule ?? "", /it shows DC0$/)
    }).pipe(Effect.provide(stand({ vsphere: { datacenter: "DC9" } })))
  )

  it.effect("tells all that is wrong at once: unknown names, and one missing where there are several", () =>
    Effect.gen(function* () {
      const found = yield* problems
      assert.deepStrictEqual(
        found.map(({ path }) => path),
        [
          "hatchery.vsphere.folder",
          "hatchery.vsphere.resourcePool",
          "hatchery.vsphere.datastoreString",
          "hatchery.vsphere.networkString"
        ]
      )
      assert.match(found[3]?.rule ?? "", /one has to be named: .*VM Network/)
    }).pipe(
      Effect.provide(stand({ vsphere: { folder: "nowhere", resourcePool: "Spare", datastore: "Tape", network: "" } }))
    )
  )

  it.effect("finds pool, datastore and portgroup by name", () =>
    Effect.gen(function* () {
      yield* play(cloned(), "60 seconds")
      assert.include(JSON.stringify(yield* sentSpec), "VirtualEthernetCardDistributedVirtualPortBackingInfo")
    }).pipe(
      Effect.provide(stand({ vsphere: { resourcePool: "DC0_C0", datastore: "LocalDS_0", network: "DC0_DVPG0" } }))
    )
  )

  it.effect("puts machines on the host that is named, in the cluster that is named", () =>
    Effect.gen(function* () {
      yield* play(cloned(), "60 seconds")
      const hosts = (yield* SimVCenter)
        .machines()
        .flatMap(({ origin, host }) => (origin === "clone" ? [host.value] : []))
      assert.deepStrictEqual(hosts, ["host-22"])
    }).pipe(Effect.provide(stand({ vcenter: { hosts: 3 }, vsphere: { cluster: "DC0_C0", host: "esx-3" } })))
  )

  it.effect("names an unknown cluster or host with those that there are, and no other problem comes of it", () =>
    Effect.gen(function* () {
      const found = yield* problems
      assert.deepStrictEqual(
        found.map(({ path, rule }) => `${path}: ${rule.split("; ")[1]}`),
        ["hatchery.vsphere.cluster: it shows DC0_C0", "hatchery.vsphere.host: it shows esx-1, esx-2"]
      )
    }).pipe(Effect.provide(stand({ vcenter: { hosts: 2 }, vsphere: { cluster: "DC0_C1", host: "esx-9" } })))
  )

  it.effect("waits for a vCenter that cannot be reached yet", () =>
    Effect.gen(function* () {
      yield* (yield* SimVCenter).inject({ _tag: "Restart", downMs: 120_000 })
      const fiber = yield* Effect.forkScoped((yield* VSphere).validate)
      yield* TestClock.adjust("1 minute")
      assert.isUndefined(fiber.pollUnsafe())
      yield* TestClock.adjust("2 minutes")
      yield* Fiber.join(fiber)
    }).pipe(Effect.provide(stand()))
  )
})

describe("logout", () => {
  it.effect("is the last call: the inventory's wait does not open another session", () =>
    Effect.gen(function* () {
      yield* play((yield* Inventory).certain, "5 seconds")
      yield* play((yield* VSphere).logout, "5 seconds")
      yield* TestClock.adjust("10 minutes")
      assert.strictEqual((yield* Calls).all.at(-1)?.operation, "Logout")
      assert.strictEqual(yield* sent("Login"), 1)
    }).pipe(Effect.provide(stand()))
  )
})
