import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber } from "effect"
import { TestClock } from "effect/testing"
import { SimVCenter } from "../../../../src/layers/simulated/vcenter/SimVCenter.ts"
import { connect, faultOf, login, viewSpec, world } from "./client.ts"

const serviceInstance = { type: "ServiceInstance", value: "ServiceInstance" }

describe("Sessions of the simulated vCenter", () => {
  it.effect("answers the service content without a session and everything else with NotAuthenticated", () =>
    Effect.gen(function* () {
      const client = yield* connect(yield* SimVCenter.make())
      const content = (yield* client.call("RetrieveServiceContent", { _this: serviceInstance })) as {
        rootFolder: unknown
      }
      assert.deepStrictEqual(content.rootFolder, { type: "Folder", value: "group-d1" })
      assert.strictEqual(
        faultOf(yield* Effect.flip(client.call("CurrentTime", { _this: serviceInstance }))),
        "NotAuthenticated"
      )
      yield* client.signIn()
      assert.strictEqual(yield* client.call("CurrentTime", { _this: serviceInstance }), "1970-01-01T00:00:00.000Z")
    })
  )

  it.effect("locks the account for five minutes after five wrong passwords, the right one included", () =>
    Effect.gen(function* () {
      const vcenter = yield* SimVCenter.make()
      const client = yield* connect(vcenter)
      yield* Effect.forEach([1, 2, 3, 4, 5], () => Effect.flip(client.signIn("wrong")))
      assert.strictEqual(faultOf(yield* Effect.flip(client.signIn(login.password))), "InvalidLogin")
      assert.strictEqual(vcenter.summary().loginFailures, 6)
      yield* TestClock.adjust("5 minutes")
      yield* client.signIn()
    })
  )

  it.effect("takes collectors and views along when it ends, and tells a waiting caller NotAuthenticated", () =>
    Effect.gen(function* () {
      const { client, vcenter } = yield* world()
      yield* client.filter(viewSpec(yield* client.view(), ["name"]))
      const { version } = (yield* client.wait(""))!
      const waiting = yield* Effect.forkChild(Effect.flip(client.wait(version, {})))
      yield* TestClock.adjust("1 second")
      yield* vcenter.inject({ _tag: "SessionEnds" })
      assert.strictEqual(faultOf(yield* Fiber.join(waiting)), "NotAuthenticated")
      assert.deepStrictEqual([vcenter.summary().sessions, vcenter.summary().views], [0, 0])
      yield* client.signIn()
      assert.strictEqual(faultOf(yield* Effect.flip(client.wait(version))), "InvalidCollectorVersion")
    })
  )

  it.effect("keeps the collectors of two clients apart", () =>
    Effect.gen(function* () {
      const { client, vcenter } = yield* world()
      const other = yield* connect(vcenter)
      yield* other.signIn()
      yield* client.filter(viewSpec(yield* client.view(), ["name"]))
      assert.isDefined(yield* client.wait(""))
      assert.isUndefined(yield* other.wait(""))
    })
  )

  it.effect("ends with Logout", () =>
    Effect.gen(function* () {
      const { client, vcenter } = yield* world()
      yield* client.call("Logout", { _this: { type: "SessionManager", value: "SessionManager" } })
      assert.strictEqual(vcenter.summary().sessions, 0)
      assert.strictEqual(faultOf(yield* Effect.flip(client.view())), "NotAuthenticated")
    })
  )
})
